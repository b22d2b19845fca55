//! The right to a command: which actions it needs where, and what it hands on. First of all that is decided, and again on
//! every retry; the grants that are used become the evidence.

use promptory_events::event::{
    Action, AnyRole, Attempt, AttemptDenied, Door, Include, KeyScope, Role, Session, Subject, Written,
};
use promptory_events::{
    ClaimId, Credential, Evidence, GroupId, IssuerId, KeyId, Label, Prefix, PrincipalId, RequestId, TenantId,
    Timestamp, TokenHash,
};

use crate::access::rights::{ApiKeyState, Grant, Grants, lasts};
use crate::access::{Actions, Caller, allowed, exists_in, top_role};
use crate::branch::pick;
use crate::command::{Change, Command, CommentTarget, Context, KeyHolder, MergeOutcome, Pick, Presented, PromptRef};
use crate::rejection::Rejection;
use crate::state::Tenant;

/// What a change needs first of all: by it a change belongs into one kind of ledger, and a refusal names it.
pub(crate) fn action(change: &Change) -> Action {
    match change {
        Change::CreatePrompt { .. }
        | Change::AddVersion { .. }
        | Change::RenamePrompt { .. }
        | Change::SetTags { .. }
        | Change::SetMetadata { .. }
        | Change::ArchivePrompt { .. }
        | Change::RestorePrompt { .. }
        | Change::CreateBranch { .. }
        | Change::CloseBranch { .. }
        | Change::ForkPrompt { .. }
        | Change::Merge { .. } => Action::WritePrompts,
        Change::SetLabel { .. } | Change::RemoveLabel { .. } | Change::Rollout { .. } => Action::MoveLabels,
        Change::IssueKey { .. }
        | Change::RotateKey { .. }
        | Change::RevokeKey { .. }
        | Change::GrantRole { .. }
        | Change::RevokeRole { .. }
        | Change::DefineRole { .. }
        | Change::CreateGroup { .. }
        | Change::AddMember { .. }
        | Change::RemoveMember { .. }
        | Change::TrustIssuer { .. }
        | Change::DistrustIssuer { .. }
        | Change::LinkIssuer { .. }
        | Change::MapClaim { .. }
        | Change::UnmapClaim { .. }
        | Change::AddPrincipal { .. }
        | Change::RevokeSession { .. }
        | Change::SetUser(_)
        | Change::RemoveUser { .. }
        | Change::SetGroup(_)
        | Change::RemoveGroup { .. }
        | Change::Attest(_) => Action::ManageAccess,
        Change::ProtectLabel { .. }
        | Change::UnprotectLabel { .. }
        | Change::SetFreeze { .. }
        | Change::LiftFreeze { .. } => Action::ManageProtection,
        Change::ConfigureSearch { .. } | Change::ConfigureWatch { .. } => Action::ManageSettings,
        Change::RequestRelease { .. } | Change::WithdrawRelease { .. } => Action::RequestRelease,
        Change::ApproveRelease { .. } | Change::RejectRelease { .. } => Action::ApproveRelease,
        Change::RollBackLabel { .. } => Action::MoveLabels,
        Change::AddComment { .. } => Action::Comment,
        Change::CreateTenant { .. }
        | Change::SuspendTenant { .. }
        | Change::ResumeTenant { .. }
        | Change::SetQuota { .. }
        | Change::RecordBackup { .. }
        | Change::RecordRestore(_)
        | Change::Bootstrap { .. } => Action::ManageTenants,
    }
}

/// Who does it, and by which right.
pub(crate) fn authorize(
    state: &Tenant,
    context: &Context,
    command: &Command,
) -> Result<(PrincipalId, Evidence), Rejection> {
    match &context.presented {
        Presented::System => by_system(command),
        Presented::Operator { principal, key } => {
            by_operator(command)?;
            let credential = Credential::ApiKey { tenant: TenantId::system(), key: *key };
            Ok((*principal, Evidence { credential, grants: Vec::new() }))
        }
        Presented::ApiKey { .. } | Presented::Token(_) => {
            let mut check = Check::of(state, context, command).ok_or(Rejection::Unauthenticated)?;
            if only_the_system_may(&command.change) {
                return Err(Rejection::Forbidden(action(&command.change)));
            }
            check.change(&command.change)?;
            let mut grants = std::mem::take(&mut check.used);
            grants.sort_unstable();
            grants.dedup();
            Ok((check.actor, Evidence { credential: check.credential(&context.presented, &grants)?, grants }))
        }
    }
}

/// The attempt that a command was, if it was refused because a right was lacking.
#[must_use]
pub fn denied(state: &Tenant, context: &Context, command: &Command) -> Option<AttemptDenied> {
    let mut check = Check::of(state, context, command)?;
    check.change(&command.change).err()?;
    let credential = check.credential(&context.presented, &[]).ok()?;
    let (action, path) = check.lacking?;
    Some(AttemptDenied {
        attempt: Attempt { principal: check.actor, action, target: Prefix::of(&path) },
        credential,
        door: Door::Command,
        minute: context.now.minute(),
    })
}

/// The closed list of what no key and no token of anybody allows: how a ledger's life began, and what came of denied
/// attempts.
fn only_the_system_may(change: &Change) -> bool {
    matches!(change, Change::Bootstrap { .. } | Change::RecordRestore(_) | Change::Attest(_))
}

/// The system itself does that, and nothing else.
fn by_system(command: &Command) -> Result<(PrincipalId, Evidence), Rejection> {
    if only_the_system_may(&command.change) {
        Ok((PrincipalId::SYSTEM, Evidence { credential: Credential::System, grants: Vec::new() }))
    } else {
        Err(Rejection::Forbidden(action(&command.change)))
    }
}

/// An operator may let an owner into a tenant and set its quotas, and do nothing else there.
fn by_operator(command: &Command) -> Result<(), Rejection> {
    match &command.change {
        Change::IssueKey { holder: KeyHolder::New { role, prefix, until: None, .. }, .. }
            if *role == AnyRole::BuiltIn(Role::Owner)
                && prefix.is_tenant()
                && command.occurred_at.is_none()
                && command.author.is_none() =>
        {
            Ok(())
        }
        Change::SetQuota { .. } if command.occurred_at.is_none() && command.author.is_none() => Ok(()),
        change => Err(Rejection::Forbidden(action(change))),
    }
}

/// What a role allows, if it exists and makes sense in this ledger.
pub(crate) fn actions_of(state: &Tenant, role: &AnyRole) -> Result<Actions, Rejection> {
    if !exists_in(role, state.id()) {
        return Err(Rejection::RoleNotHere(role.clone()));
    }
    state.rights().actions(role).ok_or_else(|| Rejection::RoleNotFound(role.clone()))
}

/// What a caller showed: whoever shows something may give it up.
enum Shown {
    Key(KeyId),
    Token(TokenHash),
}

/// A caller's rights being looked up, one need after another.
struct Check<'a> {
    state: &'a Tenant,
    caller: Caller<'a>,
    actor: PrincipalId,
    shown: Shown,
    now: Timestamp,
    /// What else the command needs wherever it needs anything: if it claims when or by whom, if it overrides a freeze.
    also: [(bool, Action); 2],
    used: Vec<u64>,
    /// The right that was lacking when it was refused, and where.
    lacking: Option<(Action, String)>,
}

impl<'a> Check<'a> {
    /// Of whoever holds rights and shows something that opens.
    fn of(state: &'a Tenant, context: &'a Context, command: &Command) -> Option<Self> {
        let (rights, now) = (state.rights(), context.now);
        let (actor, caller, shown) = match &context.presented {
            Presented::ApiKey { key, secret_hash } => {
                let actor = rights.authenticate(*key, secret_hash, now)?;
                (actor, rights.caller(actor, Some(*key), now), Shown::Key(*key))
            }
            Presented::Token(token) => {
                let actor = rights.authenticate_token(token, now)?;
                (actor, rights.token_caller(token, now), Shown::Token(token.hash))
            }
            Presented::System | Presented::Operator { .. } => return None,
        };
        let claims = command.occurred_at.is_some() || command.author.is_some();
        let also = [(claims, Action::Import), (command.override_freeze, Action::OverrideFreeze)];
        Some(Self { state, caller, actor, shown, now, also, used: Vec::new(), lacking: None })
    }

    /// What authenticated it; of a token with the claimed groups by which these grants were used.
    fn credential(&self, presented: &Presented, grants: &[u64]) -> Result<Credential, Rejection> {
        match presented {
            Presented::ApiKey { key, .. } => Ok(Credential::ApiKey { tenant: self.state.id().clone(), key: *key }),
            Presented::Token(token) => Ok(Credential::Token(token.evidence(self.caller.claims_used(grants)))),
            Presented::System | Presented::Operator { .. } => Err(Rejection::Unauthenticated),
        }
    }

    /// Takes a grant into the evidence, or notes what is lacking.
    fn used(&mut self, grant: Option<u64>, action: Action, path: &str) -> bool {
        match grant {
            Some(grant) => self.used.push(grant),
            None => self.lacking = Some((action, path.to_owned())),
        }
        grant.is_some()
    }

    /// An action on a key or prefix; claiming and overriding need their own right on the same.
    fn right(&mut self, action: Action, path: &str) -> Result<(), Rejection> {
        if !self.used(self.caller.grant(action, path), action, path) {
            return Err(Rejection::Forbidden(action));
        }
        self.also(path)
    }

    /// The right to claim and to override, if the command does. All that is needed by who does something with his own keys.
    fn also(&mut self, path: &str) -> Result<(), Rejection> {
        for (_, action) in self.also.into_iter().filter(|(needed, _)| *needed) {
            if !self.used(self.caller.grant(action, path), action, path) {
                return Err(Rejection::Forbidden(action));
            }
        }
        Ok(())
    }

    /// What a subject holds now. What is over gives nothing, so nobody hands it on or takes it.
    fn held(&self, subject: Subject) -> impl Iterator<Item = (&'a Prefix, &'a Grant)> + use<'a> {
        let now = self.now;
        let grants = self.state.rights().grants(subject).into_iter().flat_map(Grants::iter);
        grants.filter(move |(_, grant)| lasts(grant.expires_at, now))
    }

    /// Actions that the caller hands to somebody until a time: not one that it does not hold itself, there and so long.
    fn hand_on(&mut self, actions: Actions, prefix: &str, until: Option<Timestamp>) -> Result<(), Rejection> {
        for action in actions.iter() {
            if !self.used(self.caller.lasting_grant(action, prefix, until), action, prefix) {
                return Err(Rejection::DelegationExceeds(action));
            }
        }
        Ok(())
    }

    /// Actions that the caller takes from somebody: those it holds itself now.
    fn take_back(&mut self, actions: Actions, prefix: &str) -> Result<(), Rejection> {
        for action in actions.iter() {
            if !self.used(self.caller.grant(action, prefix), action, prefix) {
                return Err(Rejection::DelegationExceeds(action));
            }
        }
        Ok(())
    }

    /// An action on a prompt. By an id nobody learns that there is a prompt which he may not see.
    fn prompt(&mut self, which: &PromptRef, action: Action) -> Result<String, Rejection> {
        let key = match which {
            PromptRef::Key(key) => key.as_str(),
            PromptRef::Id(id) => {
                let found = self.state.prompt(which).map(|(_, prompt)| prompt.key.as_str());
                let hidden = || Rejection::PromptNotFound(id.to_string());
                if !self.caller.anywhere(action) {
                    self.lacking = Some((action, found.unwrap_or_default().to_owned()));
                    return Err(Rejection::Forbidden(action));
                }
                let key = found.ok_or_else(hidden)?;
                if self.is_hidden(action, key) {
                    self.lacking = Some((action, key.to_owned()));
                    return Err(hidden());
                }
                key
            }
        };
        self.right(action, key)?;
        Ok(key.to_owned())
    }

    /// Whether a refusal would tell of a prompt that the caller may not see.
    fn is_hidden(&self, action: Action, key: &str) -> bool {
        self.caller.grant(action, key).is_none() && self.caller.grant(Action::Read, key).is_none()
    }

    /// An action on a release request is one on its prompt, and as hidden.
    fn request(&mut self, request: RequestId, action: Action) -> Result<(), Rejection> {
        let prompt = self.state.book().request(request).map(|request| PromptRef::Id(request.prompt));
        let found = prompt.and_then(|prompt| self.state.prompt(&prompt));
        let key = found.map(|(_, prompt)| prompt.key.as_str());
        if !self.caller.anywhere(action) {
            self.lacking = Some((action, key.unwrap_or_default().to_owned()));
            return Err(Rejection::Forbidden(action));
        }
        let key = key.ok_or(Rejection::ReleaseNotFound(request))?;
        if self.is_hidden(action, key) {
            self.lacking = Some((action, key.to_owned()));
            return Err(Rejection::ReleaseNotFound(request));
        }
        self.right(action, key)
    }

    /// A protected label goes back by a right of its own.
    fn back(&mut self, prompt: &PromptRef, label: &Label, needed: Action) -> Result<(), Rejection> {
        let key = self.state.prompt(prompt).map(|(_, prompt)| prompt.key.as_str());
        let protected = key.is_some_and(|key| self.state.book().needed(key, label).is_some());
        self.prompt(prompt, if protected { Action::RollBack } else { needed }).map(drop)
    }

    /// Labels that come with a version are moved like any other.
    fn labels(&mut self, key: &str, labels: &[Label]) -> Result<(), Rejection> {
        if labels.is_empty() { Ok(()) } else { self.right(Action::MoveLabels, key) }
    }

    /// What a content includes is read.
    fn includes(&mut self, written: &[Written]) -> Result<(), Rejection> {
        written.iter().try_for_each(|written| self.right(Action::Read, written.key.as_str()))
    }

    /// The same for a content that is copied: it includes the same prompts, whatever they are called by now. If there is no
    /// such version, the rules of forks will say so.
    fn copied(&mut self, prompt: &PromptRef, from: &Pick) -> Result<(), Rejection> {
        let state = self.state;
        let version = state.prompt(prompt).and_then(|(_, prompt)| Some((prompt, pick(prompt, from).ok()?.0)));
        let includes: &[Include] = version.map(|(prompt, number)| prompt.includes(number)).unwrap_or_default();
        includes.iter().try_for_each(|include| self.prompt(&PromptRef::Id(include.prompt), Action::Read).map(drop))
    }

    fn change(&mut self, change: &Change) -> Result<(), Rejection> {
        let needed = action(change);
        match change {
            Change::CreatePrompt { key, version, .. } => {
                self.right(needed, key.as_str())?;
                self.labels(key.as_str(), &version.labels)?;
                self.includes(&version.template.includes)
            }
            Change::AddVersion { prompt, version, .. } => {
                let key = self.prompt(prompt, needed)?;
                self.labels(&key, &version.labels)?;
                self.includes(&version.template.includes)
            }
            Change::RenamePrompt { prompt, to, version, .. } => {
                let key = self.prompt(prompt, needed)?;
                self.right(needed, to.as_str())?;
                let Some((_, version)) = version else { return Ok(()) };
                self.labels(&key, &version.labels)?;
                self.includes(&version.template.includes)
            }
            Change::ForkPrompt { prompt, from, key, labels, .. } => {
                self.prompt(prompt, Action::Read)?;
                self.copied(prompt, from)?;
                self.right(needed, key.as_str())?;
                self.labels(key.as_str(), labels)
            }
            Change::Merge { prompt, other, labels, merged, .. } => {
                let key = self.prompt(prompt, needed)?;
                other.as_ref().map_or(Ok(()), |other| self.prompt(other, Action::Read).map(drop))?;
                self.labels(&key, labels)?;
                match merged.as_deref().map(|merged| &merged.outcome) {
                    Some(MergeOutcome::Clean { template, .. }) => self.includes(&template.includes),
                    _ => Ok(()), // not gathered yet, or nothing comes of it
                }
            }
            Change::CreateBranch { prompt, .. }
            | Change::CloseBranch { prompt, .. }
            | Change::SetTags { prompt, .. }
            | Change::SetMetadata { prompt, .. }
            | Change::ArchivePrompt { prompt, .. }
            | Change::SetLabel { prompt, .. }
            | Change::RemoveLabel { prompt, .. } => self.prompt(prompt, needed).map(drop),
            Change::RestorePrompt { prompt, key } => {
                self.prompt(&PromptRef::Id(*prompt), needed)?;
                key.as_ref().map_or(Ok(()), |key| self.right(needed, key.as_str()))
            }
            Change::GrantRole { role, prefix, expires_at, .. } => {
                self.right(needed, prefix.as_str())?;
                self.hand_on(actions_of(self.state, role)?, prefix.as_str(), *expires_at)
            }
            Change::RevokeRole { role, prefix, .. } => {
                self.right(needed, prefix.as_str())?;
                self.take_back(self.state.rights().actions(role).unwrap_or_default(), prefix.as_str())
            }
            Change::DefineRole { role, actions } => {
                self.right(needed, "")?;
                self.take_back(self.state.rights().roles().get(role).copied().unwrap_or_default(), "")?;
                self.hand_on(Actions::of(actions), "", None)
            }
            Change::AddMember { group, .. } | Change::RemoveMember { group, .. } => {
                self.right(needed, "")?;
                self.group(*group, matches!(change, Change::AddMember { .. }))
            }
            Change::IssueKey { holder, scope, expires_at, .. } => self.issue(holder, scope.as_ref(), *expires_at),
            Change::RotateKey { key, expires_at, .. } => self.rotate(*key, *expires_at),
            Change::RevokeKey { key } => self.revoke_key(*key),
            Change::ProtectLabel { prefix, .. }
            | Change::UnprotectLabel { prefix, .. }
            | Change::SetFreeze { prefix, .. }
            | Change::LiftFreeze { prefix, .. } => self.right(needed, prefix.as_str()),
            Change::RequestRelease { prompt, .. } => self.prompt(prompt, needed).map(drop),
            Change::ApproveRelease { request }
            | Change::RejectRelease { request }
            | Change::WithdrawRelease { request } => self.request(*request, needed),
            Change::RollBackLabel { prompt, label, .. } => self.back(prompt, label, needed),
            Change::Rollout { prompt, label, step, .. } if step.is_back() => self.back(prompt, label, needed),
            Change::Rollout { prompt, .. } => self.prompt(prompt, needed).map(drop),
            Change::AddComment { on: CommentTarget::Version { prompt, .. }, .. } => {
                self.prompt(prompt, needed).map(drop)
            }
            Change::AddComment { on: CommentTarget::Request(request), .. } => self.request(*request, needed),
            Change::DistrustIssuer { issuer } => {
                self.right(needed, "")?;
                let known = self.state.rights().tokens().issuers().get(issuer);
                known
                    .into_iter()
                    .flat_map(|known| known.claims.values())
                    .try_for_each(|group| self.group(*group, false))
            }
            // Whoever speaks for the issuer can be any user, now and later.
            Change::LinkIssuer { .. } => {
                self.right(needed, "")?;
                self.hand_on(allowed(top_role(self.state.id())), "", None)
            }
            Change::MapClaim { issuer, claim, group, .. } => {
                self.right(needed, "")?;
                self.unmap(*issuer, *claim)?;
                self.group(*group, true)
            }
            Change::UnmapClaim { issuer, claim } => {
                self.right(needed, "")?;
                self.unmap(*issuer, *claim)
            }
            Change::RevokeSession { session } => self.revoke_session(*session),
            Change::SetUser(set) => {
                self.right(needed, "")?;
                set.user.map_or(Ok(()), |user| self.everything_of(user))
            }
            Change::RemoveUser { user, .. } => {
                self.right(needed, "")?;
                self.everything_of(*user)?;
                self.state.rights().keys_of(*user).try_for_each(|(key, _)| self.revoke_key(key))
            }
            Change::SetGroup(set) => {
                self.right(needed, "")?;
                let Some(group) = set.group else { return Ok(()) };
                if !set.add.is_empty() {
                    self.group(group, true)?;
                }
                if set.remove.is_empty() { Ok(()) } else { self.group(group, false) }
            }
            Change::RemoveGroup { group, .. } => {
                self.right(needed, "")?;
                self.group(*group, false)
            }
            Change::TrustIssuer { .. }
            | Change::ConfigureSearch { .. }
            | Change::ConfigureWatch { .. }
            | Change::AddPrincipal { .. }
            | Change::CreateGroup { .. }
            | Change::CreateTenant { .. }
            | Change::SuspendTenant { .. }
            | Change::ResumeTenant { .. }
            | Change::RecordBackup { .. }
            | Change::RecordRestore(_)
            | Change::Attest(_)
            | Change::Bootstrap { .. } => self.right(needed, ""),
            // Of another ledger's right, which no grant of this one is.
            Change::SetQuota { .. } => {
                self.lacking = Some((needed, String::new()));
                Err(Rejection::Forbidden(needed))
            }
        }
    }

    /// Whoever becomes a member gets all that the group has; whoever is one no more loses it.
    fn group(&mut self, group: GroupId, joins: bool) -> Result<(), Rejection> {
        let state = self.state;
        for (prefix, grant) in self.held(Subject::Group(group)) {
            let actions = state.rights().actions(&grant.role).unwrap_or_default();
            if joins {
                self.hand_on(actions, prefix.as_str(), grant.expires_at)?;
            } else {
                self.take_back(actions, prefix.as_str())?;
            }
        }
        Ok(())
    }

    /// What a group of an issuer meant is taken from whoever is in it.
    fn unmap(&mut self, issuer: IssuerId, claim: ClaimId) -> Result<(), Rejection> {
        let known = self.state.rights().tokens().issuers().get(&issuer);
        known.and_then(|known| known.claims.get(&claim)).map_or(Ok(()), |group| self.group(*group, false))
    }

    /// Everybody may end his own sessions.
    fn revoke_session(&mut self, session: Session) -> Result<(), Rejection> {
        match session {
            Session::Before { principal, .. } if principal == self.actor => self.also(""),
            Session::Token(token) if matches!(self.shown, Shown::Token(shown) if shown == token) => self.also(""),
            Session::Before { principal, .. } => {
                self.right(Action::ManageAccess, "")?;
                self.everything_of(principal)
            }
            Session::Token(_) => self.right(Action::ManageAccess, ""),
        }
    }

    /// A key is as good as the rights that it opens.
    fn issue(
        &mut self,
        holder: &KeyHolder,
        scope: Option<&KeyScope>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), Rejection> {
        match (holder, scope) {
            (KeyHolder::New { role, prefix, until, .. }, scope) => {
                self.right(Action::ManageAccess, prefix.as_str())?;
                self.hand_on(actions_of(self.state, role)?, prefix.as_str(), *until)?;
                scope.map_or(Ok(()), |scope| actions_of(self.state, &scope.role).map(drop))
            }
            (KeyHolder::Existing(_), Some(scope)) => {
                self.right(Action::ManageAccess, scope.prefix.as_str())?;
                self.hand_on(actions_of(self.state, &scope.role)?, scope.prefix.as_str(), expires_at)
            }
            (KeyHolder::Existing(principal), None) => {
                self.right(Action::ManageAccess, "")?;
                self.everything_of(*principal)
            }
        }
    }

    /// Whoever has a key that nothing narrows is the principal: so all that it holds, by itself and by its groups.
    fn everything_of(&mut self, principal: PrincipalId) -> Result<(), Rejection> {
        let rights = self.state.rights();
        let subjects = rights.groups_of(principal).map(Subject::Group);
        for subject in std::iter::once(Subject::Principal(principal)).chain(subjects) {
            for (prefix, grant) in self.held(subject) {
                self.take_back(rights.actions(&grant.role).unwrap_or_default(), prefix.as_str())?;
            }
        }
        Ok(())
    }

    /// A key may be given another secret by whoever shows it, and lasts no longer then; else it is issued anew.
    fn rotate(&mut self, key: KeyId, expires_at: Option<Timestamp>) -> Result<(), Rejection> {
        let Some(old) = self.state.rights().key(key) else { return self.right(Action::ManageAccess, "") };
        let longer = matches!((old.expires_at, expires_at), (Some(end), Some(asked)) if end < asked);
        if matches!(self.shown, Shown::Key(shown) if shown == key) && !longer {
            return self.also("");
        }
        let expires_at = expires_at.or(old.expires_at);
        self.issue(&KeyHolder::Existing(old.principal), old.scope.as_ref(), expires_at)
    }

    /// Everybody may give up his own keys.
    fn revoke_key(&mut self, key: KeyId) -> Result<(), Rejection> {
        match self.state.rights().key(key) {
            None => self.right(Action::ManageAccess, ""),
            Some(ApiKeyState { principal, .. }) if *principal == self.actor => self.also(""),
            Some(ApiKeyState { scope: Some(scope), .. }) => {
                self.right(Action::ManageAccess, scope.prefix.as_str())?;
                self.take_back(self.state.rights().actions(&scope.role).unwrap_or_default(), scope.prefix.as_str())
            }
            Some(state) => {
                self.right(Action::ManageAccess, "")?;
                self.everything_of(state.principal)
            }
        }
    }
}

#[cfg(test)]
mod tests;
