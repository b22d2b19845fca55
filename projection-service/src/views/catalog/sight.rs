//! What a reader may see: a filter inside every question, so that what is hidden is not counted either.
//!
//! The key that a prompt has *now* decides about all of its history: whoever may read a prompt may read what it was, and
//! moving it out of a reader's prefix hides its past, too. Events about access show to whoever may read access there.

use promptory_domain::access::{Action, Caller};
use promptory_events::event::{Event, Session};
use promptory_events::{Prefix, PrincipalId, PromptId, Timestamp};

use crate::hot::Hot;
use crate::hot::access::Reader;

/// What one reader may see of one model.
#[derive(Debug)]
pub struct Sight<'a> {
    hot: &'a Hot,
    caller: Caller<'a>,
    principal: PrincipalId,
    now: Timestamp,
    /// Where it may read; none covers another.
    prefixes: Vec<Prefix>,
}

impl<'a> Sight<'a> {
    /// Of a reader.
    #[must_use]
    pub fn new(hot: &'a Hot, reader: &'a Reader) -> Self {
        let caller = hot.access.rights_of(reader);
        let (principal, now) = (reader.principal, reader.now);
        Self { hot, caller, principal, now, prefixes: caller.prefixes(Action::Read) }
    }

    /// Of somebody who is no principal and reads the files themselves: everything below some prefixes that do not cover
    /// each other, in order.
    #[must_use]
    pub fn within(hot: &'a Hot, prefixes: Vec<Prefix>) -> Self {
        let principal = PrincipalId::SYSTEM;
        let now = Timestamp::MIN;
        Self { hot, caller: hot.access.rights.caller(principal, None, now), principal, now, prefixes }
    }

    /// Whether it may read the whole tenant.
    #[must_use]
    pub fn everything(&self) -> bool {
        self.prefixes.first().is_some_and(Prefix::is_tenant)
    }

    /// Where it may read, in order.
    #[must_use]
    pub fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    /// Whether it may read a key.
    #[must_use]
    pub fn key(&self, key: &str) -> bool {
        // At most one of them covers it: the last one that does not sort behind it.
        let behind = self.prefixes.partition_point(|prefix| prefix.as_str() <= key);
        behind > 0 && self.prefixes[behind - 1].covers(key)
    }

    /// Whether it may read a prompt, with all its history.
    #[must_use]
    pub fn prompt(&self, id: PromptId) -> bool {
        self.everything() || self.hot.prompt(id).is_some_and(|row| self.key(row.key.as_str()))
    }

    /// The parts of the tree below `prefix` (which need not end a segment) that it may read.
    #[must_use]
    pub fn below<'p>(&'p self, prefix: &'p str) -> Vec<&'p str> {
        let part = |own: &'p Prefix| match own.as_str() {
            own if prefix.starts_with(own) => Some(prefix),
            own if own.starts_with(prefix) => Some(own),
            _ => None,
        };
        self.prefixes.iter().filter_map(part).collect()
    }

    /// How many live prompts it may read.
    #[must_use]
    pub fn count(&self) -> usize {
        if self.everything() { self.hot.live() } else { self.hot.keys().filter(|key| self.key(key.as_str())).count() }
    }

    /// Whether it may do something there.
    #[must_use]
    pub fn may(&self, action: Action, prefix: &Prefix) -> bool {
        self.may_on(action, prefix.as_str())
    }

    /// The same on a key or prefix, as text.
    #[must_use]
    pub fn may_on(&self, action: Action, path: &str) -> bool {
        self.caller.grant(action, path).is_some()
    }

    /// Whether something is about the reader itself.
    #[must_use]
    pub fn is(&self, principal: PrincipalId) -> bool {
        self.principal == principal
    }

    /// Whether something on a prefix is about anything that it may read.
    #[must_use]
    pub fn touches(&self, prefix: &Prefix) -> bool {
        !self.below(prefix.as_str()).is_empty()
    }

    /// When it was let in.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether it may see an event that is not about a prompt.
    #[must_use]
    pub fn event(&self, event: &Event) -> bool {
        let access = |prefix: &Prefix| self.may(Action::ReadAccess, prefix);
        if let Some(prompt) = event.regards() {
            return self.prompt(prompt);
        }
        match event {
            Event::LabelProtected(e) => self.touches(&e.prefix),
            Event::LabelUnprotected(e) => self.touches(&e.prefix),
            Event::FreezeSet(e) => self.touches(&e.prefix),
            Event::FreezeLifted(e) => self.touches(&e.prefix),
            Event::RoleGranted(e) => access(&e.prefix),
            Event::RoleRevoked(e) => access(&e.prefix),
            Event::SessionRevoked(e) => {
                let own = matches!(e.session, Session::Before { principal, .. } if self.is(principal));
                own || access(&Prefix::tenant())
            }
            Event::KeyIssued(e) => {
                self.is(e.principal) || e.scope.as_ref().is_some_and(|s| access(&s.prefix)) || access(&Prefix::tenant())
            }
            Event::KeyRevoked(e) => {
                let row = self.hot.access.keys.get(&e.key);
                let scope = row.and_then(|row| row.scope.as_ref());
                row.is_some_and(|row| self.is(row.principal))
                    || scope.is_some_and(|scope| access(&scope.prefix))
                    || access(&Prefix::tenant())
            }
            Event::PrincipalAdded(_)
            | Event::RoleDefined(_)
            | Event::GroupCreated(_)
            | Event::MemberAdded(_)
            | Event::MemberRemoved(_)
            | Event::IssuerTrusted(_)
            | Event::IssuerDistrusted(_)
            | Event::IssuerLinked(_)
            | Event::ClaimMapped(_)
            | Event::ClaimUnmapped(_)
            | Event::UserSet(_)
            | Event::UserRemoved(_)
            | Event::GroupSet(_)
            | Event::GroupRemoved(_) => access(&Prefix::tenant()),
            Event::AttemptDenied(e) => access(&e.attempt.target),
            Event::AttemptsCounted(_) | Event::QuotaSet(_) | Event::AuditRead(_) | Event::AuditExported(_) => {
                access(&Prefix::tenant())
            }
            _ => self.everything(),
        }
    }
}
