//! From what is counted to what follows from it: every now and then guards of rollouts are looked at, and what was breached is
//! said to the ledger by the system itself. Any number of processes may do so: the ledger takes each breach once.

use std::time::Duration;

use promptory_platform::attest::Attested;
use promptory_projection::shelf::Watch;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::attest::Sink;

/// The watching, until it is stopped.
#[derive(Debug)]
pub(super) struct Watching {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Watching {
    pub(super) fn start(watch: Watch, sink: Sink, period: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(run(watch, sink, period, stopped)) }
    }

    /// Ends after the look that is under way.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the watching of rollouts ended badly");
        }
    }
}

async fn run(mut watch: Watch, sink: Sink, period: Duration, mut stopped: oneshot::Receiver<()>) {
    let mut look = tokio::time::interval(period);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => once(&mut watch, &sink).await,
            _ = &mut stopped => return,
        }
    }
}

async fn once(watch: &mut Watch, sink: &Sink) {
    for (tenant, breach) in watch.breaches().await {
        let (rollout, place) = (breach.rollout, breach.place);
        match sink.write(&Attested::Breached(tenant.clone(), breach)).await {
            Ok(()) => tracing::warn!(%tenant, %rollout, place, "a guard of a rollout was breached"),
            // It is found again.
            Err(error) => tracing::warn!(%tenant, %rollout, place, error, "a breach could not be written"),
        }
    }
}
