//! One tenant's state for deciding: keys, numbers, ids, labels, grants. No text.
//!
//! The maps are persistent: a clone costs nothing and shares everything, so the writer can keep the confirmed state
//! beside the one it is trying out, and a snapshot can be written while commands go on.

mod labels;
mod map;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use promptory_events::event::{Event, Include, Kind, Languages, VersionAdded};
use promptory_events::{Branch, Content, ContentBody, ContentId, PrincipalId, PromptId, PromptKey, Tag, TenantId};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync, VectorSync};
use serde::{Deserialize, Serialize};

use crate::access::Rights;
use crate::attest::{Attempts, Readings};
use crate::command::PromptRef;
use crate::quota::Quotas;
use crate::release::book::Book;
use crate::rollout;
use crate::rollout::running::{self, Rollouts};
use crate::watch::{self, Degraded};
pub use labels::Labels;
pub use version::Version;

/// One tenant, as its ledger says it is after [`Tenant::next_index`] events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    id: TenantId,
    next_index: u64,
    bytes: usize,
    #[serde(deserialize_with = "map::deserialize")]
    holders: HashTrieMapSync<PromptKey, PromptId>,
    #[serde(deserialize_with = "map::deserialize")]
    prompts: HashTrieMapSync<PromptId, Prompt>,
    rights: Rights,
    book: Book,
    tenants: HashTrieMapSync<TenantId, TenantStatus>,
    attempts: Attempts,
    readings: Readings,
    quotas: Quotas,
    languages: Languages,
    watch: bool,
}

/// One prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Its key, or the last one it had.
    pub key: PromptKey,
    /// What its content is.
    pub kind: Kind,
    /// Whether it is archived.
    pub archived: bool,
    /// Its versions: number n is at n - 1.
    pub versions: VectorSync<Version>,
    /// The head of `main`; 0 before the first version.
    pub main: u32,
    /// The other open branches and their heads. Most prompts have none, and an empty map takes no memory.
    pub branches: BTreeMap<Branch, u32>,
    /// Its labels.
    pub labels: Labels,
    /// What some of them are split over.
    pub rollouts: Rollouts,
    /// What became worse of its versions lately, and on which day. Most prompts have nothing, and an empty map takes no memory.
    pub degraded: Degraded,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its metadata.
    pub metadata: Option<ContentId>,
    /// Every content that it holds, and the event that carries the bytes.
    pub contents: RedBlackTreeMapSync<ContentId, u64>,
    /// What its versions include, by number; most include nothing, and are not here.
    pub includes: RedBlackTreeMapSync<u32, Arc<[Include]>>,
}

/// Whether a tenant may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantStatus {
    /// It may.
    Active,
    /// Not until it is resumed.
    Suspended,
}

/// An event that can't follow what is there. The ledger contradicts itself, so the tenant stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// Another index than the next one.
    #[error("event {got} where {expected} was expected")]
    Index {
        /// The next index.
        expected: u64,
        /// The event's index.
        got: u64,
    },
    /// About something that is not there.
    #[error("event {0} is about something that is not there")]
    Missing(u64),
}

// What one entry of each map costs in memory, nodes and shared pointers included; measured roughly
// (`benches/decide.rs`), used for the bound on hot tenants, never for a promise.
const PROMPT_BYTES: usize = 550;
const VERSION_BYTES: usize = 120;
const CONTENT_BYTES: usize = 96;
const LABEL_BYTES: usize = 80;
const ENTRY_BYTES: usize = 200;

impl Tenant {
    /// A tenant without events.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self {
            id,
            next_index: 0,
            bytes: ENTRY_BYTES,
            holders: map::narrow(),
            prompts: map::narrow(),
            rights: Rights::default(),
            book: Book::default(),
            tenants: HashTrieMapSync::new_sync(),
            attempts: Attempts::default(),
            readings: Readings::default(),
            quotas: Quotas::default(),
            languages: Languages::default(),
            watch: true,
        }
    }

    /// Which tenant.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.id
    }

    /// How many events it has had; also the index of the next one.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Roughly what it takes in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// A prompt by key or id.
    #[must_use]
    pub fn prompt(&self, which: &PromptRef) -> Option<(PromptId, &Prompt)> {
        let id = match which {
            PromptRef::Key(key) => *self.holders.get(key)?,
            PromptRef::Id(id) => *id,
        };
        self.prompts.get(&id).map(|prompt| (id, prompt))
    }

    /// A prompt by identity.
    #[must_use]
    pub fn by_id(&self, id: PromptId) -> Option<&Prompt> {
        self.prompts.get(&id)
    }

    /// The prompt that holds a key.
    #[must_use]
    pub fn holder(&self, key: &PromptKey) -> Option<PromptId> {
        self.holders.get(key).copied()
    }

    /// Who may do what.
    #[must_use]
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// What stands between a caller and a label: protections, freezes, release requests.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// How a tenant stands (`_system` only); `None` if there is no such tenant.
    #[must_use]
    pub fn tenant_status(&self, tenant: &TenantId) -> Option<TenantStatus> {
        self.tenants.get(tenant).copied()
    }

    /// What it has and may have.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The languages that its prompts are searched in.
    #[must_use]
    pub fn languages(&self) -> Languages {
        self.languages
    }

    /// Whether its versions are watched; they are unless somebody says otherwise.
    #[must_use]
    pub fn watch(&self) -> bool {
        self.watch
    }

    /// The readings of the audit in the last minute that had any.
    #[must_use]
    pub fn readings(&self) -> &Readings {
        &self.readings
    }

    /// The denied attempts of the last minute that had any.
    #[must_use]
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Takes in the next event, which `actor` made.
    ///
    /// # Errors
    /// [`Inconsistent`], and the state is then not to be used any more.
    pub fn evolve(&mut self, index: u64, actor: PrincipalId, event: &Event) -> Result<(), Inconsistent> {
        if index != self.next_index {
            return Err(Inconsistent::Index { expected: self.next_index, got: index });
        }
        self.next_index += 1;
        self.quotas.take(event);
        match event {
            Event::LedgerOpened(_)
            | Event::CommandUnchanged
            | Event::BackupStarted(_)
            | Event::LedgerRestored(_)
            | Event::QuotaSet(_)
            | Event::AttemptsCounted(_)
            | Event::UnauthenticatedCounted(_) => Ok(()),
            Event::SearchConfigured(e) => {
                self.languages = e.after;
                Ok(())
            }
            Event::WatchConfigured(e) => {
                self.watch = e.after;
                Ok(())
            }
            Event::VersionDegraded(e) => {
                self.bytes += ENTRY_BYTES;
                watch::take(&mut self.prompt_mut(index, e.prompt)?.degraded, e);
                Ok(())
            }
            Event::AttemptDenied(e) => {
                self.attempts.denied(e);
                Ok(())
            }
            Event::AuditRead(e) | Event::AuditExported(e) => {
                self.readings.read(e);
                Ok(())
            }
            Event::TenantCreated(e) => self.set_tenant(&e.tenant, TenantStatus::Active),
            Event::TenantSuspended(e) => self.set_tenant(&e.tenant, TenantStatus::Suspended),
            Event::TenantResumed(e) => self.set_tenant(&e.tenant, TenantStatus::Active),
            _ if event.prompt().is_some() => self.evolve_prompt(index, actor, event),
            _ if is_of_releases(event) => {
                self.bytes += ENTRY_BYTES;
                if self.book.evolve(actor, event) { Ok(()) } else { Err(Inconsistent::Missing(index)) }
            }
            _ => self.evolve_access(index, event),
        }
    }

    fn set_tenant(&mut self, tenant: &TenantId, status: TenantStatus) -> Result<(), Inconsistent> {
        self.tenants.insert_mut(tenant.clone(), status);
        self.bytes += ENTRY_BYTES;
        Ok(())
    }

    fn evolve_access(&mut self, index: u64, event: &Event) -> Result<(), Inconsistent> {
        self.bytes += ENTRY_BYTES;
        if self.rights.evolve(index, event) { Ok(()) } else { Err(Inconsistent::Missing(index)) }
    }

    fn evolve_prompt(&mut self, index: u64, actor: PrincipalId, event: &Event) -> Result<(), Inconsistent> {
        match event {
            Event::PromptCreated(e) => {
                self.holders.insert_mut(e.key.clone(), e.prompt);
                self.prompts.insert_mut(e.prompt, Prompt::new(e.key.clone(), e.kind));
                self.bytes += PROMPT_BYTES + 2 * e.key.as_str().len();
            }
            Event::VersionAdded(e) => {
                self.bytes += VERSION_BYTES + CONTENT_BYTES + ENTRY_BYTES * e.includes.len();
                self.prompt_mut(index, e.prompt)?.add_version(index, actor, e)?;
            }
            Event::PromptRenamed(e) => {
                self.holders.remove_mut(&e.before);
                self.holders.insert_mut(e.after.clone(), e.prompt);
                self.prompt_mut(index, e.prompt)?.key = e.after.clone();
            }
            Event::TagsSet(e) => self.prompt_mut(index, e.prompt)?.tags.clone_from(&e.after),
            Event::MetadataSet(e) => {
                self.bytes += CONTENT_BYTES;
                let prompt = self.prompt_mut(index, e.prompt)?;
                prompt.metadata = Some(e.after.id);
                prompt.hold(index, &e.after);
            }
            Event::PromptArchived(e) => {
                self.holders.remove_mut(&e.key);
                self.prompt_mut(index, e.prompt)?.archived = true;
            }
            Event::PromptRestored(e) => {
                self.holders.insert_mut(e.key.clone(), e.prompt);
                let prompt = self.prompt_mut(index, e.prompt)?;
                prompt.archived = false;
                prompt.key = e.key.clone();
            }
            Event::LabelSet(e) => {
                self.prompt_mut(index, e.prompt)?.labels.set(&e.label, e.after);
                self.bytes += LABEL_BYTES;
            }
            Event::LabelRemoved(e) => {
                self.prompt_mut(index, e.prompt)?.labels.remove(&e.label);
            }
            Event::BranchCreated(e) => {
                self.prompt_mut(index, e.prompt)?.branches.insert(e.branch.clone(), e.head);
                self.bytes += ENTRY_BYTES;
            }
            Event::BranchClosed(e) => drop(self.prompt_mut(index, e.prompt)?.branches.remove(&e.branch)),
            other => self.evolve_rollout(index, other)?,
        }
        Ok(())
    }

    fn evolve_rollout(&mut self, index: u64, event: &Event) -> Result<(), Inconsistent> {
        let (prompt, ..) = rollout::about(event).ok_or(Inconsistent::Missing(index))?;
        self.bytes += ENTRY_BYTES;
        let rollouts = &mut self.prompt_mut(index, prompt)?.rollouts;
        if running::evolve(rollouts, event) { Ok(()) } else { Err(Inconsistent::Missing(index)) }
    }

    fn prompt_mut(&mut self, index: u64, prompt: PromptId) -> Result<&mut Prompt, Inconsistent> {
        self.prompts.get_mut(&prompt).ok_or(Inconsistent::Missing(index))
    }
}

impl Prompt {
    fn new(key: PromptKey, kind: Kind) -> Self {
        Self {
            key,
            kind,
            archived: false,
            versions: VectorSync::new_sync(),
            main: 0,
            branches: BTreeMap::new(),
            labels: Labels::default(),
            rollouts: Rollouts::new(),
            degraded: Degraded::new(),
            tags: Vec::new(),
            metadata: None,
            contents: RedBlackTreeMapSync::new_sync(),
            includes: RedBlackTreeMapSync::new_sync(),
        }
    }

    /// The newest version's number, on whatever branch; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> u32 {
        u32::try_from(self.versions.len()).unwrap_or(u32::MAX)
    }

    /// The head of `main`.
    #[must_use]
    pub fn latest(&self) -> Option<&Version> {
        self.version(self.main)
    }

    /// The number of an open branch's head.
    #[must_use]
    pub fn head(&self, branch: &Branch) -> Option<u32> {
        if branch.is_main() { Some(self.main) } else { self.branches.get(branch).copied() }
    }

    /// A version by number.
    #[must_use]
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Whether there is a version of this number. The versions themselves are not looked at.
    #[must_use]
    pub fn has_version(&self, number: u32) -> bool {
        (1..=self.newest()).contains(&number)
    }

    /// Who added a version.
    #[must_use]
    pub fn author(&self, number: u32) -> Option<PrincipalId> {
        self.version(number).map(|version| version.author)
    }

    /// What one of its versions includes.
    #[must_use]
    pub fn includes(&self, number: u32) -> &[Include] {
        self.includes.get(&number).map(AsRef::as_ref).unwrap_or_default()
    }

    fn add_version(&mut self, index: u64, actor: PrincipalId, event: &VersionAdded) -> Result<(), Inconsistent> {
        self.versions.push_back_mut(Version::new(index, actor, event));
        let head = match event.branch.is_main() {
            true => &mut self.main,
            false => self.branches.get_mut(&event.branch).ok_or(Inconsistent::Missing(index))?,
        };
        *head = event.number;
        self.hold(index, &event.content);
        if let Some(config) = &event.config {
            self.hold(index, config);
        }
        if let Some(variables) = &event.variables {
            self.hold(index, variables);
        }
        if !event.includes.is_empty() {
            self.includes.insert_mut(event.number, event.includes.as_slice().into());
        }
        Ok(())
    }

    fn hold(&mut self, index: u64, content: &Content) {
        if matches!(content.body, ContentBody::Inline(_)) {
            self.contents.insert_mut(content.id, index);
        }
    }
}

/// Whether an event is one that the [`Book`] knows, or that only says why a label moves.
fn is_of_releases(event: &Event) -> bool {
    event.regards().is_some()
        || matches!(
            event,
            Event::LabelProtected(_) | Event::LabelUnprotected(_) | Event::FreezeSet(_) | Event::FreezeLifted(_)
        )
}
