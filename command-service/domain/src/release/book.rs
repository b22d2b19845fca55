//! Protections, freeze windows and release requests, as a tenant's ledger says it: the same for deciding and for reading.

use std::collections::BTreeMap;

use promptory_events::event::{Event, FreezeSet, ReleaseRequested, Split};
use promptory_events::{FreezeId, Label, Prefix, PrincipalId, PromptId, RequestId, RolloutId, Timestamp};
use rpds::HashTrieMapSync;
use serde::{Deserialize, Serialize};

use crate::access::rights::lasts;

/// What stands between a caller and a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    protections: HashTrieMapSync<Prefix, BTreeMap<Label, u16>>,
    freezes: HashTrieMapSync<Prefix, Vec<Freeze>>,
    requests: HashTrieMapSync<RequestId, Request>,
    open: HashTrieMapSync<PromptId, Vec<RequestId>>,
    /// How many protections and windows there are.
    rules: usize,
}

/// A freeze window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Which.
    pub freeze: FreezeId,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// A release request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// Where it pointed when this was opened.
    pub before: Option<u32>,
    /// Where it should point; `None`: it should be removed. With a split where it points already.
    pub after: Option<u32>,
    /// That it should be split.
    pub split: Option<Split>,
    /// Until when it may be approved.
    pub expires_at: Option<Timestamp>,
    /// Who opened it.
    pub author: PrincipalId,
    /// Who approved it, in order.
    pub approvers: Vec<PrincipalId>,
    /// How it stands.
    pub status: Status,
}

/// How a request stands, as far as events say it: that it is stale or has expired follows from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may be approved, rejected, withdrawn.
    Open,
    /// It was rejected.
    Rejected,
    /// Its author withdrew it.
    Withdrawn,
    /// The label has moved by it.
    Executed,
}

impl Request {
    /// Of a request that was just opened.
    #[must_use]
    pub fn new(event: &ReleaseRequested, author: PrincipalId) -> Self {
        Self {
            prompt: event.prompt,
            label: event.label.clone(),
            before: event.before,
            after: event.after,
            split: event.split.clone(),
            expires_at: event.expires_at,
            author,
            approvers: Vec::new(),
            status: Status::Open,
        }
    }

    /// Whether the label has moved since it was opened, or has another rollout, or none any more, than it should change.
    #[must_use]
    pub fn is_stale(&self, points_to: Option<u32>, rollout: Option<RolloutId>) -> bool {
        points_to != self.before || self.split.as_ref().is_some_and(|split| split.rollout != rollout)
    }

    /// Whether its time is over.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        !lasts(self.expires_at, now)
    }
}

impl Book {
    /// How many approvals moving a label of a key needs: the most that a prefix around the key asks for; `None` if none
    /// protects it.
    #[must_use]
    pub fn needed(&self, key: &str, label: &Label) -> Option<u16> {
        if self.protections.is_empty() {
            return None;
        }
        Prefix::around(key).filter_map(|prefix| self.protections.get(prefix)?.get(label).copied()).max()
    }

    /// The approvals that a label needs on exactly this prefix.
    #[must_use]
    pub fn protection(&self, prefix: &Prefix, label: &Label) -> Option<u16> {
        self.protections.get(prefix)?.get(label).copied()
    }

    /// The window that a key's labels are in at a time.
    #[must_use]
    pub fn frozen(&self, key: &str, now: Timestamp) -> Option<Freeze> {
        if self.freezes.is_empty() {
            return None;
        }
        let in_it = |freeze: &&Freeze| freeze.from <= now && now < freeze.until;
        Prefix::around(key).find_map(|prefix| self.freezes.get(prefix)?.iter().find(in_it)).copied()
    }

    /// A window on a prefix.
    #[must_use]
    pub fn freeze(&self, prefix: &Prefix, freeze: FreezeId) -> Option<Freeze> {
        self.freezes.get(prefix)?.iter().find(|known| known.freeze == freeze).copied()
    }

    /// A request, open or not.
    #[must_use]
    pub fn request(&self, request: RequestId) -> Option<&Request> {
        self.requests.get(&request)
    }

    /// The open requests of a prompt, the expired ones too.
    #[must_use]
    pub fn open(&self, prompt: PromptId) -> &[RequestId] {
        self.open.get(&prompt).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many protections and windows there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules
    }

    /// Takes an event in that its actor made. False: it contradicts what is there.
    #[must_use]
    pub fn evolve(&mut self, actor: PrincipalId, event: &Event) -> bool {
        match event {
            Event::LabelProtected(e) => {
                self.protect(&e.prefix, &e.label, e.after);
                true
            }
            Event::LabelUnprotected(e) => {
                let gone = self.protections.get_mut(&e.prefix).and_then(|labels| labels.remove(&e.label)).is_some();
                if self.protections.get(&e.prefix).is_some_and(BTreeMap::is_empty) {
                    self.protections.remove_mut(&e.prefix);
                }
                self.rules -= usize::from(gone);
                gone
            }
            Event::FreezeSet(e) => {
                self.set_freeze(e);
                true
            }
            Event::FreezeLifted(e) => self.lift(&e.prefix, e.freeze),
            Event::ReleaseRequested(e) => {
                let new = self.request(e.request).is_none();
                self.put(e.request, Request::new(e, actor));
                new
            }
            Event::ReleaseApproved(e) => self.with(e.request, |request| request.approvers.push(actor)),
            Event::ReleaseRejected(e) => self.close(e.request, Status::Rejected),
            Event::ReleaseWithdrawn(e) => self.close(e.request, Status::Withdrawn),
            Event::ReleaseExecuted(e) => self.close(e.request, Status::Executed),
            _ => true, // nothing that it keeps
        }
    }

    /// A protection, or another number of approvals.
    pub fn protect(&mut self, prefix: &Prefix, label: &Label, approvals: u16) {
        let mut labels = self.protections.get(prefix).cloned().unwrap_or_default();
        self.rules += usize::from(labels.insert(label.clone(), approvals).is_none());
        self.protections.insert_mut(prefix.clone(), labels);
    }

    /// A freeze window.
    pub fn set_freeze(&mut self, event: &FreezeSet) {
        let mut windows = self.freezes.get(&event.prefix).cloned().unwrap_or_default();
        windows.push(Freeze { freeze: event.freeze, from: event.from, until: event.until });
        self.freezes.insert_mut(event.prefix.clone(), windows);
        self.rules += 1;
    }

    fn lift(&mut self, prefix: &Prefix, freeze: FreezeId) -> bool {
        let Some(mut windows) = self.freezes.get(prefix).cloned() else { return false };
        let before = windows.len();
        windows.retain(|window| window.freeze != freeze);
        let gone = windows.len() < before;
        self.rules -= usize::from(gone);
        if windows.is_empty() {
            self.freezes.remove_mut(prefix);
        } else {
            self.freezes.insert_mut(prefix.clone(), windows);
        }
        gone
    }

    /// A request, in whatever state.
    pub fn put(&mut self, id: RequestId, request: Request) {
        if request.status == Status::Open {
            let mut open = self.open(request.prompt).to_vec();
            open.push(id);
            self.open.insert_mut(request.prompt, open);
        }
        self.requests.insert_mut(id, request);
    }

    fn close(&mut self, id: RequestId, status: Status) -> bool {
        let Some(prompt) = self.request(id).filter(|request| request.status == Status::Open).map(|r| r.prompt) else {
            return false;
        };
        let open: Vec<_> = self.open(prompt).iter().copied().filter(|other| *other != id).collect();
        if open.is_empty() {
            self.open.remove_mut(&prompt);
        } else {
            self.open.insert_mut(prompt, open);
        }
        self.with(id, |request| request.status = status)
    }

    fn with(&mut self, id: RequestId, change: impl FnOnce(&mut Request)) -> bool {
        self.requests.get_mut(&id).map(change).is_some()
    }
}
