//! An exported history becomes commands again, commit by commit, in its order. Prompts and versions get new ids here;
//! what they will be is known before anything is sent, for an id follows from the command that makes it.
//!
//! What an import can't carry (rights, keys, protections, releases, comments, rollouts) is told, with the line it is on.

mod commit;

use std::collections::HashMap;

use promptory_events::{CommandId, PrincipalId, TenantId};
use sha2::{Digest, Sha256};

use super::edit::{Found, idempotency_key};
use crate::history::{Commit, End, FORMAT, Line};

/// Who imports into what, which is what ids are made of.
#[derive(Clone, Debug)]
pub struct Into {
    /// The tenant.
    pub tenant: TenantId,
    /// The principal whose key is used.
    pub principal: PrincipalId,
    /// Put before every key.
    pub prefix: String,
    /// Whether recorded times and actors are claimed where nothing was.
    pub claim_recorded: bool,
}

/// The lines of one exported history, in order.
pub struct Lines {
    into: Into,
    /// The life of the ledger that it comes from.
    incarnation: Option<String>,
    /// What prompts of the source are here.
    prompts: HashMap<String, Here>,
    /// What versions of the source are here.
    versions: HashMap<String, String>,
    commits: u64,
    hash: Sha256,
    ended: bool,
}

/// A prompt of the source.
#[derive(Clone, Debug)]
enum Here {
    /// It has this id.
    Id(String),
    /// It can't be imported, or not from some version on.
    Lost,
}

impl Lines {
    /// Before the first line.
    pub fn new(into: Into) -> Self {
        let (prompts, versions) = (HashMap::new(), HashMap::new());
        Self { into, incarnation: None, prompts, versions, commits: 0, hash: Sha256::new(), ended: false }
    }

    /// What a line says; nothing at all is the end of the file. Never quotes a text.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Found> {
        if bytes.is_empty() {
            let whole = self.ended || self.incarnation.is_none();
            return if whole {
                vec![]
            } else {
                vec![bad("the file breaks off: the end of the history is not there".into())]
            };
        }
        let line = match serde_json::from_slice::<Line>(bytes) {
            Ok(line) => line,
            Err(error) => return vec![bad(format!("no line of an exported history: {}", place(&error)))],
        };
        let found = match (line, &self.incarnation) {
            _ if self.ended => vec![bad("it stands after the history's end".into())],
            (Line::Head(head), None) if head.format == FORMAT => {
                self.incarnation = Some(head.incarnation);
                vec![]
            }
            (Line::Head(head), None) => {
                vec![bad(format!("the form {} is unknown here; it should be {FORMAT}", head.format))]
            }
            (Line::Head(_), Some(_)) => vec![bad("a second head: one file holds one history".into())],
            (_, None) => vec![bad("no head stands before it".into())],
            (Line::Commit(commit), Some(incarnation)) => {
                let incarnation = incarnation.clone();
                self.commits += 1;
                self.commit(&incarnation, *commit)
            }
            (Line::End(end), Some(_)) => self.end(&end),
        };
        self.hash.update(bytes);
        self.hash.update(b"\n");
        found
    }

    /// What the end finds missing before it.
    fn end(&mut self, end: &End) -> Vec<Found> {
        self.ended = true;
        let sha256 = data_encoding::HEXLOWER.encode(&self.hash.clone().finalize());
        if end.commits != self.commits {
            return vec![bad(format!("{} commits stand before it; there should be {}", self.commits, end.commits))];
        }
        if end.sha256 == sha256 {
            vec![]
        } else {
            vec![bad("the lines before it are not those that were exported".into())]
        }
    }

    /// The key that makes the command that begins at an event the same in every run.
    fn key_of(&self, incarnation: &str, index: u64) -> String {
        let index = index.to_string();
        let mut parts = vec!["history", incarnation, &index];
        if !self.into.prefix.is_empty() {
            parts.push(&self.into.prefix); // under another prefix it is other prompts
        }
        idempotency_key(&parts)
    }

    fn command_id(&self, idempotency_key: &str) -> CommandId {
        CommandId::from_idempotency_key(&self.into.tenant, self.into.principal, idempotency_key)
    }

    /// The id here of a prompt of the source.
    fn prompt(&self, source: Option<&str>) -> Result<String, String> {
        match source.and_then(|id| self.prompts.get(id)) {
            Some(Here::Id(id)) => Ok(id.clone()),
            Some(Here::Lost) => Err("its prompt, or a version before, could not be imported".into()),
            None => Err("its prompt was not created before".into()),
        }
    }

    fn commit(&mut self, incarnation: &str, commit: Commit) -> Vec<Found> {
        commit::found(self, incarnation, commit)
    }
}

fn bad(why: String) -> Found {
    Found::Bad(why)
}

/// Where something is wrong, without what stands there.
fn place(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io | Category::Eof => "it breaks off",
        Category::Syntax => "no JSON",
        Category::Data => "a field is missing or of another type",
    };
    format!("{what} (column {})", error.column())
}

#[cfg(test)]
mod tests;
