//! Who may do what, what one may do, and why: now and as of then.

use axum::extract::State;
use axum::response::Response;
use promptory_events::PrincipalId;
use promptory_platform::extract::{Path, Query};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, AskHoldings, AskWho, AskWhy, Question, When};

use super::cursor::{self, Cursor};
use super::error::{HoldingsProblems, ListProblems, problem};
use super::params::who::{HoldingsParams, WhoParams, WhyParams, everywhere, when};
use super::{App, params, render, respond, wire};

/// Who may do what on a key or a prefix, and by what: principals by id, then groups of issuers.
///
/// For whoever may `read-access` there. All pages of one listing are answered at the index and the time of the first.
#[utoipa::path(
    get,
    path = "/v1/access",
    tag = "access",
    params(WhoParams),
    responses((status = 200, body = wire::WhoPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn who(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<WhoParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let limit = params::limit(params.limit);
    let mut asked = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => {
            let on = params.on.unwrap_or_else(everywhere);
            if params.below && !(on.as_str().is_empty() || on.as_str().ends_with('/')) {
                return Err(Problem::field("below", "goes with a prefix"));
            }
            let when = when(params.as_of, params.clock, params.at);
            AskWho { on, below: params.below, action: params.action, when, after: None, limit }
        }
        Some(Cursor::Who(asked)) => match params.beside_cursor() {
            None => AskWho { limit, ..*asked },
            Some(field) => return Err(params::fixed(field)),
        },
        Some(_) => return Err(cursor::foreign()),
    };
    let question = Question::Who(asked.clone());
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Who(answer) = reply.answer else { return Err(Problem::internal()) };
    let last = answer.items.last().filter(|_| answer.items.len() == limit || reply.cut).map(|item| item.cursor.clone());
    let on = asked.on.clone();
    asked.when = When { as_of: cursor::pinned(asked.when.as_of, reply.as_of), at: Some(answer.at) };
    let next =
        last.map(|last| Cursor::Who(Box::new(AskWho { after: Some(last), ..asked })).encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::who(&on, &answer, reply.as_of, next)?))
}

/// All that a principal may do: its grants and by what it has them, its groups and keys, and where that lets it act.
///
/// Of itself, and for whoever may `read-access`: on the whole tenant all of it, else what is granted where it may
/// (`complete` says which). All pages of one listing are answered at the index and the time of the first.
#[utoipa::path(
    get,
    path = "/v1/principals/{principal}/access",
    tag = "access",
    params(("principal" = String, Path, description = "`pri_…`"), HoldingsParams),
    responses((status = 200, body = wire::Holdings), HoldingsProblems),
    security(("api_key" = [])),
)]
pub async fn holdings(
    State(app): State<App>,
    presented: Presented,
    Path(principal): Path<String>,
    Query(params): Query<HoldingsParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let limit = params::limit(params.limit);
    let principal: PrincipalId = principal.parse().map_err(|_| Problem::field("principal", "must be `pri_…`"))?;
    let asked = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => AskHoldings { principal, when: when(params.as_of, params.clock, params.at), after: 0, limit },
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(_) if params.at.is_some() => return Err(params::fixed("at")),
        Some(Cursor::Holdings(asked)) if asked.principal == principal => AskHoldings { limit, ..*asked },
        Some(_) => return Err(cursor::foreign()),
    };
    let question = Question::Holdings(asked.clone());
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Holdings(answer) = reply.answer else { return Err(Problem::internal()) };
    let count = answer.grants.len();
    let more = (count > 0 && (count == limit || reply.cut)).then(|| AskHoldings {
        when: When { as_of: cursor::pinned(asked.when.as_of, reply.as_of), at: Some(answer.at) },
        after: asked.after.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)),
        ..asked
    });
    let next = more.map(|more| Cursor::Holdings(Box::new(more)).encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::holdings(&answer, reply.as_of, next)?))
}

/// Whether a principal could do something: yes with the grants and the events behind them, or no with what is missing.
///
/// Of itself, and for whoever may `read-access` there.
#[utoipa::path(
    get,
    path = "/v1/access/why",
    tag = "access",
    params(WhyParams),
    responses((status = 200, body = wire::Why), ListProblems),
    security(("api_key" = [])),
)]
pub async fn why(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<WhyParams>,
) -> Result<Response, Problem> {
    let showing = params.showing()?;
    let (principal, action, when) = (params.principal, params.action, when(params.as_of, params.clock, params.at));
    let question = Question::Why(AskWhy { principal, action, on: params.on.unwrap_or_else(everywhere), when, showing });
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Why(answer) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::why(&answer, reply.as_of)?))
}
