//! Text that is in the ledger only as ciphertext. How it is sealed and opened: `promptory_ledger::seal`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ContentId, DataKeyId};

/// One sealed text: ChaCha20-Poly1305 over a 32-byte salt and the text.
///
/// Destroying the data key erases the text for good and leaves every hash over these bytes as it was.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    /// The data key.
    pub kid: DataKeyId,
    /// The nonce, random.
    pub nonce: [u8; 12],
    /// Ciphertext and tag of salt and text.
    // As one run of bytes: postcard writes the same as for a list of them, only without a step for each.
    #[serde(with = "serde_bytes")]
    #[schemars(with = "Vec<u8>")]
    pub ct: Vec<u8>,
    /// HMAC-SHA256 keyed with the salt, over the associated data and the text. The salt lies only inside the
    /// ciphertext, so this proves which text was sealed without letting anyone confirm a guess after erasure.
    pub commitment: [u8; 32],
}

// Ciphertext in a debug print helps nobody and fills logs.
impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({}, {} bytes)", self.kid, self.ct.len())
    }
}

/// A content that an event names: by its keyed id, with its length, and where the sealed bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// Keyed id of the bytes.
    pub id: ContentId,
    /// Length of the bytes, unsealed.
    pub bytes: u32,
    /// The sealed bytes, or where they are.
    pub body: ContentBody,
}

/// Equal content inside one prompt is stored once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentBody {
    /// Here.
    Inline(Sealed),
    /// In the event with this index, which carries a content of the same id.
    At(u64),
}
