//! What is there, for routes that answer a write with the version as it is after it.

use std::collections::BTreeMap;

use promptory_domain::access::Action;
use promptory_domain::{Rejection, Wanted};
use promptory_events::event::{Kind, VersionRef};
use promptory_events::{Label, Position, PromptId, PromptKey, Tag, TenantId, VersionId};
use promptory_platform::apikey::Presented as Shown;

use super::{Service, refresh};
use crate::failure::Failure;
use crate::gather::{StoredVersion, stored_version};

/// A prompt with one of its versions.
#[derive(Debug)]
pub struct Stored {
    /// The prompt's key.
    pub key: PromptKey,
    /// What its content is.
    pub kind: Kind,
    /// Its labels.
    pub labels: BTreeMap<Label, u32>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The number of the head of `main`.
    pub head: u32,
    /// The version's identity.
    pub id: VersionId,
    /// The version's number.
    pub number: u32,
    /// The version.
    pub version: StoredVersion,
}

impl Service {
    /// Lets a caller in who may read a key; the prompt that holds it.
    ///
    /// # Errors
    /// The caller is not let in, or may not read it.
    pub async fn reader_of(&self, shown: &Shown, key: &PromptKey) -> Result<Option<PromptId>, Failure> {
        let caller = self.admit(shown).await?;
        if self.system.shared {
            refresh(&caller.writer).await; // another replica may have written
        }
        let state = caller.writer.published.load_full();
        self.may(&caller, &state, Action::Read, key.as_str()).await?;
        Ok(state.state.holder(key))
    }

    /// The tags of a prompt as they are now. Whether its reader may have them is asked before.
    ///
    /// # Errors
    /// There is no such prompt; its tenant's writer is not there.
    pub async fn tags(&self, tenant: &TenantId, prompt: PromptId) -> Result<Vec<Tag>, Failure> {
        let writer = self.writer(tenant).await?;
        if self.system.shared {
            refresh(&writer).await; // another replica may have written
        }
        let state = writer.published.load_full();
        let found = state.state.by_id(prompt).ok_or_else(|| Rejection::PromptNotFound(prompt.to_string()))?;
        Ok(found.tags.clone())
    }

    /// A version of a prompt, at `since` or later. Whether its reader may have it is asked before.
    ///
    /// # Errors
    /// There is no such version; the ledger or the key store can't be read.
    pub async fn stored(
        &self,
        tenant: &TenantId,
        prompt: PromptId,
        number: u32,
        since: Option<Position>,
    ) -> Result<Stored, Failure> {
        let writer = self.writer(tenant).await?;
        if since.is_some_and(|since| writer.published.load().state.next_index() <= since.index) {
            refresh(&writer).await; // another replica has written it
        }
        let state = writer.published.load_full();
        let found = state.state.by_id(prompt).ok_or_else(|| Rejection::PromptNotFound(prompt.to_string()))?;
        let missing = || Rejection::VersionNotFound { asked: number, newest: found.newest() };
        let version = found.version(number).ok_or_else(missing)?;
        let of = VersionRef { prompt, number, version: version.id };
        let wanted = Wanted { version: of, index: version.index };
        Ok(Stored {
            key: found.key.clone(),
            kind: found.kind,
            labels: found.labels.iter().map(|(label, number)| (label.clone(), number)).collect(),
            tags: found.tags.clone(),
            head: found.main,
            id: version.id,
            number,
            version: stored_version(&self.ledger, &self.keys, tenant, &wanted).await?,
        })
    }
}
