//! SCIM 2.0 (RFC 7643, RFC 7644) as data: what a user and a group may have, filters, patches, and what is returned. Pure:
//! no I/O, no clock, and nothing that a client sends makes it panic or work without a bound.
//!
//! | module | what it holds |
//! |---|---|
//! | [`schema`] | the attributes of users and groups, which everything else follows |
//! | [`resource`] | a resource as a client sends it, checked and brought into one form |
//! | [`filter`] | the filters of the RFC, read and judged |
//! | [`path`] | what a path of an attribute or of a patch means |
//! | [`patch`] | a patch applied, with the habits of the great identity providers |
//! | [`select`] | `attributes` and `excludedAttributes` |

pub mod error;
pub mod filter;
pub mod patch;
pub mod path;
pub mod resource;
pub mod schema;
pub mod select;

pub use error::{Error, Kind};
pub use filter::Filter;
pub use schema::{GROUP, ResourceType, USER};

/// Attributes by name.
pub type Object = serde_json::Map<String, serde_json::Value>;
