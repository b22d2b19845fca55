//! The writes that MLflow's client sends for prompts (`/api/2.0/mlflow`): each becomes commands like any other, and is decided like
//! them.
//!
//! MLflow makes a prompt first and its first version after it. Here a prompt has a version from its first event on, so the
//! first request is answered and writes nothing, and the second one makes the prompt
//! (ADR 0048). As long as it is not made, nobody is told that it is there.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use promptory_compat::mlflow::content::{Content, Said};
use promptory_compat::mlflow::send::{
    self, CreateModelVersion, CreateRegisteredModel, Creation, DeleteAlias, DeleteTag, Name, SetAlias, SetTag,
};
use promptory_compat::mlflow::tags::{self, Fate};
use promptory_compat::mlflow::{MlflowError, ModelVersionAnswer, RegisteredModel, RegisteredModelAnswer, Shown};
use promptory_domain::Rejection;
use promptory_events::{PromptId, PromptKey, Tag};
use promptory_platform::Presented;
use promptory_platform::extract::Json;
use promptory_platform::problem::{Problem, ProblemDocument, ProblemType};
use serde_json::{Map, Value};

use super::foreign::{self, NewVersion, TRIES};
use crate::failure::Failure;
use crate::service::Service;
use crate::wire::Change;

/// A prompt that is to come. Nothing is written: its first version makes it.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/create", tag = "mlflow", operation_id = "mlflow_create_registered_model",
    request_body = CreateRegisteredModel,
    responses((status = 200, description = "There is no such prompt, and one can come", body = RegisteredModelAnswer),
        (status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn create(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<CreateRegisteredModel>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let key = body.read()?;
    if service.reader_of(&shown, &key).await?.is_some() {
        return Err(Failure::from(Rejection::KeyTaken(key)).into());
    }
    let to_come = RegisteredModelAnswer { registered_model: RegisteredModel::to_come(&key) };
    foreign::answer(StatusCode::OK, &to_come, None)
}

/// The next version of a prompt; the first one, if there is no such prompt.
#[utoipa::path(post, path = "/api/2.0/mlflow/model-versions/create", tag = "mlflow", operation_id = "mlflow_create_model_version",
    request_body = CreateModelVersion,
    responses((status = 200, description = "The version", body = ModelVersionAnswer),
        (status = "4XX", description = "Refused; nothing was written", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn create_version(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<CreateModelVersion>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let new = new_version(body.read()?)?;
    let there = service.reader_of(&shown, &new.key).await?.is_some();
    let (prompt, number, since) = foreign::written(&service, &shown, new, there).await?;
    let stored = service.stored(shown.tenant(), prompt, number, since).await?;
    let version = Shown {
        key: &stored.key,
        labels: &stored.labels,
        kind: stored.kind,
        number: stored.number,
        content: &stored.version.content,
        config: stored.version.config.as_deref(),
        message: stored.version.message.as_deref(),
        at: stored.version.at,
        by: stored.version.by.clone(),
    };
    // What is stored was written by us, so it is JSON where it should be.
    let model_version = version.version().map_err(|_| Problem::internal())?;
    foreign::answer(StatusCode::OK, &ModelVersionAnswer { model_version }, since)
}

fn new_version(creation: Creation) -> Result<NewVersion, Problem> {
    let Creation { key, content, tags, message } = creation;
    let Content { said, template, config, .. } = content;
    let (text, messages) = match said {
        Said::Text(text) => (Some(text), None),
        Said::Messages(items) => (None, Some(foreign::messages("/tags/mlflow.prompt.text", items)?)),
    };
    let (config, labels) = (Some(config).filter(|config| !config.is_empty()), Vec::new());
    Ok(NewVersion { key, text, messages, config, template, labels, first_tags: tags, tags: None, message })
}

/// A tag of a prompt.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/set-tag", tag = "mlflow", operation_id = "mlflow_set_tag",
    request_body = SetTag,
    responses((status = 200, description = "Done", body = Object),
        (status = "4XX", description = "Refused; nothing was written", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn set_tag(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<SetTag>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let SetTag { name, key, value } = body;
    let prompt = there(&service, &shown, &name).await?;
    match tags::fate(&key, &value)? {
        Fate::Ignored => foreign::answer(StatusCode::OK, &Map::<String, Value>::new(), None),
        Fate::Kept => retag(&service, &shown, prompt, |own| tags::with(own, &key, &value)).await,
    }
}

/// No such tag of a prompt any more.
#[utoipa::path(delete, path = "/api/2.0/mlflow/registered-models/delete-tag", tag = "mlflow", operation_id = "mlflow_delete_tag",
    request_body = DeleteTag,
    responses((status = 200, description = "Done, or there is no such tag", body = Object),
        (status = "4XX", description = "Refused; nothing was written", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn delete_tag(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<DeleteTag>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let prompt = there(&service, &shown, &body.name).await?;
    // What says that it is a prompt is no tag here, and can't be taken away.
    tags::fate(&body.key, "")?;
    retag(&service, &shown, prompt, |own| Ok(tags::without(own, &body.key))).await
}

/// A label on a version.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/alias", tag = "mlflow", operation_id = "mlflow_set_alias",
    request_body = SetAlias,
    responses((status = 200, description = "Done", body = Object),
        (status = "4XX", description = "Refused; nothing was written", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn set_alias(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<SetAlias>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let (version, prompt) = (body.version()?, send::key("/name", &body.name)?.to_string());
    one(&service, &shown, Change::SetLabel { prompt, label: body.alias, version }).await
}

/// No such label any more.
#[utoipa::path(delete, path = "/api/2.0/mlflow/registered-models/alias", tag = "mlflow", operation_id = "mlflow_delete_alias",
    request_body = DeleteAlias,
    responses((status = 200, description = "Done", body = Object),
        (status = "4XX", description = "Refused; nothing was written", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn delete_alias(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<DeleteAlias>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let prompt = send::key("/name", &body.name)?.to_string();
    one(&service, &shown, Change::RemoveLabel { prompt, label: body.alias }).await
}

/// Nothing is deleted here. One that is not there is not there afterwards: MLflow's client takes away in this way what it has said is
/// to come, if the first version was refused.
#[utoipa::path(delete, path = "/api/2.0/mlflow/registered-models/delete", tag = "mlflow", operation_id = "mlflow_delete_registered_model",
    request_body = Name,
    responses((status = 200, description = "There is no such prompt", body = Object),
        (status = "4XX", description = "Refused, always if there is one", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn delete(
    State(service): State<Service>,
    shown: Presented,
    Json(body): Json<Name>,
) -> Result<Response, Problem> {
    match service.reader_of(&shown, &send::key("/name", &body.name)?).await? {
        None => foreign::answer(StatusCode::OK, &Map::<String, Value>::new(), None),
        Some(_) => {
            let detail = "nothing is deleted here: POST /v1/prompts/{prompt}/archive takes a prompt out of the way and frees its name";
            Ok(foreign::never(detail, ""))
        }
    }
}

/// Refused, always: a version does not change, and its tags are part of it. Register another version with other tags.
#[utoipa::path(post, path = "/api/2.0/mlflow/model-versions/set-tag", tag = "mlflow", operation_id = "mlflow_set_version_tag",
    responses((status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn set_version_tag(_shown: Presented) -> Response {
    unchanging()
}

/// Refused, always: a version does not change, and its tags are part of it. Register another version with other tags.
#[utoipa::path(delete, path = "/api/2.0/mlflow/model-versions/delete-tag", tag = "mlflow", operation_id = "mlflow_delete_version_tag",
    responses((status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn delete_version_tag(_shown: Presented) -> Response {
    unchanging()
}

fn unchanging() -> Response {
    foreign::never(
        "a version does not change, and its tags are part of it: register another version with other tags",
        "",
    )
}

/// Refused, always: nothing is deleted here.
#[utoipa::path(delete, path = "/api/2.0/mlflow/model-versions/delete", tag = "mlflow", operation_id = "mlflow_delete_model_version",
    responses((status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn delete_version(_shown: Presented) -> Response {
    foreign::never("nothing is deleted here; take labels off a version that nobody should get", "")
}

/// There is nothing at a path below the base.
pub async fn nowhere() -> Problem {
    Problem::new(ProblemType::NOT_FOUND, "of MLflow's API there is what its client needs for prompts alone")
}

/// The prompt of a name, if the caller may read it.
async fn there(service: &Service, shown: &Presented, name: &str) -> Result<PromptId, Problem> {
    let key: PromptKey = send::key("/name", name)?;
    let prompt = service.reader_of(shown, &key).await?;
    Ok(prompt.ok_or_else(|| Failure::from(Rejection::PromptNotFound(key.to_string())))?)
}

/// Other tags in the place of those that the prompt has, whoever else changes them at the same time.
async fn retag(
    service: &Service,
    shown: &Presented,
    prompt: PromptId,
    other: impl Fn(&[Tag]) -> Result<Vec<String>, Problem>,
) -> Result<Response, Problem> {
    for _ in 0..TRIES {
        let own = service.tags(shown.tenant(), prompt).await?;
        let (tags, from) = (other(&own)?, Some(own.iter().map(ToString::to_string).collect()));
        let set = Change::SetTags { prompt: prompt.to_string(), tags, from };
        match foreign::together(service, shown, vec![set], None).await {
            Err(Failure::Rejected(Rejection::TagsMoved)) => {}
            done => return foreign::answer(StatusCode::OK, &Map::<String, Value>::new(), foreign::newest(&done?)),
        }
    }
    Err(Failure::Unavailable("others kept changing the prompt's tags".into()).into())
}

/// One command, whose outcome is not told.
async fn one(service: &Service, shown: &Presented, change: Change) -> Result<Response, Problem> {
    let outcomes = foreign::together(service, shown, vec![change], None).await?;
    foreign::answer(StatusCode::OK, &Map::<String, Value>::new(), foreign::newest(&outcomes))
}
