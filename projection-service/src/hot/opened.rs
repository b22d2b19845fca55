//! Opened answers, bounded in bytes and shared by all tenants of the process: a hot resolve needs no store, no key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use promptory_events::PromptId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::ask::PromptAnswer;

/// An opened answer, with room for the bytes that it was rendered to.
#[derive(Debug)]
pub struct Opened {
    /// The answer.
    pub answer: PromptAnswer,
    /// The answer as a response body, set by whoever renders it first.
    pub body: OnceLock<Bytes>,
    /// Whether somebody has asked for it.
    asked: AtomicBool,
}

impl From<PromptAnswer> for Opened {
    fn from(answer: PromptAnswer) -> Self {
        Self { answer, body: OnceLock::new(), asked: AtomicBool::new(false) }
    }
}

impl Opened {
    fn ask(&self) {
        // Read first: what all share is written once.
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }
}

/// What an answer depends on, all of it: a prompt as it is after one of its events, and which version is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenedKey {
    /// The tenant, as a number of this process.
    pub tenant: u64,
    /// The prompt.
    pub prompt: PromptId,
    /// Its last event.
    pub changed_index: u64,
    /// The version's number.
    pub number: u32,
}

/// Weighs in bytes.
#[derive(Clone, Debug)]
pub struct Bytewise;

impl Weighter<OpenedKey, Arc<Opened>> for Bytewise {
    fn weight(&self, _: &OpenedKey, opened: &Arc<Opened>) -> u64 {
        let answer = &opened.answer;
        let json = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let text = answer.content.len() + json(&answer.config) + json(&answer.metadata) + answer.variables.len();
        let runs = answer.prompt.rollouts.values().map(|rollout| 256 + 32 * rollout.table.runs().len());
        let names = answer.prompt.key.as_str().len() + answer.prompt.labels.len() * 96 + answer.prompt.tags.len() * 64;
        // The rendered body comes later and is about as long again, so it is counted from the start.
        2 * (text + names + runs.sum::<usize>()) as u64 + 1024
    }
}

/// The opened answers.
#[derive(Debug)]
pub struct OpenedCache(Cache<OpenedKey, Arc<Opened>, Bytewise>);

impl OpenedCache {
    /// An empty cache that holds at most so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        // A guess of the number of entries, which only sizes its tables: the bound is in bytes.
        let entries = usize::try_from(bytes / 4096).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        Self(Cache::with_weighter(entries, bytes, Bytewise))
    }

    /// The opened answer for somebody who asks, if it is there.
    #[must_use]
    pub fn get(&self, key: &OpenedKey) -> Option<Arc<Opened>> {
        let opened = self.0.get(key);
        opened.iter().for_each(|opened| opened.ask());
        opened
    }

    /// Keeps an answer that somebody has asked for, and gives it back to be shared.
    pub fn put(&self, key: OpenedKey, answer: PromptAnswer) -> Arc<Opened> {
        let opened = Arc::new(Opened::from(answer));
        opened.ask();
        self.0.insert(key, opened.clone());
        opened
    }

    /// Whether the answer is there, and somebody has asked for it.
    #[must_use]
    pub fn was_asked(&self, key: &OpenedKey) -> bool {
        self.0.peek(key).is_some_and(|opened| opened.asked.load(Ordering::Relaxed))
    }

    /// Keeps an answer that nobody has asked for yet, unless it is there.
    pub fn keep(&self, key: OpenedKey, opened: Arc<Opened>) {
        if self.0.peek(&key).is_none() {
            self.0.insert(key, opened);
        }
    }
}
