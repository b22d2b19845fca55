//! The ledger on NATS JetStream: a stream a partition, one literal subject a tenant, every append guarded by the
//! tenant's last batch.
//!
//! An append that returned is as durable as the servers are set to make it: with `sync_interval: always` (which no client
//! can see) it is on the disk of a majority. What is read is checked against its header; what is missing is an error.

mod ahead;
pub(crate) mod append;
mod behind;
pub(crate) mod fetch;
mod init;
mod kept;
pub(crate) mod layout;
pub(crate) mod link;
mod marks;
pub(crate) mod options;
mod read;
mod scrub;
mod tail;
mod walk;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, Info};
use bytes::Bytes;
use promptory_events::{Cursor, Incarnation, TenantId, partition};

pub use init::{Report, Shape, init, init_keeping};
pub use layout::{Drift, INCARNATION_KEY, PARTITIONS_MAX};
pub use link::Connection;
pub use options::Options;
pub use read::JetStreamReader;
pub use scrub::{Ranges, ReplicaReport, ScrubReport, StreamReport, scrub};
pub use tail::JetStreamTail;

use crate::port::{AppendError, Head, ReadError};
use fetch::InfoError;
use kept::Room;
use layout::{Identity, KEYS, drift, incarnation_of, stream_name, wanted, wanted_keys};
use link::Link;
use marks::Marks;

const PAUSE: Duration = Duration::from_millis(200);
/// "No such stream" is believed after this; a server that has just started says it of every stream.
const NO_STREAM_PATIENCE: Duration = Duration::from_secs(2);

/// Why a ledger on JetStream could not be opened or made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not usable. The text does not repeat it.
    #[error("the address of the NATS servers: {0}")]
    Address(String),
    /// No connection, or it was refused.
    #[error("no connection to a NATS server: {0}")]
    Connect(String),
    /// The server lacks fixes that the ledger relies on.
    #[error("the NATS server has version {found:?}; 2.15.1 or later is needed")]
    ServerTooOld {
        /// What it says.
        found: String,
    },
    /// The server would refuse the largest batches.
    #[error("the NATS server's max_payload is {found} bytes, at least {needed} are needed (8MiB is shipped)")]
    MaxPayload {
        /// What it says.
        found: usize,
        /// What is needed.
        needed: usize,
    },
    /// No such ledger can be.
    #[error("{0}")]
    Shape(String),
    /// There is no ledger: `init` makes one.
    #[error("there is no stream {0}; `promptory init` makes the ledger")]
    NotInitialised(String),
    /// The streams are not those of one ledger.
    #[error("the streams are not those of one ledger: {0}")]
    Inconsistent(String),
    /// A stream can't be created.
    #[error("the stream {stream} can't be created: {why}")]
    Create {
        /// Which.
        stream: String,
        /// What the server says.
        why: String,
    },
    /// JetStream does not answer.
    #[error("JetStream does not answer: {0}")]
    Unavailable(String),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
    /// The root key is another one than the keys are wrapped with.
    #[error("the root key is not the one that the keys in the stream KEYS are wrapped with")]
    WrongRootKey,
    /// What is in a stream is not what was written there.
    #[error("the stream {0}")]
    Damaged(String),
    /// A thread for the key store.
    #[error("a thread for the key store: {0}")]
    Thread(#[from] std::io::Error),
}

/// The ledger on JetStream. Clones are the same ledger and share its two connections.
#[derive(Clone)]
pub struct JetStream {
    inner: Arc<Inner>,
}

struct Inner {
    identity: Identity,
    /// Appends and heads: small questions that somebody waits for.
    writes: Link,
    /// Pages and tails, apart, so that no append stands behind a replay.
    reads: Link,
    marks: Marks,
    room: Room,
    /// For each partition, when it was last seen that its stream lacks nothing.
    looked: Mutex<Vec<Option<Instant>>>,
    /// When a replica last did not answer.
    hung: Mutex<Option<Instant>>,
}

impl fmt::Debug for JetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JetStream({}, {} partitions)", self.incarnation(), self.partitions())
    }
}

impl JetStream {
    /// Opens a ledger that [`init`] made.
    ///
    /// # Errors
    /// The servers can't be reached, are too old or take too small messages; there is no ledger, or not a whole one.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let writes = Link::connect(options, "promptory: appends").await?;
        let reads = Link::connect(options, "promptory: reads").await?;
        let deadline = Instant::now() + options.patience;
        let identity = identity(&writes, 0, deadline).await?;
        for partition in 1..identity.partitions {
            let other = self::identity(&writes, partition, deadline).await?;
            if other != identity {
                let names = (stream_name(partition), stream_name(0));
                let what = format!("{} says {other:?}, {} says {identity:?}", names.0, names.1);
                return Err(OpenError::Inconsistent(what));
            }
        }
        let looked = Mutex::new(vec![None; identity.partitions.into()]);
        Ok(Self {
            inner: Arc::new(Inner {
                identity,
                writes,
                reads,
                marks: Marks::new(),
                room: Room::default(),
                looked,
                hung: Mutex::default(),
            }),
        })
    }

    /// Which life of the ledger this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.inner.identity.incarnation
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.inner.identity.partitions
    }

    /// Whether there is a connection to append over. Without one every append is [`AppendError::Busy`].
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.writes.is_up()
    }

    /// See [`crate::Ledger::append`].
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, tenant: &TenantId, expected: u64, batch: Bytes) -> Result<Cursor, AppendError> {
        self.inner.append(tenant, expected, batch).await
    }

    /// The end of a tenant's ledger, from the leader of its stream.
    ///
    /// # Errors
    /// The leader can't be asked, or knows less than was seen before.
    pub async fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        self.inner.head(tenant).await
    }

    /// The sequence of the last batch of a partition, from the leader of its stream.
    ///
    /// # Errors
    /// There is no such partition; the leader can't be asked; the stream is another one.
    pub async fn end(&self, partition: u16) -> Result<u64, ReadError> {
        if partition >= self.partitions() {
            return Err(ReadError::Unavailable(format!("there is no partition {partition}")));
        }
        Ok(self.inner.info(partition).await?.state.last_sequence)
    }

    /// The batch that holds event `index`: one get if it is known where it lies, else a walk back from the head.
    ///
    /// # Errors
    /// The servers can't be asked; the ledger contradicts itself.
    pub async fn get(&self, tenant: &TenantId, index: u64) -> Result<Option<crate::Recorded>, ReadError> {
        self.inner.get(tenant, index).await
    }

    /// See [`crate::Ledger::read`].
    ///
    /// # Errors
    /// The servers can't be asked; the ledger contradicts itself.
    pub async fn read(&self, tenant: &TenantId, from: u64) -> Result<JetStreamReader, ReadError> {
        JetStreamReader::new(self.inner.clone(), tenant.clone(), from).await
    }

    /// See [`crate::Ledger::tail`].
    ///
    /// # Errors
    /// The cursor is of another incarnation or beyond the end; there is no such partition; the servers can't be asked.
    pub async fn tail(&self, partition: u16, after: Option<Cursor>) -> Result<JetStreamTail, ReadError> {
        JetStreamTail::new(self.inner.clone(), partition, after).await
    }
}

impl Inner {
    fn partition_of(&self, tenant: &TenantId) -> u16 {
        partition::of(tenant, self.identity.partitions)
    }

    fn looked(&self, partition: u16) -> Option<Instant> {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.get(usize::from(partition)).copied().flatten()
    }

    fn set_looked(&self, partition: u16) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = looked.get_mut(usize::from(partition)) {
            *at = Some(Instant::now());
        }
    }
}

/// What a stream says it is part of. Says aloud, once, what is not as `init` would have made it.
async fn identity(link: &Link, partition: u16, deadline: Instant) -> Result<Identity, OpenError> {
    let info = patient_info(link, &stream_name(partition), deadline).await?;
    let wrong = |why: String| OpenError::Inconsistent(format!("{} {why}", stream_name(partition)));
    let identity = Identity::of(&info.config).map_err(wrong)?;
    note(&info, &wanted(partition, identity, info.config.num_replicas));
    Ok(identity)
}

/// What a stream says about itself; waits for one that has no leader for the moment.
pub(crate) async fn patient_info(link: &Link, stream: &str, deadline: Instant) -> Result<Info, OpenError> {
    let began = Instant::now();
    loop {
        match fetch::info(link, stream).await {
            Ok(info) => return Ok(info),
            Err(InfoError::NotFound) if began.elapsed() < NO_STREAM_PATIENCE => {}
            Err(InfoError::NotFound) => return Err(OpenError::NotInitialised(stream.to_owned())),
            Err(InfoError::Unavailable(_)) if Instant::now() < deadline => {}
            Err(InfoError::Unavailable(why)) => return Err(OpenError::Unavailable(why)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says aloud what is not as `init` would have made it.
pub(crate) fn note(info: &Info, wanted: &Config) {
    for drift in drift(&info.config, wanted) {
        tracing::warn!(%drift, "a stream is not set as it should be");
    }
    let (stream, has, end) = (&wanted.name, info.state.messages, info.state.last_sequence);
    if has != end && layout::lacks_nothing(stream) {
        tracing::error!(stream, end, has, "a stream has lost messages");
    }
}

/// The key store's stream, if there is one and it is of the same life as the ledger.
pub(crate) async fn keys_of_ledger(link: &Link, options: &Options) -> Result<Incarnation, OpenError> {
    let deadline = Instant::now() + options.patience;
    let Identity { incarnation, .. } = identity(link, 0, deadline).await?;
    let info = patient_info(link, KEYS, deadline).await?;
    match incarnation_of(&info.config) {
        Ok(keys) if keys == incarnation => {}
        Ok(keys) => {
            let what = format!("{KEYS} says incarnation {keys}, {} says {incarnation}", stream_name(0));
            return Err(OpenError::Inconsistent(what));
        }
        Err(why) => return Err(OpenError::Inconsistent(format!("{KEYS} {why}"))),
    }
    note(&info, &wanted_keys(incarnation, info.config.num_replicas));
    Ok(incarnation)
}
