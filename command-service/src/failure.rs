//! Why a command led to nothing. Each knows whether it is the caller's business or ours.

use promptory_domain::Rejection;
use promptory_ledger::{KeyStoreError, ReadError};
use promptory_platform::Problem;
use serde::{Deserialize, Serialize};

/// Why a command led to nothing.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The domain refused it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The idempotency key was used with another body.
    #[error("this idempotency key was used with another body")]
    IdempotencyMismatch,
    /// Keys leave the house encrypted or not at all.
    #[error("this server was started without --backup-key, so it gives no keys")]
    NoBackupKey,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// Too many commands wait already. Nothing was written.
    #[error("too many commands wait already")]
    Overloaded,
    /// This server's clock is too far behind the tenant's last batch. Nothing was written.
    #[error("this server's clock is {behind_ms} ms behind the tenant's last batch")]
    ClockBehind {
        /// By how much.
        behind_ms: i64,
    },
    /// The ledger could not be read. Nothing was written.
    #[error("the ledger is not available: {0}")]
    Unavailable(String),
    /// The append's outcome is not known yet; the same idempotency key finds out.
    #[error("the outcome is not known; repeat the command with the same idempotency key")]
    OutcomeUnknown,
    /// A defect of ours. Nothing was written.
    #[error("internal: {0}")]
    Internal(String),
    /// More than fits into one batch, which commands that are done together are. Nothing was written.
    #[error("all or nothing has {bytes} bytes, and at most {max} are possible; send it in parts")]
    TooLarge {
        /// How many there are, sealed and with room for what goes with each command.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// What became of commands that are done together or not at all: nothing, because of one of them.
    #[error("nothing was done: command {command}: {why}")]
    InBatch {
        /// Its place among them, from 0.
        command: usize,
        /// Why it was refused.
        why: Box<Failure>,
    },
    /// It is not of the form that it should have. Seen where it is gathered, so it never travels; the last variant,
    /// because leaving one out moves those behind it.
    #[error("{}", .0.detail)]
    #[serde(skip)]
    Malformed(Box<Problem>),
}

impl Failure {
    /// Whether it says nothing about the command itself: nothing was written, or that is not known. Somebody else may
    /// do better.
    #[must_use]
    pub fn is_of_the_writer(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::ClockBehind { .. }
            | Self::Unavailable(_)
            | Self::OutcomeUnknown
            | Self::Internal(_) => true,
            Self::Rejected(_)
            | Self::IdempotencyMismatch
            | Self::NoBackupKey
            | Self::Suspended
            | Self::TooLarge { .. }
            | Self::Malformed(_) => false,
            Self::InBatch { why, .. } => why.is_of_the_writer(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Malformed(Box::new(problem))
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<KeyStoreError> for Failure {
    fn from(error: KeyStoreError) -> Self {
        Self::Unavailable(format!("key store: {error}"))
    }
}
