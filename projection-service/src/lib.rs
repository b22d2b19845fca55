//! Commit to read model, and answering from it.
//!
//! ```text
//! ledger ─ worker ─► fold ─► store (sled, disposable) ─► hot (memory) ─► announce
//! question ─► shelf ─► hot, or rows at a fixed index ─► answer
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`worker`] | follows a partition: apply, commit with checkpoint, swap, announce |
//! | [`views`] | the read models: how an event changes one, how it answers |
//! | [`hot`] | what a model says now, in memory |
//! | [`store`] | a tenant's rows in sled, verified whenever it is opened |
//! | [`shelf`] | the stores that are open; lets callers in and answers |
//! | [`analytics`] | what is counted of usage, in stores of its own |
//! | [`ask`] | questions and answers as plain data |
//! | [`serve`], [`there`] | the same over NATS: the answering and the asking side |
//! | [`rebuild`], [`replay`] | the same model again from the ledger: in a new store, or in memory only |
//! | [`check`] | the proof while running that a model is the fold of its ledger |
//! | [`digest`] | the proof that they are the same |
//! | `behind` | threads for work that may wait |
//! | [`guard`] | guards of rollouts, as JSON |
//! | [`points`] | named moments between them, for the drill that ends the process there |

pub mod analytics;
pub mod ask;
mod behind;
pub mod check;
pub mod digest;
pub mod guard;
pub mod hot;
pub mod points;
pub mod rebuild;
pub mod replay;
pub mod serve;
pub mod shelf;
pub mod store;
#[cfg(test)]
mod testing;
pub mod there;
pub mod views;
pub mod worker;

pub use ask::{Answer, Ask, AskError, Question, Reply};
pub use hot::opened::Opened;
pub use shelf::{Config, Health, Shelf};
pub use there::There;
