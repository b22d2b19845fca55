//! What changed between two points in time: of a prompt, a folder or the whole tenant.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, AsOf, AskChanges, Of, Question};

use super::cursor::{self, Cursor};
use super::error::{HistoryProblems, problem};
use super::params::{self, ChangesParams, OnClock, Point};
use super::{App, render, respond, wire};

/// What changed between two points in time: prompts with what each was and is and the events between, and the events that set
/// something for many.
///
/// In the order of the ledger: a prompt is told of at the first of its events between the points. All pages of one listing are
/// about the points of the first; a page may be short or empty though more follows.
#[utoipa::path(
    get,
    path = "/v1/changes",
    tag = "prompts",
    params(ChangesParams),
    responses((status = 200, body = wire::ChangePage), HistoryProblems),
    security(("api_key" = [])),
)]
pub async fn changes(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<ChangesParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let limit = params::limit(params.limit);
    let mut asked = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => {
            let of = match (params.prefix, params.prompt) {
                (Some(_), Some(_)) => return Err(Problem::field("prompt", "either `prefix` or `prompt`, not both")),
                (_, Some(prompt)) => Of::Prompt(params::prompt(&prompt)?),
                (prefix, None) => Of::Below(prefix.unwrap_or_default()),
            };
            let Some(from) = params.from else { return Err(Problem::field("from", "is missing")) };
            in_order(from, params.to)?;
            let point = |point| params::as_of(point, params.clock);
            AskChanges { of, from: point(Some(from)), to: point(params.to), after: None, limit }
        }
        Some(Cursor::Changes(asked)) => {
            let given = [
                ("prefix", params.prefix.is_some()),
                ("prompt", params.prompt.is_some()),
                ("from", params.from.is_some()),
                ("to", params.to.is_some()),
                ("clock", params.clock != OnClock::default()),
            ];
            if let Some((field, _)) = given.into_iter().find(|(_, given)| *given) {
                return Err(params::fixed(field));
            }
            AskChanges { limit, ..*asked }
        }
        Some(_) => return Err(cursor::foreign()),
    };
    let question = Question::Changes(asked.clone());
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Changes(answer) = reply.answer else { return Err(Problem::internal()) };
    asked.to = cursor::pinned(asked.to, reply.as_of);
    asked.from = match (asked.from, answer.from) {
        (AsOf::Occurred(time), Some(index)) => AsOf::OccurredAt { time, index },
        (AsOf::Recorded(_), Some(index)) => AsOf::Index(index),
        (from, _) => from,
    };
    let next = answer.next.map(|after| AskChanges { after: Some(after), ..asked });
    let next = next.map(|next| Cursor::Changes(Box::new(next)).encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::changes(&answer, reply.as_of, next)?))
}

/// Two points of one kind are in order. Of an index and a time nothing is known here.
fn in_order(from: Point, to: Option<Point>) -> Result<(), Problem> {
    let back = match (from, to) {
        (Point::Index(from), Some(Point::Index(to))) => from > to,
        (Point::Time(from), Some(Point::Time(to))) => from > to,
        _ => false,
    };
    if back { Err(Problem::field("to", "must not lie before `from`")) } else { Ok(()) }
}
