//! The routes over a real ledger, key store, shelf and worker.

mod asking;
mod description;
mod listing;
mod paths;
mod resolving;
mod streaming;
mod world;
