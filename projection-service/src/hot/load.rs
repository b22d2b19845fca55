//! Makes the current state again from the rows, while they are read to be verified.

use std::collections::HashMap;

use promptory_domain::access::rights::{ApiKeyState, Grant};
use promptory_domain::access::tokens::{Issuer, UserLink};
use promptory_domain::quota::Quotas;
use promptory_events::event::{Event, FreezeSet, GroupCreated, IssuerTrusted, PrincipalAdded, RoleDefined};
use promptory_events::{Credential, PrincipalId, PromptId};

use super::Hot;
use crate::store::checkpoint::Checkpoint;
use crate::store::key::{Key, family};
use crate::store::rows::{RowError, Rows};
use crate::views::Load;
use crate::views::catalog::row::{
    self, ApiKeyRow, ClaimRow, CommitRef, DirectoryRow, EventRow, FreezeRow, GrantRow, GroupRow, IssuerRow, MemberRow,
    PromptRow, ProtectionRow, RequestRow, RoleRow,
};

/// Gathers what the current state needs from rows that come in order.
#[derive(Debug, Default)]
pub struct Loader {
    hot: Hot,
    /// Prompts as they are after the last of their events so far.
    prompts: HashMap<PromptId, PromptRow>,
}

impl Load<Hot> for Loader {
    fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        // Most rows are of families that the state does not need: their first byte says so.
        if !matches!(
            key.first(),
            Some(
                &(family::EVENT
                | family::PRINCIPAL..=family::REQUEST
                | family::ISSUER..=family::LISTED
                | family::LANGUAGES),
            )
        ) {
            return Ok(());
        }
        match Key::decode(key).ok_or(RowError::Row("key"))? {
            Key::Event(_) => {
                let (recorded_at, commit, prompt) = EventRow::decode_head(value)?;
                if let CommitRef::Here(header) = commit
                    && let Credential::ApiKey { key, .. } = header.evidence.credential
                {
                    self.hot.access.wrote.insert_mut(key, recorded_at);
                }
                self.prompts.extend(prompt.map(|prompt| (prompt.id, prompt)));
            }
            Key::Tenant(tenant) => self.hot.access.tenants.insert_mut(tenant, row::decode("tenant", value)?),
            Key::Protection(prefix, label) => {
                let row: ProtectionRow = row::decode("protection", value)?;
                if let Some(approvals) = row.approvals {
                    self.hot.releases.book.protect(&prefix, &label, approvals);
                }
                self.hot.releases.protections.insert_mut((prefix, label), row);
            }
            Key::Freeze(freeze) => {
                let row: FreezeRow = row::decode("freeze", value)?;
                if row.lifted.is_none() {
                    let (prefix, from, until) = (row.prefix.clone(), row.from, row.until);
                    self.hot.releases.book.set_freeze(&FreezeSet { freeze, prefix, from, until });
                }
                self.hot.releases.freezes.insert_mut(freeze, row);
            }
            Key::Request(request) => {
                let row: RequestRow = row::decode("request", value)?;
                self.hot.releases.book.put(request, row.request.clone());
                self.hot.releases.requests.insert_mut(request, row);
            }
            // They come in order: the last one holds.
            Key::Languages(_) => self.hot.languages = row::decode("languages", value)?,
            Key::Watch(_) => self.hot.watch = row::decode("watch", value)?,
            key => self.access(key, value)?,
        }
        Ok(())
    }

    fn finish(mut self, checkpoint: Option<Checkpoint<Quotas>>, _rows: &impl Rows) -> Result<Hot, RowError> {
        for prompt in self.prompts.into_values() {
            self.hot.put(prompt, None);
        }
        if let Some(checkpoint) = checkpoint {
            self.hot.index = Some(checkpoint.index);
            self.hot.cursor = Some(checkpoint.cursor);
            self.hot.recorded_at = checkpoint.recorded_at;
            self.hot.sum = checkpoint.sum;
            self.hot.quotas = checkpoint.kept;
        }
        Ok(self.hot)
    }
}

impl Loader {
    /// Rows come by family: principals and groups before what they hold.
    fn access(&mut self, key: Key, value: &[u8]) -> Result<(), RowError> {
        let access = &mut self.hot.access;
        let fits = match key {
            Key::Principal(principal) => {
                access.rights.evolve(0, &Event::PrincipalAdded(PrincipalAdded { principal, name: None }))
            }
            Key::ApiKey(key) => {
                let row: ApiKeyRow = row::decode("api key", value)?;
                access.keys.insert_mut(key, row.clone());
                access.rights.issue(
                    key,
                    ApiKeyState {
                        principal: row.principal,
                        secret_hash: row.secret_hash,
                        scope: row.scope,
                        expires_at: row.expires_at,
                        revoked: row.revoked.is_some(),
                    },
                )
            }
            Key::Group(group) => {
                let row: GroupRow = row::decode("group", value)?;
                access.groups.insert_mut(group, row);
                access.rights.evolve(0, &Event::GroupCreated(GroupCreated { group, name: None }))
            }
            Key::Role(role) => {
                let row: RoleRow = row::decode("role", value)?;
                access.roles.insert_mut(role.clone(), row.clone());
                access.rights.evolve(0, &Event::RoleDefined(RoleDefined { role, before: None, after: row.actions }))
            }
            Key::Member(group, principal) => {
                let row: MemberRow = row::decode("member", value)?;
                let gone = row.removed.is_some();
                access.members.insert_mut((group, principal), row);
                gone || access.rights.join(group, principal)
            }
            Key::Grant(subject, prefix, role) => {
                let row: GrantRow = row::decode("grant", value)?;
                access.grants.insert_mut((subject, prefix.clone(), role.clone()), row.clone());
                let grant = Grant { role, index: row.granted, expires_at: row.expires_at };
                row.revoked.is_some() || access.rights.grant(subject, &prefix, grant)
            }
            key @ (Key::User(_) | Key::Listed(_)) => return self.directory(key, value),
            key => return self.identity(key, value),
        };
        if fits { Ok(()) } else { Err(RowError::Row("access")) }
    }

    /// Users and groups of the directory come after all members.
    fn directory(&mut self, key: Key, value: &[u8]) -> Result<(), RowError> {
        let row: DirectoryRow = row::decode("directory", value)?;
        let access = &mut self.hot.access;
        match key {
            Key::User(user) => {
                let directory = access.rights.directory_mut();
                directory.set_user(user, row.entry(0));
                if row.removed.is_some() {
                    directory.remove_user(user);
                }
                access.users.insert_mut(user, row);
            }
            Key::Listed(group) => {
                let range = (group, PrincipalId([0; 16]))..=(group, PrincipalId([u8::MAX; 16]));
                let moves =
                    access.members.range(range).map(|(_, member)| member.added.max(member.removed.unwrap_or(0)));
                let moved = moves.max().unwrap_or(0);
                if row.removed.is_none() {
                    access.rights.directory_mut().set_group(group, row.entry(moved));
                }
                access.listed.insert_mut(group, row);
            }
            _ => {}
        }
        Ok(())
    }

    /// Issuers come before what their groups mean; revocations in the order of their indexes.
    fn identity(&mut self, key: Key, value: &[u8]) -> Result<(), RowError> {
        let access = &mut self.hot.access;
        let tokens = access.rights.tokens_mut();
        match key {
            Key::Issuer(issuer) => {
                let row: IssuerRow = row::decode("issuer", value)?;
                if row.distrusted.is_none() {
                    let (url, audience, groups_claim) =
                        (row.url.clone(), row.audience.clone(), row.groups_claim.clone());
                    tokens.trust(issuer, Issuer::new(&IssuerTrusted { issuer, url, audience, groups_claim }));
                    if let Some((claim, attribute)) = row.users.clone() {
                        tokens.link(issuer, UserLink { claim, attribute });
                    }
                }
                access.issuers.insert_mut(issuer, row);
            }
            Key::Claim(issuer, claim) => {
                let row: ClaimRow = row::decode("claim", value)?;
                if row.unmapped.is_none() {
                    // Of an issuer that is not trusted any more it means nothing.
                    let _ = tokens.map(issuer, claim, row.group);
                }
                access.claims.insert_mut((issuer, claim), row);
            }
            Key::Session(_) => tokens.revoke(&row::decode("session", value)?),
            _ => {}
        }
        Ok(())
    }
}
