//! Question to HTTP and SSE: thin and stateless.
//!
//! A handler reads a request into an `Ask`, the read side answers it, and the answer is rendered. No rule lives here:
//! who may read, what a point in time means and whether the model is behind is the read side's business.
//!
//! | module | what it holds |
//! |---|---|
//! | [`read_side`] | the seam to whoever has the read models open |
//! | `http` | the routes, what they take and what they answer |

mod http;
pub mod read_side;

pub use http::{description, health_description, health_router, router, settled};
pub use read_side::ReadSide;
