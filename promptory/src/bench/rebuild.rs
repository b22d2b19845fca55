//! Rebuilding a large tenant's read model from its ledger alone, against what sled does with the same rows.

use std::sync::Arc;

use promptory_projection::views::Name;

use super::limits::stores::Recording;
use super::report::{Bar, Figures};
use super::world::no_such_part;
use super::{Bench, BenchError, Figure};

/// Share of sled's own rate, in percent.
const OF_SLED: f64 = 60.0;
/// Events a second.
const EVENTS: f64 = 30_000.0;

/// Measures.
///
/// # Errors
/// Something broke, or the rebuilt model is not the one that was there.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let filled = bench.filled().await?;
    let (node, tenant) = (filled.world.node(), &filled.tenant.id);
    let recording = Arc::new(Recording::of(node.ledger(), tenant).await?);
    let mut figures = Figures::of("rebuild");
    for round in 0..bench.args.rounds {
        let sled = recording.events() / recording.clone().sled(bench.folder(&format!("beside-{round}"))).await?;
        let report = node.shelf().ok_or_else(no_such_part)?.rebuild(tenant, Name::Catalog, |_, _| {}).await?;
        if report.old.as_ref() != Some(&report.new) {
            return Err(BenchError::Server("rebuilt another model than the one that was there".to_owned()));
        }
        let rate = recording.events() / report.seconds;
        figures.sample("sled, the same rows", "events/s", sled);
        figures.held("rebuilt", "events/s", rate, Bar::AtLeast(EVENTS));
        figures.held("of sled's own rate", "%", 100.0 * rate / sled, Bar::AtLeast(OF_SLED));
    }
    figures.sample("events of the tenant", "", recording.events());
    Ok(figures.done())
}
