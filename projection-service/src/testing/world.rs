//! A ledger and a key store in memory, a shelf in a temporary folder.

use promptory_events::{KeyId, PromptKey, TenantId};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::storage::fault::FaultBackend;
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::Clock;
use tempfile::TempDir;

use super::Scribe;
use crate::ask::*;
use crate::shelf::{Config, Shelf};

pub(crate) struct World {
    pub dir: TempDir,
    pub ledger: Ledger,
    pub keys: KeyStore,
    pub shelf: Shelf,
}

impl World {
    pub(crate) fn new(open_max: usize) -> Self {
        Self::with_clock(open_max, Clock::System)
    }

    pub(crate) fn with_clock(open_max: usize, clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::Embedded(Embedded::with_backend(FaultBackend::new(), 1).unwrap());
        let keys = KeyStore::with_backend(FaultBackend::new()).unwrap();
        let shelf = shelf(&dir, open_max, &ledger, &keys, clock);
        Self { dir, ledger, keys, shelf }
    }

    /// Ends the process, in good order, and begins another.
    pub(crate) async fn restart(&mut self) {
        self.shelf.close().await;
        self.shelf = shelf(&self.dir, 8, &self.ledger, &self.keys, Clock::System);
    }

    /// Another process with an empty folder on the same ledger.
    pub(crate) async fn alone(&mut self) {
        self.shelf.close().await;
        self.dir = tempfile::tempdir().unwrap();
        self.shelf = shelf(&self.dir, 8, &self.ledger, &self.keys, Clock::System);
    }

    /// A scribe for a new tenant. Its first batch, not appended yet, lets in the caller of [`ask`].
    pub(crate) fn scribe(&self, tenant: &str) -> Scribe {
        let mut scribe = Scribe::new(tenant, self.ledger.incarnation(), Some(self.keys.clone()));
        scribe.let_in(1, 1, Some(promptory_events::event::Role::Auditor));
        scribe
    }

    pub(crate) async fn ask(&self, tenant: &str, question: Question) -> Result<Reply, AskError> {
        self.shelf.answer(ask(tenant, question)).await
    }

    pub(crate) async fn status(&self, tenant: &str) -> StatusAnswer {
        match self.ask(tenant, Question::Status).await.unwrap().answer {
            Answer::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn text(&self, tenant: &str, key: &str) -> Result<String, AskError> {
        self.prompt(tenant, newest(key)).await.map(|answer| answer.content)
    }

    pub(crate) async fn prompt(&self, tenant: &str, question: Question) -> Result<PromptAnswer, AskError> {
        self.ask(tenant, question).await.map(|reply| match reply.answer {
            Answer::Prompt(answer) => *answer,
            other => panic!("{other:?}"),
        })
    }
}

fn shelf(dir: &TempDir, open_max: usize, ledger: &Ledger, keys: &KeyStore, clock: Clock) -> Shelf {
    let config = Config {
        dir: dir.path().to_owned(),
        open_max,
        cache_bytes: 1 << 20,
        clock,
        identity: promptory_identity::Config::default(),
        search: crate::shelf::search::Config::default(),
        keep: crate::shelf::KEEP,
    };
    Shelf::new(config, ledger.clone(), keys.clone())
}

/// A question of the caller that [`World::scribe`] lets in.
pub(crate) fn ask(tenant: &str, question: Question) -> Ask {
    let caller = Caller::Key { key: KeyId([1; 8]), secret_hash: [1; 32] };
    Ask { tenant: tenant.parse::<TenantId>().unwrap(), caller, at_least: None, question }
}

pub(crate) fn newest(key: &str) -> Question {
    let which = Which::Label("latest".parse().unwrap());
    Question::Prompt { prompt: by_key(key), which, as_of: AsOf::Now }
}

pub(crate) fn by_key(key: &str) -> PromptRef {
    PromptRef::Key(key.parse::<PromptKey>().unwrap())
}
