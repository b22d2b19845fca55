//! Who may do what, as lists: keys, grants, groups, custom roles. Each item is JSON, as an event's detail is: ids and
//! names of roles, never a secret or its hash.

use std::ops::Bound;

use promptory_domain::access::Action;
use promptory_events::event::{AnyRole, Event, RoleName, Subject};
use promptory_events::{ClaimId, GroupId, IssuerId, KeyId, Prefix, PrincipalId};
use promptory_ledger::KeyStoreError;
use promptory_ledger::seal::aad;
use rpds::RedBlackTreeMapSync;
use serde_json::{Value, json};

use super::releases::{freezes, protections};
use super::{AnswerError, Desk, detail, unopened};
use crate::ask::{AccessItem, AskError, Listing};
use crate::hot::access::Access;
use crate::store::key::Area;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::{ApiKeyRow, CommitRef, GrantRow};
use crate::views::catalog::sight::Sight;

type GrantKey = (Subject, Prefix, AnyRole);

impl<R: Rows> Desk<'_, R> {
    /// A page of a list as it was at a point, in the order of its keys, of what `sight` may see of it.
    pub(super) fn listed(
        &self,
        what: Listing,
        after: Option<&str>,
        limit: usize,
        sight: &Sight<'_>,
        point: Option<Point>,
    ) -> Result<Vec<AccessItem>, AnswerError> {
        let area = match what {
            Listing::Keys | Listing::Grants | Listing::Groups | Listing::Roles | Listing::Issuers => Area::Access,
            Listing::Protections | Listing::Freezes | Listing::OpenReleases | Listing::Releases => Area::Releases,
        };
        let past = self.model.past(area, point.map(|point| point.index), self.past)?;
        let access = &past.access;
        let tenant = Prefix::tenant();
        let all = sight.may(Action::ReadAccess, &tenant);
        Ok(match what {
            Listing::Keys => page(&access.keys, parsed::<KeyId>(after)?, limit, |id, row| {
                shows_key(row, sight).then(|| item(id.to_string(), &self.key(*id, row)))
            }),
            Listing::Grants => page(&access.grants, after.map(grant_key).transpose()?, limit, |key, row| {
                let own = matches!(key.0, Subject::Principal(principal) if sight.is(principal));
                let seen = own || sight.may(Action::ReadAccess, &key.1);
                (seen && row.revoked.is_none()).then(|| item(cursor(key), &grant(key, row)))
            }),
            Listing::Groups => page(&access.groups, parsed::<GroupId>(after)?, limit, |id, row| {
                all.then(|| {
                    item(
                        id.to_string(),
                        &json!({ "group": id, "created_index": row.created, "members": members(access, *id).collect::<Vec<_>>() }),
                    )
                })
            }),
            Listing::Roles => page(&access.roles, parsed::<RoleName>(after)?, limit, |name, row| {
                let role = json!({ "role": name, "actions": row.actions, "defined_index": row.defined });
                Some(item(name.to_string(), &role))
            }),
            Listing::Protections => protections(&past.releases, after, limit, sight)?,
            Listing::Freezes => freezes(&past.releases, after, limit, sight)?,
            Listing::OpenReleases => self.releases(&past.releases, true, after, limit, point, sight)?,
            Listing::Releases => self.releases(&past.releases, false, after, limit, point, sight)?,
            Listing::Issuers if !all => Vec::new(),
            Listing::Issuers => self.issuers(access, after, limit)?,
        })
    }

    fn key(&self, id: KeyId, row: &ApiKeyRow) -> Value {
        let wrote = self.model.hot.access.wrote.get(&id).copied();
        let read = self.shown.and_then(|shown| shown.of(id));
        json!({
            "key": id,
            "principal": row.principal,
            "scope": row.scope.as_ref().map(detail::scope),
            "expires_at": row.expires_at,
            "issued_index": row.issued,
            "replaces": row.replaces,
            "revoked_index": row.revoked,
            "last_used_at": wrote.max(read),
        })
    }

    /// Issuers that are trusted, with what their groups mean; what the issuers call them is opened for that.
    fn issuers(&self, access: &Access, after: Option<&str>, limit: usize) -> Result<Vec<AccessItem>, AnswerError> {
        let from = parsed::<IssuerId>(after)?.map_or(Bound::Unbounded, Bound::Excluded);
        let trusted = access.issuers.range((from, Bound::Unbounded)).filter(|(_, row)| row.distrusted.is_none());
        let items = trusted.take(limit).map(|(id, row)| {
            let range = (*id, ClaimId([0; 16]))..=(*id, ClaimId([u8::MAX; 16]));
            let mapped = access.claims.range(range).filter(|(_, claim)| claim.unmapped.is_none());
            let groups = mapped.map(|((_, claim), row)| {
                let value = self.claim_value(row.mapped)?;
                Ok(json!({ "claim": claim, "value": value, "group": row.group, "mapped_index": row.mapped }))
            });
            let issuer = json!({
                "issuer": id,
                "url": row.url,
                "audience": row.audience,
                "groups_claim": row.groups_claim,
                "users": row.users.as_ref().map(|(claim, attribute)| json!({ "claim": claim, "attribute": attribute })),
                "trusted_index": row.trusted,
                "groups": groups.collect::<Result<Vec<Value>, AnswerError>>()?,
            });
            Ok(item(id.to_string(), &issuer))
        });
        items.collect()
    }

    /// What an issuer calls a group, by the event that mapped it; null if it was erased.
    pub(super) fn claim_value(&self, index: u64) -> Result<Option<String>, AnswerError> {
        let row = self.event(index)?;
        let Event::ClaimMapped(mapped) = &row.event else { return Err(RowError::Row("claim").into()) };
        let CommitRef::Here(header) = &row.commit else { return Err(RowError::Row("claim").into()) };
        let aad = aad::name(self.tenant, header.command_id);
        match self.keys.open_sealed(self.tenant, &aad, &mapped.value) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(KeyStoreError::Erased(_)) => Ok(None),
            Err(error) => Err(unopened(&error).into()),
        }
    }
}

/// Whether a reader may see a key: its own, one whose scope lies where it may see who may do what, or any if it may do so
/// everywhere.
pub(super) fn shows_key(row: &ApiKeyRow, sight: &Sight<'_>) -> bool {
    let scoped = row.scope.as_ref().is_some_and(|scope| sight.may(Action::ReadAccess, &scope.prefix));
    scoped || sight.is(row.principal) || sight.may(Action::ReadAccess, &Prefix::tenant())
}

pub(super) fn members(access: &Access, group: GroupId) -> impl Iterator<Item = PrincipalId> {
    let from = (group, PrincipalId([0; 16]));
    let to = (group, PrincipalId([u8::MAX; 16]));
    let all = access.members.range(from..=to);
    all.filter(|(_, row)| row.removed.is_none()).map(|((_, principal), _)| *principal)
}

fn grant((subject, prefix, role): &GrantKey, row: &GrantRow) -> Value {
    let rest = json!({
        "role": role.to_string(),
        "prefix": prefix,
        "expires_at": row.expires_at,
        "granted_index": row.granted,
    });
    detail::with_subject(*subject, rest)
}

pub(super) fn item(cursor: String, json: &Value) -> AccessItem {
    AccessItem { cursor, json: json.to_string() }
}

pub(super) fn page<K: Ord, V>(
    map: &RedBlackTreeMapSync<K, V>,
    after: Option<K>,
    limit: usize,
    show: impl Fn(&K, &V) -> Option<AccessItem>,
) -> Vec<AccessItem> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range((from, Bound::Unbounded)).filter_map(|(key, value)| show(key, value)).take(limit).collect()
}

/// Where a page of grants ends: subject, role, prefix. No part before the last has a blank.
fn cursor((subject, prefix, role): &GrantKey) -> String {
    match subject {
        Subject::Principal(id) => format!("{id} {role} {prefix}"),
        Subject::Group(id) => format!("{id} {role} {prefix}"),
    }
}

fn grant_key(text: &str) -> Result<GrantKey, AskError> {
    let mut parts = text.splitn(3, ' ');
    let mut next = || parts.next().ok_or(AskError::ForeignCursor);
    let (subject, role, prefix) = (next()?, next()?, next()?);
    let subject = subject.parse().map(Subject::Principal).or_else(|_| subject.parse().map(Subject::Group));
    Ok((
        subject.map_err(|_| AskError::ForeignCursor)?,
        prefix.parse().map_err(|_| AskError::ForeignCursor)?,
        role.parse().map_err(|_| AskError::ForeignCursor)?,
    ))
}

pub(super) fn parsed<T: std::str::FromStr>(after: Option<&str>) -> Result<Option<T>, AskError> {
    after.map(str::parse).transpose().map_err(|_| AskError::ForeignCursor)
}
