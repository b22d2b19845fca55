//! What the services would otherwise each copy.
//!
//! | module | what it holds |
//! |---|---|
//! | [`apikey`] | API keys: make, hash, read from a request |
//! | [`attest`] | the port for denied attempts |
//! | [`between`] | requests between our own processes over NATS |
//! | [`clock`] | the only place that reads the wall clock |
//! | [`problem`] | RFC 9457 problem documents and the table of their types |
//! | [`extract`] | axum extractors whose refusals are problem documents |
//! | [`give_way`] | long work in small pieces |
//! | [`http`] | the edge around every route, and the server |
//! | [`openapi`] | what both routers put into the API description |
//! | [`shutdown`] | one token that tells everything to stop |
//! | [`token`] | tokens of OpenID Connect issuers, as they are shown |
//! | [`telemetry`] | tracing, OpenTelemetry, metrics |

pub mod apikey;
pub mod attest;
pub mod between;
pub mod clock;
pub mod extract;
pub mod give_way;
pub mod http;
pub mod openapi;
pub mod problem;
pub mod shutdown;
pub mod telemetry;
pub mod token;

pub use apikey::{ApiKey, Presented};
pub use attest::Attestor;
pub use clock::Clock;
pub use give_way::GiveWay;
pub use problem::{Problem, ProblemType};
pub use token::BearerToken;
