//! The fold of the ledger beside the model: everything that either knows of prompts, rights and releases is in both.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use promptory_domain::access::Action;
use promptory_domain::access::rights::Grants;
use promptory_domain::access::tokens::UserLink;
use promptory_domain::{Prompt as Real, PromptRef, Tenant};
use promptory_events::event::{Kind, Quota, Subject, UserAttribute};
use promptory_events::{Branch, ContentId};
use serde_json::Value;

use crate::draw::{LABELS, PREFIXES};
use crate::plain::{Grant, Model, Prompt, QUOTAS};

/// Which content has which id: equal ones the same, others another, for as long as the tenant lives.
#[derive(Debug, Default)]
pub struct Contents {
    by_text: HashMap<String, ContentId>,
    by_id: HashMap<ContentId, String>,
}

fn same<T: PartialEq + Debug>(what: &str, model: T, ledger: T) -> Result<(), String> {
    if model == ledger { Ok(()) } else { Err(format!("{what}: {model:?} in the model, {ledger:?} in the ledger")) }
}

impl Contents {
    fn same(&mut self, what: &str, content: &Value, id: ContentId) -> Result<(), String> {
        let text = content.to_string();
        same(what, *self.by_text.entry(text.clone()).or_insert(id), id)?;
        same(what, text.clone(), self.by_id.entry(id).or_insert(text).clone())
    }

    /// What differs first, if anything does.
    pub fn compare(&mut self, model: &Model, ledger: &Tenant) -> Result<(), String> {
        same("events", model.events, ledger.next_index())?;
        for (id, prompt) in &model.prompts {
            let real = ledger.by_id(id.parse().unwrap()).ok_or_else(|| format!("{id} is not in the ledger"))?;
            self.prompt(id, prompt, real)?;
        }
        let held = model.prompts.iter().filter(|(_, prompt)| !prompt.archived);
        for (id, prompt) in held {
            let holder = ledger.prompt(&PromptRef::Key(prompt.key.parse().unwrap()));
            same(&prompt.key, Some(id.clone()), holder.map(|(id, _)| id.to_string()))?;
        }
        rights(model, ledger)?;
        identity(model, ledger)?;
        quotas(model, ledger)?;
        releases(model, ledger)
    }

    fn prompt(&mut self, id: &str, prompt: &Prompt, real: &Real) -> Result<(), String> {
        let kind = match real.kind {
            Kind::Text => "text",
            Kind::Chat => "messages",
        };
        let (key, archived) = (prompt.key.as_str(), prompt.archived);
        same(
            id,
            (key, prompt.kind, archived, prompt.versions.len()),
            (real.key.as_str(), kind, real.archived, real.versions.len()),
        )?;
        for (number, version) in (1..).zip(&prompt.versions) {
            let place = format!("{id} version {number}");
            let there = real.version(number).unwrap();
            let parents =
                there.parents(id.parse().unwrap()).map(|(prompt, number)| (prompt.to_string(), u64::from(number)));
            same(&place, version.parents.clone(), parents.collect())?;
            let author = real.author(number).unwrap().to_string();
            same(&place, (&version.id, &version.author, version.index), (&there.id.to_string(), &author, there.index))?;
            self.same(&place, &version.content, there.content)?;
            if let Some(config) = &version.config {
                let known = self.by_text.get(&config.to_string());
                // Configurations are in the state only as contents that the prompt holds.
                if known.is_some_and(|known| !real.contents.contains_key(known)) {
                    return Err(format!("{place}: its configuration is not there"));
                }
            }
        }
        let mut branches = real.branches.clone();
        branches.insert(Branch::main(), real.main);
        same(id, prompt.branches.clone(), numbers(&branches))?;
        let labels = || real.labels.iter().map(|(label, to)| (label, u64::from(to)));
        same(id, prompt.labels.clone(), labels().map(|(label, to)| (label.to_string(), to)).collect())?;
        let before = |label| real.labels.before(label).map(u64::from);
        let came_from = labels().filter_map(|(label, _)| Some((label.to_string(), before(label)?)));
        same(id, prompt.came_from.clone(), came_from.collect())?;
        let known = prompt.rollouts.iter().map(|(label, rollout)| {
            let number = |number: &u64| u32::try_from(*number).unwrap();
            let arms: BTreeMap<_, _> =
                rollout.arms.iter().map(|(n, share)| (number(n), u16::try_from(*share).unwrap())).collect();
            let approved: BTreeSet<_> = rollout.approved.iter().map(number).collect();
            (label.clone(), (rollout.id.clone(), arms, rollout.paused, approved))
        });
        let there = real.rollouts.iter().map(|(label, rollout)| {
            (
                label.to_string(),
                (rollout.id.to_string(), rollout.table.weights(), rollout.paused, rollout.approved.clone()),
            )
        });
        same(id, known.collect::<BTreeMap<_, _>>(), there.collect())?;
        same(id, prompt.tags.clone(), real.tags.iter().map(ToString::to_string).collect())?;
        match (&prompt.metadata, real.metadata) {
            (Some(metadata), Some(there)) => self.same(id, metadata, there),
            (metadata, there) => same(id, metadata.is_some(), there.is_some()),
        }
    }
}

fn numbers<K: ToString>(all: &BTreeMap<K, u32>) -> BTreeMap<String, u64> {
    all.iter().map(|(name, number)| (name.to_string(), u64::from(*number))).collect()
}

fn granted(grants: Option<&Grants>) -> Option<BTreeSet<Grant>> {
    let of = |(prefix, grant): (&promptory_events::Prefix, &promptory_domain::access::rights::Grant)| Grant {
        prefix: prefix.to_string(),
        role: grant.role.to_string(),
        until: grant.expires_at,
        index: grant.index,
    };
    grants.map(|grants| grants.iter().map(of).collect())
}

fn rights(model: &Model, ledger: &Tenant) -> Result<(), String> {
    let rights = ledger.rights();
    for (id, principal) in &model.principals {
        let real = id.parse().unwrap();
        let grants = granted(rights.grants(Subject::Principal(real)));
        same(id, Some(principal.grants.iter().cloned().collect()), grants)?;
        same(id, principal.groups.clone(), rights.groups_of(real).map(|group| group.to_string()).collect())?;
        let keys = model.keys.iter().filter(|(_, key)| key.principal == *id && !key.revoked);
        let keys: BTreeSet<String> = keys.map(|(key, _)| key.clone()).collect();
        same(id, keys, rights.keys_of(real).map(|(key, _)| key.to_string()).collect())?;
    }
    for (id, grants) in &model.groups {
        let real = granted(rights.grants(Subject::Group(id.parse().unwrap())));
        same(id, Some(grants.iter().cloned().collect()), real)?;
    }
    for (id, key) in &model.keys {
        let real = rights.key(id.parse().unwrap()).ok_or_else(|| format!("the key {id} is not in the ledger"))?;
        let scope = real.scope.as_ref().map(|scope| (scope.role.to_string(), scope.prefix.to_string()));
        let there = (real.principal.to_string(), scope, real.expires_at, real.revoked);
        same(id, (key.principal.clone(), key.scope.clone(), key.until, key.revoked), there)?;
    }
    let actions = |actions: promptory_domain::access::Actions| actions.iter().map(Action::name).map(ToOwned::to_owned);
    let roles = rights.roles().iter().map(|(name, allowed)| (name.to_string(), actions(*allowed).collect()));
    same("roles", model.roles.clone(), roles.collect())?;
    same("languages", model.languages.clone(), ledger.languages().iter().map(|l| l.to_string()).collect())
}

fn identity(model: &Model, ledger: &Tenant) -> Result<(), String> {
    let rights = ledger.rights();
    let known = model.issuers.iter().map(|(id, issuer)| {
        let mut groups: Vec<_> = issuer.groups.values().cloned().collect();
        groups.sort();
        (
            id.clone(),
            (issuer.url.clone(), issuer.audience.clone(), issuer.groups_claim.clone(), groups, issuer.link.clone()),
        )
    });
    let there = rights.tokens().issuers().iter().map(|(id, issuer)| {
        let mut groups: Vec<_> = issuer.claims.values().map(ToString::to_string).collect();
        groups.sort();
        let attribute = |link: &UserLink| match link.attribute {
            UserAttribute::UserName => "userName".to_owned(),
            UserAttribute::ExternalId => "externalId".to_owned(),
        };
        let link = issuer.users.as_ref().map(|link| (link.claim.as_str().to_owned(), attribute(link)));
        let [audience, groups_claim] = [&issuer.audience, &issuer.groups_claim].map(|term| term.as_str().to_owned());
        (id.to_string(), (issuer.url.to_string(), audience, groups_claim, groups, link))
    });
    same("issuers", known.collect::<BTreeMap<_, _>>(), there.collect())?;
    for (principal, before) in &model.sessions.before {
        same(principal, Some(*before), rights.tokens().revoked_before(principal.parse().unwrap()))?;
    }
    let directory = rights.directory();
    let known = model.users.iter().map(|(id, user)| (id.clone(), (user.active, user.external.is_some(), user.index)));
    let there = directory
        .users()
        .iter()
        .map(|(id, user)| (id.to_string(), (user.active, user.external.is_some(), user.version)));
    same("users", known.collect::<BTreeMap<_, _>>(), there.collect())?;
    let there = directory.groups().iter().map(|(id, group)| (id.to_string(), group.version));
    same("groups", model.listed.clone(), there.collect())?;
    let out = |id: &&String| model.kept_out(id) != directory.keeps_out(id.parse().unwrap());
    model.principals.keys().find(out).map_or(Ok(()), |id| Err(format!("{id} is kept out, or is not")))
}

fn quotas(model: &Model, ledger: &Tenant) -> Result<(), String> {
    for name in QUOTAS {
        let quota: Quota = name.parse().unwrap();
        let (used, limit) = (model.used.get(name).copied().unwrap_or_default(), model.limits.get(name).copied());
        let there = ledger.quotas();
        same(name, (u64::try_from(used).ok(), limit), (there.used(quota), there.limit(quota)))?;
    }
    Ok(())
}

fn releases(model: &Model, ledger: &Tenant) -> Result<(), String> {
    let book = ledger.book();
    same("protections and windows", model.protections.len() + model.freezes.len(), book.rules())?;
    for (prefix, label) in PREFIXES.iter().flat_map(|prefix| LABELS.iter().map(move |label| (*prefix, *label))) {
        let real = book.protection(&prefix.parse().unwrap(), &label.parse().unwrap()).map(u64::from);
        let known = model.protections.get(&(prefix.to_owned(), label.to_owned())).copied();
        same(&format!("{label} on `{prefix}`"), known, real)?;
    }
    for (id, window) in &model.freezes {
        let real = book.freeze(&window.prefix.parse().unwrap(), id.parse().unwrap());
        same(id, Some((window.from, window.until)), real.map(|real| (real.from, real.until)))?;
    }
    for (id, release) in &model.releases {
        let real = book.request(id.parse().unwrap()).ok_or_else(|| format!("{id} is not in the ledger"))?;
        let approvers = real.approvers.iter().map(ToString::to_string).collect();
        same(id, (&release.author, &release.approvers), (&real.author.to_string(), &approvers))?;
        let there = (real.prompt.to_string(), real.label.to_string(), real.before, real.after, real.expires_at);
        let short = |number: Option<u64>| number.map(|number| u32::try_from(number).unwrap());
        let known =
            (release.prompt.clone(), release.label.clone(), short(release.before), short(release.after), release.until);
        same(id, known, there)?;
        same(id, release.status.to_owned(), format!("{:?}", real.status).to_lowercase())?;
    }
    Ok(())
}
