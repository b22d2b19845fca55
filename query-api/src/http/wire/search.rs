//! The JSON of searches.

use promptory_events::{Label, PromptId, PromptKey, Tag, Timestamp, VersionId};
use promptory_projection::ask::search;
use serde::Serialize;
use utoipa::ToSchema;

/// One page of what was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Found<'a> {
    /// How many prompts were found, on all pages.
    pub total: u64,
    /// The prompts, in the order that was asked for.
    pub hits: Vec<Hit<'a>>,
    /// What was found, counted by what it is; if `facets=true` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets<'a>>,
    /// Words that no prompt has, and what was looked for in their place.
    pub respelt: Vec<Respelt<'a>>,
    /// `cursor` of the next page, if there is one. It is good for 60 seconds.
    pub next_cursor: Option<String>,
}

/// A prompt that was found, with the version whose text it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hit<'a> {
    /// The prompt.
    #[schema(value_type = String, example = "prm_00112233445566778899aabbccddeeff")]
    pub id: PromptId,
    /// Its key.
    #[schema(value_type = String, example = "team/area/name")]
    pub key: &'a PromptKey,
    /// The `title` of its metadata.
    pub title: Option<&'a str>,
    /// The version's identity.
    #[schema(value_type = String, example = "ver_00112233445566778899aabbccddeeff")]
    pub version: VersionId,
    /// Its number.
    pub number: u32,
    /// The labels that point to it, `latest` among them.
    #[schema(value_type = Vec<String>)]
    pub labels: &'a [Label],
    /// The prompt's tags.
    #[schema(value_type = Vec<String>)]
    pub tags: &'a [Tag],
    /// The model that the version's configuration names.
    pub model: Option<&'a str>,
    /// Whose the version is: the author that is claimed, or else the principal.
    pub author: &'a str,
    /// When what the prompt says happened.
    #[schema(value_type = String, format = DateTime)]
    pub updated: Timestamp,
    /// The place of the text that fits best, in pieces. Put together they are the text as it is; nothing is escaped.
    pub snippet: Vec<Piece<'a>>,
}

/// A piece of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct Piece<'a> {
    /// It.
    pub text: &'a str,
    /// Whether it is what was looked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub hit: bool,
}

/// What was found, counted; the most frequent first, at most 20 of each.
#[derive(Debug, Serialize, ToSchema)]
pub struct Facets<'a> {
    /// Labels that the prompts carry, on whatever version; `latest` left out.
    pub labels: Vec<Counted<'a>>,
    /// Tags.
    pub tags: Vec<Counted<'a>>,
    /// Models.
    pub models: Vec<Counted<'a>>,
    /// Authors.
    pub authors: Vec<Counted<'a>>,
    /// Folders directly below the one that was asked for.
    pub folders: Vec<Counted<'a>>,
}

/// How many are what.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counted<'a> {
    /// What.
    pub value: &'a str,
    /// How many prompts.
    pub count: u64,
}

/// A word that no prompt has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Respelt<'a> {
    /// As it was asked for.
    pub word: &'a str,
    /// What was looked for instead; empty if there is nothing like it.
    pub as_words: &'a [String],
}

/// What somebody may want to type.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suggestions<'a> {
    /// Prompts whose key, title or tags have all the words, the last one as a beginning.
    pub prompts: Vec<Suggested<'a>>,
    /// Words that begin as the last one does, the most frequent first.
    pub words: Vec<Counted<'a>>,
}

/// A prompt that is suggested.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suggested<'a> {
    /// Its identity.
    #[schema(value_type = String, example = "prm_00112233445566778899aabbccddeeff")]
    pub id: PromptId,
    /// Its key.
    #[schema(value_type = String, example = "team/area/name")]
    pub key: &'a PromptKey,
    /// The `title` of its metadata.
    pub title: Option<&'a str>,
}

impl<'a> From<&'a search::Hit> for Hit<'a> {
    fn from(hit: &'a search::Hit) -> Self {
        let search::Hit { entry, snippet } = hit;
        Self {
            id: entry.prompt,
            key: &entry.key,
            title: entry.title.as_deref(),
            version: entry.version,
            number: entry.number,
            labels: &entry.labels,
            tags: &entry.tags,
            model: entry.model.as_deref(),
            author: &entry.author,
            updated: entry.updated,
            snippet: snippet.iter().map(|piece| Piece { text: &piece.text, hit: piece.hit }).collect(),
        }
    }
}

impl<'a> From<&'a search::Facets> for Facets<'a> {
    fn from(facets: &'a search::Facets) -> Self {
        Self {
            labels: counted(&facets.labels),
            tags: counted(&facets.tags),
            models: counted(&facets.models),
            authors: counted(&facets.authors),
            folders: counted(&facets.folders),
        }
    }
}

impl<'a> From<&'a search::Respelt> for Respelt<'a> {
    fn from(respelt: &'a search::Respelt) -> Self {
        Self { word: &respelt.word, as_words: &respelt.as_words }
    }
}

impl<'a> From<&'a search::Suggestions> for Suggestions<'a> {
    fn from(suggestions: &'a search::Suggestions) -> Self {
        let prompt = |prompt: &'a search::SuggestedPrompt| Suggested {
            id: prompt.prompt,
            key: &prompt.key,
            title: prompt.title.as_deref(),
        };
        Self { prompts: suggestions.prompts.iter().map(prompt).collect(), words: counted(&suggestions.words) }
    }
}

fn counted(counts: &[search::Count]) -> Vec<Counted<'_>> {
    counts.iter().map(|count| Counted { value: &count.value, count: count.count }).collect()
}
