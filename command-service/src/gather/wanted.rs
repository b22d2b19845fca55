//! The contents of versions that are in the ledger already, for commands that rest on them.
//!
//! `decide` says which versions those are; what is gathered names them, so that `decide` sees whether they still are the
//! ones. Contents never change, so only which ones are meant can be overtaken.

use promptory_compare::Version;
use promptory_domain::{Change, Copied, MergeOutcome, Tenant, Wanted};
use promptory_events::event::{Include, Kind, Syntax, VersionAdded, VersionRef};
use promptory_events::{
    Batch, CommandId, CommitHeader, Content, ContentBody, ContentId, Event, Sealed, TenantId, Timestamp, limits,
};
use promptory_ledger::{KeyStore, KeyStoreError, Ledger, seal};
use promptory_platform::problem::{Problem, ProblemType};

use super::contents::Sealer;
use super::merged::{Base, Said};
use super::{Gathered, merged};
use crate::failure::Failure;

/// Both sides of what conflicts in a merge, by name, to be shown to its caller. They hold texts, so they go nowhere else.
pub type Sides = serde_json::Map<String, serde_json::Value>;

/// Events that are not in the ledger yet: those of commands that are done together with the one that is gathered.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The index of the first of them.
    pub from: u64,
    /// Them, in order.
    pub events: Vec<Event>,
}

impl Ahead {
    fn get(&self, index: u64) -> Option<&Event> {
        self.events.get(usize::try_from(index.checked_sub(self.from)?).ok()?)
    }
}

/// Gathers the contents that a command rests on, and what conflicts in them. `state` is at least as far as the one that they
/// were wanted on; what it knows and the ledger does not is in `ahead`.
///
/// # Errors
/// The ledger or the key store can't be read; a content was erased.
pub async fn gather_wanted(
    ledger: &Ledger,
    keys: &KeyStore,
    state: &Tenant,
    mut item: Gathered,
    wanted: &[Wanted],
    ahead: &Ahead,
) -> Result<(Gathered, Option<Sides>), Failure> {
    let mut wanted = wanted.to_vec();
    if let [ours, theirs] = wanted.as_slice() {
        // A long history is walked, so not on an async thread; a copy of the state shares all with it.
        let (state, ours, theirs) = (state.clone(), ours.version, theirs.version);
        let base = tokio::task::spawn_blocking(move || merged::base(&state, ours, theirs)).await;
        let base = base.map_err(|error| Failure::Internal(error.to_string()))?;
        let outcome = match base.ok_or_else(|| Failure::Unavailable("the versions are not known here yet".into()))? {
            Base::Nothing => Some(MergeOutcome::Nothing),
            Base::Unrelated => Some(MergeOutcome::Unrelated),
            Base::Common(base) => {
                wanted.insert(0, base);
                None
            }
        };
        if let (Some(outcome), [ours, theirs]) = (outcome, wanted.as_slice()) {
            merged::without_contents(&mut item.command.change, [ours, theirs], outcome);
            return Ok((item, None));
        }
    }
    let (keys, tenant) = (keys.clone(), state.id().clone());
    // Of the same kind, all of them: `decide` has seen to it. A fork's is not asked for.
    let kind = wanted.last().and_then(|wanted| state.by_id(wanted.version.prompt)).map_or(Kind::Text, |p| p.kind);
    let mut versions = Vec::with_capacity(wanted.len());
    for wanted in &wanted {
        versions.push(version(ledger, &tenant, ahead, wanted).await?);
    }
    // Opening, merging and sealing half a MiB takes milliseconds, and keys may come from servers.
    let gathering = tokio::task::spawn_blocking(move || {
        let opened = versions.iter().map(|version| open_version(&keys, &tenant, version));
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        let mut sealer = Sealer::new(&keys, &tenant, item.command_id);
        let change = &mut item.command.change;
        let mut conflict = None;
        match opened.as_slice() {
            [base, ours, theirs] => {
                let said = [base, ours, theirs].map(|opened| opened.said(kind));
                conflict = merged::with_contents(&mut sealer, change, said)?;
            }
            all => {
                if let (Change::ForkPrompt { copied, .. }, [origin]) = (change, all) {
                    *copied = Some(Box::new(copy(&mut sealer, origin)?));
                }
            }
        }
        item.bytes += sealer.sealed_bytes();
        Ok::<_, Failure>((item, conflict))
    });
    gathering.await.map_err(|error| Failure::Internal(error.to_string()))?
}

/// A version's contents as the ledger has them.
pub(super) struct SealedVersion {
    of: VersionRef,
    event: VersionAdded,
    content: Sealed,
    config: Option<Sealed>,
    variables: Option<Sealed>,
}

pub(super) async fn version(
    ledger: &Ledger,
    tenant: &TenantId,
    ahead: &Ahead,
    wanted: &Wanted,
) -> Result<SealedVersion, Failure> {
    let event = match event(ledger, tenant, ahead, wanted.index).await? {
        Event::VersionAdded(event) if event.version == wanted.version.version => event,
        _ => return Err(Failure::Unavailable(format!("event {} adds another version", wanted.index))),
    };
    let content = sealed(ledger, tenant, ahead, &event.content).await?;
    let config = match &event.config {
        Some(config) => Some(sealed(ledger, tenant, ahead, config).await?),
        None => None,
    };
    let variables = match &event.variables {
        Some(variables) => Some(sealed(ledger, tenant, ahead, variables).await?),
        None => None,
    };
    Ok(SealedVersion { of: wanted.version, event, content, config, variables })
}

async fn sealed(ledger: &Ledger, tenant: &TenantId, ahead: &Ahead, content: &Content) -> Result<Sealed, Failure> {
    match &content.body {
        ContentBody::Inline(sealed) => Ok(sealed.clone()),
        ContentBody::At(index) => {
            let carrier = event(ledger, tenant, ahead, *index).await?;
            let missing = || Failure::Unavailable(format!("event {index} does not carry {}", content.id));
            carrier.carries(&content.id).cloned().ok_or_else(missing)
        }
    }
}

async fn event(ledger: &Ledger, tenant: &TenantId, ahead: &Ahead, index: u64) -> Result<Event, Failure> {
    if let Some(event) = ahead.get(index) {
        return Ok(event.clone());
    }
    recorded_event(ledger, tenant, index).await.map(|(_, event)| event)
}

/// An event of the ledger, and the command that it is of.
///
/// # Errors
/// The ledger can't be read, or has no such event.
pub async fn recorded_event(ledger: &Ledger, tenant: &TenantId, index: u64) -> Result<(CommandId, Event), Failure> {
    recorded(ledger, tenant, index).await.map(|recorded| (recorded.header.command_id, recorded.event))
}

/// An event as it was recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub event: Event,
    /// Of its commit.
    pub header: CommitHeader,
    pub at: Timestamp,
}

/// An event of the ledger with what is said about it.
pub(super) async fn recorded(ledger: &Ledger, tenant: &TenantId, index: u64) -> Result<Recorded, Failure> {
    let broken = |what: &str| Failure::Unavailable(format!("event {index}: {what}"));
    let found = ledger.get(tenant, index).await?.ok_or_else(|| broken("it is not there"))?;
    let batch = Batch::parse(found.bytes).map_err(|error| broken(&error.to_string()))?;
    let commit = batch.indexed().take_while(|(first, _)| *first <= index).last();
    let (first, commit) = commit.ok_or_else(|| broken("it is not in its batch"))?;
    let place = usize::try_from(index - first).unwrap_or(usize::MAX);
    let bytes = commit.events.get(place).ok_or_else(|| broken("it is not in its commit"))?;
    let event = Event::decode(bytes).map_err(|error| broken(&error.to_string()))?;
    Ok(Recorded { event, header: commit.header.clone(), at: batch.header.recorded_at })
}

/// A version's contents.
pub(super) struct Opened {
    of: VersionRef,
    pub content: String,
    pub config: Option<String>,
    pub syntax: Syntax,
    variables: Option<String>,
    includes: Vec<Include>,
}

impl Opened {
    fn said(&self, kind: Kind) -> Said<'_> {
        let (config, variables) = (self.config.as_deref(), self.variables.as_deref());
        let version = Version { kind, content: &self.content, config, syntax: self.syntax, variables };
        Said { of: self.of, version }
    }
}

pub(super) fn open_version(keys: &KeyStore, tenant: &TenantId, sealed: &SealedVersion) -> Result<Opened, Failure> {
    let event = &sealed.event;
    let opened = |content: Option<&Content>, sealed: Option<&Sealed>| {
        content.zip(sealed).map(|(content, sealed)| open(keys, tenant, content.id, sealed)).transpose()
    };
    Ok(Opened {
        of: sealed.of,
        content: open(keys, tenant, event.content.id, &sealed.content)?,
        config: opened(event.config.as_deref(), sealed.config.as_ref())?,
        syntax: event.syntax,
        variables: opened(event.variables.as_deref(), sealed.variables.as_ref())?,
        includes: event.includes.clone(),
    })
}

fn copy(sealer: &mut Sealer<'_>, origin: &Opened) -> Result<Copied, Failure> {
    let mut json = |json: &Option<String>| {
        json.as_ref().map(|json| sealer.content("/from", limits::JSON_MAX_BYTES, json.as_bytes())).transpose()
    };
    let (config, variables) = (json(&origin.config)?, json(&origin.variables)?);
    Ok(Copied {
        of: origin.of.version,
        content: sealer.content("/from", limits::CONTENT_MAX_BYTES, origin.content.as_bytes())?,
        config,
        syntax: origin.syntax,
        variables,
        includes: origin.includes.clone(),
    })
}

fn open(keys: &KeyStore, tenant: &TenantId, id: ContentId, sealed: &Sealed) -> Result<String, Failure> {
    let bytes = keys.open_sealed(tenant, &seal::aad::content(tenant, &id), sealed).map_err(|error| match error {
        KeyStoreError::Erased(_) => {
            Problem::new(ProblemType::ERASED, "the text of a version that this rests on has been erased").into()
        }
        error => Failure::from(error),
    })?;
    String::from_utf8(bytes).map_err(|_| Failure::Unavailable(format!("{id} is no UTF-8 text")))
}
