//! Names, as the domain has them. A refusal says which field is wrong and how it would be right.

use std::fmt::Display;
use std::str::FromStr;

use promptory_domain::{Pick, PromptRef};
use promptory_events::event::{AnyRole, Language, Languages};
use promptory_events::{Author, Branch, Label, Prefix, PromptId, PromptKey, Tag, Timestamp, VersionId, limits};
use promptory_platform::Problem;
use promptory_platform::problem::ProblemType;

use crate::wire;

fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| Problem::field(field, error.to_string()))
}

pub fn key(field: &str, text: &str) -> Result<PromptKey, Problem> {
    parse(field, text)
}

pub fn label(field: &str, text: &str) -> Result<Label, Problem> {
    parse(field, text)
}

pub fn labels(texts: &[String]) -> Result<Vec<Label>, Problem> {
    texts.iter().map(|text| label("/labels", text)).collect()
}

pub fn branch(field: &str, text: &str) -> Result<Branch, Problem> {
    parse(field, text)
}

/// The version that is meant, in the field `from`.
pub fn pick(from: &wire::Pick) -> Result<Pick, Problem> {
    match (from.version, &from.label, &from.branch) {
        (None, None, None) => Ok(Pick::Branch(Branch::main())),
        (Some(number), None, None) => Ok(Pick::Number(number)),
        (None, Some(text), None) => label("/from/label", text).map(Pick::Label),
        (None, None, Some(text)) => branch("/from/branch", text).map(Pick::Branch),
        _ => Err(Problem::field("/from", "give at most one of `version`, `label` and `branch`")),
    }
}

pub fn id<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Problem> {
    parse(field, text)
}

/// A prompt by id if the text has the form of one (no key may), else by key.
pub fn prompt(text: &str) -> Result<PromptRef, Problem> {
    match text.parse::<PromptId>() {
        Ok(id) => Ok(PromptRef::Id(id)),
        Err(_) => key("/prompt", text).map(PromptRef::Key),
    }
}

/// Languages by their codes, in whatever order.
pub fn languages(codes: &[String]) -> Result<Languages, Problem> {
    if codes.len() > limits::SEARCH_LANGUAGES_MAX {
        let detail = format!("at most {}", limits::SEARCH_LANGUAGES_MAX);
        return Err(Problem::field("/languages", detail));
    }
    let languages: Result<Vec<Language>, _> = codes.iter().map(|code| parse("/languages", code)).collect();
    languages.map(|languages| Languages::of(&languages))
}

pub fn tags(field: &str, tags: &[String]) -> Result<Vec<Tag>, Problem> {
    // Bounded before they are parsed; the domain's own limit counts them without doubles.
    if tags.len() > 2 * limits::TAGS_MAX {
        return Err(Problem::new(ProblemType::LIMIT_REACHED, format!("at most {} tags are allowed", limits::TAGS_MAX))
            .with("field", field));
    }
    tags.iter().map(|tag| parse(field, tag)).collect()
}

/// A role by its name: a built-in one, else a custom one.
pub fn role(field: &str, text: &str) -> Result<AnyRole, Problem> {
    parse(field, text)
}

/// A prefix; the whole tenant if there is none.
pub fn prefix(field: &str, text: Option<&str>) -> Result<Prefix, Problem> {
    text.map_or_else(|| Ok(Prefix::tenant()), |text| parse(field, text))
}

pub fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| parse(field, text)).transpose()
}

pub fn author(text: Option<&str>) -> Result<Option<Author>, Problem> {
    text.map(|text| parse("/author", text)).transpose()
}

/// A version id, bare or as an ETag in quotes.
pub fn version(text: Option<&str>) -> Result<Option<VersionId>, Problem> {
    text.map(|text| parse("If-Match", text.trim().trim_matches('"'))).transpose()
}
