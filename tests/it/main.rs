//! The whole system, over HTTP.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod access;
mod answers;
mod as_of;
mod attest;
mod audit;
mod backup;
mod bad_input;
mod changes;
mod codes;
mod config;
mod consistency;
mod crash;
mod docs;
mod feed;
mod grafana;
mod graph;
mod guide;
mod imported;
mod isolation;
mod langfuse;
mod languages;
mod layers;
mod moved;
mod oidc;
mod quotas;
mod rebuild;
mod rights;
mod rollouts;
mod scim;
mod scrub;
mod search;
mod templates;
mod together;
mod trace;
mod usage;
