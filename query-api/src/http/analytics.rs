//! What is counted of usage: over a range of time, by what executions differ by, as JSON or CSV.

pub mod adoption;
pub mod compare;
pub mod empty_searches;
mod insight;
pub mod lead_time;
mod params;
pub mod stale;
mod table;
mod wire;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::error::{AnalyticsProblems, problem};
use super::params::ask;
use super::{App, render, respond};
use params::{AnalyticsParams, Format};

const CSV: &str = "text/csv; charset=utf-8; header=present";

/// How prompts were run: executions, errors, latencies, tokens, costs and scores, of prompts on which the caller may
/// `read-analytics`. All that was recorded before counts. Quantiles are within one part in 128 of the value of their rank,
/// all else is exact.
#[utoipa::path(
    get,
    path = "/v1/analytics",
    tag = "usage",
    params(AnalyticsParams),
    responses((status = 200, body = wire::Analytics), AnalyticsProblems),
    security(("api_key" = [])),
)]
pub async fn analytics(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<AnalyticsParams>,
) -> Result<Response, Problem> {
    let (asked, format) = (params.asked()?, params.format.unwrap_or_default());
    let group_by = asked.question.group_by.clone();
    let question = Question::Analytics(Box::new(asked));
    let reply = app.read_side.ask(ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Analytics(answer) = reply.answer else { return Err(Problem::internal()) };
    match format {
        Format::Json => Ok(respond::json(reply.as_of, render::json(&wire::counted(&answer, &group_by))?)),
        Format::Csv => {
            let mut response = respond::json(reply.as_of, table::csv(&answer, &group_by)?.into());
            let kind = HeaderValue::from_static(CSV);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            Ok(response)
        }
    }
}
