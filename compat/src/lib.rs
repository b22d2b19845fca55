//! What clients of other products send and expect, so that whoever has one in his code changes an address and a key and
//! nothing else. Pure: forms only. What may be done is decided, and what is there is answered, where it always is.
//!
//! | module | whose clients |
//! |---|---|
//! | [`langfuse`] | Langfuse's: its public routes for prompts |
//! | [`mlflow`] | MLflow's: its model registry, as far as prompts are kept in it |
//! | [`otlp`] | OpenTelemetry's: exports of traces |

pub mod langfuse;
pub mod mlflow;
pub mod otlp;
mod told;
