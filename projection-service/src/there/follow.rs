//! Following a tenant's position from afar: one long question at a time for each tenant, as long as somebody here waits.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use promptory_events::{Position, TenantId, partition};
use tokio::sync::watch;

use super::Inner;
use crate::ask::AskError;
use crate::ask::wire::{Asked, Told};
use crate::serve::{FOLLOW_WAIT, follow_subject};

/// How much longer than the other side waits an answer is waited for.
const GRACE: Duration = Duration::from_secs(2);
/// Before asking again when nobody answered.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn follow(inner: &Arc<Inner>, tenant: &TenantId) -> watch::Receiver<Option<Position>> {
    let mut followed = inner.followed.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = followed.get(tenant) {
        return sender.subscribe();
    }
    let (sender, receiver) = watch::channel(None);
    followed.insert(tenant.clone(), sender.clone());
    drop(followed);
    tokio::spawn(run(inner.clone(), tenant.clone(), sender));
    receiver
}

async fn run(inner: Arc<Inner>, tenant: TenantId, sender: watch::Sender<Option<Position>>) {
    loop {
        tokio::select! {
            () = sender.closed() => {
                // Subscribing takes the same lock: who comes later finds no sender and begins anew.
                let mut followed = inner.followed.lock().unwrap_or_else(PoisonError::into_inner);
                if sender.receiver_count() == 0 {
                    followed.remove(&tenant);
                    return;
                }
            }
            () = step(&inner, &tenant, &sender) => {}
        }
    }
}

/// Asks for the next position, and announces it if it is one.
async fn step(inner: &Inner, tenant: &TenantId, sender: &watch::Sender<Option<Position>>) {
    let known = *sender.borrow();
    match beyond(inner, tenant, known).await {
        // A replica that is behind the one that was asked before is no step back.
        Ok(Some(at)) if known.is_none_or(|known| known.incarnation != at.incarnation || known.index < at.index) => {
            sender.send_replace(Some(at));
        }
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(%tenant, %error, "a position can't be followed now");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn beyond(inner: &Inner, tenant: &TenantId, after: Option<Position>) -> Result<Option<Position>, AskError> {
    let subject = follow_subject(partition::of(tenant, inner.partitions));
    let asked = Asked::Beyond { tenant: tenant.clone(), after };
    match inner.send_once(subject, &asked, FOLLOW_WAIT + GRACE).await {
        Ok(Told::Position(at)) => Ok(at),
        Ok(Told::Refused(error)) => Err(error),
        _ => Err(AskError::NoAnswer),
    }
}
