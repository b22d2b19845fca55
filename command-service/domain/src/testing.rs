//! Given events, when a command, then events or a rejection.

use promptory_events::event::{AnyRole, Event, Kind, Role, Subject, Syntax, VersionAdded};
use promptory_events::*;

use crate::command::*;
use crate::{Rejection, Tenant, decide};

/// A tenant's story so far, told by commands that were accepted.
#[derive(Clone)]
pub struct Story {
    pub tenant: Tenant,
    commands: u16,
    caller: Presented,
    now: Timestamp,
}

pub const OWNER_SECRET: [u8; 32] = [1; 32];

impl Story {
    /// A tenant whose owner was let in by an operator, and who is the caller from now on.
    pub fn of_acme() -> Self {
        let mut story = Self::empty("acme");
        story.caller = Presented::Operator { principal: PrincipalId([9; 16]), key: KeyId([9; 8]) };
        let events = story.accept(key_of(new(Role::Owner), OWNER_SECRET));
        let Some(Event::KeyIssued(issued)) = events.last() else { panic!("no key: {events:?}") };
        story.caller = Presented::ApiKey { key: issued.key, secret_hash: OWNER_SECRET };
        story
    }

    /// `_system`, set up, with its first operator as the caller.
    pub fn of_system() -> Self {
        let mut story = Self::empty("_system");
        story.caller = Presented::System;
        let incarnation = Incarnation([5; 8]);
        let events = story.accept(Change::Bootstrap { incarnation, secret_hash: OWNER_SECRET });
        let Some(Event::KeyIssued(issued)) = events.last() else { panic!("no key: {events:?}") };
        story.caller = Presented::ApiKey { key: issued.key, secret_hash: OWNER_SECRET };
        story
    }

    fn empty(tenant: &str) -> Self {
        let tenant = Tenant::new(tenant.parse().unwrap());
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Self { tenant, commands: 0, caller: Presented::System, now }
    }

    /// Issues a key for a new principal with a role and gives it.
    pub fn key_for(&mut self, role: Role) -> (Presented, PrincipalId) {
        self.key_on("", role.into())
    }

    /// The same with a role on a prefix.
    pub fn key_on(&mut self, prefix: &str, role: AnyRole) -> (Presented, PrincipalId) {
        let holder = KeyHolder::New { role, prefix: prefix.parse().unwrap(), until: None, name: None };
        let secret_hash = [u8::try_from(self.commands % 200 + 50).unwrap(); 32];
        let events = self.accept(key_of(holder, secret_hash));
        let Some(Event::KeyIssued(issued)) = events.last() else { panic!("no key: {events:?}") };
        (Presented::ApiKey { key: issued.key, secret_hash }, issued.principal)
    }

    /// Whose key it is.
    pub fn principal(&self, key: KeyId) -> PrincipalId {
        self.tenant.rights().key(key).unwrap().principal
    }

    /// Lets time pass.
    pub fn later_ms(&mut self, ms: i64) -> Timestamp {
        self.now = self.now.plus_ms(ms);
        self.now
    }

    /// The same story with another caller.
    pub fn by(&self, caller: Presented) -> Self {
        Self { caller, ..self.clone() }
    }

    pub fn caller(&self) -> Presented {
        self.caller.clone()
    }

    /// Decides a whole command without taking it in.
    pub fn when(&self, command: &Command) -> Result<Decision, Rejection> {
        let mut command_id = CommandId([0; 16]);
        command_id.0[..2].copy_from_slice(&self.commands.to_be_bytes());
        let context = Context { command_id, now: self.now, presented: self.caller.clone() };
        decide(&self.tenant, &context, command)
    }

    /// Decides a change without taking it in.
    pub fn try_change(&self, change: Change) -> Result<Vec<Event>, Rejection> {
        self.when(&plain(change)).map(|decision| decision.events)
    }

    /// Decides a change, takes its events in and gives them.
    pub fn accept(&mut self, change: Change) -> Vec<Event> {
        let decided = self.when(&plain(change.clone())).unwrap_or_else(|r| panic!("{change:?} was refused: {r}"));
        for event in &decided.events {
            self.tenant.evolve(self.tenant.next_index(), decided.actor, event).unwrap();
        }
        self.commands += 1;
        decided.events
    }

    /// The same by another caller, for once.
    pub fn accept_by(&mut self, caller: &Presented, change: Change) -> Vec<Event> {
        let before = std::mem::replace(&mut self.caller, caller.clone());
        let events = self.accept(change);
        self.caller = before;
        events
    }
}

/// A new principal with a role on the whole tenant.
pub fn new(role: Role) -> KeyHolder {
    KeyHolder::New { role: role.into(), prefix: Prefix::tenant(), until: None, name: None }
}

/// A key that nothing narrows.
pub fn key_of(holder: KeyHolder, secret_hash: [u8; 32]) -> Change {
    Change::IssueKey { holder, secret_hash, scope: None, expires_at: None }
}

pub fn plain(change: Change) -> Command {
    Command { change, occurred_at: None, author: None, message: None, override_freeze: false }
}

pub fn key(text: &str) -> PromptKey {
    text.parse().unwrap()
}

pub fn at(text: &str) -> PromptRef {
    PromptRef::Key(key(text))
}

pub fn label(text: &str) -> Label {
    text.parse().unwrap()
}

/// A content whose id is its text's first byte: equal text, equal id.
pub fn material(text: &str) -> Material {
    let sealed = Sealed { kid: DataKeyId([0; 16]), nonce: [0; 12], ct: text.into(), commitment: [0; 32] };
    let mut id = [0; 32];
    id.iter_mut().zip(text.bytes()).for_each(|(slot, byte)| *slot = byte);
    Material { id: ContentId(id), bytes: u32::try_from(text.len()).unwrap(), sealed }
}

pub fn version(text: &str) -> NewVersion {
    NewVersion { content: material(text), config: None, labels: vec![], template: NewTemplate::default() }
}

pub fn create(path: &str, text: &str) -> Change {
    let (tags, metadata) = (vec![], None);
    Change::CreatePrompt { key: key(path), kind: Kind::Text, version: version(text), tags, metadata }
}

/// A version that includes some others.
pub fn including(text: &str, written: &[&str]) -> NewVersion {
    let includes = written.iter().map(|written| written.parse().unwrap()).collect();
    let template = NewTemplate { syntax: Syntax::Jinja, variables: None, includes };
    NewVersion { template, ..version(text) }
}

pub fn add(path: &str, text: &str) -> Change {
    add_to("main", path, text)
}

pub fn add_to(branch: &str, path: &str, text: &str) -> Change {
    let (kind, version, branch) = (Kind::Text, version(text), branch.parse().unwrap());
    Change::AddVersion { prompt: at(path), kind, version, branch, if_match: None }
}

pub fn branch(path: &str, name: &str, from: u32) -> Change {
    Change::CreateBranch { prompt: at(path), branch: name.parse().unwrap(), from: Pick::Number(from) }
}

/// The version that some events add.
pub fn added(events: &[Event]) -> &VersionAdded {
    let version = events.iter().find_map(|e| if let Event::VersionAdded(v) = e { Some(v) } else { None });
    version.unwrap_or_else(|| panic!("no version in {events:?}"))
}

pub fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

pub fn grant_on(prefix: &str, to: Subject, role: impl Into<AnyRole>, expires_at: Option<Timestamp>) -> Change {
    Change::GrantRole { to, role: role.into(), prefix: prefix.parse().unwrap(), expires_at }
}
