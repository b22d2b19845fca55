//! The one binary: every role in one process, and the tools around it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`node`] | [`node::Node`]: the roles of a process on their stores, put together |
//! | [`roles`] | which parts of the system a process is |
//! | [`stores`] | ledger and key store, in the data folder or on NATS JetStream |
//! | [`serve`] | `serve` and `demo` |
//! | [`keys`] | the first keys, written once |
//! | [`init`] | `init`: the streams of a ledger on NATS JetStream |
//! | [`import`], [`export`] | histories in and out, over the public HTTP API |
//! | [`mod@history`] | a tenant's whole history as lines of JSON |
//! | [`server`] | which server, and the API key for it |
//! | [`scrub`] | `scrub`: what each replica of a ledger on NATS JetStream holds |
//! | [`offline`] | `replay`, on a data folder that no server holds |
//! | [`rebuild`] | `rebuild`: read models built anew, in a running server or a data folder that none holds |
//! | [`asking`] | a running server, asked over HTTP |
//! | [`backup`], [`restore`], [`verify`] | a ledger and its keys as two files, and back; whether a ledger holds |
//! | [`mod@bench`] | the load driver |

pub mod asking;
pub mod backup;
pub mod bench;
pub mod export;
pub mod history;
pub mod import;
pub mod init;
pub mod keys;
pub mod node;
pub mod offline;
pub mod rebuild;
pub mod restore;
pub mod roles;
pub mod scrub;
pub mod serve;
pub mod server;
pub mod stores;
pub mod verify;
