//! How a tenant's read models stand, that they are what its ledger says, and building them anew.

pub mod wire;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use promptory_events::Position;
use promptory_platform::extract::{Path, Query};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, AskWork, Question, Share, WorkKind};
use promptory_projection::views::Name;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::error::{ReadProblems, RollbackProblems, problem};
use super::{App, params, render, respond};

/// How the models stand.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ModelsParams {
    /// Begins to check them: each ledger is folded anew beside its model. Ask again later for what was found.
    pub check: bool,
    /// Waits until the catalog has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// How a rebuild or a rollback is done.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct WorkParams {
    /// How much of a core it takes while others are served: 0.05 to 1, without rests. 0.5 unless it is said.
    #[serde(deserialize_with = "share")]
    #[param(value_type = Option<f64>, minimum = 0.05, maximum = 1.0)]
    pub share: Option<Share>,
}

/// How the tenant's read models stand. For whoever may read the whole tenant, or who may do what in it.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "audit",
    params(ModelsParams),
    responses((status = 200, body = wire::Models), ReadProblems),
    security(("api_key" = [])),
)]
pub async fn models(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<ModelsParams>,
) -> Result<Response, Problem> {
    let ask = params::ask(&presented, params.at_least, Question::Models { check: params.check });
    let reply = app.read_side.ask(ask).await.map_err(problem)?;
    let Answer::Models(models) = &reply.answer else { return Err(Problem::internal()) };
    let body = wire::Models { models: models.iter().map(wire::model).collect() };
    Ok(respond::json(reply.as_of, render::json(&body)?))
}

/// Builds a read model anew from the ledger, beside the one that runs, and puts it in its place. Answered at once, with how the
/// model stands; `GET /v1/models` says how far it is. For whoever may read the whole tenant, or who may do what in it.
///
/// While one goes on, or a rollback does, the answer is that one. One at a time goes on in a process; others wait.
#[utoipa::path(
    post,
    path = "/v1/models/{view}/rebuild",
    tag = "audit",
    params(("view" = String, Path, description = "`catalog` or `audit`"), WorkParams),
    responses((status = 202, body = wire::Model), ReadProblems),
    security(("api_key" = [])),
)]
pub async fn rebuild(
    State(app): State<App>,
    presented: Presented,
    Path(view): Path<String>,
    Query(params): Query<WorkParams>,
) -> Result<Response, Problem> {
    work(&app, &presented, &view, WorkKind::Rebuild, &params).await
}

/// Puts the store that was replaced last back in its place, once it has caught up; the one that runs is kept then. Answered and
/// watched as a rebuild, for the same callers.
#[utoipa::path(
    post,
    path = "/v1/models/{view}/rollback",
    tag = "audit",
    params(("view" = String, Path, description = "`catalog` or `audit`"), WorkParams),
    responses((status = 202, body = wire::Model), RollbackProblems),
    security(("api_key" = [])),
)]
pub async fn rollback(
    State(app): State<App>,
    presented: Presented,
    Path(view): Path<String>,
    Query(params): Query<WorkParams>,
) -> Result<Response, Problem> {
    work(&app, &presented, &view, WorkKind::Rollback, &params).await
}

async fn work(
    app: &App,
    presented: &Presented,
    view: &str,
    kind: WorkKind,
    params: &WorkParams,
) -> Result<Response, Problem> {
    let view: Name = view.parse().map_err(|error| Problem::field("view", format!("{error}")))?;
    let share = params.share.unwrap_or(Share::HALF);
    // Without randomness the request has no name: then it is not told from another one, once it is over.
    let mut id = [0; 8];
    let id = getrandom::fill(&mut id).ok().map(|()| id);
    let ask = params::ask(presented, None, Question::Work(AskWork { view, kind, share, id }));
    let reply = app.read_side.ask(ask).await.map_err(problem)?;
    let Answer::Models(models) = &reply.answer else { return Err(Problem::internal()) };
    let model = models.first().ok_or_else(Problem::internal)?;
    let mut response = respond::json(reply.as_of, render::json(&wire::model(model))?);
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// A fraction of a core, as it is written in a query.
fn share<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Share>, D::Error> {
    let fraction = String::deserialize(from)?.parse().unwrap_or(f64::NAN);
    let range = f64::from(Share::PERCENT_MIN) / 100.0..=1.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` keeps what is beyond at the bounds"
    )]
    let percent = (fraction * 100.0).round() as u8;
    match Some(percent).filter(|_| range.contains(&fraction)).and_then(Share::percent) {
        Some(share) => Ok(Some(share)),
        None => Err(D::Error::custom(format!("must be {} to {}", range.start(), range.end()))),
    }
}

#[cfg(test)]
mod tests {
    use promptory_platform::extract::query;

    use super::*;

    #[test]
    fn a_share_is_a_fraction_of_a_core() {
        let read = |text: &str| query::<WorkParams>(text).map(|params| params.share);
        assert_eq!(read("").unwrap(), None);
        for (text, percent) in [("0.5", 50), ("1", 100), ("0.05", 5), ("1.0", 100), ("0.333", 33)] {
            assert_eq!(read(&format!("share={text}")).unwrap(), Share::percent(percent), "{text}");
        }
        for bad in ["", "0", "0.049", "-0.5", "1.01", "60", "NaN", "inf", "much"] {
            assert_eq!(read(&format!("share={bad}")).unwrap_err().document()["field"], "share", "{bad}");
        }
    }
}
