//! The rules of the directory (SCIM): users and groups set and removed, each request one commit.
//!
//! A user that is not active any more comes in by nothing: its keys open nothing, and tokens of before stay closed when it
//! is active again. One that is removed loses its keys and its groups for good.

use std::collections::BTreeSet;

use promptory_events::event::{
    Event, GroupCreated, GroupRemoved, GroupSet, KeyRevoked, MemberAdded, MemberRemoved, PrincipalAdded, Session,
    SessionRevoked, UserRemoved, UserSet,
};
use promptory_events::{GroupId, PrincipalId, limits};

use super::directory::Entry;
use super::rules::{add_member, remove_member, somebody_left, within};
use super::tokens::remembered_until;
use crate::command::{Change, Context, SetGroup, SetUser};
use crate::rejection::Rejection;
use crate::state::Tenant;

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    if state.id().is_system() {
        return Err(Rejection::NotInThisLedger(state.id().clone()));
    }
    match change {
        Change::SetUser(set) => set_user(state, context, set),
        Change::RemoveUser { user, expected } => remove_user(state, context, *user, *expected),
        Change::SetGroup(set) => set_group(state, context, set),
        Change::RemoveGroup { group, expected } => remove_group(state, *group, *expected),
        _ => Ok(Vec::new()), // not of this family
    }
}

fn set_user(state: &Tenant, context: &Context, set: &SetUser) -> Result<Vec<Event>, Rejection> {
    let before = set.user.map(|user| known_user(state, user, set.expected)).transpose()?;
    let Some(said) = &set.said else { return Ok(Vec::new()) };
    let user = set.user.unwrap_or_else(|| context.command_id.principal());
    let directory = state.rights().directory();
    let free = |holder: Option<PrincipalId>, what: &'static str| match holder {
        Some(holder) if holder != user => Err(Rejection::NameTaken(what.into())),
        _ => Ok(()),
    };
    free(directory.named(said.name), "userName")?;
    free(said.external.and_then(|external| directory.known_as(external)), "externalId")?;
    let mut events = Vec::new();
    if before.is_none() {
        events.push(Event::PrincipalAdded(PrincipalAdded { principal: user, name: None }));
    }
    events.push(Event::UserSet(UserSet {
        user,
        name: said.name,
        external: said.external,
        active: said.active,
        profile: said.profile.clone(),
        created_at: before.map_or(context.now, |before| before.created_at),
        changed_at: context.now,
    }));
    if before.is_some_and(|before| before.active) && !said.active {
        not_the_last(state, user)?;
        events.push(sessions_ended(context, user));
    }
    Ok(events)
}

/// Keys are revoked and groups left one by one, so that each is an event of its own, as if somebody had done it by hand.
fn remove_user(
    state: &Tenant,
    context: &Context,
    user: PrincipalId,
    expected: Option<u64>,
) -> Result<Vec<Event>, Rejection> {
    known_user(state, user, expected)?;
    not_the_last(state, user)?;
    let rights = state.rights();
    let keys = rights.keys_of(user).map(|(key, _)| Event::KeyRevoked(KeyRevoked { key, from: None }));
    let groups = rights.groups_of(user).map(|group| Event::MemberRemoved(MemberRemoved { group, principal: user }));
    let last = [sessions_ended(context, user), Event::UserRemoved(UserRemoved { user })];
    Ok(keys.chain(groups).chain(last).collect())
}

fn set_group(state: &Tenant, context: &Context, set: &SetGroup) -> Result<Vec<Event>, Rejection> {
    let before = set.group.map(|group| known_group(state, group, set.expected)).transpose()?;
    let group = set.group.unwrap_or_else(|| context.command_id.group());
    within("members of one command", set.add.len() + set.remove.len(), limits::MEMBERS_PER_COMMAND_MAX + 1)?;
    let mut events = Vec::new();
    if before.is_none() {
        events.push(Event::GroupCreated(GroupCreated { group, name: None }));
    }
    if let Some(said) = &set.said {
        events.push(Event::GroupSet(GroupSet {
            group,
            name: said.name,
            external: said.external,
            profile: said.profile.clone(),
            created_at: before.map_or(context.now, |before| before.created_at),
            changed_at: context.now,
        }));
    }
    for principal in distinct(&set.add) {
        known_user(state, principal, None)?;
        match before {
            Some(_) => events.extend(add_member(state, group, principal)?),
            None => {
                within("groups of a principal", state.rights().groups_of(principal).count(), limits::GROUPS_MAX)?;
                events.push(Event::MemberAdded(MemberAdded { group, principal }));
            }
        }
    }
    if before.is_some() {
        for principal in distinct(&set.remove) {
            events.extend(remove_member(state, group, principal)?);
        }
    }
    Ok(events)
}

/// Whoever the directory has put into it leaves; who is in it otherwise stays, and so do its grants.
fn remove_group(state: &Tenant, group: GroupId, expected: Option<u64>) -> Result<Vec<Event>, Rejection> {
    known_group(state, group, expected)?;
    let users = state.rights().directory().users();
    let members = state.rights().members(group).filter(|principal| users.contains_key(principal));
    let left = members.map(|principal| Event::MemberRemoved(MemberRemoved { group, principal }));
    Ok(left.chain([Event::GroupRemoved(GroupRemoved { group })]).collect())
}

/// Each once, or one event would contradict the other.
fn distinct(principals: &[PrincipalId]) -> BTreeSet<PrincipalId> {
    principals.iter().copied().collect()
}

fn known_user(state: &Tenant, user: PrincipalId, expected: Option<u64>) -> Result<Entry, Rejection> {
    let entry = state.rights().directory().users().get(&user).ok_or(Rejection::PrincipalNotFound(user))?;
    as_expected(*entry, expected)
}

fn known_group(state: &Tenant, group: GroupId, expected: Option<u64>) -> Result<Entry, Rejection> {
    let entry = state.rights().directory().groups().get(&group).ok_or(Rejection::GroupNotFound(group))?;
    as_expected(*entry, expected)
}

fn as_expected(entry: Entry, expected: Option<u64>) -> Result<Entry, Rejection> {
    match expected {
        Some(expected) if expected != entry.version => Err(Rejection::DirectoryMoved { current: entry.version }),
        _ => Ok(entry),
    }
}

/// A user who alone can manage access for good is not kept out.
fn not_the_last(state: &Tenant, user: PrincipalId) -> Result<(), Rejection> {
    let is_top = state.rights().lasting_tops().any(|(_, principal)| principal == user);
    if is_top { somebody_left(state, |_, holder| holder != user) } else { Ok(()) }
}

fn sessions_ended(context: &Context, principal: PrincipalId) -> Event {
    let session = Session::Before { principal, time: context.now };
    Event::SessionRevoked(SessionRevoked { session, until: remembered_until(context.now) })
}

#[cfg(test)]
mod tests;
