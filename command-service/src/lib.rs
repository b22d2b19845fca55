//! Command to commit: gather, decide, append, answer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`wire`] | commands as JSON, before anything about them is believed |
//! | [`gather`] | wire -> domain: names parsed, sizes checked, contents keyed and sealed |
//! | [`service`] | [`Service`]: authenticate, find the tenant's writer, hand over, wait |
//! | [`hot`] | the writers of the tenants in use, bounded in bytes |
//! | [`writer`] | one tenant's writer: decide what waits, append it as one batch, answer |
//! | [`load`] | a tenant's state from snapshot and ledger |
//! | [`cache`] | snapshots and receipts on disk; disposable |
//! | [`outcome`] | what a command led to, made from its events, the same on every repeat |
//! | [`attest`] | denied attempts and readings of the audit, written by the system itself |
//! | [`forward`] | commands on their way to the replica that wins the races for a tenant |
//! | [`rates`] | commands a minute, at the door |
//! | [`recent`] | the commands that other replicas wrote lately |
//! | [`failure`] | why a command led to nothing |
//! | [`http`] | the routes |

pub mod attest;
pub mod cache;
pub mod failure;
pub mod forward;
pub mod gather;
pub mod hot;
pub mod http;
pub mod load;
pub mod outcome;
pub mod rates;
pub mod recent;
pub mod service;
pub mod threads;
pub mod wire;
pub mod writer;

pub use failure::Failure;
pub use forward::Exchange;
pub use http::{description, router};
pub use outcome::Outcome;
pub use service::{Config, OpenError, Service};
