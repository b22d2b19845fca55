//! The fault drill. What is done to the servers, and what must hold afterwards, know nothing of who writes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | which faults come, from a seed |
//! | [`inflict`] | how they are done to a cluster, and undone |
//! | [`oracle`] | what was acknowledged, and whether what is stored agrees |
//! | [`writers`] | one kind of writer: straight to the ledger, as the command service does |
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a drill may panic, and says what it does")]

pub mod inflict;
pub mod oracle;
pub mod plan;
#[path = "../../../events/ledger/tests/support/mod.rs"]
mod support;
pub mod writers;
