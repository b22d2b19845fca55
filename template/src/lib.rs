//! Contents as templates: what a content needs (variables, other prompts), and what it says once it has it. Pure: no files, no
//! clock, no randomness, and the same inputs give the same result everywhere.
//!
//! Nothing that a template holds can make this panic, run for long or take much memory: what the engine itself does not
//! bound is bounded before it sees it (`bounds`, `needs`), and it works on a stack of its own (`stack`).
//!
//! | module | what it holds |
//! |---|---|
//! | [`variables`] | variables that a version declares, and whether values fit |
//! | [`inspect`](mod@inspect) | what a content needs, read from its syntax |
//! | [`render`](mod@render) | what contents say together |
//! | [`plain`] | templates of text, variables and includes alone, and what they say with the latter filled in |
//! | [`simple`] | the syntax that every text has: `{{ name }}` and nothing else |
//! | [`chat`] | messages and placeholders |

mod bounds;
pub mod chat;
mod engine;
pub mod inspect;
mod needs;
pub mod plain;
pub mod render;
pub mod simple;
mod stack;
pub mod variables;

pub use inspect::{Inspected, Invalid, Need, inspect};
pub use render::{Fault, FaultKind, Part, Refusal, render};
pub use variables::{Declared, Variable, VariableType};
