//! Users and groups of the directory, as a command has them.

use promptory_events::{GroupId, NameId, PrincipalId, Sealed};
use serde::{Deserialize, Serialize};

/// A user of the directory as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetUser {
    /// Who; `None`: a new one.
    pub user: Option<PrincipalId>,
    /// Refused unless this is the index of its last event.
    pub expected: Option<u64>,
    /// What is said of it; `None`: nothing changes.
    pub said: Option<UserSaid>,
}

/// What the directory says of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSaid {
    /// Its `userName`, as a keyed hash.
    pub name: NameId,
    /// Its `externalId`, as a keyed hash.
    pub external: Option<NameId>,
    /// Whether it may come in.
    pub active: bool,
    /// All of it, sealed.
    pub profile: Sealed,
}

/// A group of the directory as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetGroup {
    /// Which; `None`: a new one.
    pub group: Option<GroupId>,
    /// Refused unless this is the index of its last event.
    pub expected: Option<u64>,
    /// What is said of it; `None`: as before.
    pub said: Option<GroupSaid>,
    /// Users that become members.
    pub add: Vec<PrincipalId>,
    /// Users that are members no more.
    pub remove: Vec<PrincipalId>,
}

/// What the directory says of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSaid {
    /// Its `displayName`, as a keyed hash.
    pub name: NameId,
    /// Its `externalId`, as a keyed hash.
    pub external: Option<NameId>,
    /// All of it but for its members, sealed.
    pub profile: Sealed,
}
