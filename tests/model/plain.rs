//! The plainest possible model of a tenant: maps of text, changed in place, written from docs/api.md. It shares no rule with
//! the product and knows nothing of events' bytes, batches, snapshots or replicas.
//!
//! A command is the JSON that a client sends. What is refused changes nothing: each is tried on a copy.

mod access;
mod directory;
mod identity;
mod merge;
mod operators;
mod prompts;
mod releases;
mod rights;
mod rollouts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use promptory_events::{CommandId, Timestamp};
use serde_json::Value;

use directory::User;
pub use identity::{Issuer, Sessions, claims};
pub use operators::{OPERATOR, QUOTAS};
pub use rights::{ACTIONS, Grant};
use rollouts::{Rollout, Split};

/// How many denied attempts get an event in a minute.
const DENIED_A_MINUTE: usize = 32;

/// Why a command is refused: the code of its problem.
pub type Code = &'static str;

/// A tenant as far as the model knows it. Ids are text as clients see them.
#[derive(Clone, Debug)]
pub struct Model {
    pub now: Timestamp,
    /// How many events there are.
    pub events: u64,
    pub prompts: BTreeMap<String, Prompt>,
    pub principals: BTreeMap<String, Principal>,
    pub groups: BTreeMap<String, Vec<Grant>>,
    /// Custom roles and what they allow.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    pub keys: BTreeMap<String, Key>,
    /// (prefix, label) -> approvals
    pub protections: BTreeMap<(String, String), u64>,
    pub freezes: BTreeMap<String, Freeze>,
    pub releases: BTreeMap<String, Release>,
    /// The languages that prompts are searched in.
    pub languages: BTreeSet<String>,
    pub issuers: BTreeMap<String, Issuer>,
    pub sessions: Sessions,
    /// (audience, subject) -> whom the tokens of an issuer are of, whether he was here or not.
    pub subjects: BTreeMap<(String, String), String>,
    /// The users of the directory, and those that there were.
    pub users: BTreeMap<String, User>,
    pub gone: BTreeSet<String>,
    /// The groups of the directory, and the event that each changed by last.
    pub listed: BTreeMap<String, u64>,
    /// Whether each tenant that there is is suspended.
    pub tenants: BTreeMap<String, bool>,
    /// How much there may be of what, and how much there is.
    pub limits: BTreeMap<String, u64>,
    pub used: BTreeMap<&'static str, i64>,
    /// The principal that operators are.
    pub operator: String,
    /// (principal, idempotency key) -> what it did
    receipts: BTreeMap<(String, String), Receipt>,
    /// Who was denied something in a minute, and how many events that minute has of it.
    denied: (i64, BTreeSet<String>, usize),
    /// The events of the command under way.
    said: Vec<&'static str>,
    /// How many keys it has revoked for good.
    keys_gone: i64,
    /// Whether it moved a label that is frozen.
    overrode: bool,
}

#[derive(Clone, Debug)]
pub struct Prompt {
    pub key: String,
    /// `text` or `messages`: the field that its contents come in.
    pub kind: &'static str,
    pub archived: bool,
    /// Number n is at n - 1.
    pub versions: Vec<Version>,
    /// Open branches and the numbers of their heads; `main` is always there.
    pub branches: BTreeMap<String, u64>,
    pub labels: BTreeMap<String, u64>,
    /// Where each label pointed before it moved last.
    pub came_from: BTreeMap<String, u64>,
    /// The rollouts that run, by label.
    pub rollouts: BTreeMap<String, Rollout>,
    pub tags: BTreeSet<String>,
    pub metadata: Option<Value>,
}

#[derive(Clone, Debug)]
pub struct Version {
    pub id: String,
    pub content: Value,
    pub config: Option<Value>,
    pub author: String,
    /// What it was made from: prompt and number.
    pub parents: Vec<(String, u64)>,
    /// The event that added it.
    pub index: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Principal {
    pub grants: Vec<Grant>,
    pub groups: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub principal: String,
    /// A role on a prefix.
    pub scope: Option<(String, String)>,
    pub until: Option<Timestamp>,
    pub revoked: bool,
}

#[derive(Clone, Debug)]
pub struct Freeze {
    pub prefix: String,
    pub from: Timestamp,
    pub until: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Release {
    pub prompt: String,
    pub label: String,
    pub before: Option<u64>,
    pub after: Option<u64>,
    pub split: Option<Split>,
    pub until: Option<Timestamp>,
    pub author: String,
    pub approvers: Vec<String>,
    pub status: &'static str,
}

#[derive(Clone, Debug)]
struct Receipt {
    body: Value,
    first: u64,
    names: Vec<&'static str>,
}

/// A command on its way: who sends it, what it says, and the id that what it makes is named after.
#[derive(Clone)]
pub struct Call {
    /// The API key's public part, or what a token says.
    pub key: String,
    /// Whether its secret or its signature is another one.
    pub forged: bool,
    pub body: Value,
    pub idempotency_key: Option<String>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, forged, body, idempotency_key } = self;
        write!(f, "{} {body} by {key}", text(body, "type"))?;
        if let Some(again) = idempotency_key {
            write!(f, ", {again}")?;
        }
        if *forged { f.write_str(", forged") } else { Ok(()) }
    }
}

/// What the model says to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Refused(Code),
    /// Everything is as it was asked for.
    Unchanged,
    /// These events, the first with this index.
    Done(u64, Vec<&'static str>),
    /// It was done before, and led to these.
    Repeat(u64, Vec<&'static str>),
}

/// Who does it: by which key, and the rights that the command needs besides wherever it needs one.
#[derive(Clone, Copy, Debug)]
struct Caller<'a> {
    principal: &'a str,
    key: &'a str,
    claims: bool,
    overrides: bool,
}

impl Model {
    /// A tenant without events.
    pub fn new(now: Timestamp, subjects: BTreeMap<(String, String), String>) -> Self {
        Self {
            now,
            events: 0,
            prompts: BTreeMap::new(),
            principals: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            keys: BTreeMap::new(),
            protections: BTreeMap::new(),
            freezes: BTreeMap::new(),
            releases: BTreeMap::new(),
            receipts: BTreeMap::new(),
            languages: BTreeSet::from(["en".to_owned()]),
            issuers: BTreeMap::new(),
            sessions: Sessions::default(),
            subjects,
            users: BTreeMap::new(),
            gone: BTreeSet::new(),
            listed: BTreeMap::new(),
            tenants: BTreeMap::from([("acme".to_owned(), false)]),
            limits: BTreeMap::new(),
            used: BTreeMap::new(),
            operator: String::new(),
            denied: (0, BTreeSet::new(), 0),
            said: Vec::new(),
            keys_gone: 0,
            overrode: false,
        }
    }

    /// Does a command, or says why not.
    pub fn take(&mut self, call: &Call, id: CommandId) -> Verdict {
        let mut next = self.clone();
        match next.answer(call, id) {
            Ok(verdict) => {
                *self = next;
                verdict
            }
            Err(code) => Verdict::Refused(code),
        }
    }

    /// Which of commands that are sent together is refused and why, if one is.
    pub fn refused_of(&self, calls: &[Call]) -> Option<(usize, Code)> {
        let mut next = self.clone();
        if let Some(place) = calls.iter().position(|call| next.known(call).is_ok() && well_formed(&call.body).is_err())
        {
            return Some((place, "invalid-field"));
        }
        let ids = (1..).map(|n| CommandId([n; 16]));
        let refused = |verdict| if let Verdict::Refused(code) = verdict { Some(code) } else { None };
        calls.iter().zip(ids).enumerate().find_map(|(place, (call, id))| Some((place, refused(next.take(call, id))?)))
    }

    fn known(&self, call: &Call) -> Result<String, Code> {
        let known = self.principal_of(&call.key).filter(|_| !call.forged && self.opens(&call.key));
        let principal = known.ok_or("unauthenticated")?;
        if self.suspended() && call.key != OPERATOR { Err("tenant-suspended") } else { Ok(principal) }
    }

    fn answer(&mut self, call: &Call, id: CommandId) -> Result<Verdict, Code> {
        let principal = self.known(call)?;
        well_formed(&call.body)?;
        let remembered = call.idempotency_key.clone().map(|key| (principal.clone(), key));
        if let Some(receipt) = remembered.as_ref().and_then(|key| self.receipts.get(key)) {
            if receipt.body != call.body {
                return Err("idempotency-mismatch");
            }
            return Ok(Verdict::Repeat(receipt.first, receipt.names.clone()));
        }
        (self.said, self.keys_gone, self.overrode) = (Vec::new(), 0, false);
        let claims = !call.body["occurred_at"].is_null() || !call.body["author"].is_null();
        let overrides = call.body["override_freeze"] == true;
        let caller = Caller { principal: &principal, key: &call.key, claims, overrides };
        self.change(caller, &call.body, id)?;
        self.counts(caller)?;
        let mut names = std::mem::take(&mut self.said);
        if self.overrode {
            names.insert(0, "freeze.overridden");
            let versions = self.prompts.values_mut().flat_map(|prompt| &mut prompt.versions);
            versions.filter(|version| version.index >= self.events).for_each(|version| version.index += 1);
        }
        if names.is_empty() {
            if remembered.is_none() {
                return Ok(Verdict::Unchanged);
            }
            names.push("command.unchanged");
        }
        let first = self.events;
        self.events += names.len() as u64;
        if let Some(key) = remembered {
            self.receipts.insert(key, Receipt { body: call.body.clone(), first, names: names.clone() });
        }
        Ok(Verdict::Done(first, names))
    }

    fn change(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        match text(body, "type") {
            "create_prompt" => self.create_prompt(caller, body, id),
            "add_version" => self.add_version(caller, body, id),
            "create_branch" => self.create_branch(caller, body),
            "close_branch" => self.close_branch(caller, body),
            "fork_prompt" => self.fork(caller, body, id),
            "merge" => self.merge(caller, body, id),
            "rename_prompt" => self.rename(caller, body, id),
            "set_tags" => self.set_tags(caller, body),
            "set_metadata" => self.set_metadata(caller, body),
            "archive_prompt" => self.archive(caller, body),
            "restore_prompt" => self.restore(caller, body),
            "set_label" => self.set_label(caller, body),
            "remove_label" => self.remove_label(caller, body),
            "roll_back_label" => self.roll_back(caller, body),
            "protect_label" => self.protect(caller, body),
            "unprotect_label" => self.unprotect(caller, body),
            "set_freeze" => self.set_freeze(caller, body, id),
            "lift_freeze" => self.lift_freeze(caller, body),
            "request_release" => self.request_release(caller, body, id),
            "approve_release" => self.approve(caller, body, id),
            "reject_release" => self.reject(caller, body),
            "withdraw_release" => self.withdraw(caller, body),
            "add_comment" => self.comment(caller, body),
            step if step.ends_with("_rollout") => self.roll_out(caller, body, id),
            "issue_key" => self.issue_key(caller, body, id),
            "rotate_key" => self.rotate_key(caller, body, id),
            "revoke_key" => self.revoke_key(caller, body),
            "grant_role" => self.grant_role(caller, body),
            "revoke_role" => self.revoke_role(caller, body),
            "define_role" => self.define_role(caller, body),
            "create_group" => self.create_group(caller, body, id),
            "add_member" => self.add_member(caller, body),
            "remove_member" => self.remove_member(caller, body),
            "configure_search" => self.configure_search(caller, body),
            _ => self.change_identity(caller, body, id),
        }
    }

    fn change_identity(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        match text(body, "type") {
            "trust_issuer" => self.trust_issuer(caller, body, id),
            "distrust_issuer" => self.distrust_issuer(caller, body),
            "link_issuer" => self.link_issuer(caller, body),
            "map_claim" => self.map_claim(caller, body),
            "unmap_claim" => self.unmap_claim(caller, body),
            "add_principal" => self.add_principal(caller, body),
            "revoke_session" => self.revoke_session(caller, body),
            "set_user" => self.set_user(caller, body, id),
            "remove_user" => self.remove_user(caller, body),
            "set_group" => self.set_group(caller, body, id),
            "remove_group" => self.remove_group(caller, body),
            "set_quota" => self.set_quota(caller, body),
            _ => Err("not-in-this-ledger"), // of operators
        }
    }

    /// The system takes note that somebody was denied something.
    pub fn denied(&mut self, principal: &str) {
        let minute = self.minute();
        if self.denied.0 != minute {
            self.denied = (minute, BTreeSet::new(), 0);
        }
        self.denied.1.insert(principal.into());
        self.denied.2 += 1;
        self.events += 1;
    }

    /// Whether it has taken note in this minute that this one was denied something, or of as many others as it does.
    pub fn knows_of_denied(&self, principal: &str) -> bool {
        self.denied.0 == self.minute() && (self.denied.1.contains(principal) || self.denied.2 >= DENIED_A_MINUTE)
    }

    fn minute(&self) -> i64 {
        self.now.micros() / 60_000_000
    }

    /// Takes note of an event; its index.
    fn say(&mut self, name: &'static str) -> u64 {
        self.said.push(name);
        self.events + self.said.len() as u64 - 1
    }

    fn lasts(&self, until: Option<Timestamp>) -> bool {
        until.is_none_or(|end| self.now < end)
    }

    /// A claimed time is no later than now. Looked at once it is known that the caller may claim one.
    fn claimed(&self, body: &Value) -> Result<(), Code> {
        if time(body, "occurred_at").is_some_and(|at| at > self.now) { Err("occurred-in-future") } else { Ok(()) }
    }

    /// What ends must end later.
    fn ahead(&self, until: Option<Timestamp>) -> Result<(), Code> {
        if self.lasts(until) { Ok(()) } else { Err("expiry-in-past") }
    }
}

/// What is refused before anybody's right is looked at.
fn well_formed(body: &Value) -> Result<(), Code> {
    let is_merge = body["type"] == "merge";
    let resolves = ["text", "messages", "config"].iter().any(|field| !body[*field].is_null());
    if is_merge && resolves && (body["if_match"].is_null() || body["from"]["version"].is_null()) {
        return Err("invalid-field");
    }
    Ok(())
}

/// A field's text; empty if it is not there.
pub fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_default()
}

fn time(body: &Value, field: &str) -> Option<Timestamp> {
    body[field].as_str().map(|text| text.parse().unwrap())
}

/// A list of names, in order and without doubles.
fn names(body: &Value, field: &str) -> BTreeSet<String> {
    body[field].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}
