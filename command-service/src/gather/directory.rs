//! Commands about the directory: a profile is read by its schema and sealed, its names become keyed hashes.

use promptory_domain::{Change, GroupSaid, SetGroup, SetUser, UserSaid};
use promptory_events::{NameId, PrincipalId, limits};
use promptory_ledger::Name;
use promptory_platform::problem::Problem;
use promptory_scim::{GROUP, Object, ResourceType, USER, resource};
use serde_json::Value;

use super::contents::Sealer;
use super::{names, too_large};
use crate::failure::Failure;
use crate::wire;

/// A command of this family; another one is given back.
pub(super) fn change(sealer: &mut Sealer<'_>, change: wire::Change) -> Result<Result<Change, wire::Change>, Failure> {
    Ok(Ok(match change {
        wire::Change::SetUser { user, profile, if_index } => {
            let user: Option<PrincipalId> = user.map(|user| names::id("/user", &user)).transpose()?;
            let said = profile.map(|profile| user_said(sealer, &profile)).transpose()?;
            needed(user.is_some() || said.is_some())?;
            Change::SetUser(Box::new(SetUser { user, expected: if_index, said }))
        }
        wire::Change::RemoveUser { user, if_index } => {
            Change::RemoveUser { user: names::id("/user", &user)?, expected: if_index }
        }
        wire::Change::SetGroup { group, profile, add, remove, if_index } => {
            let group = group.map(|group| names::id("/group", &group)).transpose()?;
            let said = profile.map(|profile| group_said(sealer, &profile)).transpose()?;
            needed(group.is_some() || said.is_some())?;
            let (add, remove) = (members("/add", &add)?, members("/remove", &remove)?);
            sealer.weighs(64 * (add.len() + remove.len()));
            Change::SetGroup(Box::new(SetGroup { group, expected: if_index, said, add, remove }))
        }
        wire::Change::RemoveGroup { group, if_index } => {
            Change::RemoveGroup { group: names::id("/group", &group)?, expected: if_index }
        }
        other => return Ok(Err(other)),
    }))
}

fn needed(is_there: bool) -> Result<(), Problem> {
    if is_there { Ok(()) } else { Err(Problem::field("/profile", "must be there for what is new")) }
}

fn members(field: &str, all: &[String]) -> Result<Vec<PrincipalId>, Problem> {
    all.iter().map(|one| names::id(field, one)).collect()
}

fn user_said(sealer: &mut Sealer<'_>, profile: &Object) -> Result<UserSaid, Failure> {
    let mut profile = read(&USER, profile)?;
    // In the event in the clear, and so nowhere else.
    let active = profile.remove("active").is_none_or(|active| active == true);
    Ok(UserSaid {
        name: sealer.directory_name(Name::User, text(&profile, "userName")?.unwrap_or_default())?,
        external: external(sealer, Name::UserExternal, &profile)?,
        active,
        profile: sealer.profile(&profile)?,
    })
}

fn group_said(sealer: &mut Sealer<'_>, profile: &Object) -> Result<GroupSaid, Failure> {
    let mut profile = read(&GROUP, profile)?;
    if profile.remove("members").is_some() {
        return Err(Problem::field("/profile/members", "say who comes and goes in `add` and `remove`").into());
    }
    Ok(GroupSaid {
        name: sealer.directory_name(Name::Group, text(&profile, "displayName")?.unwrap_or_default())?,
        external: external(sealer, Name::GroupExternal, &profile)?,
        profile: sealer.profile(&profile)?,
    })
}

fn read(kind: &ResourceType, profile: &Object) -> Result<Object, Problem> {
    resource::read(kind, profile).map_err(|error| Problem::field("/profile", error.detail))
}

fn external(sealer: &Sealer<'_>, name: Name, profile: &Object) -> Result<Option<NameId>, Failure> {
    text(profile, "externalId")?.map(|text| sealer.directory_name(name, text)).transpose()
}

fn text<'a>(profile: &'a Object, attribute: &str) -> Result<Option<&'a str>, Problem> {
    match profile.get(attribute).and_then(Value::as_str) {
        Some(text) if text.len() > limits::DIRECTORY_NAME_MAX_BYTES => {
            Err(too_large(&format!("/profile/{attribute}"), text.len(), limits::DIRECTORY_NAME_MAX_BYTES))
        }
        text => Ok(text),
    }
}
