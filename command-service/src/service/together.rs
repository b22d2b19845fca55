//! Commands of one caller that are done together or not at all: one batch of the ledger, or nothing.
//!
//! Those that rest on contents may rest on what others of the same request bring, which the ledger does not have yet. So
//! they are tried on a copy of the state first, only to learn which contents are wanted; the writer decides.

use promptory_domain::{Context, Rejection, decide};
use promptory_events::limits;
use promptory_platform::apikey::Presented as Shown;

use super::admit::Admitted;
use super::execute::{CONFLICTS_MAX_BYTES, GATHER_TRIES, gathering, known, shown as in_full};
use super::{Service, send};
use crate::failure::Failure;
use crate::gather::{Ahead, Gathered, Origin, Sides, gather_together, gather_wanted};
use crate::outcome::Outcome;
use crate::wire;
use crate::writer::{Answers, HEADER_ROOM, Handle};

impl Service {
    /// Does commands of one caller together, in order: all or none. With an idempotency key the whole is done once.
    ///
    /// # Errors
    /// Nothing was done. `InBatch` names the command that was refused, and why; `TooLarge` if they do not fit into a batch.
    pub async fn execute_together(
        &self,
        shown: &Shown,
        requests: Vec<wire::Request>,
        idempotency_key: Option<String>,
    ) -> Result<Vec<Outcome>, Failure> {
        let Admitted { writer, principal, presented } = self.admit(shown).await?;
        self.in_time(&writer, requests.len())?;
        let rest_on_contents = requests.iter().any(|request| request.change.rests_on_contents());
        let (keys, tenant) = (self.keys.clone(), shown.tenant().clone());
        let gather = move |requests| {
            let origin = Origin { tenant: &tenant, principal, presented };
            gather_together(&origin, &keys, requests, idempotency_key.as_deref())
        };
        let mut items = gathering(self.is_heavy(shown.tenant(), &requests), move || gather(requests)).await??;
        fits(&items)?;
        if !rest_on_contents {
            return all(send(&writer, items).await?);
        }
        for _ in 0..GATHER_TRIES {
            let mut conflict = self.prepare(&writer, &mut items).await?;
            fits(&items)?;
            match all(send(&writer, items.clone()).await?) {
                Err(Failure::InBatch { command, why }) => match *why {
                    // Another one came first: what it rests on is another version now.
                    Failure::Rejected(Rejection::ContentsWanted(wanted)) => drop(known(&writer, &wanted).await),
                    Failure::Rejected(rejection @ Rejection::MergeConflict) => {
                        let sides = conflict.take().filter(|(place, _)| *place == command);
                        let mut bytes_left = CONFLICTS_MAX_BYTES;
                        let why =
                            in_full(rejection, sides.map(|(_, sides)| sides).unwrap_or_default(), &mut bytes_left);
                        return Err(Failure::InBatch { command, why: Box::new(why) });
                    }
                    why => return Err(Failure::InBatch { command, why: Box::new(why) }),
                },
                answer => return answer,
            }
        }
        Err(Failure::Unavailable("the versions that it rests on kept changing".into()))
    }

    /// Gathers the contents that commands rest on, those of commands before them included. Gives the first conflict and
    /// whose it is. What is refused here is left to the writer, which may know better: that it was done before.
    async fn prepare(&self, writer: &Handle, items: &mut [Gathered]) -> Result<Option<(usize, Sides)>, Failure> {
        let confirmed = writer.published.load_full();
        let mut working = confirmed.state.clone();
        let mut ahead = Ahead { from: working.next_index(), events: Vec::new() };
        let now = self.clock.now().max(confirmed.recorded_at);
        for (place, item) in items.iter_mut().enumerate() {
            let context = Context { command_id: item.command_id, now, presented: item.presented.clone() };
            let mut decided = decide(&working, &context, &item.command);
            let mut conflict = None;
            if let Err(Rejection::ContentsWanted(wanted)) = &decided {
                let in_batch = |why: Failure| Failure::InBatch { command: place, why: Box::new(why) };
                let gathering = gather_wanted(&self.ledger, &self.keys, &working, item.clone(), wanted, &ahead).await;
                (*item, conflict) = gathering.map_err(in_batch)?;
                decided = decide(&working, &context, &item.command);
            }
            let Ok(decision) = decided else { return Ok(conflict.map(|sides| (place, sides))) };
            for event in decision.events {
                let evolved = working.evolve(working.next_index(), decision.actor, &event);
                evolved.map_err(|error| Failure::Internal(error.to_string()))?;
                ahead.events.push(event);
            }
        }
        Ok(None)
    }
}

/// Whether commands fit into one batch, as far as that is known before they are decided.
fn fits(items: &[Gathered]) -> Result<(), Failure> {
    let bytes = HEADER_ROOM + items.iter().map(|item| item.bytes).sum::<usize>();
    let max = limits::BATCH_MAX_BYTES;
    if bytes > max { Err(Failure::TooLarge { bytes, max }) } else { Ok(()) }
}

/// All outcomes, or the failure that all have.
fn all(answers: Answers) -> Result<Vec<Outcome>, Failure> {
    let alone = answers.len() == 1;
    answers.into_iter().collect::<Result<_, _>>().map_err(|failure| match failure {
        // The key is the whole request's.
        Failure::InBatch { why, .. } if matches!(*why, Failure::IdempotencyMismatch) => *why,
        failure @ (Failure::InBatch { .. } | Failure::IdempotencyMismatch) => failure,
        failure if alone && !failure.is_of_the_writer() => Failure::InBatch { command: 0, why: Box::new(failure) },
        failure => failure,
    })
}
