//! Wire to domain: names parsed, sizes checked, contents keyed and sealed.
//!
//! What comes out holds no plaintext and never changes, so a conflict repeats `decide` and not this.

mod access;
mod config;
mod contents;
mod directory;
mod guards;
mod identity;
mod merged;
mod names;
mod releases;
mod rollouts;
mod stored;
mod templates;
mod together;
mod wanted;

use promptory_domain::{Change, Command, Material, NewVersion, Presented};
use promptory_events::event::{Kind, Syntax};
use promptory_events::{Branch, CommandHash, CommandId, PrincipalId, TenantId, TraceContext, limits};
use promptory_ledger::KeyStore;
use promptory_platform::problem::{Problem, ProblemType};
use promptory_platform::{ApiKey, apikey::Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::wire;
use contents::Sealer;
pub(crate) use names::prompt as prompt_named;
pub use stored::{StoredVersion, stored_version};
pub use together::gather_together;
pub use wanted::{Ahead, Sides, gather_wanted, recorded_event};

/// A command, ready to be decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gathered {
    /// Its id.
    pub command_id: CommandId,
    /// Keyed hash of its body, if it may be repeated.
    pub command_hash: CommandHash,
    /// Whether its id comes from an idempotency key, so that it may have been done before.
    pub may_repeat: bool,
    /// What its caller showed.
    pub presented: Presented,
    /// What should change.
    pub command: Command,
    /// The trace it is part of.
    pub trace: Option<TraceContext>,
    /// For a command that was forwarded to another replica: the first index at which the other may have written it. It
    /// is looked for among the commits from there on before it is decided.
    pub since: Option<u64>,
    /// Whether it and the command after it are done together or not at all.
    pub tied: bool,
    /// The secret of the key that it issues, to be shown once. It never travels.
    #[serde(skip)]
    pub secret: Option<ApiKey>,
    /// Roughly what it adds to a batch.
    pub bytes: usize,
}

/// Whose command it is and where it goes.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The ledger it goes to.
    pub tenant: &'a TenantId,
    /// Who sent it.
    pub principal: PrincipalId,
    /// What the sender showed.
    pub presented: Presented,
}

/// Gathers one command.
///
/// # Errors
/// `Malformed` for a field that is not allowed; `Unavailable` if the key store can't give keys.
pub fn gather(origin: &Origin<'_>, keys: &KeyStore, request: wire::Request) -> Result<Gathered, Failure> {
    let command_id = command_id(origin, request.claims.idempotency_key.as_deref())?;
    gather_as(origin, keys, command_id, request)
}

/// Gathers one command under a given id (one that follows from another command).
///
/// # Errors
/// As [`gather`].
pub fn gather_as(
    origin: &Origin<'_>,
    keys: &KeyStore,
    command_id: CommandId,
    mut request: wire::Request,
) -> Result<Gathered, Failure> {
    let may_repeat = request.claims.idempotency_key.take().is_some();
    let command_hash = if may_repeat { command_hash(origin.tenant, keys, &request)? } else { CommandHash::NONE };
    let mut sealer = Sealer::new(keys, origin.tenant, command_id);
    let if_match = names::version(request.claims.if_match.as_deref())?;
    if if_match.is_some() && !request.change.takes_if_match() {
        return Err(Problem::field("If-Match", "this command takes none; leave it out").into());
    }
    let issued = matches!(request.change, wire::Change::IssueKey { .. } | wire::Change::RotateKey { .. });
    let secret = if issued { Some(new_key(origin.tenant, command_id)?) } else { None };
    let secret_hash = secret.as_ref().map(ApiKey::secret_hash).unwrap_or_default();
    let command = Command {
        change: change(&mut sealer, origin, request.change, if_match, secret_hash)?,
        occurred_at: names::time("/occurred_at", request.claims.occurred_at.as_deref())?,
        author: names::author(request.claims.author.as_deref())?,
        message: sealer.message(request.claims.message.as_deref())?,
        override_freeze: request.claims.override_freeze,
    };
    let (presented, trace) = (origin.presented.clone(), promptory_platform::telemetry::current_trace());
    let bytes = sealer.sealed_bytes() + 1024;
    Ok(Gathered {
        command_id,
        command_hash,
        may_repeat,
        presented,
        command,
        trace,
        since: None,
        tied: false,
        secret,
        bytes,
    })
}

fn command_id(origin: &Origin<'_>, idempotency_key: Option<&str>) -> Result<CommandId, Failure> {
    match idempotency_key {
        Some(key) if (1..=limits::IDEMPOTENCY_KEY_MAX_BYTES).contains(&key.len()) => {
            Ok(CommandId::from_idempotency_key(origin.tenant, origin.principal, key))
        }
        Some(_) => {
            let detail = format!("must be 1 to {} bytes long", limits::IDEMPOTENCY_KEY_MAX_BYTES);
            Err(Problem::field("Idempotency-Key", detail).into())
        }
        None => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(|e| Failure::Internal(format!("no randomness: {e}")))?;
            Ok(CommandId(bytes))
        }
    }
}

fn command_hash(tenant: &TenantId, keys: &KeyStore, request: &wire::Request) -> Result<CommandHash, Failure> {
    let body = serde_json::to_vec(request).map_err(|e| Failure::Internal(e.to_string()))?;
    Ok(keys.command_hash(tenant, &body)?)
}

fn new_key(tenant: &TenantId, command_id: CommandId) -> Result<ApiKey, Failure> {
    let secret = Secret::random().map_err(|e| Failure::Internal(format!("no randomness: {e}")))?;
    Ok(ApiKey::new(tenant.clone(), command_id.api_key(), secret))
}

fn change(
    sealer: &mut Sealer<'_>,
    origin: &Origin<'_>,
    change: wire::Change,
    if_match: Option<promptory_events::VersionId>,
    secret_hash: [u8; 32],
) -> Result<Change, Failure> {
    Ok(match change {
        wire::Change::CreatePrompt { key, text, messages, config, template, variables, labels, tags, metadata } => {
            let said = Said { text, messages, config, template, variables };
            let (kind, version) = required_version(sealer, said, labels)?;
            let metadata = metadata.map(|m| sealer.json("/metadata", &m)).transpose()?;
            Change::CreatePrompt {
                key: names::key("/key", &key)?,
                kind,
                version,
                tags: names::tags("/tags", &tags)?,
                metadata,
            }
        }
        wire::Change::AddVersion { prompt, text, messages, config, template, variables, labels, branch } => {
            let said = Said { text, messages, config, template, variables };
            let (kind, version) = required_version(sealer, said, labels)?;
            let branch = branch.map_or_else(|| Ok(Branch::main()), |branch| names::branch("/branch", &branch))?;
            Change::AddVersion { prompt: names::prompt(&prompt)?, kind, version, branch, if_match }
        }
        wire::Change::CreateBranch { prompt, branch, from } => {
            let (prompt, branch) = (names::prompt(&prompt)?, names::branch("/branch", &branch)?);
            Change::CreateBranch { prompt, branch, from: names::pick(&from)? }
        }
        wire::Change::CloseBranch { prompt, branch } => {
            let (prompt, branch) = (names::prompt(&prompt)?, names::branch("/branch", &branch)?);
            Change::CloseBranch { prompt, branch, if_match }
        }
        wire::Change::ForkPrompt { prompt, from, key, labels, tags, metadata } => Change::ForkPrompt {
            prompt: names::prompt(&prompt)?,
            from: names::pick(&from)?,
            key: names::key("/key", &key)?,
            labels: names::labels(&labels)?,
            tags: names::tags("/tags", &tags)?,
            metadata: metadata.map(|m| sealer.json("/metadata", &m)).transpose()?,
            copied: None, // which version it is, the state says
        },
        merge @ wire::Change::Merge { .. } => merged::change(sealer, merge, if_match)?,
        wire::Change::RenamePrompt { prompt, to, text, messages, config, template, variables } => {
            let said = Said { text, messages, config, template, variables };
            let nothing = said == Said::default();
            let version = (!nothing).then(|| required_version(sealer, said, Vec::new())).transpose()?;
            Change::RenamePrompt { prompt: names::prompt(&prompt)?, to: names::key("/to", &to)?, version, if_match }
        }
        wire::Change::SetTags { prompt, tags, from } => {
            let (tags, from) =
                (names::tags("/tags", &tags)?, from.map(|from| names::tags("/from", &from)).transpose()?);
            Change::SetTags { prompt: names::prompt(&prompt)?, tags, from, if_match }
        }
        wire::Change::SetMetadata { prompt, metadata } => {
            let metadata = sealer.json("/metadata", &metadata)?;
            Change::SetMetadata { prompt: names::prompt(&prompt)?, metadata, if_match }
        }
        wire::Change::ArchivePrompt { prompt } => Change::ArchivePrompt { prompt: names::prompt(&prompt)?, if_match },
        wire::Change::RestorePrompt { prompt, key } => {
            let key = key.map(|key| names::key("/key", &key)).transpose()?;
            Change::RestorePrompt { prompt: names::id("/prompt", &prompt)?, key }
        }
        wire::Change::SetLabel { prompt, label, version } => {
            let (prompt, label) = (names::prompt(&prompt)?, names::label("/label", &label)?);
            Change::SetLabel { prompt, label, version, if_match }
        }
        wire::Change::RemoveLabel { prompt, label } => {
            let (prompt, label) = (names::prompt(&prompt)?, names::label("/label", &label)?);
            Change::RemoveLabel { prompt, label, if_match }
        }
        other => match rollouts::change(other)? {
            Ok(change) => change,
            Err(other) => match releases::change(sealer, other, if_match)? {
                Ok(change) => change,
                Err(other) => match identity::change(sealer, origin, other)? {
                    Ok(change) => change,
                    Err(other) => match directory::change(sealer, other)? {
                        Ok(change) => change,
                        Err(other) => access::change(sealer, other, secret_hash)?,
                    },
                },
            },
        },
    })
}

/// What a caller says of a version.
#[derive(Default, PartialEq)]
struct Said {
    text: Option<String>,
    messages: Option<Vec<wire::Message>>,
    config: Option<Map<String, Value>>,
    template: Option<Syntax>,
    variables: Option<Map<String, Value>>,
}

fn required_version(sealer: &mut Sealer<'_>, said: Said, labels: Vec<String>) -> Result<(Kind, NewVersion), Failure> {
    let Some((kind, text)) = plain(said.text, said.messages)? else {
        return Err(Problem::field("/text", "give exactly one of `text` and `messages`").into());
    };
    let syntax = said.template.unwrap_or_default();
    let template = templates::template(sealer, kind, &text, syntax, said.variables)?;
    let content = sealed(sealer, kind, &text)?;
    let config = said.config.map(|config| config::given(sealer, &config)).transpose()?;
    Ok((kind, NewVersion { content, config, labels: names::labels(&labels)?, template }))
}

/// A text or messages as they are stored, if there is one of them.
fn plain(text: Option<String>, messages: Option<Vec<wire::Message>>) -> Result<Option<(Kind, String)>, Failure> {
    match (text, messages) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some((Kind::Text, text))),
        (None, Some(messages)) => Ok(Some((Kind::Chat, contents::chat(&messages)?))),
        _ => Err(Problem::field("/text", "give exactly one of `text` and `messages`").into()),
    }
}

fn sealed(sealer: &mut Sealer<'_>, kind: Kind, text: &str) -> Result<Material, Failure> {
    sealer.content(content_field(kind), limits::CONTENT_MAX_BYTES, text.as_bytes())
}

fn content_field(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "/text",
        Kind::Chat => "/messages",
    }
}

/// The problem for something over its limit.
fn too_large(field: &str, bytes: usize, max: usize) -> Problem {
    Problem::new(ProblemType::TOO_LARGE, format!("has {bytes} bytes; at most {max} are allowed"))
        .with("field", field)
        .with("limit", max)
}
