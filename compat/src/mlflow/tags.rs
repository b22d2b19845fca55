//! MLflow's tags of a prompt have a key and a value; ours are words. `key=value` is one, and a word without `=` is a key with an
//! empty value: so they are searched, shown and kept as all tags are.

use promptory_events::Tag;
use promptory_platform::Problem;

use super::{EXPERIMENTS, IS_PROMPT, KeyValue};

/// Key and value of a tag. One that begins with `=` is a key as a whole.
#[must_use]
pub fn split(tag: &str) -> (&str, &str) {
    tag.split_once('=').filter(|(key, _)| !key.is_empty()).unwrap_or((tag, ""))
}

/// The tags of a prompt, with the one that says that it is one.
#[must_use]
pub fn shown(tags: &[Tag]) -> Vec<KeyValue> {
    let ours = tags.iter().map(|tag| split(tag.as_str())).map(|(key, value)| KeyValue::new(key, value));
    std::iter::once(KeyValue::new(IS_PROMPT, "true")).chain(ours).collect()
}

/// A tag as a word.
///
/// # Errors
/// `invalid-field`: the key is empty or has a `=`, the word is too long or no word.
pub fn word(key: &str, value: &str) -> Result<String, Problem> {
    if key.is_empty() || key.contains('=') {
        return Err(Problem::field("/key", "must not be empty, nor have a `=`: `key=value` is a tag here"));
    }
    let word = if value.is_empty() { key.to_owned() } else { format!("{key}={value}") };
    match word.parse::<Tag>() {
        Ok(_) => Ok(word),
        Err(error) => Err(Problem::field("/value", format!("`key=value` is a tag here, and it {error}"))),
    }
}

/// The words with one more, in the place of those that have its key.
///
/// # Errors
/// As of [`word`].
pub fn with(tags: &[Tag], key: &str, value: &str) -> Result<Vec<String>, Problem> {
    let word = word(key, value)?;
    Ok(without(tags, key).into_iter().chain([word]).collect())
}

/// The words without those that have a key.
#[must_use]
pub fn without(tags: &[Tag], key: &str) -> Vec<String> {
    tags.iter().map(Tag::as_str).filter(|tag| split(tag).0 != key).map(str::to_owned).collect()
}

/// What is done about a tag of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is one.
    Kept,
    /// It is taken and not kept: it is so anyway, or it says something about MLflow's experiments. Its client sends these
    /// whenever it reads a prompt, whoever reads.
    Ignored,
}

/// What is done about a tag that is set.
///
/// # Errors
/// `invalid-field`: it says that a prompt is none.
pub fn fate(key: &str, value: &str) -> Result<Fate, Problem> {
    match (key, value) {
        (IS_PROMPT, "true") | (EXPERIMENTS, _) => Ok(Fate::Ignored),
        (IS_PROMPT, _) => Err(Problem::field("/value", "all that is here is a prompt")),
        _ => Ok(Fate::Kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(words: &[&str]) -> Vec<Tag> {
        words.iter().map(|word| word.parse().unwrap()).collect()
    }

    #[test]
    fn a_word_is_a_key_with_its_value_and_back() {
        for (tag, key, value) in [("a=b=c", "a", "b=c"), ("a", "a", ""), ("=a", "=a", ""), ("a=", "a", "")] {
            assert_eq!(split(tag), (key, value));
        }
        assert_eq!((word("a", "b=c").unwrap().as_str(), word("a", "").unwrap().as_str()), ("a=b=c", "a"));
        for (key, value, field) in
            [("", "x", "/key"), ("a=b", "x", "/key"), ("a", "\n", "/value"), ("a", &"x".repeat(127), "/value")]
        {
            assert_eq!(word(key, value).unwrap_err().members["field"], field);
        }
        let tags = shown(&all(&["a=b", "c"]));
        let pairs: Vec<_> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        assert_eq!(pairs, [(IS_PROMPT, "true"), ("a", "b"), ("c", "")]);
    }

    #[test]
    fn a_key_has_one_value() {
        let tags = all(&["a", "a=1", "ab=1", "b"]);
        assert_eq!(with(&tags, "a", "2").unwrap(), ["ab=1", "b", "a=2"]);
        assert_eq!(without(&tags, "ab"), ["a", "a=1", "b"]);
    }

    #[test]
    fn what_a_client_notes_for_itself_is_not_kept() {
        assert_eq!(
            (fate(IS_PROMPT, "true").unwrap(), fate(EXPERIMENTS, ",0,").unwrap()),
            (Fate::Ignored, Fate::Ignored)
        );
        assert_eq!(fate("team", "true").unwrap(), Fate::Kept);
        assert!(fate(IS_PROMPT, "false").is_err());
    }
}
