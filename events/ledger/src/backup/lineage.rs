//! What a tenant's batches must be, one after another: the one place for the rule that writing, reading, restoring and
//! verifying share.
//!
//! The digest of a lineage is over what a restore keeps: ids, indexes, times and the very bytes of the commits. It is
//! equal over both forms of the ledger and over lives.

use std::collections::BTreeMap;

use bytes::Bytes;
use promptory_events::{Batch, BatchHeader, BatchId, Incarnation, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A batch that can't be where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{tenant}: event {index}: {why}")]
pub struct Broken {
    /// Whose; `?` if it can't be read whose it is.
    pub tenant: String,
    /// The event that should be next.
    pub index: u64,
    /// What is wrong.
    pub why: String,
}

/// One tenant's ledger, as far as it was followed.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// The index of the next event.
    pub next_index: u64,
    /// The last batch's sequence.
    pub sequence: u64,
    /// Its id.
    pub batch_id: BatchId,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Batches so far.
    pub batches: u64,
    hasher: Sha256,
}

impl Lineage {
    fn new() -> Self {
        Self {
            next_index: 0,
            sequence: 0,
            batch_id: BatchId([0; 16]),
            recorded_at: Timestamp::MIN,
            batches: 0,
            hasher: Sha256::new(),
        }
    }

    /// The digest over all batches so far, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        self.hasher.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Why a batch can't be the next one.
    fn refuses(&self, incarnation: Incarnation, header: &BatchHeader, sequence: u64) -> Option<String> {
        if header.incarnation != incarnation {
            return Some(format!("its batch is of incarnation {}, not {incarnation}", header.incarnation));
        }
        if header.first_index != self.next_index {
            return Some(format!("the next batch begins at event {}", header.first_index));
        }
        if header.events == 0 || header.first_index.checked_add(header.events.into()).is_none() {
            return Some(format!("its batch says that it has {} events", header.events));
        }
        if header.prev != self.sequence {
            return Some(format!("its batch follows batch {}, not {}", header.prev, self.sequence));
        }
        if sequence <= self.sequence {
            return Some(format!("its batch lies at {sequence}, the one before it at {}", self.sequence));
        }
        if header.recorded_at < self.recorded_at {
            return Some(format!("recorded at {}, after one of {}", header.recorded_at, self.recorded_at));
        }
        None
    }

    fn add(&mut self, header: &BatchHeader, sequence: u64, body: &[u8]) {
        self.hasher.update(header.batch_id.0);
        self.hasher.update(header.first_index.to_le_bytes());
        self.hasher.update(header.recorded_at.micros().to_le_bytes());
        self.hasher.update((body.len() as u64).to_le_bytes());
        self.hasher.update(body);
        self.next_index = header.last_index() + 1;
        (self.sequence, self.batch_id, self.recorded_at) = (sequence, header.batch_id, header.recorded_at);
        self.batches += 1;
    }
}

/// All tenants of one life of a ledger. Takes some 300 bytes a tenant.
#[derive(Clone, Debug)]
pub struct Lineages {
    incarnation: Incarnation,
    tenants: BTreeMap<TenantId, Lineage>,
}

impl Lineages {
    /// Of a life, before its first batch.
    #[must_use]
    pub fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, tenants: BTreeMap::new() }
    }

    /// Takes in the next batch of its tenant, if it can be that.
    ///
    /// # Errors
    /// [`Broken`]: it can't; nothing was taken in.
    pub fn take(&mut self, sequence: u64, bytes: &Bytes) -> Result<BatchHeader, Broken> {
        let unreadable = |error: promptory_events::CodecError| Broken {
            tenant: "?".to_owned(),
            index: 0,
            why: format!("batch {sequence}: {error}"),
        };
        let header = Batch::peek(bytes.clone()).map_err(unreadable)?;
        let body = Batch::body(bytes.clone()).map_err(unreadable)?;
        let known = self.tenants.get(&header.tenant);
        let refused = match known {
            Some(lineage) => lineage.refuses(self.incarnation, &header, sequence),
            None => Lineage::new().refuses(self.incarnation, &header, sequence),
        };
        if let Some(why) = refused {
            let index = known.map_or(0, |lineage| lineage.next_index);
            return Err(Broken { tenant: header.tenant.to_string(), index, why });
        }
        let lineage = self.tenants.entry(header.tenant.clone()).or_insert_with(Lineage::new);
        lineage.add(&header, sequence, &body);
        Ok(header)
    }

    /// One tenant's.
    #[must_use]
    pub fn get(&self, tenant: &TenantId) -> Option<&Lineage> {
        self.tenants.get(tenant)
    }

    /// Whether there is no batch at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// All tenants, in order of their names.
    pub fn summaries(&self) -> impl Iterator<Item = Summary> + '_ {
        self.tenants.iter().map(|(tenant, lineage)| Summary::of(tenant, lineage))
    }

    /// One tenant's, in few words.
    #[must_use]
    pub fn summary(&self, tenant: &TenantId) -> Option<Summary> {
        self.tenants.get(tenant).map(|lineage| Summary::of(tenant, lineage))
    }

    /// How many tenants there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tenants.len()
    }
}

/// One tenant's ledger in few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Whose.
    pub tenant: TenantId,
    /// Its batches.
    pub batches: u64,
    /// Its events; the last has this index less one.
    pub events: u64,
    /// When the last batch was recorded.
    pub recorded_at: Timestamp,
    /// SHA-256 over all batches as a restore keeps them, hex.
    pub digest: String,
}

impl Summary {
    fn of(tenant: &TenantId, lineage: &Lineage) -> Self {
        Self {
            tenant: tenant.clone(),
            batches: lineage.batches,
            events: lineage.next_index,
            recorded_at: lineage.recorded_at,
            digest: lineage.digest(),
        }
    }
}
