//! The ledger and the other durable things, each behind one door.
//!
//! | module | what it holds |
//! |---|---|
//! | [`port`] | [`Ledger`]: append with a guard, read, follow; what every form promises |
//! | [`embedded`] | the form on redb: group commit, one fsync for many batches |
//! | [`keystore`] | data keys, wrapped by the tenant's epoch key; the tenant's content key |
//! | [`seal`] | how a text is sealed and opened |
//! | [`storage`] | the file under redb, counted and (in tests) broken on purpose |

pub mod embedded;
pub mod keystore;
pub mod port;
pub mod seal;
pub mod storage;

pub use keystore::{DataKey, KeyStore, KeyStoreError};
pub use port::{AppendError, Head, Ledger, ReadError, Reader, Recorded, Tail};
pub use seal::SealError;
pub use storage::OpenError;
