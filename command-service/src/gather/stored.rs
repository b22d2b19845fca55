//! A version that is in the ledger, opened for whoever may read it: what clients that expect it are answered with after a
//! write.

use promptory_domain::Wanted;
use promptory_events::event::Syntax;
use promptory_events::{TenantId, Timestamp};
use promptory_ledger::{KeyStore, KeyStoreError, Ledger, seal};

use super::wanted::{self, Ahead};
use crate::failure::Failure;

/// A version with its contents, and how it came to be.
#[derive(Debug)]
pub struct StoredVersion {
    /// The content: text as it is, or the chat's messages as JSON.
    pub content: String,
    /// Its configuration as JSON.
    pub config: Option<String>,
    /// How the content is read.
    pub syntax: Syntax,
    /// Why it was written; nothing if that was erased.
    pub message: Option<String>,
    /// When it happened: as it is claimed, or else recorded.
    pub at: Timestamp,
    /// Who made it: the author who is claimed, or else the principal.
    pub by: String,
}

/// Opens a version. Whether its reader may have it is asked before.
///
/// # Errors
/// The ledger or the key store can't be read; the content was erased.
pub async fn stored_version(
    ledger: &Ledger,
    keys: &KeyStore,
    tenant: &TenantId,
    wanted: &Wanted,
) -> Result<StoredVersion, Failure> {
    let sealed = wanted::version(ledger, tenant, &Ahead::default(), wanted).await?;
    let recorded = wanted::recorded(ledger, tenant, wanted.index).await?;
    let (keys, tenant) = (keys.clone(), tenant.clone());
    // Opening half a MiB takes a millisecond, and keys may come from servers.
    let opening = tokio::task::spawn_blocking(move || {
        let opened = wanted::open_version(&keys, &tenant, &sealed)?;
        let header = recorded.header;
        let message = header.message.as_ref().map(|sealed| {
            match keys.open_sealed(&tenant, &seal::aad::message(&tenant, header.command_id), sealed) {
                Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(KeyStoreError::Erased(_)) => Ok(None),
                Err(error) => Err(Failure::from(error)),
            }
        });
        Ok(StoredVersion {
            content: opened.content,
            config: opened.config,
            syntax: opened.syntax,
            message: message.transpose()?.flatten(),
            at: header.occurred_at.unwrap_or(recorded.at),
            by: header.author.map_or_else(|| header.actor.to_string(), |author| author.to_string()),
        })
    });
    opening.await.map_err(|error| Failure::Internal(error.to_string()))?
}
