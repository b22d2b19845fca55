//! How a tenant's prompts are searched: the languages that they are in.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A language whose endings a search knows how to leave out, under its ISO 639-1 code. The order is the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Arabic.
    #[serde(rename = "ar")]
    Arabic,
    /// Catalan.
    #[serde(rename = "ca")]
    Catalan,
    /// Czech.
    #[serde(rename = "cs")]
    Czech,
    /// Danish.
    #[serde(rename = "da")]
    Danish,
    /// Dutch.
    #[serde(rename = "nl")]
    Dutch,
    /// Finnish.
    #[serde(rename = "fi")]
    Finnish,
    /// French.
    #[serde(rename = "fr")]
    French,
    /// German.
    #[serde(rename = "de")]
    German,
    /// Greek.
    #[serde(rename = "el")]
    Greek,
    /// Hungarian.
    #[serde(rename = "hu")]
    Hungarian,
    /// Italian.
    #[serde(rename = "it")]
    Italian,
    /// Norwegian.
    #[serde(rename = "no")]
    Norwegian,
    /// Polish.
    #[serde(rename = "pl")]
    Polish,
    /// Portuguese.
    #[serde(rename = "pt")]
    Portuguese,
    /// Romanian.
    #[serde(rename = "ro")]
    Romanian,
    /// Russian.
    #[serde(rename = "ru")]
    Russian,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
    /// Swedish.
    #[serde(rename = "sv")]
    Swedish,
    /// Turkish.
    #[serde(rename = "tr")]
    Turkish,
}

impl Language {
    /// All of them, in order.
    pub const ALL: [Self; 20] = [
        Self::English,
        Self::Arabic,
        Self::Catalan,
        Self::Czech,
        Self::Danish,
        Self::Dutch,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Polish,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Turkish,
    ];

    /// Its ISO 639-1 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Arabic => "ar",
            Self::Catalan => "ca",
            Self::Czech => "cs",
            Self::Danish => "da",
            Self::Dutch => "nl",
            Self::Finnish => "fi",
            Self::French => "fr",
            Self::German => "de",
            Self::Greek => "el",
            Self::Hungarian => "hu",
            Self::Italian => "it",
            Self::Norwegian => "no",
            Self::Polish => "pl",
            Self::Portuguese => "pt",
            Self::Romanian => "ro",
            Self::Russian => "ru",
            Self::Spanish => "es",
            Self::Swedish => "sv",
            Self::Turkish => "tr",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is the code of no language that a search knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is the code of no language whose endings are known")]
pub struct UnknownLanguage(String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.code() == text).ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

/// The languages that a tenant's prompts are in; none: words are found as they are written. English if nobody has said.
/// On the wire a list in the order of [`Language`]. Small, and copied without a thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Languages(u32);

impl Languages {
    /// These.
    #[must_use]
    pub fn of(languages: &[Language]) -> Self {
        Self(languages.iter().fold(0, |set, language| set | bit(*language)))
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(self, language: Language) -> bool {
        self.0 & bit(language) != 0
    }

    /// Them, in order.
    pub fn iter(self) -> impl Iterator<Item = Language> {
        Language::ALL.into_iter().filter(move |language| self.has(*language))
    }

    /// How many they are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Default for Languages {
    fn default() -> Self {
        Self::of(&[Language::English])
    }
}

impl Serialize for Languages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.iter().collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Languages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Language>::deserialize(deserializer).map(|languages| Self::of(&languages))
    }
}

impl JsonSchema for Languages {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Languages".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<Language>::json_schema(generator)
    }
}

fn bit(language: Language) -> u32 {
    1 << (language as u32)
}

/// How a tenant's prompts are searched was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchConfigured {
    /// The languages that they were in until now.
    pub before: Languages,
    /// The languages that they are in from now on.
    pub after: Languages,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back_and_the_list_is_in_the_order_of_the_wire() {
        for (number, language) in Language::ALL.into_iter().enumerate() {
            assert_eq!((language.code().parse(), language as usize), (Ok(language), number));
            assert_eq!(serde_json::to_value(language).unwrap(), language.code());
        }
        assert!("xx".parse::<Language>().is_err());
    }

    #[test]
    fn languages_are_a_set_whose_list_has_one_order() {
        let both = Languages::of(&[Language::German, Language::English, Language::German]);
        assert_eq!(serde_json::to_value(both).unwrap(), serde_json::json!(["en", "de"]));
        assert_eq!(serde_json::from_str::<Languages>("[\"de\",\"en\"]").unwrap(), both);
        assert_eq!((both.len(), both.has(Language::French)), (2, false));
        assert!(serde_json::from_str::<Languages>("[]").unwrap().is_empty());
        assert_eq!(Languages::default(), Languages::of(&[Language::English]));
    }
}
