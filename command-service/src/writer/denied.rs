//! Commands that are refused because a right is lacking: the first of its kind in a minute is recorded in the very batch
//! that the refusal waits for. So it is durable before anybody is told, and costs the others nothing.

use promptory_domain::{Attestation, Context, Presented, Rejection, decide, denied};
use promptory_events::event::{Attempt, AttemptDenied};
use promptory_events::{CommandHash, Commit, CommitHeader};

use super::Writer;
use super::draft::Draft;
use crate::attest;
use crate::failure::Failure;
use crate::gather::Gathered;

impl Writer {
    /// The attempt that a refused command was, as of the state that refused it.
    pub(super) fn attempt(&self, draft: &Draft, item: &Gathered, why: &Failure) -> Option<AttemptDenied> {
        let lacks_a_right = matches!(
            why,
            Failure::Rejected(
                Rejection::Forbidden(_)
                    | Rejection::DelegationExceeds(_)
                    | Rejection::PromptNotFound(_)
                    | Rejection::ReleaseNotFound(_)
            )
        );
        let (command_id, now) = (item.command_id, draft.recorded_at);
        let context = Context { command_id, now, presented: item.presented.clone() };
        if lacks_a_right { denied(&draft.working, &context, &item.command) } else { None }
    }

    /// Takes an attempt into the draft, as an event or as one to be counted. `None`: the batch is full.
    pub(super) fn attest(&self, draft: &mut Draft, item: &Gathered, denied: AttemptDenied) -> Option<()> {
        let attempt = denied.attempt.clone();
        draft.denied += 1;
        // Repeated in another minute, a command is another attempt.
        let command_id = item.command_id.followed_by(&format!("denied {}", denied.minute));
        let context = Context { command_id, now: draft.recorded_at, presented: Presented::System };
        match decide(&draft.working, &context, &attest::command(Attestation::Denied(denied))) {
            Ok(decision) if !decision.events.is_empty() => {
                let header = CommitHeader {
                    command_id,
                    command_hash: CommandHash::NONE,
                    actor: decision.actor,
                    evidence: decision.evidence,
                    occurred_at: None,
                    author: None,
                    message: None,
                    trace: item.trace,
                };
                draft.add(Commit { header, events: decision.events }).map(drop)
            }
            _ => {
                draft.again.push(attempt);
                Some(())
            }
        }
    }

    /// Counts what was denied and has no event of its own, once the refusals are certain.
    pub(super) fn count_denied(&self, denied: u64, again: Vec<Attempt>) {
        metrics::counter!("promptory_denied_total", "door" => "command").increment(denied);
        let tenant = self.confirmed.state.id();
        again.iter().for_each(|attempt| self.shared.attestor.again(tenant, attempt, 1));
    }
}
