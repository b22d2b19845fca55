//! The keys that texts are sealed with: one data key a text, wrapped by its tenant's epoch key, all durable before use.
//! In a file of one process, or in a stream on NATS JetStream that many share.
//!
//! Erasing a text will mean destroying its data key, so a key that is gone ([`KeyStoreError::Erased`]) is told apart
//! from one that never was ([`KeyStoreError::UnknownKey`], an error).

mod export;
mod name;
mod refill;
mod root;
mod stream;
mod tables;
mod tenant;
mod wrap;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hmac::Mac;
use lru::LruCache;
use promptory_events::{
    ClaimId, CommandHash, ContentId, DataKeyId, IssuerId, IssuerUrl, PrincipalId, Sealed, TenantId, Term,
};
use redb::StorageBackend;

use crate::jetstream;
use crate::seal::{self, SealError};
use crate::storage::{OpenError, Store};
pub use export::{ExportCursor, KeyPage};
pub use name::Name;
use refill::Refiller;
pub use root::{RootKey, RootKeyError};
use stream::Stream;
use tenant::TenantKeys;

/// Memory for redb's page cache.
const CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Tenants whose keys are in memory; a tenant that falls out begins a new block when it comes back.
const TENANTS: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// Data keys in memory, of all tenants together; about 150 bytes each.
const DATA_KEYS: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// How long a caller waits for the servers of the form on JetStream, and again as long behind another who does. Less
/// than an election takes: callers hold threads that others need, and can come again.
const PATIENCE: Duration = Duration::from_secs(4);

/// The key store. Clones are the same store; the last one dropped ends its refill thread.
#[derive(Clone)]
pub struct KeyStore {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped first: it waits for the refill thread, which uses the rest.
    refiller: Refiller,
    shared: Arc<Shared>,
}

/// What callers and the refill thread have in common.
struct Shared {
    form: Form,
    tenants: Mutex<LruCache<TenantId, Arc<TenantKeys>>>,
    /// By tenant too: a key of one tenant is unknown to every other.
    data_keys: Mutex<LruCache<(u64, DataKeyId), [u8; 32]>>,
}

/// Where the keys lie.
enum Form {
    File(Store),
    JetStream(Stream),
}

/// A key that seals one text.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// Its name: 8 bytes counter (big-endian, never used again within its tenant), 8 bytes random.
    pub kid: DataKeyId,
    key: [u8; 32],
}

impl DataKey {
    pub(crate) fn new(kid: DataKeyId, key: [u8; 32]) -> Self {
        Self { kid, key }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.key
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, …)", self.kid)
    }
}

/// Why the key store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The tenant has no keys: [`KeyStore::ensure_tenant`] was never called for it.
    #[error("the tenant {0} has no keys")]
    UnknownTenant(TenantId),
    /// The tenant never had this data key: a key store that is not the ledger's, or an older copy of it.
    #[error("there never was a data key {0} here")]
    UnknownKey(DataKeyId),
    /// The data key was destroyed: the text is gone for good.
    #[error("the data key {0} was destroyed")]
    Erased(DataKeyId),
    /// The file can't be read or written, or the servers did not answer in time: what was asked for may come to be.
    #[error("the key store can't be used: {0}")]
    Storage(String),
    /// An import brings keys for a tenant that has others.
    #[error("the tenant {0} has other keys here already")]
    OtherKeys(TenantId),
    /// A stored key does not open under its tenant's epoch key, or something that was stored is not there.
    #[error("the key store is damaged: {0}")]
    Damaged(String),
    /// A text can't be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyStore(…)")
    }
}

/// A panic elsewhere leaves these maps whole: they are only ever changed by single calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeyStore {
    /// Opens the key store in the file `path`, readable by its owner only; makes it if it is not there.
    ///
    /// # Errors
    /// Another process holds it, it is damaged, or the file system refuses. Blocks while it is opened.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::on_file(Store::open(path, "keystore", CACHE_BYTES)?)
    }

    /// Opens the key store of the ledger on these NATS servers. Many processes may have it open. The first to open a new
    /// one decides its root key.
    ///
    /// # Errors
    /// As for the ledger; the root key is another one; the stream is of another life of the ledger, or damaged.
    pub async fn on_jetstream(options: &jetstream::Options, root: &RootKey) -> Result<Self, jetstream::OpenError> {
        let stream = Stream::open(options, root).await?;
        Ok(Self::start(Form::JetStream(stream))?)
    }

    /// The same on any redb backend, such as [`crate::storage::fault::FaultBackend`].
    ///
    /// # Errors
    /// It is damaged, or the backend refuses.
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, OpenError> {
        Self::on_file(Store::with_backend(backend, "keystore", CACHE_BYTES)?)
    }

    fn on_file(store: Store) -> Result<Self, OpenError> {
        tables::prepare(&store.db)?;
        Self::start(Form::File(store)).map_err(OpenError::Io)
    }

    fn start(form: Form) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            form,
            tenants: Mutex::new(LruCache::new(TENANTS)),
            data_keys: Mutex::new(LruCache::new(DATA_KEYS)),
        });
        let refiller = Refiller::start(shared.clone())?;
        Ok(Self { inner: Arc::new(Inner { refiller, shared }) })
    }

    /// Syncs of the file since it was opened; 0 on JetStream, whose servers sync.
    #[must_use]
    pub fn fsyncs(&self) -> u64 {
        match &self.inner.shared.form {
            Form::File(store) => store.fsyncs(),
            Form::JetStream(_) => 0,
        }
    }

    /// Makes the keys of a tenant, durable on return; does nothing if it has them.
    ///
    /// # Errors
    /// The store can't be read or written; no randomness. Blocks for a sync, or for the servers, if the tenant is new.
    pub fn ensure_tenant(&self, tenant: &TenantId) -> Result<(), KeyStoreError> {
        let (shared, until) = (&self.inner.shared, patience());
        match shared.tenant(tenant, until) {
            Err(KeyStoreError::UnknownTenant(_)) => {}
            found => return found.map(drop),
        }
        match &shared.form {
            Form::File(store) => {
                if let Some(made) = tables::create_tenant(&store.db, tenant)? {
                    shared.remember(made);
                }
            }
            Form::JetStream(stream) => {
                let keys = shared.remember(stream.create_tenant(tenant, until)?);
                self.ask_for_refill(&keys); // the first block is a message of its own
            }
        }
        Ok(())
    }

    /// The id of content bytes: HMAC-SHA256 under the tenant's content key.
    ///
    /// # Errors
    /// The tenant has no keys; the file can't be read.
    pub fn content_id(&self, tenant: &TenantId, bytes: &[u8]) -> Result<ContentId, KeyStoreError> {
        let mut mac = self.inner.shared.tenant(tenant, patience())?.content.clone();
        mac.update(bytes);
        Ok(ContentId(mac.finalize().into_bytes().into()))
    }

    /// The keyed hash of a command's body, under another key than contents have.
    ///
    /// # Errors
    /// The tenant has no keys; the file can't be read.
    pub fn command_hash(&self, tenant: &TenantId, bytes: &[u8]) -> Result<CommandHash, KeyStoreError> {
        let mut mac = self.inner.shared.tenant(tenant, patience())?.command.clone();
        mac.update(b"promptory/command-hash/1\0");
        mac.update(bytes);
        let digest = mac.finalize().into_bytes();
        let mut out = [0; 16];
        out.copy_from_slice(&digest[..16]);
        Ok(CommandHash(out))
    }

    /// The pseudonym of a token's subject: by issuer and audience, so that the same subject of another trust is another
    /// principal. A keyed hash, under another key than contents have.
    ///
    /// # Errors
    /// The tenant has no keys; the file can't be read.
    pub fn principal(
        &self,
        tenant: &TenantId,
        issuer: &IssuerUrl,
        audience: &Term,
        subject: &str,
    ) -> Result<PrincipalId, KeyStoreError> {
        let parts = [issuer.as_str(), audience.as_str(), subject];
        Ok(PrincipalId(self.pseudonym(tenant, b"promptory/subject/1\0", parts.map(str::as_bytes))?))
    }

    /// What an issuer calls a group, as a keyed hash.
    ///
    /// # Errors
    /// As [`KeyStore::principal`].
    pub fn claim(&self, tenant: &TenantId, issuer: IssuerId, value: &str) -> Result<ClaimId, KeyStoreError> {
        Ok(ClaimId(self.pseudonym(tenant, b"promptory/claim/1\0", [&issuer.0[..], value.as_bytes()])?))
    }

    /// Each part with its length before it, so that no two lists of parts are one.
    fn pseudonym<const N: usize>(
        &self,
        tenant: &TenantId,
        domain: &[u8],
        parts: [&[u8]; N],
    ) -> Result<[u8; 16], KeyStoreError> {
        let mut mac = self.inner.shared.tenant(tenant, patience())?.command.clone();
        mac.update(domain);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        let mut out = [0; 16];
        out.copy_from_slice(&digest[..16]);
        Ok(out)
    }

    /// A data key that nothing was sealed with yet, durable already. Blocks (for one sync, or for the servers) only if the
    /// tenant's block is used up before the next one is made.
    ///
    /// # Errors
    /// The tenant has no keys; the store can't be read or written; no randomness.
    pub fn take(&self, tenant: &TenantId) -> Result<DataKey, KeyStoreError> {
        let (shared, until) = (&self.inner.shared, patience());
        let keys = shared.tenant(tenant, until)?;
        let key = loop {
            if let Some(key) = keys.pop() {
                break key;
            }
            shared.refill(&keys, |left| left == 0, until)?;
        };
        self.ask_for_refill(&keys);
        // What was just written is what is read next.
        lock(&shared.data_keys).put((keys.serial, key.kid), key.key);
        Ok(key)
    }

    fn ask_for_refill(&self, keys: &Arc<TenantKeys>) {
        if keys.claim_refill() {
            self.inner.refiller.ask(keys);
        }
    }

    /// The data key of a sealed text. On JetStream, one that is not in memory comes from the leader with its whole block.
    ///
    /// # Errors
    /// Never there and destroyed are told apart; the tenant has no keys; the store can't be read or is damaged.
    pub fn get(&self, tenant: &TenantId, kid: DataKeyId) -> Result<DataKey, KeyStoreError> {
        let (shared, until) = (&self.inner.shared, patience());
        let keys = shared.tenant(tenant, until)?;
        let look = || lock(&shared.data_keys).get(&(keys.serial, kid)).map(|key| DataKey::new(kid, *key));
        if let Some(key) = look() {
            return Ok(key);
        }
        let (key, others) = match &shared.form {
            Form::File(store) => (tables::data_key(&store.db, &keys, kid)?, Vec::new()),
            Form::JetStream(stream) => stream.data_keys(&keys, kid, look, until)?,
        };
        let mut data_keys = lock(&shared.data_keys);
        for key in others.iter().chain([&key]) {
            data_keys.put((keys.serial, key.kid), key.key);
        }
        Ok(key)
    }

    /// Whether every key is at hand, in memory or in a file, or may have to come from a server.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.inner.shared.form, Form::File(_))
    }

    /// Whether no server is waited for if a tenant names contents and seals so many of them now. Others may take the same
    /// keys meanwhile, so it is only very likely if it is asked for some more than are needed.
    #[must_use]
    pub fn is_at_hand(&self, tenant: &TenantId, count: usize) -> bool {
        self.is_local() || lock(&self.inner.shared.tenants).get(tenant).is_some_and(|keys| keys.left() >= count)
    }

    /// Seals content bytes under a fresh data key and names them. Bound to tenant and content id.
    ///
    /// # Errors
    /// As [`KeyStore::take`].
    pub fn seal_content(&self, tenant: &TenantId, bytes: &[u8]) -> Result<(ContentId, Sealed), KeyStoreError> {
        let id = self.content_id(tenant, bytes)?;
        let sealed = seal::seal(&self.take(tenant)?, &seal::aad::content(tenant, &id), bytes)?;
        Ok((id, sealed))
    }

    /// Opens a sealed text of a tenant that was bound to `aad` (see [`seal::aad`]).
    ///
    /// # Errors
    /// As [`KeyStore::get`]; the text is not authentic.
    pub fn open_sealed(&self, tenant: &TenantId, aad: &[u8], sealed: &Sealed) -> Result<Vec<u8>, KeyStoreError> {
        Ok(seal::open(&self.get(tenant, sealed.kid)?, aad, sealed)?)
    }
}

/// When a call that begins now stops waiting.
fn patience() -> Instant {
    Instant::now() + PATIENCE
}

impl Shared {
    fn tenant(&self, tenant: &TenantId, until: Instant) -> Result<Arc<TenantKeys>, KeyStoreError> {
        if let Some(keys) = lock(&self.tenants).get(tenant) {
            return Ok(keys.clone());
        }
        let keys = match &self.form {
            Form::File(store) => tables::load_tenant(&store.db, tenant)?,
            Form::JetStream(stream) => stream.load_tenant(tenant, until)?,
        };
        Ok(self.remember(keys.ok_or_else(|| KeyStoreError::UnknownTenant(tenant.clone()))?))
    }

    /// Of two that loaded or made a tenant's keys at once, the first's are kept: a tenant is in memory once.
    fn remember(&self, keys: TenantKeys) -> Arc<TenantKeys> {
        lock(&self.tenants).get_or_insert(keys.tenant.clone(), || Arc::new(keys)).clone()
    }

    /// Makes the tenant's next block if `wanted` says so of the number of keys left.
    fn refill(&self, keys: &TenantKeys, wanted: impl Fn(usize) -> bool, until: Instant) -> Result<(), KeyStoreError> {
        // One at a time for a tenant; who waited here finds the block made, or that it is too late to try.
        let mut next = lock(&keys.making);
        if wanted(keys.left()) {
            let block = match &self.form {
                Form::File(store) => tables::add_block(&store.db, keys, keys.next_block())?,
                Form::JetStream(stream) => stream.add_block(keys, keys.next_block(), &mut next, until)?,
            };
            keys.add(block); // durable before it is handed out
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
