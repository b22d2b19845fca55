//! The bytes of a ledger message.
//!
//! ```text
//! batch   = schema:u16  len:u32 header  count:u32  { len:u32 commit }
//! commit  = schema:u16  len:u32 header  count:u32  { len:u32 event }
//! ```
//!
//! Integers are little-endian, headers and events postcard. Parts are opaque to the part that holds them: reading a
//! batch never re-encodes a commit, reading a commit never re-encodes an event, so hashes over them stay true for ever.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::commit::{Commit, CommitHeader};
use crate::event::Event;
use crate::id::{BatchId, Incarnation, TenantId};
use crate::time::Timestamp;

/// The schema number of the headers that this release writes.
pub const SCHEMA: u16 = 1;

/// Bytes that are no batch, commit or event of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Shorter than it says.
    #[error("ends in the middle")]
    Truncated,
    /// Longer than it says.
    #[error("{0} bytes are left over")]
    TrailingBytes(usize),
    /// Written by a later release.
    #[error("has schema {0}, this release reads up to {SCHEMA}")]
    Schema(u16),
    /// The header says another number of events than there are.
    #[error("says {said} events and holds {held}")]
    EventCount {
        /// By the header.
        said: u32,
        /// By counting.
        held: u64,
    },
    /// A part that postcard refuses.
    #[error("a part can't be read: {0}")]
    Postcard(postcard::Error),
}

/// What a batch says about all its commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Ours or another's: told apart after an unknown outcome.
    pub batch_id: BatchId,
    /// Whose ledger.
    pub tenant: TenantId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The index of the first event.
    pub first_index: u64,
    /// How many events; at least one.
    pub events: u32,
    /// When it was recorded: the writer's clock, never going back within a tenant.
    pub recorded_at: Timestamp,
    /// The sequence of the tenant's batch before this one, which its append was guarded with; 0 for none.
    pub prev: u64,
    /// Where the writer can be reached by other writers; empty when it is alone.
    pub writer: String,
}

impl BatchHeader {
    /// The index of the last event.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        self.first_index + u64::from(self.events).saturating_sub(1)
    }
}

/// A parsed batch. The commits are slices of the message.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What is said about all of them.
    pub header: BatchHeader,
    /// The commits in order; at least one.
    pub commits: Vec<RawCommit>,
}

/// A parsed commit. The events are slices of the message.
#[derive(Clone, Debug)]
pub struct RawCommit {
    /// What is said about all of them.
    pub header: CommitHeader,
    /// The events' bytes in order; at least one.
    pub events: Vec<Bytes>,
}

/// Room for most headers; one with a long message grows.
const HEADER_ROOM: usize = 512;

/// Postcard into a buffer that has room from the beginning, instead of one that grows many times.
///
/// # Errors
/// What can't be serialized; no plain data is that.
pub fn to_vec(value: &impl Serialize, room: usize) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(value, Vec::with_capacity(room))
}

fn framed(header: &impl Serialize, parts: &[impl AsRef<[u8]>]) -> Result<Bytes, CodecError> {
    let header = to_vec(header, HEADER_ROOM).map_err(CodecError::Postcard)?;
    let bytes: usize = parts.iter().map(|part| 4 + part.as_ref().len()).sum();
    let mut out = BytesMut::with_capacity(2 + 4 + header.len() + 4 + bytes);
    out.put_u16_le(SCHEMA);
    out.put_u32_le(len_u32(header.len())?);
    out.put_slice(&header);
    out.put_u32_le(len_u32(parts.len())?);
    for part in parts {
        out.put_u32_le(len_u32(part.as_ref().len())?);
        out.put_slice(part.as_ref());
    }
    Ok(out.freeze())
}

fn len_u32(len: usize) -> Result<u32, CodecError> {
    u32::try_from(len).map_err(|_| CodecError::Postcard(postcard::Error::SerializeBufferFull))
}

fn take_framed<H: DeserializeOwned>(mut bytes: Bytes) -> Result<(H, Vec<Bytes>), CodecError> {
    let schema = bytes.try_get_u16_le().map_err(|_| CodecError::Truncated)?;
    if schema != SCHEMA {
        return Err(CodecError::Schema(schema));
    }
    let header = take_part(&mut bytes)?;
    let (header, rest) = postcard::take_from_bytes::<H>(&header).map_err(CodecError::Postcard)?;
    if !rest.is_empty() {
        return Err(CodecError::TrailingBytes(rest.len()));
    }
    let count = bytes.try_get_u32_le().map_err(|_| CodecError::Truncated)?;
    // A part has four bytes at least, so a count that lies asks for no more room than the message has bytes.
    let mut parts = Vec::with_capacity((count as usize).min(bytes.len() / 4));
    for _ in 0..count {
        parts.push(take_part(&mut bytes)?);
    }
    if bytes.is_empty() { Ok((header, parts)) } else { Err(CodecError::TrailingBytes(bytes.len())) }
}

fn take_part(bytes: &mut Bytes) -> Result<Bytes, CodecError> {
    let len = bytes.try_get_u32_le().map_err(|_| CodecError::Truncated)? as usize;
    if len > bytes.len() {
        return Err(CodecError::Truncated);
    }
    Ok(bytes.split_to(len))
}

impl Commit {
    /// The bytes that a batch carries.
    ///
    /// # Errors
    /// A part of 4 GiB or more.
    pub fn encode(&self) -> Result<Bytes, CodecError> {
        let events = self.events.iter().map(Event::encode).collect::<Result<Vec<_>, _>>()?;
        framed(&self.header, &events)
    }
}

impl RawCommit {
    /// Reads a commit's bytes; its events stay opaque.
    ///
    /// # Errors
    /// Bytes that are no commit of this or an earlier release.
    pub fn parse(bytes: Bytes) -> Result<Self, CodecError> {
        let (header, events) = take_framed(bytes)?;
        Ok(Self { header, events })
    }

    /// The events in today's shape.
    ///
    /// # Errors
    /// Bytes that are no event.
    pub fn decode_events(&self) -> Result<Vec<Event>, CodecError> {
        self.events.iter().map(|bytes| Event::decode(bytes)).collect()
    }
}

impl Batch {
    /// The bytes of a batch of already encoded commits.
    ///
    /// # Errors
    /// A part of 4 GiB or more.
    pub fn encode(header: &BatchHeader, commits: &[Bytes]) -> Result<Bytes, CodecError> {
        framed(header, commits)
    }

    /// Reads a ledger message.
    ///
    /// # Errors
    /// Bytes that are no batch of this or an earlier release, or whose event count is not what the header says.
    pub fn parse(bytes: Bytes) -> Result<Self, CodecError> {
        let (header, parts): (BatchHeader, _) = take_framed(bytes)?;
        let commits = parts.into_iter().map(RawCommit::parse).collect::<Result<Vec<_>, _>>()?;
        let held = commits.iter().map(|c| c.events.len() as u64).sum();
        if held != u64::from(header.events) || held == 0 {
            return Err(CodecError::EventCount { said: header.events, held });
        }
        Ok(Self { header, commits })
    }

    /// The same commits under another header: their bytes are kept as they are, and are not looked at.
    ///
    /// # Errors
    /// Bytes that are no batch.
    pub fn with_header(bytes: Bytes, change: impl FnOnce(&mut BatchHeader)) -> Result<Bytes, CodecError> {
        let (mut header, commits): (BatchHeader, Vec<Bytes>) = take_framed(bytes)?;
        change(&mut header);
        framed(&header, &commits)
    }

    /// The bytes behind the header: how many commits, and the commits.
    ///
    /// # Errors
    /// Bytes that end in the middle of the header.
    pub fn body(mut bytes: Bytes) -> Result<Bytes, CodecError> {
        bytes.try_get_u16_le().map_err(|_| CodecError::Truncated)?;
        take_part(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads only the header, for a worker that routes messages.
    ///
    /// # Errors
    /// As [`Batch::parse`].
    pub fn peek(mut bytes: Bytes) -> Result<BatchHeader, CodecError> {
        let schema = bytes.try_get_u16_le().map_err(|_| CodecError::Truncated)?;
        if schema != SCHEMA {
            return Err(CodecError::Schema(schema));
        }
        let header = take_part(&mut bytes)?;
        postcard::from_bytes(&header).map_err(CodecError::Postcard)
    }

    /// The commits with the index of each one's first event.
    pub fn indexed(&self) -> impl Iterator<Item = (u64, &RawCommit)> {
        let mut index = self.header.first_index;
        self.commits.iter().map(move |commit| {
            let first = index;
            index += commit.events.len() as u64;
            (first, commit)
        })
    }
}

#[cfg(test)]
mod tests;
