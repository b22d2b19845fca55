//! Roles apart, on a real NATS server: what each process does, and what becomes of requests when one is gone.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that can't go on fails, and may say what it saw")]

mod apart;
mod corners;
mod process;
mod processes;
mod revoked;
mod site;
mod tokens;
