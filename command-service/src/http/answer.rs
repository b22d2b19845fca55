//! Outcome -> JSON.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptory_platform::Problem;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::writer::Answers;

/// What a command led to.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeDocument {
    /// The command.
    pub command_id: String,
    /// Where the ledger stands after it: a read with this as `at_least` sees it.
    pub position: Option<String>,
    /// Its events; none if everything was as it asked for.
    pub events: Vec<EventName>,
    /// The prompt it was about.
    pub prompt: Option<String>,
    /// The key that it gave the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_key: Option<String>,
    /// The version that it added.
    pub version: Option<NumberedVersion>,
    /// The principal that it added, or whose keys or roles it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The group that it created, or whose roles or members it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The release request that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The freeze window that it set or lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<String>,
    /// The rollout that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The comment that it added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The issuer that it trusts, or does no more, or whose groups it mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The id of the API key that it issued or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The API key that it issued. Shown once: a repeat says `already_created`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// That the API key was shown when it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already_created: Option<bool>,
}

/// An event of a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventName {
    /// Its index in the tenant's ledger.
    pub index: u64,
    /// Its name.
    pub r#type: String,
}

/// A version that a command added.
#[derive(Debug, Serialize, ToSchema)]
pub struct NumberedVersion {
    /// Its id, also its ETag.
    pub id: String,
    /// Its number.
    pub number: u32,
}

impl From<&Outcome> for OutcomeDocument {
    fn from(outcome: &Outcome) -> Self {
        // The owner's key comes with a tenant, from an event of the tenant's own ledger.
        let issued = outcome.events.iter().any(|(_, name)| matches!(&**name, "key.issued" | "tenant.created"));
        Self {
            command_id: outcome.command_id.to_string(),
            position: outcome.position.map(|p| p.to_string()),
            events: outcome
                .events
                .iter()
                .map(|(index, name)| EventName { index: *index, r#type: name.to_string() })
                .collect(),
            prompt: outcome.prompt.map(|p| p.to_string()),
            prompt_key: outcome.prompt_key.as_ref().map(ToString::to_string),
            version: outcome.version.map(|(id, number)| NumberedVersion { id: id.to_string(), number }),
            principal: outcome.principal.map(|p| p.to_string()),
            group: outcome.group.map(|g| g.to_string()),
            release: outcome.release.map(|r| r.to_string()),
            freeze: outcome.freeze.map(|f| f.to_string()),
            rollout: outcome.rollout.map(|r| r.to_string()),
            comment: outcome.comment.map(|c| c.to_string()),
            issuer: outcome.issuer.map(|i| i.to_string()),
            key_id: outcome.key_id.map(|k| k.to_string()),
            key: outcome.api_key.as_ref().map(promptory_platform::ApiKey::reveal),
            already_created: (issued && outcome.replayed).then_some(true),
        }
    }
}

/// The status that an outcome has on its own.
fn status(outcome: &Outcome) -> StatusCode {
    let made = [
        "prompt.created",
        "version.added",
        "branch.created",
        "key.issued",
        "group.created",
        "tenant.created",
        "release.requested",
        "freeze.set",
        "rollout.started",
        "comment.added",
        "issuer.trusted",
        "principal.added",
    ];
    let has = |names: &[&str]| outcome.events.iter().any(|(_, name)| names.contains(&&**name));
    // What an approval leads to is not what was asked to be made.
    let created = has(&made) && !has(&["release.executed"]);
    if created { StatusCode::CREATED } else { StatusCode::OK }
}

/// The answer to one command.
pub fn one(result: Result<Outcome, Failure>) -> Result<Response, Problem> {
    let outcome = result?;
    let mut response = (status(&outcome), Json(OutcomeDocument::from(&outcome))).into_response();
    let headers = response.headers_mut();
    if outcome.replayed {
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    if let Some(position) = outcome.position.and_then(|p| HeaderValue::from_str(&p.to_string()).ok()) {
        headers.insert("promptory-position", position);
    }
    let etag = outcome.version.and_then(|(version, _)| HeaderValue::from_str(&format!("\"{version}\"")).ok());
    if let Some(etag) = etag {
        headers.insert(axum::http::header::ETAG, etag);
    }
    Ok(response)
}

/// The only answer among the answers to one command.
pub fn only(answers: Result<Answers, Failure>) -> Result<Response, Problem> {
    one(answers?.pop().unwrap_or_else(|| Err(Failure::Internal("no answer".into()))))
}

/// One line of the answer to many commands.
pub fn line(result: Result<Outcome, Failure>) -> Value {
    match result {
        Ok(outcome) => {
            let mut line = serde_json::to_value(OutcomeDocument::from(&outcome)).unwrap_or_default();
            line["status"] = status(&outcome).as_u16().into();
            if outcome.replayed {
                line["replayed"] = true.into();
            }
            line
        }
        Err(failure) => {
            let problem = Problem::from(failure);
            serde_json::json!({ "status": problem.kind.status, "problem": problem.document() })
        }
    }
}
