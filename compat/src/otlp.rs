//! OTLP/HTTP traces (`…/v1/traces`): what exporters of OpenTelemetry send, which of it is a run of a prompt, and what they are
//! answered. Names of attributes are those of the GenAI semantic conventions, of Langfuse's SDKs, and ours.
//!
//! | module | what it holds |
//! |---|---|
//! | [`request`] | a body, packed or not, Protobuf or JSON -> its spans, within limits |
//! | [`generation`] | a span -> a run of a prompt, or nothing |
//! | [`attributes`] | a span's attributes by name |
//! | [`answer`] | what was not taken, and refusals, in OTLP's forms |

pub mod answer;
pub mod attributes;
pub mod generation;
pub mod request;

pub use answer::{Export, RpcStatus, in_its_form};
pub use generation::{Reading, Run};
pub use request::{Encoding, unpacked};
