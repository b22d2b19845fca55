//! What the catalog's rows hold. Postcard; a changed shape needs a new [`FORMAT`](super::FORMAT).

use std::collections::BTreeMap;

use promptory_domain::access::directory::Entry;
use promptory_domain::release::book::Request;
use promptory_domain::rollout::running::Rollouts;
use promptory_events::event::{Action, KeyScope, Kind, UserAttribute, VersionRef};
use promptory_events::{
    Branch, CommitHeader, Event, GroupId, IssuerUrl, Label, NameId, Prefix, PrincipalId, PromptId, PromptKey, Tag,
    Term, Timestamp, VersionId, codec,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::trail::Trail;
use crate::ask::{Basis, PromptSummary};
use crate::store::rows::RowError;

/// Room for most rows, and for what comes before the event in an event's row, while they are encoded.
const ROOM: usize = 64;
const EVENT_ROOM: usize = 512;
const PLAIN: &str = "rows are plain data, and the buffer grows";

/// A prompt as it is after one of its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptRow {
    /// Its identity.
    pub id: PromptId,
    /// Its key, or the last one it had.
    pub key: PromptKey,
    /// What its content is.
    pub kind: Kind,
    /// Whether it is archived: then it holds no key.
    pub archived: bool,
    /// How many versions, on all branches.
    pub versions: u32,
    /// The newest one of `main`; `None` only between the events of the commit that creates the prompt.
    pub latest: Option<VersionId>,
    /// Its number.
    pub main: u32,
    /// How many versions `main` has.
    pub on_main: u32,
    /// The other open branches and their heads' numbers.
    pub branches: BTreeMap<Branch, u32>,
    /// The version that its first version was copied from, if it is a fork.
    pub forked_from: Option<VersionRef>,
    /// Its labels.
    pub labels: BTreeMap<Label, u32>,
    /// What some of them are split over.
    pub rollouts: Rollouts,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The event that set its metadata.
    pub metadata: Option<u64>,
    /// Its last event.
    pub changed_index: u64,
    /// When that was recorded.
    pub changed_at: Timestamp,
    /// Effective time: the latest of what its events say about when they happened.
    pub effective_at: Timestamp,
    /// Whether one of its events claims its time.
    pub claimed: bool,
    /// The event by which it got its key.
    pub key_since: u64,
    /// Effective time of that event.
    pub key_effective: Timestamp,
    /// Its earlier changes.
    pub trail: Trail,
}

impl PromptRow {
    /// What users see of it; `None` while it has no version.
    #[must_use]
    pub fn summary(&self) -> Option<PromptSummary> {
        Some(PromptSummary {
            id: self.id,
            key: self.key.clone(),
            kind: self.kind,
            archived: self.archived,
            versions: self.versions,
            latest: self.latest?,
            branches: self.branches.iter().map(|(b, n)| (b.clone(), *n)).chain([(Branch::main(), self.main)]).collect(),
            forked_from: self.forked_from,
            labels: self.labels.clone(),
            rollouts: self.rollouts.clone(),
            tags: self.tags.clone(),
            changed_index: self.changed_index,
            changed_at: self.changed_at,
            effective_at: self.effective_at,
            basis: if self.claimed { Basis::Claimed } else { Basis::Recorded },
        })
    }
}

/// A prompt held a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderRow {
    /// Which prompt.
    pub prompt: PromptId,
    /// Its effective time when it got the key.
    pub effective_at: Timestamp,
    /// The index and the effective time at which it let the key go.
    pub released: Option<(u64, Timestamp)>,
}

/// A principal is there since an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalRow {
    /// The event that added it.
    pub added: u64,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRow {
    /// Whom it authenticates.
    pub principal: PrincipalId,
    /// SHA-256 of its secret part.
    pub secret_hash: [u8; 32],
    /// What it is narrowed to.
    pub scope: Option<KeyScope>,
    /// Until when it opens.
    pub expires_at: Option<Timestamp>,
    /// The key whose place it took.
    pub replaces: Option<promptory_events::KeyId>,
    /// The event that issued it.
    pub issued: u64,
    /// The event that revoked it.
    pub revoked: Option<u64>,
}

/// A role that a principal or a group was granted on a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRow {
    /// The event that granted it last.
    pub granted: u64,
    /// Until when it allows anything.
    pub expires_at: Option<Timestamp>,
    /// The event that took it away after that.
    pub revoked: Option<u64>,
}

/// A group is there since an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The event that created it.
    pub created: u64,
}

/// A principal in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The event that added it last.
    pub added: u64,
    /// The event that removed it after that.
    pub removed: Option<u64>,
}

/// An issuer that is or was trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerRow {
    /// Its address.
    pub url: IssuerUrl,
    /// For whom its tokens must be.
    pub audience: Term,
    /// Which of their claims has the groups.
    pub groups_claim: Term,
    /// The event that trusted it.
    pub trusted: u64,
    /// The event that did so no more.
    pub distrusted: Option<u64>,
    /// Which claim names users of the directory, and what of them.
    pub users: Option<(Term, UserAttribute)>,
}

/// What a group of an issuer means, or meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRow {
    /// Which group.
    pub group: GroupId,
    /// The event that mapped it last.
    pub mapped: u64,
    /// The event that unmapped it after that.
    pub unmapped: Option<u64>,
}

/// A user or a group of the directory, or one that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRow {
    /// Its name, as a keyed hash.
    pub name: NameId,
    /// Its `externalId`, as a keyed hash.
    pub external: Option<NameId>,
    /// Whether a user may come in; a group always is.
    pub active: bool,
    /// The event that carries its profile.
    pub set: u64,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When its profile was set.
    pub changed_at: Timestamp,
    /// The event that removed it.
    pub removed: Option<u64>,
}

impl DirectoryRow {
    /// The same for the state, which knows of a group also when somebody came or went last.
    #[must_use]
    pub fn entry(&self, moved: u64) -> Entry {
        Entry {
            name: self.name,
            external: self.external,
            active: self.active,
            profile: self.set,
            version: self.set.max(moved),
            created_at: self.created_at,
            changed_at: self.changed_at,
        }
    }
}

/// A custom role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRow {
    /// The event that defined it last.
    pub defined: u64,
    /// What it allows.
    pub actions: Vec<Action>,
}

/// A label that is or was protected on a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionRow {
    /// The event that said so last.
    pub changed: u64,
    /// How many approvals it needs; `None`: it is not protected any more.
    pub approvals: Option<u16>,
}

/// A freeze window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeRow {
    /// Where.
    pub prefix: Prefix,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The event that set it.
    pub set: u64,
    /// The event that lifted it.
    pub lifted: Option<u64>,
}

/// A release request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// What it is, who opened and who approved it, and how it stands.
    pub request: Request,
    /// The event that opened it.
    pub opened: u64,
    /// The events that approved it, in the order of the approvers.
    pub approvals: Vec<u64>,
    /// The event that closed it.
    pub closed: Option<u64>,
}

/// A tenant, as `_system` knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRow {
    /// The event that created it.
    pub created: u64,
    /// The event that suspended it, if it is suspended.
    pub suspended: Option<u64>,
}

/// The commit of an event. All events of a commit share one header, which may carry a long message: stored once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub enum CommitRef {
    /// Here, with the commit's first event.
    Here(Box<CommitHeader>),
    /// With the event of this index.
    At(u64),
}

/// As [`CommitRef`], for writing: the same bytes without a copy.
#[derive(Serialize)]
pub(super) enum CommitRefOut<'a> {
    Here(&'a CommitHeader),
    At(u64),
}

/// An event with what it led to. The event's own bytes follow the row's, as the ledger has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its commit.
    pub commit: CommitRef,
    /// The prompt that it is about, after it.
    pub prompt: Option<PromptRow>,
    /// The event.
    pub event: Event,
}

pub(super) fn encode_event(
    recorded_at: Timestamp,
    commit: &CommitRefOut<'_>,
    prompt: Option<&PromptRow>,
    event: &[u8],
) -> Vec<u8> {
    let mut out = codec::to_vec(&(recorded_at, commit, prompt), EVENT_ROOM + event.len()).expect(PLAIN);
    out.extend_from_slice(event);
    out
}

impl EventRow {
    /// Reads an event's row.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        let (head, event) = postcard::take_from_bytes(bytes).map_err(|_| RowError::Row("event"))?;
        let (recorded_at, commit, prompt) = head;
        let event = Event::decode(event).map_err(|_| RowError::Row("event"))?;
        Ok(Self { recorded_at, commit, prompt, event })
    }

    /// Reads only when an event was recorded.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode_recorded(bytes: &[u8]) -> Result<Timestamp, RowError> {
        postcard::take_from_bytes(bytes).map(|(recorded_at, _)| recorded_at).map_err(|_| RowError::Row("event"))
    }

    /// Reads only the prompt of an event's row: the event's bytes, which may be long, are not looked at.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode_prompt(bytes: &[u8]) -> Result<Option<PromptRow>, RowError> {
        Self::decode_head(bytes).map(|(_, _, prompt)| prompt)
    }

    /// Reads when it was recorded, its commit and its prompt, and not the event's bytes.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode_head(bytes: &[u8]) -> Result<(Timestamp, CommitRef, Option<PromptRow>), RowError> {
        postcard::take_from_bytes(bytes).map(|(head, _)| head).map_err(|_| RowError::Row("event"))
    }
}

/// The bytes of a row.
#[must_use]
pub fn encode(row: &impl Serialize) -> Vec<u8> {
    codec::to_vec(row, ROOM).expect(PLAIN)
}

/// Reads only what a row begins with.
///
/// # Errors
/// Bytes that are none.
pub fn take<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, RowError> {
    postcard::take_from_bytes(bytes).map(|(begin, _)| begin).map_err(|_| RowError::Row(what))
}

/// Reads a row.
///
/// # Errors
/// Bytes that are none, or more than one.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, RowError> {
    match postcard::take_from_bytes(bytes) {
        Ok((row, [])) => Ok(row),
        _ => Err(RowError::Row(what)),
    }
}
