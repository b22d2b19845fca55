//! What each event needs: which actions, where, and for how long if it hands them on.

use promptory_domain::access::{Action, Actions, allowed};
use promptory_events::event::{Event, KeyIssued, Role, Session, Subject};
use promptory_events::{GroupId, KeyId, Prefix, PrincipalId, PromptId, Timestamp};

use super::facts::{Facts, KeyFact};
use super::{Case, releases, rollouts};

/// Whether the evidence of a commit bears one of its events out; why not. `facts` are those before it.
pub(super) fn check(facts: &Facts, case: &Case<'_>, event: &Event) -> Result<(), String> {
    match event {
        Event::LedgerOpened(_)
        | Event::LedgerRestored(_)
        | Event::AttemptDenied(_)
        | Event::AttemptsCounted(_)
        | Event::UnauthenticatedCounted(_)
        | Event::AuditRead(_)
        | Event::AuditExported(_)
        | Event::RolloutBreached(_)
        | Event::VersionDegraded(_) => Err("only the system writes this".to_owned()),
        Event::TenantCreated(_) | Event::TenantSuspended(_) | Event::TenantResumed(_) | Event::BackupStarted(_) => {
            need(case, Action::ManageTenants, "")
        }
        Event::SearchConfigured(_) | Event::WatchConfigured(_) => need(case, Action::ManageSettings, ""),
        Event::QuotaSet(_) => Err("only an operator sets a quota".to_owned()),
        Event::CommandUnchanged => Ok(()),
        Event::PrincipalAdded(e) => need(case, Action::ManageAccess, first_grant(case, e.principal).as_str()),
        Event::RoleGranted(e) => {
            need(case, Action::ManageAccess, e.prefix.as_str())?;
            hands_on(case, facts.actions(&e.role), e.prefix.as_str(), e.expires_at)
        }
        Event::RoleRevoked(e) => {
            need(case, Action::ManageAccess, e.prefix.as_str())?;
            takes_back(case, facts.actions(&e.role), e.prefix.as_str())
        }
        Event::RoleDefined(e) => {
            need(case, Action::ManageAccess, "")?;
            takes_back(case, Actions::of(e.before.as_deref().unwrap_or_default()), "")?;
            hands_on(case, Actions::of(&e.after), "", None)
        }
        Event::GroupCreated(_) => need(case, Action::ManageAccess, ""),
        Event::MemberAdded(e) => {
            need(case, Action::ManageAccess, "")?;
            gains(facts, case, e.group)
        }
        Event::MemberRemoved(e) => {
            need(case, Action::ManageAccess, "")?;
            loses(facts, case, e.group)
        }
        Event::IssuerTrusted(_) => need(case, Action::ManageAccess, ""),
        Event::IssuerLinked(_) => {
            need(case, Action::ManageAccess, "")?;
            // Whoever speaks for the issuer can be anybody.
            hands_on(case, allowed(Role::Owner), "", None)
        }
        Event::IssuerDistrusted(e) => {
            need(case, Action::ManageAccess, "")?;
            facts.tokens.meaning(e.issuer).try_for_each(|group| loses(facts, case, group))
        }
        Event::ClaimMapped(e) => {
            need(case, Action::ManageAccess, "")?;
            let before = facts.tokens.group(e.issuer, e.claim);
            if before != e.before {
                return Err("it says that the group meant something else before".to_owned());
            }
            before.map_or(Ok(()), |group| loses(facts, case, group))?;
            gains(facts, case, e.after)
        }
        Event::ClaimUnmapped(e) => {
            need(case, Action::ManageAccess, "")?;
            loses(facts, case, e.before)
        }
        Event::SessionRevoked(e) => session_revoked(facts, case, e.session),
        Event::UserSet(e) => of_the_directory(facts, case, e.user),
        Event::UserRemoved(e) => of_the_directory(facts, case, e.user),
        Event::GroupSet(_) | Event::GroupRemoved(_) => need(case, Action::ManageAccess, ""),
        Event::KeyIssued(e) => key_issued(facts, case, e),
        Event::KeyRevoked(e) => key_revoked(facts, case, e.key),
        Event::PromptCreated(e) => write(case, e.key.as_str()),
        Event::VersionAdded(e) => {
            on_prompt(facts, case, Action::WritePrompts, e.prompt)?;
            // What a fork or a merge brings along from another prompt was read there.
            let mut others = e.parents.iter().filter(|parent| parent.prompt != e.prompt);
            others.try_for_each(|parent| on_prompt(facts, case, Action::Read, parent.prompt))?;
            // And so was what its content includes.
            e.includes.iter().try_for_each(|include| on_prompt(facts, case, Action::Read, include.prompt))
        }
        Event::BranchCreated(e) => on_prompt(facts, case, Action::WritePrompts, e.prompt),
        Event::BranchClosed(e) => on_prompt(facts, case, Action::WritePrompts, e.prompt),
        Event::TagsSet(e) => on_prompt(facts, case, Action::WritePrompts, e.prompt),
        Event::MetadataSet(e) => on_prompt(facts, case, Action::WritePrompts, e.prompt),
        Event::PromptArchived(e) => {
            on_prompt(facts, case, Action::WritePrompts, e.prompt)?;
            releases::goes(facts, e.prompt, Some(e.key.as_str()), None)
        }
        Event::PromptRenamed(e) => {
            on_prompt(facts, case, Action::WritePrompts, e.prompt)?;
            write(case, e.after.as_str())?;
            releases::goes(facts, e.prompt, Some(e.before.as_str()), Some(e.after.as_str()))
        }
        Event::PromptRestored(e) => {
            on_prompt(facts, case, Action::WritePrompts, e.prompt)?;
            write(case, e.key.as_str())?;
            releases::goes(facts, e.prompt, None, Some(e.key.as_str()))
        }
        _ => rollouts::check(facts, case, event).unwrap_or_else(|| releases::check(facts, case, event)),
    }
}

/// An action on a key or prefix; a claim of when or by whom needs its own right on the same.
pub(super) fn need(case: &Case<'_>, action: Action, path: &str) -> Result<(), String> {
    if !case.may(action, path, None) {
        return Err(format!("no grant that it names allows `{}` on `{path}`", action.name()));
    }
    claims(case, path)
}

/// The right to a claim, if there is one; all that is needed for something with one's own keys.
fn claims(case: &Case<'_>, path: &str) -> Result<(), String> {
    let claims = case.header.occurred_at.is_some() || case.header.author.is_some();
    if claims && !case.may(Action::Import, path, None) {
        return Err(format!("no grant that it names allows `{}` on `{path}`", Action::Import.name()));
    }
    Ok(())
}

pub(super) fn on_prompt(facts: &Facts, case: &Case<'_>, action: Action, prompt: PromptId) -> Result<(), String> {
    let fact = facts.prompts.get(&prompt).ok_or_else(|| format!("there is no prompt {prompt}"))?;
    need(case, action, &fact.key)
}

fn write(case: &Case<'_>, key: &str) -> Result<(), String> {
    need(case, Action::WritePrompts, key)
}

/// Nobody hands on what he does not hold, there and so long.
fn hands_on(case: &Case<'_>, actions: Actions, prefix: &str, until: Option<Timestamp>) -> Result<(), String> {
    let more = actions.iter().find(|action| !case.may(*action, prefix, Some(until)));
    more.map_or(Ok(()), |action| Err(format!("it hands on `{}` on `{prefix}`, which its actor lacks", action.name())))
}

fn takes_back(case: &Case<'_>, actions: Actions, prefix: &str) -> Result<(), String> {
    let more = actions.iter().find(|action| !case.may(*action, prefix, None));
    more.map_or(Ok(()), |action| Err(format!("it takes `{}` on `{prefix}`, which its actor lacks", action.name())))
}

/// Somebody gets all that a group has.
fn gains(facts: &Facts, case: &Case<'_>, group: GroupId) -> Result<(), String> {
    let mut held = facts.holdings(Subject::Group(group), case.at);
    held.try_for_each(|grant| hands_on(case, facts.actions(&grant.role), grant.prefix.as_str(), grant.expires_at))
}

/// Somebody loses all that a group has.
fn loses(facts: &Facts, case: &Case<'_>, group: GroupId) -> Result<(), String> {
    let mut held = facts.holdings(Subject::Group(group), case.at);
    held.try_for_each(|grant| takes_back(case, facts.actions(&grant.role), grant.prefix.as_str()))
}

/// Everybody may end his own sessions.
fn session_revoked(facts: &Facts, case: &Case<'_>, session: Session) -> Result<(), String> {
    match session {
        Session::Before { principal, .. } if principal == case.actor() => claims(case, ""),
        Session::Token(token) if case.token == Some(token) => claims(case, ""),
        Session::Before { principal, .. } => {
            need(case, Action::ManageAccess, "")?;
            everything_of(facts, case, principal)
        }
        Session::Token(_) => need(case, Action::ManageAccess, ""),
    }
}

/// Whoever gives somebody another name, or keeps him out, could be him: so he may all that he may.
fn of_the_directory(facts: &Facts, case: &Case<'_>, user: PrincipalId) -> Result<(), String> {
    need(case, Action::ManageAccess, "")?;
    everything_of(facts, case, user)
}

/// Where a principal that this commit adds gets its first role: there it is added.
fn first_grant(case: &Case<'_>, principal: PrincipalId) -> Prefix {
    let granted = case.events.iter().find_map(|event| match event {
        Event::RoleGranted(e) if e.to == Subject::Principal(principal) => Some(e.prefix.clone()),
        _ => None,
    });
    granted.unwrap_or_default()
}

fn key_issued(facts: &Facts, case: &Case<'_>, issued: &KeyIssued) -> Result<(), String> {
    let with_it = |event: &Event| matches!(event, Event::PrincipalAdded(e) if e.principal == issued.principal);
    if case.events.iter().any(with_it) {
        return need(case, Action::ManageAccess, first_grant(case, issued.principal).as_str());
    }
    if let Some(old) = issued.replaces {
        return rotated(facts, case, issued, old);
    }
    another_key(facts, case, issued)
}

/// A key in the place of one: as narrow; and whoever shows the old one gains no time by it.
fn rotated(facts: &Facts, case: &Case<'_>, issued: &KeyIssued, old: KeyId) -> Result<(), String> {
    let before = facts.keys.get(&old).ok_or_else(|| format!("there is no API key {old} to replace"))?;
    let revokes = |event: &Event| matches!(event, Event::KeyRevoked(e) if e.key == old);
    if before.principal != issued.principal || before.scope != issued.scope || !case.events.iter().any(revokes) {
        return Err(format!("it does not take the place of the API key {old}"));
    }
    let longer = match (before.expires_at, issued.expires_at) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(end), Some(asked)) => end < asked,
    };
    if case.key == Some(old) && !longer { claims(case, "") } else { another_key(facts, case, issued) }
}

/// A key is as good as what it opens.
fn another_key(facts: &Facts, case: &Case<'_>, issued: &KeyIssued) -> Result<(), String> {
    match &issued.scope {
        Some(scope) => {
            need(case, Action::ManageAccess, scope.prefix.as_str())?;
            hands_on(case, facts.actions(&scope.role), scope.prefix.as_str(), issued.expires_at)
        }
        None => {
            need(case, Action::ManageAccess, "")?;
            everything_of(facts, case, issued.principal)
        }
    }
}

fn everything_of(facts: &Facts, case: &Case<'_>, principal: PrincipalId) -> Result<(), String> {
    let mut held = facts.everything_of(principal, case.at);
    held.try_for_each(|grant| takes_back(case, facts.actions(&grant.role), grant.prefix.as_str()))
}

/// Everybody may give up his own keys, and whoever may rotate a key may revoke it by that.
fn key_revoked(facts: &Facts, case: &Case<'_>, key: KeyId) -> Result<(), String> {
    let known = facts.keys.get(&key).ok_or_else(|| format!("there is no API key {key}"))?;
    let replaced = |event: &Event| matches!(event, Event::KeyIssued(e) if e.replaces == Some(key));
    match known {
        KeyFact { principal, .. } if *principal == case.actor() => claims(case, ""),
        _ if case.events.iter().any(replaced) => Ok(()), // judged with the key that takes its place
        KeyFact { scope: Some(scope), .. } => {
            need(case, Action::ManageAccess, scope.prefix.as_str())?;
            takes_back(case, facts.actions(&scope.role), scope.prefix.as_str())
        }
        KeyFact { principal, .. } => {
            need(case, Action::ManageAccess, "")?;
            everything_of(facts, case, *principal)
        }
    }
}
