//! The rules of access, in every ledger: roles granted and revoked, groups, custom roles, API keys.

use promptory_events::event::{
    AnyRole, Event, GroupCreated, KeyIssued, KeyRevoked, KeyScope, MemberAdded, MemberRemoved, PrincipalAdded,
    RoleDefined, RoleGranted, RoleName, RoleRevoked, Subject,
};
use promptory_events::{GroupId, KeyId, Prefix, PrincipalId, Sealed, Timestamp, limits};

use super::{Action, Actions, top_role};
use crate::command::{Change, Context, KeyHolder};
use crate::rejection::Rejection;
use crate::state::Tenant;

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::IssueKey { holder, secret_hash, scope, expires_at } => {
            issue_key(state, context, holder, *secret_hash, (scope.as_ref(), *expires_at))
        }
        Change::RotateKey { key, secret_hash, expires_at, overlap_s } => {
            rotate_key(state, context, *key, *secret_hash, (*expires_at, *overlap_s))
        }
        Change::RevokeKey { key } => revoke_key(state, *key),
        Change::GrantRole { to, role, prefix, expires_at } => grant(state, context, *to, role, prefix, *expires_at),
        Change::RevokeRole { from, role, prefix } => revoke(state, *from, role, prefix),
        Change::DefineRole { role, actions } => define(state, role, actions),
        Change::CreateGroup { name } => Ok(vec![create_group(context, name.clone())]),
        Change::AddMember { group, principal } => add_member(state, *group, *principal),
        Change::RemoveMember { group, principal } => remove_member(state, *group, *principal),
        _ => Ok(Vec::new()), // not of this family
    }
}

/// A key for a new principal, or another one for a principal that is there.
pub(crate) fn issue_key(
    state: &Tenant,
    context: &Context,
    holder: &KeyHolder,
    secret_hash: [u8; 32],
    (scope, expires_at): (Option<&KeyScope>, Option<Timestamp>),
) -> Result<Vec<Event>, Rejection> {
    ahead(context, expires_at)?;
    let mut events = Vec::new();
    let principal = match holder {
        KeyHolder::Existing(principal) => known(state, *principal)?,
        KeyHolder::New { role, prefix, until, name } => {
            crate::authorize::actions_of(state, role)?;
            ahead(context, *until)?;
            let principal = context.command_id.principal();
            events.push(Event::PrincipalAdded(PrincipalAdded { principal, name: name.clone() }));
            let (to, role, prefix) = (Subject::Principal(principal), role.clone(), prefix.clone());
            events.push(Event::RoleGranted(RoleGranted { to, role, prefix, expires_at: *until }));
            principal
        }
    };
    within("API keys of a principal", open_keys(state, context, principal), limits::API_KEYS_MAX)?;
    let (key, scope, replaces) = (context.command_id.api_key(), scope.cloned(), None);
    events.push(Event::KeyIssued(KeyIssued { key, principal, secret_hash, scope, expires_at, replaces }));
    Ok(events)
}

/// Another key in the place of one, as narrow as that; without another word it lasts as long. With an overlap there are
/// two for a while.
fn rotate_key(
    state: &Tenant,
    context: &Context,
    old: KeyId,
    secret_hash: [u8; 32],
    (expires_at, overlap_s): (Option<Timestamp>, u32),
) -> Result<Vec<Event>, Rejection> {
    let current = state.rights().key(old).ok_or(Rejection::ApiKeyNotFound(old))?;
    if current.revoked {
        return Err(Rejection::ApiKeyRevoked(old));
    }
    let expires_at = expires_at.or(current.expires_at);
    ahead(context, expires_at)?;
    if expires_at.is_some() {
        somebody_left(state, |key, _| key != old)?;
    }
    let key = context.command_id.api_key();
    let (principal, scope) = (current.principal, current.scope.clone());
    let overlap = (overlap_s > 0).then(|| context.now.plus_ms(i64::from(overlap_s) * 1000));
    // A key that has ended before that ends when it would have.
    let from = overlap.filter(|_| current.opens(context.now));
    if from.is_some() {
        within("API keys of a principal", open_keys(state, context, principal), limits::API_KEYS_MAX)?;
    }
    Ok(vec![
        Event::KeyIssued(KeyIssued { key, principal, secret_hash, scope, expires_at, replaces: Some(old) }),
        Event::KeyRevoked(KeyRevoked { key: old, from }),
    ])
}

fn revoke_key(state: &Tenant, key: KeyId) -> Result<Vec<Event>, Rejection> {
    let current = state.rights().key(key).ok_or(Rejection::ApiKeyNotFound(key))?;
    if current.revoked {
        return Ok(Vec::new());
    }
    somebody_left(state, |other, _| other != key)?;
    Ok(vec![Event::KeyRevoked(KeyRevoked { key, from: None })])
}

fn grant(
    state: &Tenant,
    context: &Context,
    to: Subject,
    role: &AnyRole,
    prefix: &Prefix,
    expires_at: Option<Timestamp>,
) -> Result<Vec<Event>, Rejection> {
    ahead(context, expires_at)?;
    let grants = state.rights().grants(to).ok_or_else(|| nobody(to))?;
    match grants.get(prefix, role) {
        Some(held) if held.expires_at == expires_at => return Ok(Vec::new()),
        Some(_) if expires_at.is_some() => no_top_lost(state, to, role, prefix)?,
        Some(_) => {}
        None => within("grants of a principal or group", grants.iter().count(), limits::GRANTS_MAX)?,
    }
    Ok(vec![Event::RoleGranted(RoleGranted { to, role: role.clone(), prefix: prefix.clone(), expires_at })])
}

fn revoke(state: &Tenant, from: Subject, role: &AnyRole, prefix: &Prefix) -> Result<Vec<Event>, Rejection> {
    let grants = state.rights().grants(from).ok_or_else(|| nobody(from))?;
    let Some(held) = grants.get(prefix, role) else { return Ok(Vec::new()) };
    no_top_lost(state, from, role, prefix)?;
    Ok(vec![Event::RoleRevoked(RoleRevoked { from, role: role.clone(), prefix: prefix.clone(), grant: held.index })])
}

/// A custom role. What it allows counts wherever it is granted, from this event on.
fn define(state: &Tenant, role: &RoleName, actions: &[Action]) -> Result<Vec<Event>, Rejection> {
    if state.id().is_system() {
        return Err(Rejection::RoleNotHere(AnyRole::Custom(role.clone())));
    }
    let (before, after) = (state.rights().roles().get(role).copied(), Actions::of(actions));
    if before == Some(after) {
        return Ok(Vec::new());
    }
    if before.is_none() {
        within("custom roles", state.rights().roles().size(), limits::ROLES_MAX)?;
    }
    let before = before.map(|actions| actions.iter().collect());
    Ok(vec![Event::RoleDefined(RoleDefined { role: role.clone(), before, after: after.iter().collect() })])
}

fn create_group(context: &Context, name: Option<Sealed>) -> Event {
    Event::GroupCreated(GroupCreated { group: context.command_id.group(), name })
}

pub(super) fn add_member(state: &Tenant, group: GroupId, principal: PrincipalId) -> Result<Vec<Event>, Rejection> {
    if is_member(state, group, principal)? {
        return Ok(Vec::new());
    }
    within("groups of a principal", state.rights().groups_of(principal).count(), limits::GROUPS_MAX)?;
    Ok(vec![Event::MemberAdded(MemberAdded { group, principal })])
}

pub(super) fn remove_member(state: &Tenant, group: GroupId, principal: PrincipalId) -> Result<Vec<Event>, Rejection> {
    let member = is_member(state, group, principal)?;
    Ok(member.then_some(Event::MemberRemoved(MemberRemoved { group, principal })).into_iter().collect())
}

/// Whether a principal that is there is a member of a group that is there.
fn is_member(state: &Tenant, group: GroupId, principal: PrincipalId) -> Result<bool, Rejection> {
    state.rights().grants(Subject::Group(group)).ok_or_else(|| nobody(Subject::Group(group)))?;
    known(state, principal)?;
    Ok(state.rights().is_member(group, principal))
}

fn open_keys(state: &Tenant, context: &Context, principal: PrincipalId) -> usize {
    state.rights().keys_of(principal).filter(|(_, key)| key.opens(context.now)).count()
}

fn known(state: &Tenant, principal: PrincipalId) -> Result<PrincipalId, Rejection> {
    if state.rights().has_principal(principal) { Ok(principal) } else { Err(Rejection::PrincipalNotFound(principal)) }
}

fn nobody(subject: Subject) -> Rejection {
    match subject {
        Subject::Principal(principal) => Rejection::PrincipalNotFound(principal),
        Subject::Group(group) => Rejection::GroupNotFound(group),
    }
}

/// What ends must end later.
fn ahead(context: &Context, expires_at: Option<Timestamp>) -> Result<(), Rejection> {
    if expires_at.is_some_and(|end| end <= context.now) { Err(Rejection::ExpiryInPast) } else { Ok(()) }
}

pub(super) fn within(what: &'static str, held: usize, max: usize) -> Result<(), Rejection> {
    if held < max { Ok(()) } else { Err(Rejection::LimitReached { what: what.into(), max }) }
}

/// A top role on the tenant goes only if somebody else holds it for good.
fn no_top_lost(state: &Tenant, from: Subject, role: &AnyRole, prefix: &Prefix) -> Result<(), Rejection> {
    match from {
        Subject::Principal(principal) if prefix.is_tenant() && *role == AnyRole::BuiltIn(top_role(state.id())) => {
            somebody_left(state, |_, holder| holder != principal)
        }
        _ => Ok(()),
    }
}

/// Somebody who can hand out every right, for good, with a key that works, must remain.
pub(super) fn somebody_left(state: &Tenant, remains: impl Fn(KeyId, PrincipalId) -> bool) -> Result<(), Rejection> {
    let mut top = state.rights().lasting_tops();
    if top.any(|(key, holder)| remains(key, holder)) { Ok(()) } else { Err(Rejection::LastOwner) }
}

#[cfg(test)]
mod tests;
