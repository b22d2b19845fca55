//! The writes that Langfuse's clients send (`/api/public/v2/prompts`): each becomes commands like any other, and is decided
//! like them. They are answered with the version as it is then, so the right to read it is needed, too; it is asked for first.

pub mod scores;

use axum::extract::State;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptory_compat::langfuse::{
    Content, CreatePrompt, Creation, LangfuseError, NewLabels, Prompt, create::Said, document, labels, tags,
};
use promptory_domain::Rejection;
use promptory_events::{Position, PromptKey, TenantId};
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Path};
use promptory_platform::problem::{Problem, ProblemDocument, ProblemType};

use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::service::{Service, Stored};
use crate::wire::{Change, Claims, Message, Request};

/// How often it is tried again while others create, rename or archive the prompt at the same time.
const TRIES: usize = 8;

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
    unrepeatable(&headers)?;
    let creation = body.read()?;
    let there = service.reader_of(&shown, &creation.key).await?.is_some();
    let outcomes = written(&service, &shown, creation, there).await?;
    let added = outcomes.iter().find_map(|outcome| outcome.prompt.zip(outcome.version));
    let (prompt, (_, number)) = added.ok_or_else(Problem::internal)?;
    let since = outcomes.iter().filter_map(|outcome| outcome.position).max_by_key(|position| position.index);
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
    unrepeatable(&headers)?;
    let (labels, key) = (body.read()?, key(&name)?);
    let prompt = service.reader_of(&shown, &key).await?;
    let prompt = prompt.ok_or_else(|| Failure::from(Rejection::PromptNotFound(key.to_string())))?;
    // By identity: what is answered is what was changed, whatever it is called by then.
    let set = |label| Change::SetLabel { prompt: prompt.to_string(), label, version };
    let outcomes = together(&service, &shown, labels.into_iter().map(set).collect(), None).await?;
    let since = outcomes.iter().filter_map(|outcome| outcome.position).max_by_key(|position| position.index);
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
    let mut response = Problem::new(ProblemType::METHOD_NOT_ALLOWED, detail).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

/// There is nothing at a path below the base.
pub async fn nowhere() -> Problem {
    Problem::new(ProblemType::NOT_FOUND, "of Langfuse's API there are the routes for prompts, scores and traces alone")
}

/// What comes is done once for each time that it comes: whether it adds to a prompt or makes one is only seen then.
fn unrepeatable(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.keys().find(|name| ["idempotency-key", "if-match"].contains(&name.as_str())) {
        Some(name) => Err(Problem::field(name.as_str(), "goes with the routes below /v1")),
        None => Ok(()),
    }
}

fn key(name: &str) -> Result<PromptKey, Problem> {
    name.parse().map_err(|error| Problem::field("prompt", format!("a name is a key here, and it {error}")))
}

/// Adds a version, or makes the prompt: whichever it takes by the time that it is decided.
async fn written(
    service: &Service,
    shown: &Presented,
    creation: Creation,
    mut there: bool,
) -> Result<Vec<Outcome>, Failure> {
    let Creation { key, content, template, config, labels, tags, message } = creation;
    let (text, messages) = match content {
        Said::Text(text) => (Some(text), None),
        Said::Messages(items) => (None, Some(read_messages(items)?)),
    };
    for _ in 0..TRIES {
        let (prompt, text, messages) = (key.to_string(), text.clone(), messages.clone());
        let (config, labels) = (config.clone(), labels.clone());
        let changes = if there {
            let set = tags.clone().map(|tags| Change::SetTags { prompt: prompt.clone(), tags });
            let (variables, branch) = (None, None);
            let add = Change::AddVersion { prompt, text, messages, config, template, variables, labels, branch };
            std::iter::once(add).chain(set).collect()
        } else {
            let (variables, metadata, tags) = (None, None, tags.clone().unwrap_or_default());
            let key = prompt;
            vec![Change::CreatePrompt { key, text, messages, config, template, variables, labels, tags, metadata }]
        };
        match together(service, shown, changes, message.clone()).await {
            Err(Failure::Rejected(Rejection::PromptNotFound(_))) if there => there = false,
            Err(Failure::Rejected(Rejection::KeyTaken(_))) if !there => there = true,
            done => return done,
        }
    }
    Err(Failure::Unavailable("others kept creating and archiving the prompt".into()))
}

fn read_messages(items: Vec<serde_json::Value>) -> Result<Vec<Message>, Failure> {
    let read = items.into_iter().enumerate().map(|(at, item)| {
        serde_json::from_value(item).map_err(|error| Problem::field(&format!("/prompt/{at}"), error.to_string()).into())
    });
    read.collect()
}

/// Commands that are done together or not at all. A refusal is told as if each had come alone.
async fn together(
    service: &Service,
    shown: &Presented,
    changes: Vec<Change>,
    message: Option<String>,
) -> Result<Vec<Outcome>, Failure> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let request = |change| Request { claims: Claims { message: message.clone(), ..Claims::default() }, change };
    let done = service.execute_together(shown, changes.into_iter().map(request).collect(), None).await;
    done.map_err(|failure| match failure {
        Failure::InBatch { why, .. } => *why,
        failure => failure,
    })
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
    let body = serde_json::to_vec(&prompt).map_err(defect)?;
    let mut response = (status, [(CONTENT_TYPE, "application/json")], body).into_response();
    let position = since.and_then(|position| HeaderValue::from_str(&position.to_string()).ok());
    response.headers_mut().extend(position.map(|value| (HeaderName::from_static("promptory-position"), value)));
    Ok(response)
}
