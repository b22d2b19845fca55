//! Commands that are done together or not at all: all of them are in one batch, which is one message of the ledger, so
//! nobody ever finds a part of them.

use promptory_events::limits;

use super::Writer;
use super::draft::{Draft, Verdict};
use crate::failure::Failure;
use crate::gather::Gathered;

/// How many of some commands, from the first on, are done together: 1 for one that stands alone, 0 of none.
pub fn leading(items: &[Gathered]) -> usize {
    let tied = items.iter().take_while(|item| item.tied).count();
    items.len().min(tied + 1)
}

impl Writer {
    /// Decides commands that are done together, each on the state that the one before it left. One that is refused takes
    /// back what the others did to the draft, and is the answer to all. `None`: the batch is full.
    pub(super) fn verdicts(&self, draft: &mut Draft, group: &[Gathered]) -> Option<Vec<Verdict>> {
        if let [alone] = group {
            let verdict = self.verdict(draft, alone)?;
            if let Verdict::Refused(why) = &verdict
                && let Some(denied) = self.attempt(draft, alone, why)
            {
                self.attest(draft, alone, denied)?;
            }
            return Some(vec![verdict]);
        }
        let before = Mark::of(draft);
        let mut verdicts = Vec::with_capacity(group.len());
        for (command, item) in group.iter().enumerate() {
            let mut denied = None;
            let failure = match self.verdict(draft, item) {
                Some(Verdict::Refused(why)) => {
                    denied = self.attempt(draft, item, &why); // on what the others left, before that is taken back
                    Failure::InBatch { command, why: Box::new(why) }
                }
                Some(verdict) => {
                    verdicts.push(verdict);
                    continue;
                }
                // It has a batch for itself, and does not fit.
                None if draft.broken.is_none() && before.commits == 0 => {
                    let bytes = draft.bytes + group.iter().skip(command).map(|item| item.bytes).sum::<usize>();
                    Failure::TooLarge { bytes, max: limits::BATCH_MAX_BYTES }
                }
                None => {
                    before.restore(draft);
                    return None;
                }
            };
            before.restore(draft);
            if let Some(denied) = denied {
                self.attest(draft, item, denied)?;
            }
            return Some(group.iter().map(|_| Verdict::Refused(failure.clone())).collect());
        }
        Some(verdicts)
    }
}

/// How far a draft had come.
struct Mark {
    working: promptory_domain::Tenant,
    commits: usize,
    receipts: usize,
    bytes: usize,
}

impl Mark {
    fn of(draft: &Draft) -> Self {
        // The state shares everything with its copy.
        let (commits, receipts) = (draft.commits.len(), draft.receipts.len());
        Self { working: draft.working.clone(), commits, receipts, bytes: draft.bytes }
    }

    fn restore(self, draft: &mut Draft) {
        draft.working = self.working;
        draft.commits.truncate(self.commits);
        draft.receipts.truncate(self.receipts);
        draft.bytes = self.bytes;
    }
}
