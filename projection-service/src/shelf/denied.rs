//! Questions that are refused because a right is lacking: recorded before the refusal is told.
//!
//! What is hidden is not told apart from what is not there, neither here: a key that the caller may not read is an attempt
//! whether a prompt holds it or not.

use promptory_domain::access::Action;
use promptory_events::event::{Attempt, AttemptDenied, Door};
use promptory_events::{Credential, Prefix, Timestamp};

use super::Shelf;
use crate::ask::{Against, Ask, AskError, PromptRef, Question};
use crate::hot::Hot;

impl Shelf {
    /// Records that a question was refused, if a right was lacking.
    pub(super) async fn attest(&self, ask: &Ask, refused: &AskError) {
        let Some(attestor) = self.inner.attestor.get() else { return };
        let Some(open) = self.known_slot(&ask.tenant).and_then(|slot| slot.open.load_full()) else { return };
        if let Some(denied) = denied(&open.hot, ask, refused, self.inner.config.clock.now()) {
            attestor.denied(&ask.tenant, denied).await;
        }
    }
}

/// The attempt that a refused question was.
fn denied(hot: &Hot, ask: &Ask, refused: &AskError, now: Timestamp) -> Option<AttemptDenied> {
    let principal = hot.access.rights.authenticate(ask.caller.key, &ask.caller.secret_hash, now)?;
    let caller = hot.access.rights.caller(principal, Some(ask.caller.key), now);
    let target = match refused {
        AskError::Forbidden => Prefix::tenant(),
        AskError::PromptNotFound => {
            let keys = ask.question.prompts().filter_map(|prompt| match prompt {
                PromptRef::Key(key) => Some(key),
                PromptRef::Id(id) => hot.prompt(*id).map(|row| &row.key),
            });
            let mut hidden = keys.filter(|key| caller.grant(Action::Read, key.as_str()).is_none());
            Prefix::of(hidden.next()?.as_str())
        }
        _ => return None,
    };
    Some(AttemptDenied {
        attempt: Attempt { principal, action: Action::Read, target },
        credential: Credential::ApiKey { tenant: ask.tenant.clone(), key: ask.caller.key },
        door: Door::Question,
        minute: now.minute(),
    })
}

impl Question {
    /// The prompts that it names.
    fn prompts(&self) -> impl Iterator<Item = &PromptRef> {
        let (first, second) = match self {
            Self::Prompt { prompt, .. }
            | Self::Versions { prompt, .. }
            | Self::LabelHistory { prompt, .. }
            | Self::Comments { prompt, .. }
            | Self::Render { prompt, .. }
            | Self::Dependents { prompt, .. }
            | Self::Forks { prompt, .. } => (Some(prompt), None),
            Self::Diff { prompt, against: Against::Version(other, _), .. } => (Some(prompt), other.as_ref()),
            Self::Diff { prompt, .. } => (Some(prompt), None),
            Self::List { .. } | Self::Events { .. } | Self::Status | Self::Access { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }
}
