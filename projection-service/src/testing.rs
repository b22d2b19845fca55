//! Test support: writes legal histories by hand, tells what they say in the plainest way, and sets up a small world.

pub(crate) mod ops;
pub(crate) mod plain;
pub(crate) mod world;

use bytes::Bytes;
use promptory_events::event::*;
use promptory_events::{
    Batch, BatchHeader, BatchId, Branch, CommandHash, CommandId, Commit, CommitHeader, Content, ContentBody, ContentId,
    Credential, Cursor, DataKeyId, Evidence, Incarnation, KeyId, PrincipalId, Sealed, TenantId, Timestamp, VersionId,
};
use promptory_ledger::{KeyStore, Ledger};
use sha2::{Digest, Sha256};

/// Who writes, in every test.
pub(crate) const ACTOR: PrincipalId = PrincipalId([0xac; 16]);
/// When tests begin: whole seconds are easy to read.
pub(crate) const BEGIN_MICROS: i64 = 1_700_000_000_000_000;

/// An event as it was told, for the plain model.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub index: u64,
    pub recorded_at: Timestamp,
    pub occurred_at: Option<Timestamp>,
    pub event: Event,
}

/// Writes one tenant's batches.
pub(crate) struct Scribe {
    pub tenant: TenantId,
    pub incarnation: Incarnation,
    pub now: Timestamp,
    /// Who does what comes next, by which grants.
    pub actor: PrincipalId,
    pub grants: Vec<u64>,
    pub told: Vec<Told>,
    /// The batches, for tests without a ledger. The sequence of the n-th is n.
    pub batches: Vec<Bytes>,
    keys: Option<KeyStore>,
    next: u64,
    prev: u64,
    commands: u64,
    pending: Vec<Bytes>,
    pending_events: u32,
}

impl Scribe {
    /// With a key store texts are sealed, without one they only look so.
    pub(crate) fn new(tenant: &str, incarnation: Incarnation, keys: Option<KeyStore>) -> Self {
        let tenant: TenantId = tenant.parse().unwrap();
        if let Some(keys) = &keys {
            keys.ensure_tenant(&tenant).unwrap();
        }
        Self {
            tenant,
            incarnation,
            now: Timestamp::from_micros(BEGIN_MICROS),
            actor: ACTOR,
            grants: vec![1],
            told: Vec::new(),
            batches: Vec::new(),
            keys,
            next: 0,
            prev: 0,
            commands: 0,
            pending: Vec::new(),
            pending_events: 0,
        }
    }

    pub(crate) fn content(&self, text: &str) -> Content {
        let (id, sealed) = match &self.keys {
            Some(keys) => keys.seal_content(&self.tenant, text.as_bytes()).unwrap(),
            None => (ContentId(Sha256::digest(text).into()), fake(text.as_bytes())),
        };
        Content { id, bytes: u32::try_from(text.len()).unwrap(), body: ContentBody::Inline(sealed) }
    }

    /// The command whose events come next.
    pub(crate) fn command(&self) -> CommandId {
        let digest: [u8; 32] = Sha256::digest(format!("{} {}", self.tenant, self.commands)).into();
        CommandId(digest[..16].try_into().unwrap())
    }

    pub(crate) fn commit(&mut self, occurred_at: Option<Timestamp>, events: Vec<Event>) {
        self.commit_with(occurred_at, None, events);
    }

    pub(crate) fn commit_with(&mut self, occurred_at: Option<Timestamp>, message: Option<&str>, events: Vec<Event>) {
        let command_id = self.command();
        let message = message.map(|text| match &self.keys {
            Some(keys) => {
                let aad = promptory_ledger::seal::aad::message(&self.tenant, command_id);
                promptory_ledger::seal::seal(&keys.take(&self.tenant).unwrap(), &aad, text.as_bytes()).unwrap()
            }
            None => fake(text.as_bytes()),
        });
        let header = CommitHeader {
            command_id,
            command_hash: CommandHash([2; 16]),
            actor: self.actor,
            evidence: Evidence { credential: Credential::System, grants: self.grants.clone() },
            occurred_at,
            author: occurred_at.map(|_| "somebody".parse().unwrap()),
            message,
            trace: None,
        };
        for event in &events {
            let index = self.next + u64::from(self.pending_events);
            self.told.push(Told { index, recorded_at: self.now, occurred_at, event: event.clone() });
            self.pending_events += 1;
        }
        self.commands += 1;
        self.pending.push(Commit { header, events }.encode().unwrap());
    }

    /// A commit whose last event can't be read.
    pub(crate) fn poison(&mut self) {
        self.commit(None, vec![Event::CommandUnchanged]);
        let mut bytes = self.pending.pop().unwrap().to_vec();
        *bytes.last_mut().unwrap() = 0x7f;
        self.pending.push(bytes.into());
    }

    /// Ends the batch. It is recorded at the time at which its commits were told.
    pub(crate) fn batch(&mut self) -> Option<Bytes> {
        if self.pending.is_empty() {
            return None;
        }
        let header = BatchHeader {
            batch_id: BatchId([3; 16]),
            tenant: self.tenant.clone(),
            incarnation: self.incarnation,
            first_index: self.next,
            events: self.pending_events,
            recorded_at: self.now,
            prev: self.prev,
            writer: String::new(),
        };
        let batch = Batch::encode(&header, &std::mem::take(&mut self.pending)).unwrap();
        self.next += u64::from(std::mem::take(&mut self.pending_events));
        self.batches.push(batch.clone());
        self.prev = self.batches.len() as u64;
        Some(batch)
    }

    /// Ends the batch and appends it.
    pub(crate) async fn append(&mut self, ledger: &Ledger) {
        let expected = self.prev;
        let batch = self.batch().expect("something was told");
        self.prev = ledger.append(&self.tenant, expected, batch).await.unwrap().sequence;
    }

    pub(crate) fn cursor(&self, number: usize) -> Cursor {
        Cursor { incarnation: self.incarnation, sequence: number as u64 + 1 }
    }

    /// A principal with a role and a key that it may show; the secret's hash is 32 times `secret`.
    pub(crate) fn let_in(&mut self, key: u8, secret: u8, role: Option<Role>) {
        let principal = PrincipalId([key; 16]);
        let mut events = vec![Event::PrincipalAdded(PrincipalAdded { principal, name: None })];
        events.extend(role.map(|role| granted(Subject::Principal(principal), role, "")));
        events.push(Event::KeyIssued(KeyIssued {
            key: KeyId([key; 8]),
            principal,
            secret_hash: [secret; 32],
            scope: None,
            expires_at: None,
            replaces: None,
        }));
        self.commit(None, events);
    }

    /// A new prompt with its first version; its id and the version's follow from the command.
    pub(crate) fn create(&mut self, key: &str, text: &str) -> promptory_events::PromptId {
        let prompt = self.command().prompt();
        let created = PromptCreated { prompt, key: key.parse().unwrap(), kind: Kind::Text };
        let version = self.version(prompt, 1, text);
        self.commit_with(None, Some("first"), vec![Event::PromptCreated(created), version]);
        prompt
    }

    pub(crate) fn version(&self, prompt: promptory_events::PromptId, number: u32, text: &str) -> Event {
        self.version_on(Branch::main(), prompt, number, text)
    }

    pub(crate) fn version_on(
        &self,
        branch: Branch,
        prompt: promptory_events::PromptId,
        number: u32,
        text: &str,
    ) -> Event {
        let parent = |number| VersionRef { prompt, number, version: VersionId([9; 16]) };
        Event::VersionAdded(VersionAdded {
            prompt,
            version: self.command().version(),
            number,
            branch,
            parents: number.checked_sub(1).filter(|number| *number > 0).map(parent).into_iter().collect(),
            before: None,
            content: self.content(text),
            config: None,
            syntax: Syntax::Simple,
            variables: None,
            includes: vec![],
        })
    }
}

fn fake(text: &[u8]) -> Sealed {
    Sealed { kid: DataKeyId([4; 16]), nonce: [5; 12], ct: text.to_vec(), commitment: [6; 32] }
}

/// A role on a prefix, for good.
pub(crate) fn granted(to: Subject, role: Role, prefix: &str) -> Event {
    Event::RoleGranted(RoleGranted { to, role: role.into(), prefix: prefix.parse().unwrap(), expires_at: None })
}

/// The same taken back; `grant` is the index of the event that granted it.
pub(crate) fn revoked(from: Subject, role: Role, prefix: &str, grant: u64) -> Event {
    Event::RoleRevoked(RoleRevoked { from, role: role.into(), prefix: prefix.parse().unwrap(), grant })
}
