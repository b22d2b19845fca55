//! What a company's directory knows (SCIM): which principals are its users, which groups are its groups, and who of them
//! may not come in.
//!
//! Names are keyed hashes here. Only the directory's own users and groups are in it: whoever was added otherwise is left
//! alone by it.

use promptory_events::event::{Event, GroupSet, UserSet};
use promptory_events::{GroupId, NameId, PrincipalId, Timestamp};
use rpds::{HashTrieMapSync, HashTrieSetSync, RedBlackTreeMapSync};
use serde::{Deserialize, Serialize};

/// A user or a group of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is called: a user's `userName`, a group's `displayName`.
    pub name: NameId,
    /// Its `externalId`.
    pub external: Option<NameId>,
    /// Whether a user may come in; a group always is.
    pub active: bool,
    /// The index of the event that carries its profile.
    pub profile: u64,
    /// The index of the last event that changed what it shows: of a group also who is in it.
    pub version: u64,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When its profile was set.
    pub changed_at: Timestamp,
}

impl Entry {
    /// Of a user, by the event at an index.
    #[must_use]
    pub fn of_user(index: u64, set: &UserSet) -> Self {
        let UserSet { name, external, active, created_at, changed_at, .. } = *set;
        Self { name, external, active, profile: index, version: index, created_at, changed_at }
    }

    /// Of a group, by the event at an index.
    #[must_use]
    pub fn of_group(index: u64, set: &GroupSet) -> Self {
        let GroupSet { name, external, created_at, changed_at, .. } = *set;
        Self { name, external, active: true, profile: index, version: index, created_at, changed_at }
    }
}

/// The directory of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    users: RedBlackTreeMapSync<PrincipalId, Entry>,
    groups: RedBlackTreeMapSync<GroupId, Entry>,
    names: HashTrieMapSync<NameId, PrincipalId>,
    externals: HashTrieMapSync<NameId, PrincipalId>,
    /// Users that there were. They never come in again.
    gone: HashTrieSetSync<PrincipalId>,
}

impl Directory {
    /// The users, by id.
    #[must_use]
    pub fn users(&self) -> &RedBlackTreeMapSync<PrincipalId, Entry> {
        &self.users
    }

    /// The groups, by id.
    #[must_use]
    pub fn groups(&self) -> &RedBlackTreeMapSync<GroupId, Entry> {
        &self.groups
    }

    /// The user of a `userName`.
    #[must_use]
    pub fn named(&self, name: NameId) -> Option<PrincipalId> {
        self.names.get(&name).copied()
    }

    /// The user of an `externalId`.
    #[must_use]
    pub fn known_as(&self, external: NameId) -> Option<PrincipalId> {
        self.externals.get(&external).copied()
    }

    /// Whether a principal is kept out: a user that is not active, or that there is no more.
    #[must_use]
    pub fn keeps_out(&self, principal: PrincipalId) -> bool {
        self.users.get(&principal).is_some_and(|user| !user.active) || self.gone.contains(&principal)
    }

    /// A user as it is from now on.
    pub fn set_user(&mut self, user: PrincipalId, entry: Entry) {
        self.forget_names(user);
        self.names.insert_mut(entry.name, user);
        if let Some(external) = entry.external {
            self.externals.insert_mut(external, user);
        }
        self.users.insert_mut(user, entry);
    }

    /// A user that there is no more. False: there was none.
    pub fn remove_user(&mut self, user: PrincipalId) -> bool {
        self.forget_names(user);
        self.gone.insert_mut(user);
        self.users.remove_mut(&user)
    }

    /// A group as it is from now on.
    pub fn set_group(&mut self, group: GroupId, entry: Entry) {
        self.groups.insert_mut(group, entry);
    }

    /// An event changed who is in a group.
    pub fn touch(&mut self, group: GroupId, index: u64) {
        if let Some(entry) = self.groups.get_mut(&group) {
            entry.version = entry.version.max(index);
        }
    }

    fn forget_names(&mut self, user: PrincipalId) {
        let Some(Entry { name, external, .. }) = self.users.get(&user).copied() else { return };
        self.names.remove_mut(&name);
        if let Some(external) = external {
            self.externals.remove_mut(&external);
        }
    }

    /// Takes an event in; `None`: it is not about the directory. False: it contradicts what is there.
    #[must_use]
    pub(super) fn evolve(&mut self, index: u64, event: &Event) -> Option<bool> {
        Some(match event {
            Event::UserSet(e) => {
                let free = |holder: Option<PrincipalId>| holder.is_none_or(|holder| holder == e.user);
                let fits = free(self.named(e.name)) && e.external.is_none_or(|external| free(self.known_as(external)));
                self.set_user(e.user, Entry::of_user(index, e));
                fits
            }
            Event::UserRemoved(e) => self.remove_user(e.user),
            Event::GroupSet(e) => {
                self.set_group(e.group, Entry::of_group(index, e));
                true
            }
            Event::GroupRemoved(e) => self.groups.remove_mut(&e.group),
            _ => return None,
        })
    }
}
