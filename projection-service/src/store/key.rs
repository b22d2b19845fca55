//! The keys of a tenant's rows: one numbered family per byte, then fixed-width big-endian fields.
//!
//! Two promises, both proven below: the order of the bytes is the order of the values, and every key reads back.

use promptory_events::event::{AnyRole, Role, RoleName, Subject};
use promptory_events::{
    ClaimId, FreezeId, GroupId, IssuerId, KeyId, Label, Prefix, PrincipalId, PromptId, PromptKey, RequestId, TenantId,
};

/// A row's key. The order of the variants and of their fields is the order of the rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// How far the model is. The only row that the digest leaves out.
    Checkpoint,
    /// X: an event, and the prompt as it is after it. Every other family points here.
    Event(u64),
    /// K: a key was acquired at an index.
    Holder(PromptKey, u64),
    /// L: a label of a prompt moved at an index.
    Move(PromptId, Label, u64),
    /// A: a principal.
    Principal(PrincipalId),
    /// A: an API key.
    ApiKey(KeyId),
    /// A: a tenant (`_system` only).
    Tenant(TenantId),
    /// F: a prompt was forked, by the event that added the fork's first version.
    Fork(PromptId, u64),
    /// D: a prompt is included by a version, by the event that added it.
    Dependent(PromptId, u64),
    /// A: a group.
    Group(GroupId),
    /// A: a custom role.
    Role(RoleName),
    /// A: a member of a group.
    Member(GroupId, PrincipalId),
    /// A: a role that a principal or a group was granted on a prefix.
    Grant(Subject, Prefix, AnyRole),
    /// R: a label that is protected on a prefix.
    Protection(Prefix, Label),
    /// R: a freeze window.
    Freeze(FreezeId),
    /// R: a release request.
    Request(RequestId),
    /// R: a comment on something of a prompt, at an index.
    Comment(PromptId, u64),
    /// A: a trusted issuer.
    Issuer(IssuerId),
    /// A: what a group of an issuer means.
    Claim(IssuerId, ClaimId),
    /// A: tokens that open nothing, since an index.
    Session(u64),
    /// A: a user of the directory.
    User(PrincipalId),
    /// A: a group of the directory.
    Listed(GroupId),
    /// S: the languages that prompts are searched in were set at an index.
    Languages(u64),
    /// S: whether versions are watched was set at an index.
    Watch(u64),
    /// C: something of an area changed at an index. Whatever it was before is folded from these.
    Change(Area, u64),
}

/// What is made again for a point in the past, by the events that changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Who may do what.
    Access,
    /// Protections, freeze windows, release requests.
    Releases,
}

/// The first byte of every key. A number is never used again for another family.
pub mod family {
    /// [`super::Key::Checkpoint`]
    pub const CHECKPOINT: u8 = 0;
    /// [`super::Key::Event`]
    pub const EVENT: u8 = 1;
    // 2 was a prompt's change and 3 a version by number: the trails in the events' rows lead to both.
    /// [`super::Key::Holder`]
    pub const HOLDER: u8 = 4;
    /// [`super::Key::Move`]
    pub const MOVE: u8 = 5;
    // 6 was a time of recording: it is in the events' rows, and never goes back from one to the next.
    /// [`super::Key::Principal`]
    pub const PRINCIPAL: u8 = 7;
    /// [`super::Key::ApiKey`]
    pub const API_KEY: u8 = 8;
    // 9 was a role of a principal, on the whole tenant.
    /// [`super::Key::Tenant`]
    pub const TENANT: u8 = 10;
    /// [`super::Key::Fork`]
    pub const FORK: u8 = 11;
    /// [`super::Key::Dependent`]
    pub const DEPENDENT: u8 = 12;
    // The order is the one in which they are needed when they are read: who is there, then what they hold.
    /// [`super::Key::Group`]
    pub const GROUP: u8 = 20;
    /// [`super::Key::Role`]
    pub const ROLE: u8 = 21;
    /// [`super::Key::Member`]
    pub const MEMBER: u8 = 22;
    /// [`super::Key::Grant`]
    pub const GRANT: u8 = 23;
    /// [`super::Key::Protection`]
    pub const PROTECTION: u8 = 24;
    /// [`super::Key::Freeze`]
    pub const FREEZE: u8 = 25;
    /// [`super::Key::Request`]
    pub const REQUEST: u8 = 26;
    /// [`super::Key::Comment`]
    pub const COMMENT: u8 = 27;
    /// [`super::Key::Issuer`]
    pub const ISSUER: u8 = 40;
    /// [`super::Key::Claim`]
    pub const CLAIM: u8 = 41;
    /// [`super::Key::Session`]
    pub const SESSION: u8 = 42;
    /// [`super::Key::User`]
    pub const USER: u8 = 43;
    /// [`super::Key::Listed`]
    pub const LISTED: u8 = 44;
    /// [`super::Key::Languages`]
    pub const LANGUAGES: u8 = 50;
    /// [`super::Key::Watch`]
    pub const WATCH: u8 = 51;
    /// [`super::Key::Change`]
    pub const CHANGE: u8 = 60;
}

/// Ends a name of varying length. Names hold no control characters, so `a` sorts before `a/b` and both before `b`.
const END: u8 = 0;

impl Key {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Checkpoint => vec![family::CHECKPOINT],
            Self::Event(index) => join(family::EVENT, &[&index.to_be_bytes()]),
            Self::Holder(key, index) => join(family::HOLDER, &[key.as_str().as_bytes(), &[END], &index.to_be_bytes()]),
            Self::Move(prompt, label, index) => {
                join(family::MOVE, &[&prompt.0, label.as_str().as_bytes(), &[END], &index.to_be_bytes()])
            }
            Self::Principal(principal) => join(family::PRINCIPAL, &[&principal.0]),
            Self::ApiKey(key) => join(family::API_KEY, &[&key.0]),
            Self::Tenant(tenant) => join(family::TENANT, &[tenant.as_str().as_bytes()]),
            Self::Group(group) => join(family::GROUP, &[&group.0]),
            Self::Role(role) => join(family::ROLE, &[role.as_str().as_bytes()]),
            Self::Member(group, principal) => join(family::MEMBER, &[&group.0, &principal.0]),
            Self::Grant(subject, prefix, role) => {
                let (kind, id) = match subject {
                    Subject::Principal(id) => (0, &id.0),
                    Subject::Group(id) => (1, &id.0),
                };
                let (built_in, name) = match role {
                    AnyRole::BuiltIn(role) => ([0, *role as u8], ""),
                    AnyRole::Custom(name) => ([1, 0], name.as_str()),
                };
                join(family::GRANT, &[&[kind], id, prefix.as_str().as_bytes(), &[END], &built_in, name.as_bytes()])
            }
            Self::Protection(prefix, label) => {
                join(family::PROTECTION, &[prefix.as_str().as_bytes(), &[END], label.as_str().as_bytes()])
            }
            Self::Freeze(freeze) => join(family::FREEZE, &[&freeze.0]),
            Self::Request(request) => join(family::REQUEST, &[&request.0]),
            Self::Comment(prompt, index) => join(family::COMMENT, &[&prompt.0, &index.to_be_bytes()]),
            Self::Issuer(issuer) => join(family::ISSUER, &[&issuer.0]),
            Self::Claim(issuer, claim) => join(family::CLAIM, &[&issuer.0, &claim.0]),
            Self::Session(index) => join(family::SESSION, &[&index.to_be_bytes()]),
            Self::User(user) => join(family::USER, &[&user.0]),
            Self::Listed(group) => join(family::LISTED, &[&group.0]),
            Self::Languages(index) => join(family::LANGUAGES, &[&index.to_be_bytes()]),
            Self::Watch(index) => join(family::WATCH, &[&index.to_be_bytes()]),
            Self::Change(area, index) => join(family::CHANGE, &[&[*area as u8], &index.to_be_bytes()]),
            Self::Fork(prompt, index) => join(family::FORK, &[&prompt.0, &index.to_be_bytes()]),
            Self::Dependent(prompt, index) => join(family::DEPENDENT, &[&prompt.0, &index.to_be_bytes()]),
        }
    }

    /// Reads a key; `None` for bytes that are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (family, rest) = bytes.split_first()?;
        Some(match *family {
            family::CHECKPOINT if rest.is_empty() => Self::Checkpoint,
            family::EVENT => Self::Event(u64::from_be_bytes(rest.try_into().ok()?)),
            family::HOLDER => {
                let (name, index) = named(rest)?;
                Self::Holder(name.parse().ok()?, index)
            }
            family::MOVE => {
                let (prompt, rest) = rest.split_first_chunk()?;
                let (name, index) = named(rest)?;
                Self::Move(PromptId(*prompt), name.parse().ok()?, index)
            }
            family::PRINCIPAL => Self::Principal(PrincipalId(rest.try_into().ok()?)),
            family::API_KEY => Self::ApiKey(KeyId(rest.try_into().ok()?)),
            family::FORK => {
                let (prompt, index) = rest.split_first_chunk()?;
                Self::Fork(PromptId(*prompt), u64::from_be_bytes(index.try_into().ok()?))
            }
            family::DEPENDENT => {
                let (prompt, index) = rest.split_first_chunk()?;
                Self::Dependent(PromptId(*prompt), u64::from_be_bytes(index.try_into().ok()?))
            }
            family::TENANT => Self::Tenant(std::str::from_utf8(rest).ok()?.parse().ok()?),
            family::GROUP => Self::Group(GroupId(rest.try_into().ok()?)),
            family::ROLE => Self::Role(std::str::from_utf8(rest).ok()?.parse().ok()?),
            family::MEMBER => {
                let (group, principal) = rest.split_first_chunk()?;
                Self::Member(GroupId(*group), PrincipalId(principal.try_into().ok()?))
            }
            family::GRANT => grant(rest)?,
            family::PROTECTION => {
                let end = rest.iter().position(|byte| *byte == END)?;
                let text = |bytes| std::str::from_utf8(bytes).ok();
                Self::Protection(text(&rest[..end])?.parse().ok()?, text(&rest[end + 1..])?.parse().ok()?)
            }
            family::FREEZE => Self::Freeze(FreezeId(rest.try_into().ok()?)),
            family::REQUEST => Self::Request(RequestId(rest.try_into().ok()?)),
            family::COMMENT => {
                let (prompt, index) = rest.split_first_chunk()?;
                Self::Comment(PromptId(*prompt), u64::from_be_bytes(index.try_into().ok()?))
            }
            family::ISSUER => Self::Issuer(IssuerId(rest.try_into().ok()?)),
            family::CLAIM => {
                let (issuer, claim) = rest.split_first_chunk()?;
                Self::Claim(IssuerId(*issuer), ClaimId(claim.try_into().ok()?))
            }
            family::SESSION => Self::Session(u64::from_be_bytes(rest.try_into().ok()?)),
            family::USER => Self::User(PrincipalId(rest.try_into().ok()?)),
            family::LISTED => Self::Listed(GroupId(rest.try_into().ok()?)),
            family::LANGUAGES => Self::Languages(u64::from_be_bytes(rest.try_into().ok()?)),
            family::WATCH => Self::Watch(u64::from_be_bytes(rest.try_into().ok()?)),
            family::CHANGE => {
                let (area, index) = rest.split_first()?;
                let area = [Area::Access, Area::Releases].into_iter().find(|known| *known as u8 == *area)?;
                Self::Change(area, u64::from_be_bytes(index.try_into().ok()?))
            }
            _ => return None,
        })
    }

    /// Where the acquisitions of the keys that begin with `prefix` lie: from here on, as long as rows begin with it.
    #[must_use]
    pub fn holders(prefix: &str) -> Vec<u8> {
        join(family::HOLDER, &[prefix.as_bytes()])
    }

    /// After every acquisition of `key`, before those of any later key.
    #[must_use]
    pub fn past_holders_of(key: &PromptKey) -> Vec<u8> {
        join(family::HOLDER, &[key.as_str().as_bytes(), &[END + 1]])
    }
}

fn join(family: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + parts.iter().map(|p| p.len()).sum::<usize>());
    out.push(family);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A name, its end, and an index.
fn named(bytes: &[u8]) -> Option<(&str, u64)> {
    let (rest, index) = bytes.split_last_chunk()?;
    let (end, name) = rest.split_last()?;
    (*end == END).then_some((std::str::from_utf8(name).ok()?, u64::from_be_bytes(*index)))
}

fn grant(bytes: &[u8]) -> Option<Key> {
    let (kind, rest) = bytes.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    let subject = match kind {
        0 => Subject::Principal(PrincipalId(*id)),
        1 => Subject::Group(GroupId(*id)),
        _ => return None,
    };
    let end = rest.iter().position(|byte| *byte == END)?;
    let prefix = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let role = match &rest[end + 1..] {
        [0, number] => AnyRole::BuiltIn(Role::ALL.into_iter().find(|role| *role as u8 == *number)?),
        [1, 0, name @ ..] => AnyRole::Custom(std::str::from_utf8(name).ok()?.parse().ok()?),
        _ => return None,
    };
    Some(Key::Grant(subject, prefix, role))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = Key> {
        let prompt = || prop_oneof![Just(PromptId([0; 16])), any::<[u8; 16]>().prop_map(PromptId)];
        let index = || prop_oneof![0u64..300, any::<u64>()];
        let name = "[ab/é]{1,4}".prop_map(|s| s.parse::<PromptKey>().unwrap());
        let label = || "[a-c]{1,3}".prop_map(|s| s.parse::<Label>().unwrap());
        let custom = || "[a-c]{1,3}".prop_map(|s| s.parse::<RoleName>().unwrap());
        let role = prop_oneof![
            Just(AnyRole::BuiltIn(Role::Owner)),
            Just(AnyRole::BuiltIn(Role::Service)),
            custom().prop_map(AnyRole::Custom)
        ];
        let subject = prop_oneof![
            any::<[u8; 16]>().prop_map(|p| Subject::Principal(PrincipalId(p))),
            any::<[u8; 16]>().prop_map(|g| Subject::Group(GroupId(g))),
            Just(Subject::Group(GroupId([0; 16])))
        ];
        let prefix = || "([ab/é]{0,3}/)?".prop_map(|s| s.parse::<Prefix>().unwrap());
        prop_oneof![
            Just(Key::Checkpoint),
            index().prop_map(Key::Event),
            (name, index()).prop_map(|(k, i)| Key::Holder(k, i)),
            (prompt(), label(), index()).prop_map(|(p, l, i)| Key::Move(p, l, i)),
            any::<[u8; 16]>().prop_map(|p| Key::Principal(PrincipalId(p))),
            any::<[u8; 8]>().prop_map(|k| Key::ApiKey(KeyId(k))),
            any::<[u8; 16]>().prop_map(|g| Key::Group(GroupId(g))),
            custom().prop_map(Key::Role),
            (any::<[u8; 16]>(), any::<[u8; 16]>()).prop_map(|(g, p)| Key::Member(GroupId(g), PrincipalId(p))),
            (subject, prefix(), role).prop_map(|(s, p, r)| Key::Grant(s, p, r)),
            (prefix(), label()).prop_map(|(p, l)| Key::Protection(p, l)),
            any::<[u8; 16]>().prop_map(|f| Key::Freeze(FreezeId(f))),
            any::<[u8; 16]>().prop_map(|r| Key::Request(RequestId(r))),
            (prompt(), index()).prop_map(|(p, i)| Key::Comment(p, i)),
            any::<[u8; 16]>().prop_map(|i| Key::Issuer(IssuerId(i))),
            (any::<[u8; 16]>(), any::<[u8; 16]>()).prop_map(|(i, c)| Key::Claim(IssuerId(i), ClaimId(c))),
            index().prop_map(Key::Session),
            index().prop_map(Key::Languages),
            index().prop_map(Key::Watch),
            any::<[u8; 16]>().prop_map(|u| Key::User(PrincipalId(u))),
            any::<[u8; 16]>().prop_map(|g| Key::Listed(GroupId(g))),
            "[a-z0-9]{1,3}".prop_map(|t| Key::Tenant(t.parse().unwrap())),
            (prop_oneof![Just(Area::Access), Just(Area::Releases)], index()).prop_map(|(a, i)| Key::Change(a, i)),
            (prompt(), index()).prop_map(|(p, i)| Key::Fork(p, i)),
            (prompt(), index()).prop_map(|(p, i)| Key::Dependent(p, i)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_key_reads_back(key in keys()) {
            prop_assert_eq!(Key::decode(&key.encode()), Some(key));
        }

        #[test]
        fn the_order_of_the_bytes_is_the_order_of_the_values(one in keys(), other in keys()) {
            prop_assert_eq!(one.cmp(&other), one.encode().cmp(&other.encode()));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            if let Some(key) = Key::decode(&bytes) {
                prop_assert_eq!(key.encode().len(), bytes.len());
            }
        }
    }

    #[test]
    fn a_page_begins_after_every_acquisition_of_the_key_before() {
        let (a, b): (PromptKey, PromptKey) = ("a".parse().unwrap(), "a!".parse().unwrap());
        let after = Key::past_holders_of(&a);
        assert!(Key::Holder(a, u64::MAX).encode() < after);
        assert!(after < Key::Holder(b, 0).encode());
    }
}
