//! What programs say of running prompts, and what is counted from it. No I/O, no clock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | an execution, an outcome; what they may say; the bytes of a batch of them |
//! | [`sketch`] | quantiles of many values with a bounded relative error, mergeable |
//! | [`tally`] | what is counted of some executions: exact sums, and the sketches |
//! | [`rows`] | tallies by minute and dimensions, and their bytes |
//! | [`fold`] | records -> rows: each id once, outcomes where their execution is |
//! | [`rollup`] | what a stretch of the log adds to the rows; its bytes, kept for ever |
//! | [`page`] | how rows lie in a view: minutes, hours and days |
//! | [`query`] | which rows a question reads, and how they are grouped |
//! | [`adoption`] | who runs a prompt, and which of its versions |
//! | [`sequential`] | what can be said of a rate however often one looks |
//! | [`guard`] | whether a version keeps within its bound |
//! | [`degradation`] | whether a version became worse than it was |
//! | [`searches`] | searches that found nothing: which texts, how often |
//! | [`compare`] | whether two groups differ, with a confidence interval |

pub mod adoption;
pub mod compare;
pub mod degradation;
pub mod fold;
pub mod guard;
pub mod page;
pub mod query;
pub mod record;
pub mod rollup;
pub mod rows;
pub mod searches;
pub mod sequential;
pub mod sketch;
pub mod tally;

pub use record::{Batch, Execution, Flaw, OutcomeRecord, Record, Score, ScoreValue, SearchesRecord};
pub use rollup::Rollup;
pub use rows::{Dims, Rows};
pub use searches::Searches;
pub use sketch::Sketch;
pub use tally::Tally;

/// Bytes that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these are no usage {what}: {why}")]
pub struct DecodeError {
    what: &'static str,
    why: String,
}

pub(crate) fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default() // plain data into memory always has a form
}

pub(crate) fn decode<'b, T: serde::Deserialize<'b>>(what: &'static str, bytes: &'b [u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(DecodeError { what, why: "something follows".to_owned() }),
        Err(error) => Err(DecodeError { what, why: error.to_string() }),
    }
}
