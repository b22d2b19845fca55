//! Searching, and suggestions while typing.

use axum::extract::State;
use axum::response::Response;
use promptory_events::limits::{SEARCH_PAGE_MAX, SUGGESTIONS_MAX};
use promptory_events::{Label, Position, Prefix, Tag, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::search::{Filters, Found, Search, Sort};
use promptory_projection::ask::{Answer, Question};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::cursor::{self, Cursor};
use super::error::{SearchProblems, problem};
use super::params::{self, parsed};
use super::{App, render, respond, wire};

/// Prompts on a page of a search, and suggestions of a kind, unless the request says otherwise.
const LIMIT_DEFAULT: usize = 10;

/// In which order what is found stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SearchOrder)]
pub enum By {
    /// What fits best first.
    #[default]
    Relevance,
    /// What changed last first.
    Updated,
    /// By key.
    Key,
}

/// What is searched for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SearchParams {
    /// Words, `"phrases"` and beginnings (`begin*`); a prompt must have all of them, in key, title, tags, text or
    /// configuration. The last word, if no space follows it, is also looked for as a beginning. A word that no prompt has is
    /// looked for with one or two letters wrong. Without it, everything is found.
    #[param(example = "linux terminal")]
    pub q: String,
    /// The text that this label points to; `latest` (the default) is the newest.
    #[param(value_type = Option<String>, example = "production")]
    pub label: Option<Label>,
    /// Only prompts with this tag.
    #[param(value_type = Option<String>)]
    pub tag: Option<Tag>,
    /// Only prompts that carry this label, on whatever version.
    #[param(value_type = Option<String>)]
    pub labelled: Option<Label>,
    /// Only versions whose configuration names this model.
    pub model: Option<String>,
    /// Only versions by this author, or if none is claimed by this principal.
    pub author: Option<String>,
    /// Only prompts in this folder or below: a path that ends with `/`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "team/")]
    pub folder: Option<Prefix>,
    /// Only prompts that changed then or later, by when it happened.
    #[param(value_type = Option<String>, example = "2024-05-03T14:00:00Z")]
    pub updated_from: Option<Timestamp>,
    /// Only prompts that changed before.
    #[param(value_type = Option<String>)]
    pub updated_before: Option<Timestamp>,
    /// The order.
    #[param(inline)]
    pub sort: By,
    /// Counts everything that was found by label, tag, model, author and folder.
    pub facets: bool,
    /// Prompts on the page, 1 to 100; 10 if it is not given.
    #[serde(deserialize_with = "search_page")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before, with the same query, filters and order.
    pub cursor: Option<String>,
    /// Waits until the index has reached this position, 2 seconds at most.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// What was typed so far.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SuggestParams {
    /// Words, the last one perhaps not whole.
    #[param(example = "linux ter")]
    pub q: String,
    /// Among the texts that this label points to; `latest` if it is not given.
    #[param(value_type = Option<String>)]
    pub label: Option<Label>,
    /// Suggestions of each kind, 1 to 25; 10 if it is not given.
    #[serde(deserialize_with = "suggestions")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 25)]
    pub limit: Option<usize>,
    /// Waits until the index has reached this position, 2 seconds at most.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

fn search_page<'de, D: Deserializer<'de>>(number: D) -> Result<Option<usize>, D::Error> {
    within(number, SEARCH_PAGE_MAX)
}

fn suggestions<'de, D: Deserializer<'de>>(number: D) -> Result<Option<usize>, D::Error> {
    within(number, SUGGESTIONS_MAX)
}

fn within<'de, D: Deserializer<'de>>(number: D, max: usize) -> Result<Option<usize>, D::Error> {
    let size = usize::try_from(u64::deserialize(number)?).ok().filter(|size| (1..=max).contains(size));
    size.map(Some).ok_or_else(|| de::Error::custom(format_args!("must be from 1 to {max}")))
}

impl SearchParams {
    fn search(self) -> Search {
        let filters = Filters {
            tag: self.tag,
            labelled: self.labelled,
            model: self.model,
            author: self.author,
            folder: self.folder,
            updated_from: self.updated_from,
            updated_before: self.updated_before,
        };
        let sort = match self.sort {
            By::Relevance => Sort::Relevance,
            By::Updated => Sort::Updated,
            By::Key => Sort::Key,
        };
        let (query, label) = (self.q, self.label.unwrap_or_else(params::latest));
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        Search { query, label, filters, sort, facets: self.facets, limit, after: None }
    }
}

/// What is searched for, but not how much of it and what else is told: the same on every page.
fn asked(search: &Search) -> Result<[u8; 16], Problem> {
    let bytes = postcard::to_allocvec(&(&search.query, &search.label, &search.filters, search.sort));
    let digest = Sha256::digest(bytes.map_err(|_| Problem::internal())?);
    let mut asked = [0; 16];
    asked.copy_from_slice(&digest[..16]);
    Ok(asked)
}

/// The prompts whose text, key, title, tags or configuration have some words.
///
/// Answers from the index of words, which follows the ledger by some hundred milliseconds: the header `Promptory-Position`
/// says how far it is. All pages of a search are answered from the same state of it.
#[utoipa::path(
    get,
    path = "/v1/search",
    tag = "prompts",
    params(SearchParams),
    responses((status = 200, body = wire::Found), SearchProblems),
    security(("api_key" = [])),
)]
pub async fn search(
    State(app): State<App>,
    presented: Presented,
    Query(mut params): Query<SearchParams>,
) -> Result<Response, Problem> {
    let (tenant, at_least, cursor) = (presented.tenant(), params.at_least, params.cursor.take());
    let mut search = params.search();
    let asked = asked(&search)?;
    search.after = match cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => None,
        Some(Cursor::Search { asked: before, after }) if before == asked => Some(after),
        Some(Cursor::Search { .. }) => return Err(params::fixed("q")),
        Some(_) => return Err(cursor::foreign()),
    };
    let question = Question::Search(Box::new(search));
    let reply = app.read_side.ask(params::ask(&presented, at_least, question)).await.map_err(problem)?;
    let Answer::Found(mut found) = reply.answer else { return Err(Problem::internal()) };
    let next = found.next.take().map(|after| Cursor::Search { asked, after }.encode(tenant)).transpose()?;
    let Found { total, hits, facets, respelt, .. } = &*found;
    let body = wire::Found {
        total: *total,
        hits: hits.iter().map(Into::into).collect(),
        facets: facets.as_ref().map(Into::into),
        respelt: respelt.iter().map(Into::into).collect(),
        next_cursor: next,
    };
    Ok(respond::json(reply.as_of, render::json(&body)?))
}

/// What somebody may want to type: prompts by what they are called, and words.
#[utoipa::path(
    get,
    path = "/v1/suggest",
    tag = "prompts",
    params(SuggestParams),
    responses((status = 200, body = wire::Suggestions), SearchProblems),
    security(("api_key" = [])),
)]
pub async fn suggest(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<SuggestParams>,
) -> Result<Response, Problem> {
    let (label, limit) = (params.label.unwrap_or_else(params::latest), params.limit.unwrap_or(LIMIT_DEFAULT));
    let question = Question::Suggest { text: params.q, label, limit };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Suggested(suggestions) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::json(&wire::Suggestions::from(&suggestions))?))
}
