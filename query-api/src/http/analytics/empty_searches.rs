//! What was searched for and not found.

use axum::extract::State;
use axum::response::Response;
use promptory_events::{Position, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, AskEmptySearches, Question};
use promptory_usage::searches::{Text, begins};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::App;
use super::super::error::{AnalyticsProblems, problem};
use super::super::params::{self, page_size, parsed};
use super::insight::answer;
use super::params::{Format, in_order, time};

/// Which days, and how many texts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EmptySearchesParams {
    /// From the day (UTC) of this time on (RFC 3339); as far back as is kept if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time, to the end of its day; now if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// The texts that were searched for most, 1 to 1,000 of them; 100 if it is not given.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    top: Option<usize>,
    /// JSON or CSV.
    #[param(inline)]
    format: Option<Format>,
    /// Wait until the catalog has reached this position: whose rights count as of then.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    at_least: Option<Position>,
}

/// What was searched for and not found.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmptySearches<'a> {
    /// When the first day begins that was looked at.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When the last one ends.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Searches that found nothing.
    searches: u64,
    /// Those of them that had a filter.
    filtered: u64,
    /// Searches among them for texts that were not kept: no text below has more than so many too few.
    others: u64,
    /// How many texts were kept.
    of: u64,
    /// The texts that were searched for most.
    texts: Vec<EmptySearch<'a>>,
}

/// A text that was searched for and not found.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmptySearch<'a> {
    /// The text, in small letters.
    text: &'a str,
    /// How often.
    searches: u64,
    /// How often with a filter.
    filtered: u64,
    /// The day on which it was searched for last.
    #[schema(value_type = String, format = DateTime)]
    last_day: Timestamp,
}

/// What was searched for and not found, most often first. Takes the right to `read-analytics` on the whole tenant.
#[utoipa::path(
    get,
    path = "/v1/analytics/empty-searches",
    tag = "usage",
    params(EmptySearchesParams),
    responses((status = 200, body = EmptySearches), AnalyticsProblems),
    security(("api_key" = [])),
)]
pub async fn empty_searches(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<EmptySearchesParams>,
) -> Result<Response, Problem> {
    in_order(params.from, params.to)?;
    let asked = AskEmptySearches { from: params.from, to: params.to, limit: params::limit(params.top) };
    let question = Question::EmptySearches(asked);
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::EmptySearches(found) = reply.answer else { return Err(Problem::internal()) };
    let told = &found.told;
    let body = EmptySearches {
        from: found.from,
        to: found.to,
        searches: told.total.searches,
        filtered: told.total.filtered,
        others: told.others.searches,
        of: told.of,
        texts: told.texts.iter().map(EmptySearch::from).collect(),
    };
    answer(reply.as_of, params.format, &body, None, || Ok(table(&body.texts)))
}

fn table(texts: &[EmptySearch<'_>]) -> Vec<Vec<String>> {
    let head = ["text", "searches", "filtered", "last_day"].map(str::to_owned).to_vec();
    let line = |one: &EmptySearch<'_>| {
        vec![one.text.to_owned(), one.searches.to_string(), one.filtered.to_string(), one.last_day.to_string()]
    };
    [head].into_iter().chain(texts.iter().map(line)).collect()
}

impl<'a> From<&'a Text> for EmptySearch<'a> {
    fn from(text: &'a Text) -> Self {
        let Text { text, count, last_day } = text;
        Self { text, searches: count.searches, filtered: count.filtered, last_day: begins(*last_day) }
    }
}
