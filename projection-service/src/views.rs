//! The read models, one a file: what it keeps, how an event changes it, how it answers.

pub mod catalog;
pub mod search;
