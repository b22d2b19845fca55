//! The one binary: every role in one process, and the tools around it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`node`] | [`node::Node`]: ledger, key store and all roles, put together |
//! | [`serve`] | `serve` and `demo` |
//! | [`keys`] | the first keys, written once |
//! | [`init`] | `init`: the streams of a ledger on NATS JetStream |
//! | [`import`] | histories in, over the public HTTP API |
//! | [`offline`] | `replay` and `rebuild`, on a data folder that no server holds |
//! | [`backup`], [`restore`], [`verify`] | a ledger and its keys as two files, and back; whether a ledger holds |
//! | [`mod@bench`] | the load driver |

pub mod backup;
pub mod bench;
pub mod import;
pub mod init;
pub mod keys;
pub mod node;
pub mod offline;
pub mod restore;
pub mod serve;
pub mod verify;
