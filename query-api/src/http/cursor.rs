//! Where the next page begins, as an opaque text. It says in whose and in which listing it belongs and carries the
//! point that the first page was answered at, so that all pages of one listing agree.

use data_encoding::BASE64URL_NOPAD;
use promptory_events::{Position, PromptKey, TenantId};
use promptory_platform::Problem;
use promptory_projection::ask::insight::AskInsight;
use promptory_projection::ask::search::After;
use promptory_projection::ask::{AsOf, AskChanges, AskHoldings, AskWho, AuditFilter, Listing};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A place in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// Among prompts.
    List {
        /// The prefix of the listing.
        prefix: String,
        /// The point that it is answered at.
        as_of: AsOf,
        /// The last key of the page before.
        after: PromptKey,
    },
    /// Among a prompt's versions.
    Versions {
        /// The point that it is answered at.
        as_of: AsOf,
        /// The last number of the page before.
        below: u32,
    },
    /// Among the moves of a prompt's label.
    LabelHistory {
        /// The point that it is answered at.
        as_of: AsOf,
        /// The index of the last move of the page before.
        after: u64,
    },
    /// Among a prompt's forks.
    Forks {
        /// The point that it is answered at.
        as_of: AsOf,
        /// The index of the last fork of the page before.
        after: u64,
    },
    /// Among comments.
    Comments {
        /// The point that it is answered at.
        as_of: AsOf,
        /// The index of the last comment of the page before.
        after: u64,
    },
    /// Among the versions that include a prompt.
    Dependents {
        /// The point that it is answered at.
        as_of: AsOf,
        /// Whether those that nothing leads to are among them.
        all: bool,
        /// The index that the page before came to.
        after: u64,
    },
    /// Among what is known about access.
    Access {
        /// Which list.
        what: Listing,
        /// The point that it is answered at.
        as_of: AsOf,
        /// The cursor of the last item of the page before.
        after: String,
    },
    /// Among whoever may do something: the question that goes on.
    Who(Box<AskWho>),
    /// Among a principal's grants: the question that goes on.
    Holdings(Box<AskHoldings>),
    /// Among what changed: the question that goes on.
    Changes(Box<AskChanges>),
    /// Among audit records.
    Audit {
        /// Which records.
        filter: Box<AuditFilter>,
        /// The last event that is looked at.
        end: u64,
        /// Where the page before said to go on.
        from: u64,
    },
    /// Among what a search has found.
    Search {
        /// What is searched for, as a hash: the later pages must ask for the same.
        asked: [u8; 16],
        /// Where it goes on.
        after: After,
    },
    /// Among prompts as a whole: the question that goes on.
    Insight(Box<AskInsight>),
}

/// Bytes of the check sum. It keeps mistakes out; it is no signature, since a cursor opens nothing.
const CHECK: usize = 8;

fn check(tenant: &TenantId, bytes: &[u8]) -> [u8; CHECK] {
    let mut hasher = Sha256::new();
    hasher.update(b"promptory/cursor/1\0");
    hasher.update(tenant.as_str());
    hasher.update([0]); // no tenant's name holds it
    hasher.update(bytes);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hasher.finalize()[..CHECK]);
    check
}

impl Cursor {
    /// The text for a client of this tenant.
    pub fn encode(&self, tenant: &TenantId) -> Result<String, Problem> {
        let mut bytes = postcard::to_allocvec(self).map_err(|_| Problem::internal())?;
        let check = check(tenant, &bytes);
        bytes.extend(check);
        Ok(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads the text that a client sent back.
    ///
    /// # Errors
    /// `invalid-field`: it is not as it was given out, or it was given out to another tenant.
    pub fn decode(text: &str, tenant: &TenantId) -> Result<Self, Problem> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| foreign())?;
        let (payload, sum) = bytes.split_last_chunk::<CHECK>().ok_or_else(foreign)?;
        if *sum != check(tenant, payload) {
            return Err(foreign());
        }
        match postcard::take_from_bytes(payload) {
            Ok((cursor, [])) => Ok(cursor),
            _ => Err(foreign()),
        }
    }
}

/// The point that later pages are answered at: the index that the first page was answered at, and if it was asked for
/// an occurred time that too, for an import could add to that past between the pages.
pub fn pinned(as_of: AsOf, answered: Option<Position>) -> AsOf {
    match (as_of, answered.map(|position| position.index)) {
        (AsOf::Occurred(time), Some(index)) => AsOf::OccurredAt { time, index },
        (AsOf::Now | AsOf::Recorded(_), Some(index)) => AsOf::Index(index),
        (as_of, _) => as_of,
    }
}

/// The refusal of a cursor that is not one of this listing.
pub fn foreign() -> Problem {
    Problem::field("cursor", "is not a `next_cursor` of this listing; begin again without it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn cursor() -> Cursor {
        let (prefix, after) = ("team/ ü".to_owned(), "team/ üx".parse().unwrap());
        Cursor::List { prefix, as_of: AsOf::Index(41), after }
    }

    #[test]
    fn a_cursor_reads_back_for_its_own_tenant() {
        let text = cursor().encode(&tenant("acme")).unwrap();
        assert_eq!(Cursor::decode(&text, &tenant("acme")).unwrap(), cursor());
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "needs no escape: {text}");
        assert_eq!(Cursor::decode(&text, &tenant("acme-2")).unwrap_err().document()["field"], "cursor");
    }

    #[test]
    fn a_changed_cursor_is_refused() {
        let text = cursor().encode(&tenant("acme")).unwrap();
        for i in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Cursor::decode(&changed, &tenant("acme")).is_err(), "{i}");
            assert!(Cursor::decode(&text[..i], &tenant("acme")).is_err(), "{i}");
        }
        assert!(Cursor::decode("ü", &tenant("acme")).is_err());
    }
}
