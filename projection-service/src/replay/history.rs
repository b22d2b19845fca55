//! The history digest: what happened, without ids, recorded times and batch borders, so that two ledgers that were told
//! the same have the same one. A line of canonical JSON for each event; `tests/` recomputes it from HTTP answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use promptory_events::{CommitHeader, Content, ContentId, Event};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::store::key::Key;
use crate::store::rows::{Memory, RowError, Rows};
use crate::views::catalog::answer::Desk;
use crate::views::catalog::point::{AnswerError, Point};
use crate::views::catalog::row::{EventRow, PromptRow};

/// The telling of a history.
pub(super) struct History<'a> {
    desk: &'a Desk<'a, Memory>,
    hasher: Sha256,
    /// Equal contents have equal ids, so each is opened once.
    hashes: HashMap<ContentId, [u8; 32]>,
    pub events: u64,
    pub versions: u64,
}

impl<'a> History<'a> {
    pub(super) fn new(desk: &'a Desk<'a, Memory>) -> Self {
        Self { desk, hasher: Sha256::new(), hashes: HashMap::new(), events: 0, versions: 0 }
    }

    /// Tells every event that counts at a point.
    pub(super) fn tell(&mut self, point: Point) -> Result<(), AnswerError> {
        let (rows, mut last) = (self.desk.model.rows, None);
        for found in rows.range(&Key::Event(0).encode(), &Key::Event(point.index).encode()) {
            let (key, value) = found?;
            let Some(Key::Event(index)) = Key::decode(&key) else { return Err(RowError::Row("event").into()) };
            let row = EventRow::decode(&value)?;
            let commit = self.desk.commit(index, &row, &mut last)?;
            // A prompt's events count by its prefix, the others by what they say of themselves.
            let said = commit.occurred_at.unwrap_or(row.recorded_at);
            let effective = row.prompt.as_ref().map_or(said, |prompt| prompt.effective_at);
            if point.time.is_some_and(|time| effective > time) {
                continue;
            }
            self.events += 1;
            if let Some(prompt) = &row.prompt {
                self.line(&row.event, prompt, commit)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, event: &Event, prompt: &PromptRow, commit: &CommitHeader) -> Result<(), AnswerError> {
        let Some(special) = self.special(event)? else { return Ok(()) };
        // A map in order of its keys, whatever features serde_json was built with.
        let mut line: BTreeMap<&str, Value> = special.into_iter().collect();
        line.insert("type", json!(event.name()));
        line.insert("key", json!(prompt.key));
        line.insert("author", json!(commit.author));
        line.insert("occurred_at", json!(commit.occurred_at));
        let text = serde_json::to_string(&line).map_err(|_| RowError::Row("history"))?;
        self.hasher.update(text.as_bytes());
        self.hasher.update(b"\n");
        Ok(())
    }

    /// What the line of an event has besides what all lines have; `None` for events that the history leaves out.
    fn special(&mut self, event: &Event) -> Result<Option<Vec<(&'static str, Value)>>, AnswerError> {
        Ok(Some(match event {
            Event::PromptCreated(e) => vec![("kind", json!(e.kind))],
            Event::VersionAdded(e) => {
                self.versions += 1;
                let sha256 = hex(&self.sha256(&e.content)?);
                let mut special = vec![("number", json!(e.number)), ("content_sha256", json!(sha256))];
                special.extend((!e.branch.is_main()).then(|| ("branch", json!(e.branch))));
                special
            }
            Event::PromptRenamed(e) => vec![("from", json!(e.before))],
            Event::PromptArchived(_) | Event::PromptRestored(_) => vec![],
            Event::LabelSet(e) => vec![("label", json!(e.label)), ("number", json!(e.after))],
            Event::LabelRemoved(e) => vec![("label", json!(e.label))],
            Event::BranchCreated(e) => vec![("branch", json!(e.branch)), ("number", json!(e.head))],
            Event::BranchClosed(e) => vec![("branch", json!(e.branch))],
            _ => return Ok(None),
        }))
    }

    /// SHA-256 of the newest content of a prompt's `main`.
    pub(super) fn newest(&mut self, row: &Arc<PromptRow>) -> Result<[u8; 32], AnswerError> {
        let (_, _, version) = self.desk.added(&*self.desk.model.version(row, row.main)?)?;
        self.sha256(&version.content)
    }

    fn sha256(&mut self, content: &Content) -> Result<[u8; 32], AnswerError> {
        if let Some(hash) = self.hashes.get(&content.id) {
            return Ok(*hash);
        }
        let hash = Sha256::digest(self.desk.content(content)?.as_bytes()).into();
        self.hashes.insert(content.id, hash);
        Ok(hash)
    }

    /// The digest of what was told, hex.
    pub(super) fn digest(self) -> String {
        hex(&self.hasher.finalize())
    }
}
