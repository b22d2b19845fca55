//! What happened, as types and bytes: ids, events, commits, batches.
//!
//! Nothing here does I/O, reads a clock or draws a random number. The bytes that this crate writes are the ledger
//! format: a released variant never changes its shape (`golden/` holds the bytes that prove it).
//!
//! | module | what it holds |
//! |---|---|
//! | [`id`], [`key`], [`prefix`], [`issuer`], [`time`] | one type per name, parsed at the door |
//! | [`position`] | where something stands in a tenant's ledger, public and internal |
//! | [`sealed`] | text that is only in the ledger as ciphertext |
//! | [`event`] | the events, one file per family |
//! | [`commit`], [`codec`] | the events of one command, and many commits in one ledger message |
//! | [`upcast`] | yesterday's event shapes as today's |
//! | [`rollout`] | which version of a split label a key gets |
//! | [`guard`] | what a rollout must not do, and by what it did |
//! | [`partition`] | which partition a tenant belongs to |
//! | [`limits`] | every size that has a bound |

pub mod codec;
pub mod commit;
pub mod event;
pub mod guard;
pub mod id;
pub mod issuer;
pub mod key;
pub mod limits;
pub mod partition;
pub mod position;
pub mod prefix;
pub mod rollout;
pub mod sealed;
pub mod time;
pub mod upcast;

pub use codec::{Batch, BatchHeader, CodecError, RawCommit};
pub use commit::{Author, Commit, CommitHeader, Credential, Evidence, TokenEvidence, TraceContext};
pub use event::Event;
pub use id::{
    BackupId, BatchId, ClaimId, CommandHash, CommandId, CommentId, ContentId, DataKeyId, FreezeId, GroupId,
    Incarnation, IssuerId, KeyId, NameId, PrincipalId, PromptId, RequestId, RolloutId, TenantId, TokenHash, VersionId,
};
pub use issuer::{IssuerUrl, Term};
pub use key::{Branch, Label, PromptKey, Tag};
pub use position::{Cursor, Position};
pub use prefix::Prefix;
pub use sealed::{Content, ContentBody, Sealed};
pub use time::Timestamp;
