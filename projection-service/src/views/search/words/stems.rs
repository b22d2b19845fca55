//! Words without their endings, in the languages of a tenant.
//!
//! A word has a stem in each of them, of what was written and of what that is without accents: who leaves them out finds
//! the same. Stems of two languages are not told apart: what a word is in another one can only find more.

use std::borrow::Cow;

use frostem::{Algorithm, Stemmer};
use promptory_events::event::{Language, Languages};

use super::fold::{fold, lower};

/// Begins the index's term for a stem. No folded word holds it.
pub const STEM: char = '\u{1}';

/// The stemmers of some languages.
#[derive(Clone)]
pub struct Stems {
    stemmers: Vec<Stemmer>,
    /// Whether one of them also takes beginnings away.
    takes_beginnings: bool,
}

impl Stems {
    /// Of these languages; none has no stems.
    #[must_use]
    pub fn new(languages: Languages) -> Self {
        let stemmers = languages.iter().map(|language| Stemmer::new(algorithm(language))).collect();
        let takes_beginnings = languages.has(Language::Dutch) || languages.has(Language::Arabic);
        Self { stemmers, takes_beginnings }
    }

    /// The index's terms for the stems of a word as it is written, each once.
    #[must_use]
    pub fn of(&self, word: &str) -> Vec<String> {
        let mut stems: Vec<String> = Vec::with_capacity(self.stemmers.len());
        if self.stemmers.is_empty() {
            return stems;
        }
        let (lower, folded) = (lower(word), fold(word));
        let written: &[&str] = if lower == folded { &[&folded] } else { &[&lower, &folded] };
        for (stemmer, form) in self.stemmers.iter().flat_map(|stemmer| written.iter().map(move |form| (stemmer, form)))
        {
            let stem = match stemmer.stem(form) {
                Cow::Borrowed("") => Cow::Borrowed(folded.as_str()),
                stem => stem,
            };
            let term = format!("{STEM}{}", fold(&stem));
            if !stems.contains(&term) {
                stems.push(term);
            }
        }
        stems
    }

    /// Whether a word may have a stem that begins with another letter than the word.
    #[must_use]
    pub fn take_beginnings(&self) -> bool {
        self.takes_beginnings
    }
}

fn algorithm(language: Language) -> Algorithm {
    match language {
        Language::English => Algorithm::English,
        Language::Arabic => Algorithm::Arabic,
        Language::Catalan => Algorithm::Catalan,
        Language::Czech => Algorithm::Czech,
        Language::Danish => Algorithm::Danish,
        Language::Dutch => Algorithm::Dutch,
        Language::Finnish => Algorithm::Finnish,
        Language::French => Algorithm::French,
        Language::German => Algorithm::German,
        Language::Greek => Algorithm::Greek,
        Language::Hungarian => Algorithm::Hungarian,
        Language::Italian => Algorithm::Italian,
        Language::Norwegian => Algorithm::Norwegian,
        Language::Polish => Algorithm::Polish,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Romanian => Algorithm::Romanian,
        Language::Russian => Algorithm::Russian,
        Language::Spanish => Algorithm::Spanish,
        Language::Swedish => Algorithm::Swedish,
        Language::Turkish => Algorithm::Turkish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(languages: &[Language], word: &str) -> Vec<String> {
        let stems = Stems::new(Languages::of(languages)).of(word);
        stems.into_iter().map(|stem| stem.strip_prefix(STEM).unwrap().to_owned()).collect()
    }

    fn alike(language: Language, one: &str, other: &str) -> bool {
        let (one, other) = (stems(&[language], one), stems(&[language], other));
        one.iter().any(|stem| other.contains(stem))
    }

    #[test]
    fn each_language_finds_a_word_by_another_ending_and_english_does_not() {
        let pairs = [
            (Language::Arabic, "الكتاب", "كتاب"),
            (Language::Catalan, "abandonada", "abandonar"),
            (Language::Czech, "knihami", "kniha"),
            (Language::Danish, "undersøgelserne", "undersøgelse"),
            (Language::Dutch, "huizen", "huis"),
            (Language::Finnish, "taloissa", "talo"),
            (Language::French, "chevaux", "cheval"),
            (Language::German, "Häuser", "haus"),
            (Language::German, "Aufgaben", "Aufgabe"),
            (Language::Greek, "άνθρωποι", "άνθρωπος"),
            (Language::Hungarian, "házakban", "ház"),
            (Language::Italian, "ragazze", "ragazza"),
            (Language::Norwegian, "husene", "hus"),
            (Language::Polish, "książkami", "książka"),
            (Language::Portuguese, "informações", "informação"),
            (Language::Romanian, "cuvintele", "cuvintelor"),
            (Language::Russian, "переводчиками", "переводчик"),
            (Language::Russian, "хороший", "хорошая"),
            (Language::Spanish, "escribiendo", "escribir"),
            (Language::Swedish, "flickorna", "flicka"),
            (Language::Turkish, "kitapları", "kitap"),
        ];
        let unlike = pairs.iter().filter(|(language, one, other)| !alike(*language, one, other));
        assert_eq!(unlike.collect::<Vec<_>>(), Vec::<&(Language, &str, &str)>::new());
        let english = pairs.iter().filter(|(_, one, other)| alike(Language::English, one, other));
        assert_eq!(english.collect::<Vec<_>>(), Vec::<&(Language, &str, &str)>::new());
        let tried = Languages::of(&pairs.map(|(language, ..)| language));
        assert_eq!(tried.len(), Language::ALL.len() - 1, "all but English");
    }

    #[test]
    fn accents_may_be_left_out_and_what_is_written_without_is_the_same() {
        assert!(alike(Language::German, "Häuser", "hauser"));
        assert!(alike(Language::German, "haeuser", "häuser"));
        assert!(alike(Language::French, "énergétiques", "energetique"));
        assert!(alike(Language::Spanish, "traducciones", "traduccion"));
    }

    #[test]
    fn a_word_has_a_stem_of_each_language_once_and_none_without_languages() {
        assert_eq!(stems(&[Language::English, Language::German], "prompts"), ["prompt"]);
        assert_eq!(stems(&[Language::English, Language::German], "running"), ["run", "running"]);
        assert_eq!(stems(&[], "running"), Vec::<String>::new());
        assert_eq!(stems(&Language::ALL, "研究"), ["研究"]);
        assert_eq!(stems(&[Language::English], ""), [""]);
    }

    #[test]
    fn only_a_language_that_says_so_takes_beginnings_away() {
        for language in Language::ALL {
            if Stems::new(Languages::of(&[language])).take_beginnings() {
                continue;
            }
            for word in ["gelopen", "unhappy", "Ungelesenes", "predavanje", "الكتاب", "nejlepší", "ανθρωπος"]
            {
                for stem in stems(&[language], word) {
                    assert_eq!(stem.chars().next(), fold(word).chars().next(), "{language}: {word}");
                }
            }
        }
    }
}
