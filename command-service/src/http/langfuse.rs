//! The writes that Langfuse's clients send (`/api/public/v2/prompts`): each becomes commands like any other, and is decided
//! like them. They are answered with the version as it is then, so the right to read it is needed, too; it is asked for first.

pub mod scores;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use promptory_compat::langfuse::{
    Content, CreatePrompt, Creation, LangfuseError, NewLabels, Prompt, create::Said, document, labels, tags,
};
use promptory_domain::Rejection;
use promptory_events::{Position, PromptKey, TenantId};
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Path};
use promptory_platform::problem::{Problem, ProblemDocument, ProblemType};

use super::foreign::{self, NewVersion};
use crate::failure::Failure;
use crate::service::{Service, Stored};
use crate::wire::Change;

/// The next version of a prompt; the first one, if there is no such prompt.
#[utoipa::path(post, path = "/api/public/v2/prompts", tag = "langfuse", operation_id = "langfuse_create_prompt",
    request_body = CreatePrompt,
    responses((status = 201, description = "The version", body = Prompt),
        (status = "4XX", description = "Refused; nothing was written", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn create(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<CreatePrompt>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let creation = body.read()?;
    let there = service.reader_of(&shown, &creation.key).await?.is_some();
    let (prompt, number, since) = foreign::written(&service, &shown, new_version(creation)?, there).await?;
    let stored = service.stored(shown.tenant(), prompt, number, since).await?;
    answer(StatusCode::CREATED, shown.tenant(), &stored, since)
}

/// Moves labels to a version. Those that it has stay.
#[utoipa::path(patch, path = "/api/public/v2/prompts/{prompt}/versions/{version}", tag = "langfuse", operation_id = "langfuse_update_labels",
    params(("prompt" = String, Path, description = "Key, percent-encoded (`/` as `%2F`)"), ("version" = u32, Path, description = "The version's number")),
    request_body = NewLabels,
    responses((status = 200, description = "The version", body = Prompt),
        (status = "4XX", description = "Refused; nothing was written", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn update_labels(
    State(service): State<Service>,
    shown: Presented,
    Path((name, version)): Path<(String, u32)>,
    headers: HeaderMap,
    Json(body): Json<NewLabels>,
) -> Result<Response, Problem> {
    foreign::unrepeatable(&headers)?;
    let (labels, key) = (body.read()?, key(&name)?);
    let prompt = service.reader_of(&shown, &key).await?;
    let prompt = prompt.ok_or_else(|| Failure::from(Rejection::PromptNotFound(key.to_string())))?;
    // By identity: what is answered is what was changed, whatever it is called by then.
    let set = |label| Change::SetLabel { prompt: prompt.to_string(), label, version };
    let outcomes = foreign::together(&service, &shown, labels.into_iter().map(set).collect(), None).await?;
    let since = foreign::newest(&outcomes);
    let stored = service.stored(shown.tenant(), prompt, version, since).await?;
    answer(StatusCode::OK, shown.tenant(), &stored, since)
}

/// Refused, always: nothing is deleted here. Prompts are archived, labels removed, by other routes.
#[utoipa::path(delete, path = "/api/public/v2/prompts/{prompt}", tag = "langfuse", operation_id = "langfuse_delete_prompt",
    params(("prompt" = String, Path, description = "Key, percent-encoded (`/` as `%2F`)"), ("label" = Option<String>, Query, description = "Makes no difference"), ("version" = Option<u32>, Query, description = "Makes no difference")),
    responses((status = "4XX", description = "Refused", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn delete(_shown: Presented, Path(_name): Path<String>) -> Response {
    let detail = "nothing is deleted here: POST /v1/prompts/{prompt}/archive takes a prompt out of the way and frees its name, \
                  DELETE /v1/prompts/{prompt}/labels/{label} takes a label off its version";
    foreign::never(detail, "GET")
}

/// There is nothing at a path below the base.
pub async fn nowhere() -> Problem {
    Problem::new(ProblemType::NOT_FOUND, "of Langfuse's API there are the routes for prompts, scores and traces alone")
}

fn key(name: &str) -> Result<PromptKey, Problem> {
    name.parse().map_err(|error| Problem::field("prompt", format!("a name is a key here, and it {error}")))
}

/// What is to be added or made.
fn new_version(creation: Creation) -> Result<NewVersion, Problem> {
    let Creation { key, content, template, config, labels, tags, message } = creation;
    let (text, messages) = match content {
        Said::Text(text) => (Some(text), None),
        Said::Messages(items) => (None, Some(foreign::messages("/prompt", items)?)),
    };
    let first_tags = tags.clone().unwrap_or_default();
    Ok(NewVersion { key, text, messages, config, template, labels, first_tags, tags, message })
}

/// A version as Langfuse's clients read it.
fn answer(
    status: StatusCode,
    tenant: &TenantId,
    stored: &Stored,
    since: Option<Position>,
) -> Result<Response, Problem> {
    let version = &stored.version;
    // What is stored was written by us, so it is JSON where it should be.
    let defect = |_| Problem::internal();
    let labels = labels(&stored.labels, stored.head, stored.number);
    let content = tags::shown(stored.kind, version.syntax, &version.content).map_err(defect)?;
    let prompt = Prompt {
        id: stored.id,
        project_id: tenant,
        name: &stored.key,
        version: stored.number,
        r#type: stored.kind,
        prompt: Content::of(stored.kind, &content).map_err(defect)?,
        config: document::config(version.config.as_deref()).map_err(defect)?,
        is_active: document::is_active(&labels),
        labels,
        tags: &stored.tags,
        commit_message: version.message.as_deref(),
        created_at: version.at,
        updated_at: version.at,
        created_by: version.by.clone(),
        resolution_graph: None,
    };
    foreign::answer(status, &prompt, since)
}
