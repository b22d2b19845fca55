//! The fault drill. What is done to the servers, and what must hold afterwards, know nothing of who writes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | which faults come, from a seed |
//! | [`inflict`] | how they are done to a cluster and to processes, and undone |
//! | [`oracle`] | what was acknowledged, and whether what is stored agrees |
//! | [`walk`] | what is stored, link by link |
//! | [`writers`] | one kind of writer: straight to the ledger, as the command service does |
//! | [`processes`] | the service's own processes, by role |
//! | [`clients`] | another kind of writer: over HTTP, at those processes |
//! | [`meaning`] | what an answer means: done, later, or wrong |
//! | [`kills`] | the projection killed again and again, and compared with one that has nothing but the ledger |
//! | [`models`] | read models against a rebuild |
//! | [`ground`] | a ledger, who works on it, and the checks |
//! | [`throughput`] | what a second command process costs |
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a drill may panic, and says what it does")]

pub mod clients;
pub mod ground;
pub mod inflict;
pub mod kills;
pub mod meaning;
pub mod models;
pub mod oracle;
pub mod plan;
pub mod processes;
#[path = "../../../events/ledger/tests/support/mod.rs"]
mod support;
pub mod throughput;
pub mod walk;
pub mod writers;
