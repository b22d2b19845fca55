//! Questions that are refused because a right is lacking: recorded before the refusal is told.
//!
//! What is hidden is not told apart from what is not there, neither here: a key that the caller may not read is an attempt
//! whether a prompt holds it or not.

use promptory_domain::access::{Action, Token};
use promptory_events::event::{Attempt, AttemptDenied, Door};
use promptory_events::{Credential, Prefix, Timestamp};

use super::Shelf;
use crate::ask::{Against, Ask, AskChanges, AskError, Caller, Of, PromptRef, Question};
use crate::hot::Hot;

impl Shelf {
    /// Records that a question was refused, if a right was lacking.
    pub(super) async fn attest(&self, ask: &Ask, refused: &AskError) {
        let Some(attestor) = self.inner.attestor.get() else { return };
        let Some(open) = self.catalog().known_slot(&ask.tenant).and_then(|slot| slot.open.load_full()) else { return };
        let token = match &ask.caller {
            Caller::Key { .. } => None,
            Caller::Token(shown) => self.inner.identity.seen(shown, &open.state.access.rights),
        };
        if let Some(denied) = denied(&open.state, ask, token.as_deref(), refused, self.inner.config.clock.now()) {
            attestor.denied(&ask.tenant, denied).await;
        }
    }
}

/// The attempt that a refused question was.
fn denied(hot: &Hot, ask: &Ask, token: Option<&Token>, refused: &AskError, now: Timestamp) -> Option<AttemptDenied> {
    let rights = &hot.access.rights;
    let (principal, caller, credential) = match &ask.caller {
        Caller::Key { key, secret_hash } => {
            let principal = rights.authenticate(*key, secret_hash, now)?;
            let credential = Credential::ApiKey { tenant: ask.tenant.clone(), key: *key };
            (principal, rights.caller(principal, Some(*key), now), credential)
        }
        Caller::Token(_) => {
            let (token, principal) = (token?, rights.authenticate_token(token?, now)?);
            (principal, rights.token_caller(token, now), Credential::Token(token.evidence(Vec::new())))
        }
    };
    let (action, target) = match refused {
        AskError::Forbidden => (Action::Read, Prefix::tenant()),
        AskError::AccessHidden(on) => (Action::ReadAccess, on.clone()),
        AskError::AnalyticsHidden(on) => (Action::ReadAnalytics, on.clone()),
        AskError::PrincipalNotFound if caller.grant(Action::ReadAccess, "").is_none() => {
            (Action::ReadAccess, Prefix::tenant())
        }
        AskError::PromptNotFound => {
            let keys = ask.question.prompts().filter_map(|prompt| match prompt {
                PromptRef::Key(key) => Some(key),
                PromptRef::Id(id) => hot.prompt(*id).map(|row| &row.key),
            });
            let mut hidden = keys.filter(|key| caller.grant(Action::Read, key.as_str()).is_none());
            (Action::Read, Prefix::of(hidden.next()?.as_str()))
        }
        _ => return None,
    };
    Some(AttemptDenied {
        attempt: Attempt { principal, action, target },
        credential,
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
            | Self::Expand { prompt, .. }
            | Self::Dependents { prompt, .. }
            | Self::Forks { prompt, .. } => (Some(prompt), None),
            Self::Diff { prompt, against: Against::Version(other, _), .. } => (Some(prompt), other.as_ref()),
            Self::Insight(asked) => (asked.prompt.as_ref(), None),
            Self::Diff { prompt, .. } | Self::Changes(AskChanges { of: Of::Prompt(prompt), .. }) => {
                (Some(prompt), None)
            }
            Self::List { .. }
            | Self::Events { .. }
            | Self::Status
            | Self::Access { .. }
            | Self::Quotas
            | Self::Languages { .. }
            | Self::Watch { .. }
            | Self::Changes(AskChanges { of: Of::Below(_), .. })
            | Self::Who(_)
            | Self::Holdings(_)
            | Self::Why(_)
            | Self::Audit { .. }
            | Self::AuditCount { .. }
            | Self::Analytics(_)
            | Self::EmptySearches(_)
            | Self::Models { .. }
            | Self::Work(_)
            | Self::Search(_)
            | Self::Suggest { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }
}
