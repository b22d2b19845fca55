//! The second walk: each tenant folded in memory, one after another from a ledger; from a file as many at once as are
//! small enough together, a reading of the file for each such group.

use std::collections::HashMap;
use std::path::Path;

use promptory_events::{Incarnation, TenantId};
use promptory_ledger::backup::{Archive, Contents, Summary};
use promptory_ledger::{KeyStore, Ledger};
use promptory_projection::ask::AsOf;
use promptory_projection::replay::{Folding, ReplayError};

use super::Problem;
use crate::backup::BackupRunError;

/// Events that are folded at once from a file, if no tenant alone has more: some GiB at most, mostly far less.
const GROUP_EVENTS: u64 = 500_000;

/// What a tenant's ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub model_digest: String,
    /// Only with the keys that open the texts.
    pub history_digest: Option<String>,
}

/// A tenant's fold with the point that it goes to.
fn begin(summary: &Summary, incarnation: Incarnation) -> Folding {
    Folding::new(summary.tenant.clone(), incarnation, AsOf::Index(summary.events.saturating_sub(1)))
}

fn problem(tenant: &TenantId, index: u64, error: &dyn std::error::Error) -> Problem {
    Problem { tenant: tenant.to_string(), index, why: error.to_string() }
}

/// What a fold says at its end.
fn finish(folding: Folding, keys: Option<&KeyStore>) -> Result<Said, ReplayError> {
    let model_digest = folding.model_digest();
    let history_digest = keys.map(|keys| folding.finish(keys)).transpose()?.map(|replay| replay.history_digest);
    Ok(Said { model_digest, history_digest })
}

/// Folds one tenant of a ledger, up to the end that was walked to.
pub(super) async fn ledger(ledger: &Ledger, keys: Option<KeyStore>, summary: &Summary) -> Result<Said, Problem> {
    let tenant = &summary.tenant;
    let mut folding = begin(summary, ledger.incarnation());
    let mut reader = ledger.read(tenant, 0).await.map_err(|error| problem(tenant, 0, &error))?;
    while folding.next_index() < summary.events {
        let next = folding.next_index();
        let page = reader.next().await.map_err(|error| problem(tenant, next, &error))?;
        if page.is_empty() {
            let why = "the ledger ends before this event".to_owned();
            return Err(Problem { tenant: tenant.to_string(), index: next, why });
        }
        let folded = tokio::task::spawn_blocking(move || {
            let outcome = folding.page(&page);
            (folding, outcome)
        });
        let (kept, outcome) = folded.await.map_err(|error| problem(tenant, next, &error))?;
        outcome.map_err(|error| problem(tenant, kept.next_index(), &error))?;
        folding = kept;
    }
    let last = summary.events.saturating_sub(1);
    let finishing = tokio::task::spawn_blocking(move || finish(folding, keys.as_ref()));
    let said = finishing.await.map_err(|error| problem(tenant, last, &error))?;
    said.map_err(|error| problem(tenant, last, &error))
}

type FoldedTenant = (Summary, Result<Said, Problem>);

/// Folds all tenants of a file, which was checked.
pub(super) async fn archive(
    file: &Path,
    contents: &Contents,
    keys: Option<KeyStore>,
) -> Result<Vec<FoldedTenant>, BackupRunError> {
    let (file, contents) = (file.to_owned(), contents.clone());
    let folding = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        for group in groups(&contents.tenants) {
            out.extend(folded(&file, group, keys.as_ref())?);
        }
        Ok(out)
    });
    folding.await.map_err(|error| BackupRunError::interrupted(&error))?
}

/// Runs of tenants that are small enough together; a large one is alone.
fn groups(tenants: &[Summary]) -> Vec<&[Summary]> {
    let (mut out, mut begin, mut events) = (Vec::new(), 0, 0u64);
    for (at, tenant) in tenants.iter().enumerate() {
        if at > begin && events.saturating_add(tenant.events) > GROUP_EVENTS {
            out.push(&tenants[begin..at]);
            (begin, events) = (at, 0);
        }
        events = events.saturating_add(tenant.events);
    }
    out.push(&tenants[begin..]);
    out
}

fn folded(file: &Path, group: &[Summary], keys: Option<&KeyStore>) -> Result<Vec<FoldedTenant>, BackupRunError> {
    let mut archive = Archive::open(file)?;
    let incarnation = archive.header().incarnation;
    let mut open: HashMap<TenantId, Result<Folding, Problem>> =
        group.iter().map(|summary| (summary.tenant.clone(), Ok(begin(summary, incarnation)))).collect();
    while let Some((tenant, batch)) = archive.next()? {
        let Some(state) = open.get_mut(&tenant) else { continue };
        if let Ok(folding) = state
            && let Err(error) = folding.page(std::slice::from_ref(&batch))
        {
            *state = Err(problem(&tenant, folding.next_index(), &error));
        }
    }
    let mut out = Vec::with_capacity(group.len());
    for summary in group {
        let Some(state) = open.remove(&summary.tenant) else { continue };
        let last = summary.events.saturating_sub(1);
        let said =
            state.and_then(|folding| finish(folding, keys).map_err(|error| problem(&summary.tenant, last, &error)));
        out.push((summary.clone(), said));
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use promptory_events::Timestamp;

    use super::*;

    #[test]
    fn small_tenants_are_folded_together_and_a_large_one_alone() {
        let of = |events| Summary {
            tenant: "acme".parse().unwrap(),
            batches: 1,
            events,
            recorded_at: Timestamp::MIN,
            digest: String::new(),
        };
        let sizes = |tenants: &[Summary]| groups(tenants).into_iter().map(<[Summary]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&[of(1), of(2), of(3)]), [3]);
        assert_eq!(sizes(&[of(1), of(GROUP_EVENTS), of(1), of(u64::MAX), of(5)]), [1, 1, 1, 1, 1]);
        assert_eq!(sizes(&[of(GROUP_EVENTS - 1), of(1), of(1)]), [2, 1]);
    }
}
