//! Commands about access and tenants: names parsed, display names sealed.

use promptory_domain::Change;
use promptory_domain::command::KeyHolder;
use promptory_events::event::{KeyScope, Subject};
use promptory_events::limits;
use promptory_platform::problem::Problem;

use super::contents::Sealer;
use super::names;
use crate::failure::Failure;
use crate::wire;

pub(super) fn change(sealer: &mut Sealer<'_>, change: wire::Change, secret_hash: [u8; 32]) -> Result<Change, Failure> {
    Ok(match change {
        wire::Change::IssueKey { .. } => issue_key(sealer, change, secret_hash)?,
        wire::Change::RotateKey { key, expires_at, overlap_seconds } => {
            let expires_at = names::time("/expires_at", expires_at.as_deref())?;
            let overlap_s = overlap_seconds.unwrap_or_default();
            if overlap_s > limits::KEY_OVERLAP_MAX_S {
                let detail = format!("at most {} seconds", limits::KEY_OVERLAP_MAX_S);
                return Err(Problem::field("/overlap_seconds", detail).into());
            }
            Change::RotateKey { key: names::id("/key", &key)?, secret_hash, expires_at, overlap_s }
        }
        wire::Change::RevokeKey { key } => Change::RevokeKey { key: names::id("/key", &key)? },
        wire::Change::GrantRole { principal, group, role, prefix, expires_at } => Change::GrantRole {
            to: subject(principal, group)?,
            role: names::role("/role", &role)?,
            prefix: names::prefix("/prefix", prefix.as_deref())?,
            expires_at: names::time("/expires_at", expires_at.as_deref())?,
        },
        wire::Change::RevokeRole { principal, group, role, prefix } => Change::RevokeRole {
            from: subject(principal, group)?,
            role: names::role("/role", &role)?,
            prefix: names::prefix("/prefix", prefix.as_deref())?,
        },
        wire::Change::DefineRole { role, actions } => {
            let actions = actions.iter().map(|action| names::id("/actions", action)).collect::<Result<_, _>>()?;
            Change::DefineRole { role: names::id("/role", &role)?, actions }
        }
        wire::Change::CreateGroup { name } => Change::CreateGroup { name: sealer.name("/name", name.as_deref())? },
        wire::Change::AddMember { group, principal } => {
            Change::AddMember { group: names::id("/group", &group)?, principal: names::id("/principal", &principal)? }
        }
        wire::Change::RemoveMember { group, principal } => {
            let (group, principal) = (names::id("/group", &group)?, names::id("/principal", &principal)?);
            Change::RemoveMember { group, principal }
        }
        wire::Change::CreateTenant { tenant, title } => {
            let title = sealer.name("/title", title.as_deref())?;
            Change::CreateTenant { tenant: names::id("/tenant", &tenant)?, title }
        }
        wire::Change::SuspendTenant { tenant } => Change::SuspendTenant { tenant: names::id("/tenant", &tenant)? },
        wire::Change::ResumeTenant { tenant } => Change::ResumeTenant { tenant: names::id("/tenant", &tenant)? },
        wire::Change::SetQuota { quota, limit } => Change::SetQuota { quota: names::id("/quota", &quota)?, limit },
        wire::Change::ConfigureWatch { enabled } => Change::ConfigureWatch { enabled },
        wire::Change::ConfigureSearch { languages } => {
            Change::ConfigureSearch { languages: names::languages(&languages)? }
        }
        other => return Err(Failure::Internal(format!("not gathered: {other:?}"))),
    })
}

fn issue_key(sealer: &mut Sealer<'_>, change: wire::Change, secret_hash: [u8; 32]) -> Result<Change, Failure> {
    let wire::Change::IssueKey { role, prefix, role_expires_at, name, principal, scope, expires_at } = change else {
        return Err(Failure::Internal("not a command for this door".into()));
    };
    let holder = match (role, principal) {
        (Some(role), None) => KeyHolder::New {
            role: names::role("/role", &role)?,
            prefix: names::prefix("/prefix", prefix.as_deref())?,
            until: names::time("/role_expires_at", role_expires_at.as_deref())?,
            name: sealer.name("/name", name.as_deref())?,
        },
        (None, Some(principal)) if prefix.is_none() && role_expires_at.is_none() && name.is_none() => {
            KeyHolder::Existing(names::id("/principal", &principal)?)
        }
        (None, Some(_)) => {
            let detail = "`prefix`, `role_expires_at` and `name` are of a new principal; narrow a key by `scope`";
            return Err(Problem::field("/principal", detail).into());
        }
        _ => return Err(Problem::field("/role", "give either `role` or `principal`").into()),
    };
    let scope = scope.map(|scope| {
        let role = names::role("/scope/role", &scope.role)?;
        Ok::<_, Problem>(KeyScope { role, prefix: names::prefix("/scope/prefix", Some(&scope.prefix))? })
    });
    let expires_at = names::time("/expires_at", expires_at.as_deref())?;
    Ok(Change::IssueKey { holder, secret_hash, scope: scope.transpose()?, expires_at })
}

fn subject(principal: Option<String>, group: Option<String>) -> Result<Subject, Failure> {
    match (principal, group) {
        (Some(principal), None) => Ok(Subject::Principal(names::id("/principal", &principal)?)),
        (None, Some(group)) => Ok(Subject::Group(names::id("/group", &group)?)),
        _ => Err(Problem::field("/principal", "give either `principal` or `group`").into()),
    }
}
