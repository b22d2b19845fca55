//! One edit of a prompt, whatever it was read from, and where it was read.

use std::fmt;
use std::sync::Arc;

use promptory_command::wire::Request;
use promptory_events::{Author, Timestamp};
use sha2::{Digest, Sha256};

/// Where something was read: a line of a file, or the n-th edit of a repository's history. Counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file or the repository, as it was named.
    pub file: Arc<str>,
    /// Which line or edit.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a source found at a place.
#[derive(Debug)]
pub struct Read {
    /// Where.
    pub place: Place,
    /// What.
    pub found: Found,
    /// How far the source has come, in its own unit.
    pub progress: u64,
}

/// What was found: every place leads to exactly one of these.
#[derive(Debug)]
pub enum Found {
    /// An edit to be sent.
    Edit(Box<Edit>),
    /// What the source has as a command already.
    Command(Box<Request>),
    /// Something that should have been an edit, and why it is none. Never holds prompt text.
    Bad(String),
    /// Something that is no prompt and is left out on purpose, and why.
    Skipped(String),
}

/// One edit of one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The path that it is about; after a rename the new one.
    pub path: String,
    /// What was done.
    pub change: Change,
    /// The prompt's title, if the source has one.
    pub title: Option<String>,
    /// When it was done.
    pub time: Timestamp,
    /// Pseudonym of who did it.
    pub author: Option<Author>,
    /// Why.
    pub message: Option<String>,
    /// Where it stands in the history it comes from.
    pub origin: Origin,
}

/// What an edit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new prompt.
    Create {
        /// Its text.
        text: String,
    },
    /// Another text.
    Edit {
        /// The whole new text.
        text: String,
    },
    /// Gone.
    Delete,
    /// Another path.
    Rename {
        /// The path until now.
        from: String,
        /// The whole text afterwards; `None` if it stays as it was.
        text: Option<String>,
    },
}

impl Change {
    /// Its name in a `.jsonl` file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Edit { .. } => "edit",
            Self::Delete => "delete",
            Self::Rename { .. } => "rename",
        }
    }

    /// The text that it brings.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Create { text } | Self::Edit { text } => Some(text),
            Self::Rename { text, .. } => text.as_deref(),
            Self::Delete => None,
        }
    }
}

/// Where an edit stands in the history it comes from. With path and kind of change it is unique there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which history.
    pub repo: Arc<str>,
    /// Which commit.
    pub commit: Arc<str>,
    /// The commit's place in the history.
    pub seq: u64,
}

impl Edit {
    /// The same for the same edit in every run, so that the server does it once: `import:` and 64 hex digits.
    pub fn idempotency_key(&self, prefix: &str) -> String {
        let from = if let Change::Rename { from, .. } = &self.change { from } else { "" };
        let seq = self.origin.seq.to_string();
        let mut parts: Vec<&str> =
            vec![&self.origin.repo, &self.origin.commit, &seq, self.change.name(), &self.path, from];
        if !prefix.is_empty() {
            // The same history under another prefix is other prompts.
            parts.push(prefix);
        }
        idempotency_key(&parts)
    }
}

/// The same for the same parts in every run: `import:` and 64 hex digits.
pub fn idempotency_key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts are the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("import:{}", data_encoding::HEXLOWER.encode(&hash.finalize()))
}
