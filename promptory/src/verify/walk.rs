//! The first walk: every batch where it lies. A tenant whose ledger does not hold is not followed further; the others are.

use std::collections::BTreeSet;
use std::path::Path;

use promptory_events::{Batch, Incarnation, TenantId};
use promptory_ledger::backup::lineage::{Broken, Lineages};
use promptory_ledger::backup::{Archive, BackupError, Contents, Summary, sweep};
use promptory_ledger::{Ledger, Recorded};

use super::Problem;
use crate::backup::BackupRunError;

/// What the walk found.
#[derive(Debug)]
pub(super) struct Walked {
    /// The tenants that hold.
    pub tenants: Vec<Summary>,
    /// The tenants of a backup, as they are where it ends, if they reach that far.
    pub at_the_ends: Vec<Summary>,
    pub problems: Vec<Problem>,
}

struct Walk<'a> {
    lineages: Lineages,
    ends: Option<&'a Contents>,
    at_the_ends: Vec<Summary>,
    problems: Vec<Problem>,
    stopped: BTreeSet<TenantId>,
}

pub(super) async fn ledger(ledger: &Ledger, ends: Option<&Contents>) -> Result<Walked, BackupRunError> {
    let mut walk = Walk::new(ledger.incarnation(), ends);
    let swept = sweep(ledger, |batch| {
        walk.take(batch);
        Ok(())
    })
    .await;
    walk.end(swept)
}

pub(super) async fn archive(file: &Path) -> Result<Walked, BackupRunError> {
    let file = file.to_owned();
    let walking = tokio::task::spawn_blocking(move || {
        let mut archive = Archive::open(&file)?;
        let mut walk = Walk::new(archive.header().incarnation, None);
        let walked = loop {
            match archive.next() {
                Ok(Some((_, batch))) => walk.take(&batch),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        walk.end(walked)
    });
    walking.await.map_err(|error| BackupRunError::interrupted(&error))?
}

impl<'a> Walk<'a> {
    fn new(incarnation: Incarnation, ends: Option<&'a Contents>) -> Self {
        let (at_the_ends, problems, stopped) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { lineages: Lineages::new(incarnation), ends, at_the_ends, problems, stopped }
    }

    fn take(&mut self, batch: &Recorded) {
        let tenant = Batch::peek(batch.bytes.clone()).ok().map(|header| header.tenant);
        if tenant.as_ref().is_some_and(|tenant| self.stopped.contains(tenant)) {
            return;
        }
        match self.looked_at(batch) {
            Ok(()) => {}
            Err(Broken { tenant: whose, index, why }) => {
                self.problems.push(Problem { tenant: whose, index, why });
                self.stopped.extend(tenant);
            }
        }
    }

    fn looked_at(&mut self, batch: &Recorded) -> Result<(), Broken> {
        let header = self.lineages.take(batch.cursor.sequence, &batch.bytes)?;
        let broken = |index, why| Broken { tenant: header.tenant.to_string(), index, why };
        let parsed = Batch::parse(batch.bytes.clone()).map_err(|e| broken(header.first_index, e.to_string()))?;
        for (first, commit) in parsed.indexed() {
            commit.decode_events().map_err(|e| broken(first, e.to_string()))?;
        }
        let end = self.ends.and_then(|ends| ends.tenant(&header.tenant));
        if end.is_some_and(|end| end.events == header.last_index() + 1) {
            self.at_the_ends.extend(self.lineages.summary(&header.tenant));
        }
        Ok(())
    }

    /// A ledger that contradicts itself ends the walk and is a problem; one that can't be read is an error.
    fn end(mut self, walked: Result<(), BackupError>) -> Result<Walked, BackupRunError> {
        match walked {
            Ok(()) => {}
            Err(BackupError::Ledger(promptory_ledger::ReadError::Corrupt(why))) => {
                self.problems.push(Problem { tenant: "?".to_owned(), index: 0, why });
            }
            Err(error) => return Err(error.into()),
        }
        let holds = |summary: &Summary| !self.stopped.contains(&summary.tenant);
        let tenants = self.lineages.summaries().filter(holds).collect();
        Ok(Walked { tenants, at_the_ends: self.at_the_ends, problems: self.problems })
    }
}
