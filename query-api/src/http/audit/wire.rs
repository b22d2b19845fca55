//! The JSON of a record.

use promptory_events::{Author, CommandId, Credential, Prefix, PrincipalId, PromptKey, Timestamp};
use promptory_platform::Problem;
use promptory_projection::ask::{AuditRecord, Outcome};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Who did what, when and by which right.
#[derive(Debug, Serialize, ToSchema)]
pub struct Record<'a> {
    /// The index of the event.
    pub index: u64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// When it is claimed to have happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<Timestamp>,
    /// The command.
    #[schema(value_type = String, example = "cmd_00112233445566778899aabbccddeeff")]
    pub command_id: CommandId,
    /// Who did it, or tried.
    #[schema(value_type = String, example = "pri_00112233445566778899aabbccddeeff")]
    pub actor: PrincipalId,
    /// Who is claimed to have made it.
    #[schema(value_type = Option<String>)]
    pub author: Option<&'a Author>,
    /// What the actor showed: `api-key`, `token`, or `system` for what the system itself writes.
    #[schema(example = "api-key")]
    pub credential: &'static str,
    /// The id of the API key or token.
    pub credential_id: Option<String>,
    /// The roles that allowed it, by the grants.
    pub roles: Vec<String>,
    /// By which right: the indexes of the grants.
    pub grants: &'a [u64],
    /// The type of the event.
    #[schema(example = "label.set")]
    pub action: &'a str,
    /// `done` or `denied`.
    #[schema(value_type = String, example = "done")]
    pub outcome: Outcome,
    /// What it is about: ids, or names such as `label:production`; the first is what it is about most.
    pub targets: &'a [String],
    /// The key of the prompt that it is about, after it.
    #[schema(value_type = Option<String>, example = "team/greet")]
    pub key: Option<&'a PromptKey>,
    /// The key that the prompt had until then, if it has another one since.
    #[schema(value_type = Option<String>)]
    pub key_before: Option<&'a PromptKey>,
    /// The prefix that it is about, if it is about no prompt.
    #[schema(value_type = Option<String>)]
    pub prefix: Option<&'a Prefix>,
    /// Why, in the actor's words.
    pub message: Option<&'a str>,
    /// What is special to the event, as in `GET /v1/events`.
    #[schema(value_type = Object)]
    pub detail: &'a RawValue,
}

/// One page of records.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage<'a> {
    /// The records, newest first.
    pub records: Vec<Record<'a>>,
    /// The last event that all pages of this listing look at.
    pub index: Option<u64>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// How many records there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditCount {
    /// So many.
    pub count: u64,
    /// The last event that was looked at.
    pub index: Option<u64>,
}

/// A record as it is written.
///
/// # Errors
/// `internal` if its detail is no JSON.
pub fn record(record: &AuditRecord) -> Result<Record<'_>, Problem> {
    let (credential, credential_id) = shown(&record.credential);
    Ok(Record {
        index: record.index,
        recorded_at: record.recorded_at,
        occurred_at: record.occurred_at,
        command_id: record.command_id,
        actor: record.actor,
        author: record.author.as_ref(),
        credential,
        credential_id,
        roles: record.roles.iter().map(ToString::to_string).collect(),
        grants: &record.grants,
        action: &record.action,
        outcome: record.outcome,
        targets: &record.targets,
        key: record.key.as_ref(),
        key_before: record.key_before.as_ref(),
        prefix: record.prefix.as_ref(),
        message: record.message.as_deref(),
        detail: serde_json::from_str(&record.detail).map_err(|_| Problem::internal())?,
    })
}

/// What was shown, and its id.
pub fn shown(credential: &Credential) -> (&'static str, Option<String>) {
    match credential {
        Credential::System => ("system", None),
        Credential::ApiKey { key, .. } => ("api-key", Some(key.to_string())),
        Credential::Token(token) => ("token", Some(token.token.to_string())),
    }
}
