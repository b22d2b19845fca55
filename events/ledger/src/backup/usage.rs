//! The rollups in a file to a usage log. They are of another life of the log than the one that they come to: what was in it behind
//! them is gone, and what comes there now begins anew.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use promptory_events::TenantId;
use tokio::sync::mpsc;

use super::{Archive, BackupError, RestoreError};
use crate::port::AppendError;
use crate::usage::{Entry, UsageLog};

/// Rollups that were read and wait to be appended.
const READ_AHEAD: usize = 4;
/// A log that takes nothing for so long is given up; the restore can go on later.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Restores the rollups of a checked file into an empty log; with `resume` also into one where a restore of it was interrupted.
///
/// # Errors
/// The log is not empty, somebody writes to it, or it can't be written; the file is damaged.
pub async fn restore(usage: &UsageLog, path: &Path, resume: bool) -> Result<(), RestoreError> {
    if let Some(tenant) = usage.rolled_tenants().await?.into_iter().next().filter(|_| !resume) {
        return Err(RestoreError::NotEmpty(tenant));
    }
    let (send, mut rollups) = mpsc::channel(READ_AHEAD);
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let mut archive = Archive::open(&path)?;
        while let Some(rollup) = archive.next_rollup()? {
            if send.blocking_send(rollup).is_err() {
                return Err(BackupError::Gone);
            }
        }
        Ok(())
    });
    let mut at: Option<(TenantId, u64)> = None;
    while let Some((tenant, bytes)) = rollups.recv().await {
        let last = at.as_ref().filter(|(of, _)| *of == tenant).map_or(0, |(_, last)| *last);
        let sequence = put(usage, &tenant, last, &bytes).await?;
        at = Some((tenant, sequence));
    }
    let read = reading.await.map_err(|error| BackupError::Interrupted(error.to_string()))?;
    Ok(read?)
}

/// Appends a rollup behind another, unless it is there.
async fn put(usage: &UsageLog, tenant: &TenantId, last: u64, bytes: &Bytes) -> Result<u64, RestoreError> {
    let since = Instant::now();
    loop {
        match usage.rollups(tenant, last).await?.into_iter().next() {
            Some(Entry { sequence, bytes: there }) if there == *bytes => return Ok(sequence),
            Some(_) => return Err(RestoreError::OtherContents(tenant.clone())),
            None => {}
        }
        match usage.append_rollup(tenant, last, bytes.clone()).await {
            Ok(sequence) => return Ok(sequence),
            Err(AppendError::Invalid(why)) => return Err(RestoreError::Refused { tenant: tenant.clone(), why }),
            Err(error) if since.elapsed() > PATIENCE => return Err(RestoreError::Stuck(error.to_string())),
            Err(_) => tokio::time::sleep(PAUSE).await, // what is there now says what became of it
        }
    }
}
