//! The pure core: what a tenant's ledger says (state), what may follow (decide), and what follows (evolve).
//!
//! No I/O, no clock, no randomness: the same inputs give the same events on every replica, and a conflict repeats
//! `decide`, authorization included. No text either: contents are sealed before they come here, and the state holds
//! keys, numbers, ids and labels only.
//!
//! | module | what it holds |
//! |---|---|
//! | [`command`] | what may be asked for, with the contents already gathered |
//! | [`decide`](fn@decide) | state + context + command -> events or a [`Rejection`] |
//! | [`state`] | one tenant's state and `evolve` |
//! | [`access`] | who may do what |
//! | [`attest`] | denied attempts and readings of the audit: which of them get an event |
//! | [`prompt`], [`branch`], [`fork`], [`merge`], [`label`], [`include`](mod@include), [`release`], [`rollout`], [`system`] | the rules of each family, with given/when/then beside them |
//! | [`quota`] | what a tenant has and may have |
//! | [`settings`] | what holds for a tenant as a whole |
//! | [`watch`] | versions that became worse than they were |
//! | [`graph`] | versions and their parents |
//! | [`rejection`] | every reason to refuse, with its stable code |

pub mod access;
pub mod attest;
mod authorize;
pub mod branch;
pub mod command;
mod decide;
pub mod fork;
pub mod graph;
pub mod include;
pub mod label;
pub mod merge;
pub mod prompt;
pub mod quota;
pub mod rejection;
pub mod release;
pub mod rollout;
pub mod settings;
pub mod state;
pub mod system;
#[cfg(test)]
mod testing;
pub mod watch;

pub use authorize::denied;
pub use command::{
    Attestation, Change, Command, Context, Copied, Decision, GroupSaid, Material, MergeOutcome, Merged, NewTemplate,
    NewVersion, Pick, Presented, PromptRef, Resolved, SetGroup, SetUser, UserSaid,
};
pub use decide::decide;
pub use rejection::{Rejection, Wanted};
pub use state::{Prompt, Tenant, Version};
