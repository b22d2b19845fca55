//! The ledger and the other durable things, each behind one door.
//!
//! | module | what it holds |
//! |---|---|
//! | [`port`] | [`Ledger`]: append with a guard, read, follow; what every form promises |
//! | [`backup`] | a ledger and its keys as two files, and back into either form |
//! | [`embedded`] | the form on redb: group commit, one fsync for many batches |
//! | [`jetstream`] | the form on NATS JetStream: a stream a partition, a subject a tenant |
//! | [`keystore`] | data keys, wrapped by the tenant's epoch key; the tenant's content key; in a file or on JetStream |
//! | [`seal`] | how a text is sealed and opened |
//! | [`usage`] | what programs say of running prompts, and the rollups made from it |
//! | [`storage`] | the file under redb, counted and (in tests) broken on purpose |

mod acceptable;
mod chain;

pub mod backup;
pub mod embedded;
pub mod jetstream;
pub mod keystore;
pub mod port;
pub mod seal;
pub mod storage;
pub mod usage;

pub use keystore::{DataKey, KeyStore, KeyStoreError, Name, RootKey, RootKeyError};
pub use port::{AppendError, Head, Ledger, ReadError, Reader, Recorded, Tail};
pub use seal::SealError;
pub use storage::OpenError;
pub use usage::UsageLog;
