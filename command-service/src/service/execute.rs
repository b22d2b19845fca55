//! Commands of one caller, in order. Those that rest on contents go to the writer alone: it says which contents, they are
//! gathered, and it decides again.

use std::sync::Arc;

use promptory_domain::{Presented, Rejection, Wanted};
use promptory_events::{PrincipalId, TenantId};
use promptory_platform::Problem;
use promptory_platform::apikey::Presented as Shown;
use serde_json::Value;

use super::admit::Admitted;
use super::{Service, refresh, send};
use crate::failure::Failure;
use crate::gather::{Ahead, Gathered, Origin, Sides, gather, gather_wanted};
use crate::load::Confirmed;
use crate::outcome::Outcome;
use crate::wire;
use crate::writer::{Answers, Handle};

/// Above so many bytes of body, gathering leaves the async threads: sealing them takes milliseconds.
pub(super) const GATHER_INLINE_BYTES: usize = 64 * 1024;
/// The same above so many commands.
const GATHER_INLINE_COMMANDS: usize = 8;
/// Data keys that are at hand for each command before it is gathered on an async thread: a few more than any takes, since
/// others take some at the same time.
const KEYS_AT_HAND: usize = 16;
/// Texts of conflicts in one answer; of those beyond it only the versions are named.
pub(super) const CONFLICTS_MAX_BYTES: usize = 4 * 1024 * 1024;
/// How often contents are gathered for one command while what it rests on keeps moving. Each time another one came first.
pub(super) const GATHER_TRIES: usize = 32;

impl Service {
    /// Does commands of one caller, in order, each atomic; the caller's key names the tenant.
    ///
    /// # Errors
    /// What stops all of them: the caller is not let in, or too much waits. What stops one is in its place.
    pub async fn execute(&self, shown: &Shown, requests: Vec<wire::Request>) -> Result<Answers, Failure> {
        // On the heap: it is large, and what it is part of is moved from layer to layer of the HTTP side.
        Box::pin(self.execute_in_order(shown, requests)).await
    }

    async fn execute_in_order(&self, shown: &Shown, requests: Vec<wire::Request>) -> Result<Answers, Failure> {
        let caller = self.admit(shown).await?;
        self.in_time(&caller.writer, requests.len())?;
        let mut answers = Answers::with_capacity(requests.len());
        let mut conflict_bytes = CONFLICTS_MAX_BYTES;
        for run in runs(requests) {
            let count = run.len();
            match self.run(&caller, shown.tenant(), run, &mut conflict_bytes).await {
                Ok(some) => answers.extend(some),
                Err(failure) if answers.is_empty() => return Err(failure),
                // What was done before is done.
                Err(failure) => answers.extend(std::iter::repeat_n(Err(failure), count)),
            }
        }
        Ok(answers)
    }

    /// Commands that can be decided in one go.
    async fn run(
        &self,
        caller: &Admitted,
        tenant: &TenantId,
        requests: Vec<wire::Request>,
        conflict_bytes: &mut usize,
    ) -> Result<Answers, Failure> {
        let rests_on_contents = requests.iter().any(|request| request.change.rests_on_contents());
        let writer = &caller.writer;
        let gathered = self.gather_all(tenant, caller.principal, caller.presented.clone(), requests).await?;
        let (mut ready, mut refused) = (Vec::with_capacity(gathered.len()), Vec::new());
        for (place, item) in gathered.into_iter().enumerate() {
            match item {
                Ok(item) => ready.push(item),
                Err(failure) => refused.push((place, failure)),
            }
        }
        let mut answers = match ready.pop() {
            None => Answers::new(),
            Some(only) if rests_on_contents => vec![self.resting(writer, only, conflict_bytes).await],
            Some(last) => {
                ready.push(last);
                send(writer, ready).await?
            }
        };
        for (place, failure) in refused {
            answers.insert(place, Err(failure)); // in order of their places, so each is right when its turn comes
        }
        Ok(answers)
    }

    /// A command that rests on contents. The writer looks for it among the commands that were done, lets its caller in and
    /// checks it before anything is opened for it.
    async fn resting(
        &self,
        writer: &Handle,
        mut item: Gathered,
        conflict_bytes: &mut usize,
    ) -> Result<Outcome, Failure> {
        let mut conflict = None;
        for _ in 0..GATHER_TRIES {
            let answer = send(writer, vec![item.clone()]).await?.pop();
            match answer.unwrap_or_else(|| Err(Failure::Internal("no answer".into()))) {
                Err(Failure::Rejected(Rejection::ContentsWanted(wanted))) => {
                    let state = known(writer, &wanted).await;
                    (item, conflict) =
                        gather_wanted(&self.ledger, &self.keys, &state.state, item, &wanted, &Ahead::default()).await?;
                }
                Err(Failure::Rejected(rejection @ Rejection::MergeConflict)) => {
                    return Err(shown(rejection, conflict.unwrap_or_default(), conflict_bytes));
                }
                answer => return answer,
            }
        }
        Err(Failure::Unavailable("the versions that it rests on kept changing".into()))
    }

    async fn gather_all(
        &self,
        tenant: &TenantId,
        principal: PrincipalId,
        presented: Presented,
        requests: Vec<wire::Request>,
    ) -> Result<Vec<Result<Gathered, Failure>>, Failure> {
        let (keys, tenant) = (self.keys.clone(), tenant.clone());
        let heavy = self.is_heavy(&tenant, &requests);
        let all = move || {
            let origin = Origin { tenant: &tenant, principal, presented };
            requests.into_iter().map(|request| gather(&origin, &keys, request)).collect::<Vec<_>>()
        };
        gathering(heavy, all).await
    }

    /// Whether gathering takes so long that it leaves the async threads: it is much, or waits for keys from servers.
    pub(super) fn is_heavy(&self, tenant: &TenantId, requests: &[wire::Request]) -> bool {
        requests.len() > GATHER_INLINE_COMMANDS
            || !self.keys.is_at_hand(tenant, requests.len() * KEYS_AT_HAND)
            || requests.iter().map(wire::Request::size_hint).sum::<usize>() > GATHER_INLINE_BYTES
    }
}

/// Gathers here, or if it is heavy on a thread that may block.
pub(super) async fn gathering<T: Send + 'static>(
    heavy: bool,
    gather: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    if !heavy {
        return Ok(gather());
    }
    let span = tracing::Span::current();
    let gathered = tokio::task::spawn_blocking(move || span.in_scope(gather)).await;
    gathered.map_err(|error| Failure::Internal(error.to_string()))
}

/// The state, as far as it knows these versions: it may be another replica that has decided.
pub(super) async fn known(writer: &Handle, wanted: &[Wanted]) -> Arc<Confirmed> {
    let state = writer.published.load_full();
    if wanted.iter().all(|wanted| wanted.index < state.state.next_index()) {
        return state;
    }
    refresh(writer).await;
    writer.published.load_full()
}

/// A conflict with both its sides, which were never out of this process.
pub(super) fn shown(rejection: Rejection, sides: Sides, bytes_left: &mut usize) -> Failure {
    let mut problem = Problem::from(Failure::Rejected(rejection));
    for (name, side) in sides {
        let bytes = side.to_string().len();
        let fits = bytes <= *bytes_left;
        *bytes_left -= if fits { bytes } else { 0 };
        problem = problem.with(&name, if fits { side } else { Value::Null });
    }
    problem.into()
}

/// The commands in runs, in order: one that rests on contents is alone, so that those before it are done when its contents
/// are gathered, and those after it find it done.
fn runs(requests: Vec<wire::Request>) -> Vec<Vec<wire::Request>> {
    let (mut runs, mut open) = (Vec::<Vec<wire::Request>>::new(), false);
    for request in requests {
        let alone = request.change.rests_on_contents();
        match runs.last_mut().filter(|_| open && !alone) {
            Some(run) => run.push(request),
            None => runs.push(vec![request]),
        }
        open = !alone;
    }
    runs
}
