//! What a command led to: made from its commit's events, so a repeat gets the same answer.

use std::borrow::Cow;

use promptory_domain::rollout;
use promptory_events::event::{Event, Session, SessionRevoked, Subject};
use promptory_events::{
    CommandId, CommentId, FreezeId, GroupId, Incarnation, IssuerId, KeyId, Position, PrincipalId, PromptId, PromptKey,
    RawCommit, RequestId, RolloutId, VersionId,
};
use promptory_platform::ApiKey;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What a command led to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The command.
    pub command_id: CommandId,
    /// Its last event; if it made none, the end of the ledger that it was decided on. `None` in an empty ledger.
    pub position: Option<Position>,
    /// Whether it had been done before and this is the answer of then.
    pub replayed: bool,
    /// Its events' indexes and names.
    pub events: Vec<(u64, Cow<'static, str>)>,
    /// The prompt that it was about.
    pub prompt: Option<PromptId>,
    /// The key that it gave the prompt, if it did.
    pub prompt_key: Option<PromptKey>,
    /// The version that it added.
    pub version: Option<(VersionId, u32)>,
    /// The principal that it added or that got a key or a role.
    pub principal: Option<PrincipalId>,
    /// The group that it created, or whose roles or members it changed.
    pub group: Option<GroupId>,
    /// The release request that it was about.
    pub release: Option<RequestId>,
    /// The freeze window that it set or lifted.
    pub freeze: Option<FreezeId>,
    /// The rollout that it was about.
    pub rollout: Option<RolloutId>,
    /// The comment that it added.
    pub comment: Option<CommentId>,
    /// The issuer that it trusts, or does no more, or whose groups it mapped.
    pub issuer: Option<IssuerId>,
    /// The API key that it issued or revoked.
    pub key_id: Option<KeyId>,
    /// The API key itself: only the first time. It never travels.
    #[serde(skip)]
    pub api_key: Option<ApiKey>,
}

impl Outcome {
    /// Of a command that changed nothing.
    #[must_use]
    pub fn unchanged(command_id: CommandId, position: Option<Position>) -> Self {
        Self {
            command_id,
            position,
            replayed: false,
            events: Vec::new(),
            prompt: None,
            prompt_key: None,
            version: None,
            principal: None,
            group: None,
            release: None,
            freeze: None,
            rollout: None,
            comment: None,
            issuer: None,
            key_id: None,
            api_key: None,
        }
    }

    /// Of a command whose commit's first event has the index `first`.
    #[must_use]
    pub fn of_events(command_id: CommandId, incarnation: Incarnation, first: u64, events: &[Event]) -> Self {
        let last = first + (events.len() as u64).saturating_sub(1);
        let mut outcome = Self::unchanged(command_id, Some(Position { incarnation, index: last }));
        for (event, index) in events.iter().zip(first..) {
            outcome.events.push((index, event.name().into()));
            outcome.prompt = outcome.prompt.or(event.regards());
            outcome.rollout = outcome.rollout.or(rollout::about(event).map(|(_, _, rollout)| rollout));
            outcome.take_in(event);
        }
        outcome
    }

    /// Of a command that was done before.
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn of_commit(incarnation: Incarnation, first: u64, commit: &RawCommit) -> Result<Self, Failure> {
        let events = commit.decode_events().map_err(|e| Failure::Internal(e.to_string()))?;
        let outcome = Self::of_events(commit.header.command_id, incarnation, first, &events);
        Ok(Self { replayed: true, ..outcome })
    }

    fn take_in(&mut self, event: &Event) {
        match event {
            Event::PromptCreated(e) => self.prompt_key = Some(e.key.clone()),
            Event::PromptRenamed(e) => self.prompt_key = Some(e.after.clone()),
            Event::PromptRestored(e) => self.prompt_key = Some(e.key.clone()),
            Event::VersionAdded(e) => self.version = Some((e.version, e.number)),
            Event::PrincipalAdded(e) => self.principal = Some(e.principal),
            Event::RoleGranted(e) => self.subject(e.to),
            Event::RoleRevoked(e) => self.subject(e.from),
            Event::ReleaseRequested(e) => self.release = Some(e.request),
            Event::ReleaseApproved(e) => self.release = Some(e.request),
            Event::ReleaseRejected(e) => self.release = Some(e.request),
            Event::ReleaseWithdrawn(e) => self.release = Some(e.request),
            Event::ReleaseExecuted(e) => self.release = Some(e.request),
            Event::FreezeSet(e) => self.freeze = Some(e.freeze),
            Event::FreezeLifted(e) => self.freeze = Some(e.freeze),
            Event::CommentAdded(e) => self.comment = Some(e.comment),
            Event::GroupCreated(e) => self.group = Some(e.group),
            Event::MemberAdded(e) => (self.group, self.principal) = (Some(e.group), Some(e.principal)),
            Event::MemberRemoved(e) => (self.group, self.principal) = (Some(e.group), Some(e.principal)),
            Event::IssuerTrusted(e) => self.issuer = Some(e.issuer),
            Event::IssuerDistrusted(e) => self.issuer = Some(e.issuer),
            Event::IssuerLinked(e) => self.issuer = Some(e.issuer),
            Event::ClaimMapped(e) => (self.issuer, self.group) = (Some(e.issuer), Some(e.after)),
            Event::ClaimUnmapped(e) => (self.issuer, self.group) = (Some(e.issuer), Some(e.before)),
            Event::SessionRevoked(SessionRevoked { session: Session::Before { principal, .. }, .. }) => {
                self.principal = Some(*principal);
            }
            Event::KeyIssued(e) => {
                self.principal = Some(e.principal);
                self.key_id = Some(e.key);
            }
            Event::UserSet(e) => self.principal = Some(e.user),
            Event::UserRemoved(e) => self.principal = Some(e.user),
            Event::GroupSet(e) => self.group = Some(e.group),
            Event::GroupRemoved(e) => self.group = Some(e.group),
            // Of a rotation the new key counts, which comes first.
            Event::KeyRevoked(e) => self.key_id = self.key_id.or(Some(e.key)),
            _ => {}
        }
    }

    fn subject(&mut self, subject: Subject) {
        match subject {
            Subject::Principal(principal) => self.principal = Some(principal),
            Subject::Group(group) => self.group = Some(group),
        }
    }
}
