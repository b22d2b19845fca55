//! From what is counted to what follows from it: every now and then guards of rollouts are looked at, and whether versions became
//! worse, and what was found is said to the ledger by the system itself. Any number of processes may do so: the ledger takes each
//! finding once.

use std::time::Duration;

use promptory_platform::attest::Attested;
use promptory_projection::shelf::Watch;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::attest::Sink;

/// How often it is looked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periods {
    /// At guards.
    pub guards: Duration,
    /// Whether versions became worse.
    pub versions: Duration,
}

/// The watching, until it is stopped.
#[derive(Debug)]
pub(super) struct Watching {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Watching {
    pub(super) fn start(watch: Watch, sink: Sink, periods: Periods) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(run(watch, sink, periods, stopped)) }
    }

    /// Ends after the look that is under way.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the watching of rollouts ended badly");
        }
    }
}

async fn run(mut watch: Watch, sink: Sink, periods: Periods, mut stopped: oneshot::Receiver<()>) {
    let [mut guards, mut versions] = [periods.guards, periods.versions].map(|period| {
        let mut look = tokio::time::interval(period);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look
    });
    loop {
        tokio::select! {
            _ = guards.tick() => look_at_guards(&mut watch, &sink).await,
            _ = versions.tick() => look_at_versions(&mut watch, &sink).await,
            _ = &mut stopped => return,
        }
    }
}

async fn look_at_guards(watch: &mut Watch, sink: &Sink) {
    for (tenant, breach) in watch.breaches().await {
        let (rollout, place) = (breach.rollout, breach.place);
        match sink.write(&Attested::Breached(tenant.clone(), breach)).await {
            Ok(()) => tracing::warn!(%tenant, %rollout, place, "a guard of a rollout was breached"),
            // It is found again.
            Err(error) => tracing::warn!(%tenant, %rollout, place, error, "a breach could not be written"),
        }
    }
}

async fn look_at_versions(watch: &mut Watch, sink: &Sink) {
    for (tenant, found) in watch.degraded().await {
        let (prompt, version, measure) = (found.prompt, found.version, found.measure.name());
        match sink.write(&Attested::Degraded(tenant.clone(), found)).await {
            Ok(()) => tracing::info!(%tenant, %prompt, version, measure, "a version became worse than it was"),
            Err(error) => {
                tracing::warn!(%tenant, %prompt, version, measure, error, "that a version became worse could not be written");
                watch.again(&tenant);
            }
        }
    }
}
