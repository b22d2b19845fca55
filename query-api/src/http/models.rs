//! How a tenant's read models stand, and that they are what its ledger says.

use axum::extract::State;
use axum::response::Response;
use promptory_events::{Position, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, ModelAnswer, Question};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ReadProblems, problem};
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

/// The tenant's read models.
#[derive(Debug, Serialize, ToSchema)]
pub struct Models<'a> {
    /// Each of them.
    #[schema(value_type = Vec<Model>)]
    models: Vec<Model<'a>>,
}

/// A read model.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model<'a> {
    /// Which: `catalog` or `audit`.
    #[schema(example = "catalog")]
    view: &'a str,
    /// How far it is.
    #[schema(value_type = Option<String>)]
    position: Option<Position>,
    /// Digest over the whole model at that position.
    model_digest: Option<&'a str>,
    /// Whether it has stopped: `GET /readyz` says why.
    stopped: bool,
    /// What the last check found, if the process that answers has checked it.
    #[schema(value_type = Option<Checked>)]
    checked: Option<Checked<'a>>,
}

/// A model against its ledger, folded anew.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked<'a> {
    /// Up to and with this event.
    index: u64,
    /// When the check ended.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The digest that the ledger leads to.
    model_digest: &'a str,
    /// Whether the model had the same.
    equal: bool,
}

/// How the tenant's read models stand. For whoever may read the whole tenant, or who may do what in it.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "audit",
    params(ModelsParams),
    responses((status = 200, body = Models), ReadProblems),
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
    let body = Models { models: models.iter().map(model).collect() };
    Ok(respond::json(reply.as_of, render::json(&body)?))
}

fn model(answer: &ModelAnswer) -> Model<'_> {
    let checked = answer.checked.as_ref();
    Model {
        view: &answer.view,
        position: answer.position,
        model_digest: answer.digest.as_deref(),
        stopped: answer.stopped.is_some(),
        checked: checked.map(|c| Checked { index: c.index, at: c.at, model_digest: &c.folded, equal: c.equal }),
    }
}
