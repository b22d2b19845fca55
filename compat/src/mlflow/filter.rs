//! What is searched for: comparisons of the name and of tags, joined by `AND`, as MLflow's client writes them.

use promptory_events::{PromptKey, Tag};
use promptory_platform::Problem;

use super::{IS_PROMPT, tags};

/// Comparisons that must all hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<Comparison>);

#[derive(Debug, PartialEq, Eq)]
struct Comparison {
    of: Of,
    by: By,
    with: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Of {
    Name,
    Tag(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Equal,
    Unequal,
    Like,
    LikeInAnyCase,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `invalid-field`: it is none, or it compares something else.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let (mut rest, mut all) = (text.trim_start(), Vec::new());
        while !rest.is_empty() {
            let (comparison, after) = comparison(rest).ok_or_else(|| not_understood(rest))?;
            all.push(comparison);
            rest = after.trim_start();
            if !rest.is_empty() {
                let joined = rest.get(..3).filter(|word| word.eq_ignore_ascii_case("and"));
                let next = joined.map(|_| &rest[3..]).filter(|next| next.starts_with(char::is_whitespace));
                rest = next.map(str::trim_start).filter(|next| !next.is_empty()).ok_or_else(|| not_understood(rest))?;
            }
        }
        Ok(Self(all))
    }

    /// Whether prompts are meant. MLflow keeps models at the same place and leaves prompts out unless they are asked for.
    #[must_use]
    pub fn asks_for_prompts(&self) -> bool {
        self.0.iter().any(|comparison| comparison.of == Of::Tag(IS_PROMPT.to_owned()))
    }

    /// Whether there is one name that can be meant.
    #[must_use]
    pub fn is_one_name(&self) -> bool {
        self.0.iter().any(|comparison| comparison.of == Of::Name && comparison.by == By::Equal)
    }

    /// What the names of all that is meant begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let begins = |comparison: &'_ Comparison| match (&comparison.of, comparison.by) {
            (Of::Name, By::Equal) => comparison.with.len(),
            (Of::Name, By::Like) => comparison.with.find(['%', '_']).unwrap_or(comparison.with.len()),
            _ => 0,
        };
        let longest = self.0.iter().max_by_key(|comparison| begins(comparison));
        longest.map_or("", |comparison| &comparison.with[..begins(comparison)])
    }

    /// Whether a prompt is meant.
    #[must_use]
    pub fn fits(&self, name: &PromptKey, own: &[Tag]) -> bool {
        let own = || own.iter().map(|tag| tags::split(tag.as_str())).chain([(IS_PROMPT, "true")]);
        self.0.iter().all(|Comparison { of, by, with }| match of {
            Of::Name => by.holds(name.as_str(), with),
            Of::Tag(key) => own().any(|(its, value)| its == key && by.holds(value, with)),
        })
    }

    /// The one name that is asked for, if versions of prompts are.
    ///
    /// # Errors
    /// `invalid-field`: there is no such name, or there is more in it.
    pub fn versions_of(&self) -> Result<&str, Problem> {
        let is_name = |comparison: &&Comparison| comparison.of == Of::Name && comparison.by == By::Equal;
        let of_prompts = |comparison: &Comparison| {
            comparison.of == Of::Tag(IS_PROMPT.to_owned()) && comparison.by == By::Equal && comparison.with == "true"
        };
        let mut names = self.0.iter().filter(is_name);
        let rest = self.0.iter().filter(|comparison| !is_name(comparison)).all(of_prompts);
        match (names.next(), names.next()) {
            (Some(name), None) if rest => Ok(&name.with),
            _ => Err(Problem::field("filter", "versions are searched by `name = '…'` alone")),
        }
    }
}

fn not_understood(rest: &str) -> Problem {
    let from: String = rest.chars().take(40).collect();
    let detail = format!(
        "from `{from}` on: `name` and `tags.key` are compared by `=`, `!=`, `LIKE` or `ILIKE` with a quoted text, joined by `AND`"
    );
    Problem::field("filter", detail)
}

/// The first comparison of a text, and what comes after it.
fn comparison(text: &str) -> Option<(Comparison, &str)> {
    let (of, rest) = subject(text)?;
    let (by, rest) = operator(rest.trim_start())?;
    let (with, rest) = quoted(rest.trim_start(), &['\'', '"'])?;
    Some((Comparison { of, by, with: with.to_owned() }, rest))
}

fn subject(text: &str) -> Option<(Of, &str)> {
    if let Some(tag) = text.strip_prefix("tags.").or_else(|| text.strip_prefix("tag.")) {
        let (key, rest) = quoted(tag, &['`', '"']).or_else(|| word(tag))?;
        return Some((Of::Tag(key.to_owned()), rest));
    }
    let (name, rest) = quoted(text, &['`', '"']).or_else(|| word(text))?;
    (name == "name").then_some((Of::Name, rest))
}

/// A word that is not quoted.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '!' | '\'' | '"' | '`')).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn operator(text: &str) -> Option<(By, &str)> {
    if let Some(rest) = text.strip_prefix('=') {
        return Some((By::Equal, rest));
    }
    if let Some(rest) = text.strip_prefix("!=") {
        return Some((By::Unequal, rest));
    }
    let (word, rest) = word(text)?;
    match word.to_ascii_lowercase().as_str() {
        "like" => Some((By::Like, rest)),
        "ilike" => Some((By::LikeInAnyCase, rest)),
        _ => None,
    }
}

/// What stands in quotation marks at the beginning of a text, and what comes after it.
fn quoted<'a>(text: &'a str, marks: &[char]) -> Option<(&'a str, &'a str)> {
    let mark = text.chars().next().filter(|first| marks.contains(first))?;
    text[mark.len_utf8()..].split_once(mark)
}

impl By {
    fn holds(self, text: &str, with: &str) -> bool {
        match self {
            Self::Equal => text == with,
            Self::Unequal => text != with,
            Self::Like => like(text, with),
            Self::LikeInAnyCase => like(&text.to_lowercase(), &with.to_lowercase()),
        }
    }
}

/// SQL's `LIKE`: `%` stands for any characters, `_` for one. It takes time in proportion to the product of both lengths at most:
/// only the last `%` is ever come back to.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern, mut last) = (0, 0, None);
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('%') => {
                in_pattern += 1;
                last = Some((in_pattern, at));
            }
            Some(c) if *c == '_' || *c == text[at] => (at, in_pattern) = (at + 1, in_pattern + 1),
            _ => {
                let Some((after, from)) = last else { return false };
                last = Some((after, from + 1));
                (in_pattern, at) = (after, from + 1);
            }
        }
    }
    pattern[in_pattern..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(filter: &str, name: &str, tags: &[&str]) -> bool {
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        Filter::read(filter).unwrap().fits(&name.parse().unwrap(), &tags)
    }

    #[test]
    fn what_the_client_writes_is_read() {
        let all = "tags.`mlflow.prompt.is_prompt` = 'true'";
        assert!(Filter::read(all).unwrap().asks_for_prompts());
        assert!(
            !Filter::read("name = 'x'").unwrap().asks_for_prompts() && !Filter::read("").unwrap().asks_for_prompts()
        );
        assert!(fits(all, "greet", &[]));
        let some = format!("{all} AND name LIKE 'gr%t' and tags.team = \"a\"");
        assert!(fits(&some, "greet", &["team=a"]));
        assert!(
            !fits(&some, "greet", &["team=b"]) && !fits(&some, "greets", &["team=a"]) && !fits(&some, "greet", &[])
        );
        assert_eq!(Filter::read(&some).unwrap().prefix(), "gr");
        assert!(!fits("tag.mlflow.prompt.is_prompt != 'true'", "greet", &[]));
        assert!(fits("tags.`a b` != 'x' AND tags.word = ''", "greet", &["a b=y", "word"]));
        assert!(fits("name ILIKE 'GR_eT'", "greet", &[]) && fits("name='greet'", "greet", &[]));
        assert_eq!(Filter::read("name = 'greet' AND name LIKE '%'").unwrap().prefix(), "greet");
        assert_eq!((Filter::read("").unwrap().prefix(), Filter::read("name != 'x'").unwrap().prefix()), ("", ""));
    }

    #[test]
    fn a_pattern_stands_for_what_sql_says() {
        for (text, pattern, holds) in [
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("abcabd", "%abd", true),
            ("abcabc", "%abd", false),
            ("añb", "a_b", true),
            ("ab", "a%b%", true),
            ("a%b", "a%b", true),
            ("aab", "a_", false),
        ] {
            assert_eq!(like(text, pattern), holds, "{text} {pattern}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "x",
            "name",
            "name =",
            "name = x",
            "name = 'x",
            "name < 'x'",
            "name = 'x' OR name = 'y'",
            "name = 'x' AND",
            "name = 'x' ANDname = 'y'",
            "version = '1'",
            "tags. = 'x'",
            "tags.`a = 'x'",
            "name LIKE",
            "ñ",
            "name = 'x' ñ",
        ] {
            assert_eq!(Filter::read(bad).unwrap_err().members["field"], "filter", "{bad}");
        }
    }

    #[test]
    fn versions_are_of_one_prompt() {
        let of = |text: &str| Filter::read(text).unwrap().versions_of().map(str::to_owned);
        assert_eq!(of("name = 'x' AND tag.`mlflow.prompt.is_prompt` = 'true'").unwrap(), "x");
        for bad in [
            "",
            "name LIKE 'x'",
            "name = 'x' AND name = 'y'",
            "name = 'x' AND tags.a = 'b'",
            "tags.a = 'b' AND name = 'x'",
        ] {
            assert_eq!(of(bad).unwrap_err().members["field"], "filter", "{bad}");
        }
    }
}
