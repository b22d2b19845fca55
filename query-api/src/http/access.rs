//! Who may do what: keys, grants, groups, custom roles. The caller sees its own keys and grants, and those where it may
//! `read-access`. All pages of one listing are answered at the index of the first.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Listing, Question};

use super::cursor::{self, Cursor};
use super::error::{ListProblems, problem};
use super::params::{self, RecordedPageParams};
use super::{App, render, respond, wire};

pub(super) async fn listed(
    app: &App,
    presented: &Presented,
    params: RecordedPageParams,
    what: Listing,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (mut as_of, after) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params::recorded(params.as_of, params.clock), None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::Access { what: of, as_of, after }) if of == what => (as_of, Some(after)),
        Some(_) => return Err(cursor::foreign()),
    };
    let limit = params::limit(params.limit);
    let question = Question::Access { what, after, limit, as_of };
    let reply = app.read_side.ask(params::ask(presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Access(items) = reply.answer else { return Err(Problem::internal()) };
    as_of = cursor::pinned(as_of, reply.as_of);
    let last = items.last().filter(|_| items.len() == limit || reply.cut).map(|item| item.cursor.clone());
    let next = last.map(|after| Cursor::Access { what, as_of, after }.encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::access(what, &items, next.as_deref())?))
}

/// API keys, also revoked ones, by id.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "access",
    params(RecordedPageParams),
    responses((status = 200, body = wire::KeyPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn keys(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Keys).await
}

/// Roles that were granted and not revoked, by who has them.
#[utoipa::path(
    get,
    path = "/v1/grants",
    tag = "access",
    params(RecordedPageParams),
    responses((status = 200, body = wire::GrantPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn grants(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Grants).await
}

/// Groups with their members, by id.
#[utoipa::path(
    get,
    path = "/v1/groups",
    tag = "access",
    params(RecordedPageParams),
    responses((status = 200, body = wire::GroupPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn groups(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Groups).await
}

/// Custom roles, by name.
#[utoipa::path(
    get,
    path = "/v1/roles",
    tag = "access",
    params(RecordedPageParams),
    responses((status = 200, body = wire::RolePage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn roles(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Roles).await
}

/// Issuers whose tokens are believed, with what their groups mean, by id.
#[utoipa::path(
    get,
    path = "/v1/issuers",
    tag = "access",
    params(RecordedPageParams),
    responses((status = 200, body = wire::IssuerPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn issuers(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Issuers).await
}
