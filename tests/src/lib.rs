//! The whole system under test: all roles in one process on real stores and real HTTP, with a clock that tests move.
//!
//! | module | what it holds |
//! |---|---|
//! | [`world`] | a node in a temporary folder, started, stopped and started again |
//! | [`process`] | processes of their own, by role, on a ledger on NATS servers |
//! | [`provider`] | a real OpenID provider as a process |
//! | [`client`] | the HTTP API as a test speaks it |
//! | [`model`] | the plainest possible repository, as the standard of truth for every point in time |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a world that can't be set up fails its test")]

pub mod client;
pub mod model;
pub mod process;
pub mod provider;
pub mod world;

pub use client::{Answer, Client};
pub use world::World;
