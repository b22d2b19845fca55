//! Batches to append: small, whole, and readable again. Knows only the events, so unit tests use it too.
#![allow(dead_code, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use promptory_events::event::{Event, KeyRevoked};
use promptory_events::{
    Batch, BatchHeader, BatchId, CommandHash, CommandId, Commit, CommitHeader, Credential, Evidence, Incarnation,
    KeyId, PrincipalId, Sealed, TenantId, Timestamp,
};

/// When the first batch of every test is recorded.
pub const START: i64 = 1_750_000_000_000_000;

pub fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// A batch that is about to be encoded.
#[derive(Clone)]
pub struct Draft {
    pub header: BatchHeader,
    pub message: Option<Sealed>,
}

impl Draft {
    /// A tenant's next batch: it begins at `first_index` with `events` events and follows `prev`.
    pub fn new(incarnation: Incarnation, tenant: &TenantId, first_index: u64, events: u32, prev: u64) -> Self {
        let header = BatchHeader {
            batch_id: BatchId([0; 16]),
            tenant: tenant.clone(),
            incarnation,
            first_index,
            events,
            recorded_at: Timestamp::from_micros(START + i64::try_from(first_index).unwrap_or_default()),
            prev,
            writer: String::new(),
        };
        Self { header, message: None }
    }

    /// The first batch of a tenant, with one event.
    pub fn first(incarnation: Incarnation, tenant: &TenantId) -> Self {
        Self::new(incarnation, tenant, 0, 1, 0)
    }

    /// The batch after this one was appended as `sequence`.
    pub fn then(&self, events: u32, sequence: u64) -> Self {
        Self::new(self.header.incarnation, &self.header.tenant, self.header.last_index() + 1, events, sequence)
    }

    pub fn id(mut self, id: u64) -> Self {
        self.header.batch_id.0[..8].copy_from_slice(&id.to_be_bytes());
        self
    }

    pub fn recorded_at(mut self, micros: i64) -> Self {
        self.header.recorded_at = Timestamp::from_micros(micros);
        self
    }

    pub fn message(mut self, message: Sealed) -> Self {
        self.message = Some(message);
        self
    }

    /// Some bytes more: in the field that is read fastest.
    pub fn padded(mut self, bytes: usize) -> Self {
        self.header.writer = "x".repeat(bytes);
        self
    }

    pub fn encode(&self) -> Bytes {
        let event = |n| Event::KeyRevoked(KeyRevoked { key: KeyId([u8::try_from(n % 256).unwrap(); 8]), from: None });
        let commit = Commit {
            header: CommitHeader {
                command_id: CommandId([1; 16]),
                command_hash: CommandHash([2; 16]),
                actor: PrincipalId([3; 16]),
                evidence: Evidence { credential: Credential::System, grants: vec![] },
                occurred_at: None,
                author: None,
                message: self.message.clone(),
                trace: None,
            },
            events: (0..self.header.events).map(event).collect(),
        };
        Batch::encode(&self.header, &[commit.encode().unwrap()]).unwrap()
    }
}

/// The header of what a ledger gave back; the whole batch must be readable.
pub fn header(bytes: &Bytes) -> BatchHeader {
    Batch::parse(bytes.clone()).unwrap().header
}
