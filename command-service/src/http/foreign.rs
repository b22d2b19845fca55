//! What the routes have in common that other products' clients write by: each write becomes commands like any other, which are
//! decided like them.

use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptory_domain::Rejection;
use promptory_events::event::Syntax;
use promptory_events::{Position, PromptId, PromptKey};
use promptory_platform::Presented;
use promptory_platform::problem::{Problem, ProblemType};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::service::Service;
use crate::wire::{Change, Claims, Message, Request};

/// How often it is tried again while others change the prompt at the same time.
pub const TRIES: usize = 8;

/// A version that is added to a prompt, or makes one.
#[derive(Debug)]
pub struct NewVersion {
    /// The prompt's key.
    pub key: PromptKey,
    /// Its text,
    pub text: Option<String>,
    /// or its messages.
    pub messages: Option<Vec<Message>>,
    /// Its configuration.
    pub config: Option<Map<String, Value>>,
    /// How it is read.
    pub template: Option<Syntax>,
    /// Labels that move to it.
    pub labels: Vec<String>,
    /// All tags of the prompt if it is the first version.
    pub first_tags: Vec<String>,
    /// All tags of the prompt from now on, if it is another one.
    pub tags: Option<Vec<String>>,
    /// Why.
    pub message: Option<String>,
}

/// Adds a version, or makes the prompt: whichever it takes by the time that it is decided. The prompt, the version's number,
/// and where that was.
pub async fn written(
    service: &Service,
    shown: &Presented,
    new: NewVersion,
    mut there: bool,
) -> Result<(PromptId, u32, Option<Position>), Failure> {
    for _ in 0..TRIES {
        let (prompt, text, messages) = (new.key.to_string(), new.text.clone(), new.messages.clone());
        let (config, template, labels) = (new.config.clone(), new.template, new.labels.clone());
        let changes = if there {
            let set = new.tags.clone().map(|tags| Change::SetTags { prompt: prompt.clone(), tags, from: None });
            let (variables, branch) = (None, None);
            let add = Change::AddVersion { prompt, text, messages, config, template, variables, labels, branch };
            std::iter::once(add).chain(set).collect()
        } else {
            let (variables, metadata, tags, key) = (None, None, new.first_tags.clone(), prompt);
            vec![Change::CreatePrompt { key, text, messages, config, template, variables, labels, tags, metadata }]
        };
        match together(service, shown, changes, new.message.clone()).await {
            Err(Failure::Rejected(Rejection::PromptNotFound(_))) if there => there = false,
            Err(Failure::Rejected(Rejection::KeyTaken(_))) if !there => there = true,
            done => {
                let outcomes = done?;
                let added = outcomes.iter().find_map(|outcome| outcome.prompt.zip(outcome.version));
                let none = || Failure::Internal("a version was written and is not in the outcome".into());
                let (prompt, (_, number)) = added.ok_or_else(none)?;
                return Ok((prompt, number, newest(&outcomes)));
            }
        }
    }
    Err(Failure::Unavailable("others kept creating and archiving the prompt".into()))
}

/// Messages as they are sent.
///
/// # Errors
/// `invalid-field` with the place of one that is none.
pub fn messages(field: &str, items: Vec<Value>) -> Result<Vec<Message>, Problem> {
    let read = items.into_iter().enumerate().map(|(at, item)| {
        serde_json::from_value(item).map_err(|error| Problem::field(&format!("{field}/{at}"), error.to_string()))
    });
    read.collect()
}

/// Commands that are done together or not at all. A refusal is told as if each had come alone.
pub async fn together(
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

/// Where the last of them was.
pub fn newest(outcomes: &[Outcome]) -> Option<Position> {
    outcomes.iter().filter_map(|outcome| outcome.position).max_by_key(|position| position.index)
}

/// What comes is done once for each time that it comes: whether it adds to a prompt or makes one is only seen then.
pub fn unrepeatable(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.keys().find(|name| ["idempotency-key", "if-match"].contains(&name.as_str())) {
        Some(name) => Err(Problem::field(name.as_str(), "goes with the routes below /v1")),
        None => Ok(()),
    }
}

/// A body of JSON, and where it was written.
pub fn answer<T: Serialize>(status: StatusCode, body: &T, since: Option<Position>) -> Result<Response, Problem> {
    let body = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
    let mut response = (status, [(CONTENT_TYPE, "application/json")], body).into_response();
    let position = since.and_then(|position| HeaderValue::from_str(&position.to_string()).ok());
    response.headers_mut().extend(position.map(|value| (HeaderName::from_static("promptory-position"), value)));
    Ok(response)
}

/// The refusal of what is never done, whoever asks; `allow` are the methods that the path takes.
pub fn never(detail: &str, allow: &'static str) -> Response {
    let mut response = Problem::new(ProblemType::METHOD_NOT_ALLOWED, detail).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}
