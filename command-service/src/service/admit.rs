//! Letting callers in, before anything is gathered for them. `decide` checks again what they showed.

use std::sync::Arc;

use promptory_domain::access::{Action, Token};
use promptory_domain::state::TenantStatus;
use promptory_domain::{Presented, Rejection};
use promptory_events::event::{Attempt, AttemptDenied, Door};
use promptory_events::{Credential, Prefix, PrincipalId, TenantId};
use promptory_identity::Refused;
use promptory_platform::apikey::Presented as Shown;
use promptory_platform::{BearerToken, Problem, ProblemType};

use super::{Service, refresh};
use crate::failure::Failure;
use crate::gather::Origin;
use crate::load::Confirmed;
use crate::writer::Handle;

/// A caller who was let in.
pub(super) struct Admitted {
    /// The writer of its tenant.
    pub writer: Handle,
    /// Who it is.
    pub principal: PrincipalId,
    /// What it showed, as `decide` takes it: of a token what it said, its signature having been checked.
    pub presented: Presented,
}

impl Service {
    /// Lets a caller in: a tenant that is there, a key or a token that opens it, and only then whether it is suspended, which
    /// is no business of those who hold none.
    pub(super) async fn admit(&self, shown: &Shown) -> Result<Admitted, Failure> {
        let tenant = shown.tenant();
        let status = if tenant.is_system() { Some(TenantStatus::Active) } else { self.tenant_status(tenant).await? };
        // Made-up tenants stop here, before anything is loaded for them.
        let status = status.ok_or(Rejection::Unauthenticated)?;
        self.ensure_keys(tenant).await?;
        let writer = self.writer(tenant).await?;
        let (principal, presented) = match self.authenticated(&writer, shown).await {
            Err(Failure::Unavailable(why)) => return Err(Failure::Unavailable(why)),
            Err(_) => {
                // Another replica may have issued the key or trusted the issuer a moment ago.
                refresh(&writer).await;
                self.authenticated(&writer, shown).await?
            }
            Ok(found) => found,
        };
        match status {
            TenantStatus::Active => Ok(Admitted { writer, principal, presented }),
            TenantStatus::Suspended => Err(Failure::Suspended),
        }
    }

    /// Whether a caller may do something on a key or prefix that no command asks about: the read that an answer is. A denial
    /// is recorded.
    pub(super) async fn may(
        &self,
        caller: &Admitted,
        state: &Confirmed,
        action: Action,
        path: &str,
    ) -> Result<(), Failure> {
        let (rights, now) = (state.state.rights(), self.clock.now());
        let (rightful, credential) = match &caller.presented {
            Presented::ApiKey { key, .. } => {
                let credential = Credential::ApiKey { tenant: state.state.id().clone(), key: *key };
                (rights.caller(caller.principal, Some(*key), now), credential)
            }
            Presented::Token(token) => (rights.token_caller(token, now), Credential::Token(token.evidence(Vec::new()))),
            Presented::System | Presented::Operator { .. } => return Err(Rejection::Unauthenticated.into()),
        };
        if rightful.grant(action, path).is_some() {
            return Ok(());
        }
        let attempt = Attempt { principal: caller.principal, action, target: Prefix::of(path) };
        let denied = AttemptDenied { attempt, credential, door: Door::Question, minute: now.minute() };
        self.attestor().denied(state.state.id(), denied).await;
        Err(Rejection::Forbidden(action).into())
    }

    async fn authenticated(&self, writer: &Handle, shown: &Shown) -> Result<(PrincipalId, Presented), Failure> {
        let (known, now) = (writer.published.load_full(), self.clock.now());
        let rights = known.state.rights();
        match shown {
            Shown::ApiKey { key, secret_hash, .. } => {
                let principal = rights.authenticate(*key, secret_hash, now).ok_or(Rejection::Unauthenticated)?;
                Ok((principal, Presented::ApiKey { key: *key, secret_hash: *secret_hash }))
            }
            Shown::Token(shown) => {
                let token = self.token(shown, &known.state).await?;
                let principal = rights.authenticate_token(&token, now).ok_or(Rejection::Unauthenticated)?;
                Ok((principal, Presented::Token(Token::clone(&token))))
            }
        }
    }

    async fn token(&self, shown: &BearerToken, state: &promptory_domain::Tenant) -> Result<Arc<Token>, Failure> {
        let checked = self.identity.check(shown, state.rights(), self.clock.now()).await;
        checked.map_err(|refused: Refused| match refused.passes() {
            true => Failure::Unavailable(refused.to_string()),
            false => Problem::new(ProblemType::UNAUTHENTICATED, refused.to_string()).into(),
        })
    }

    /// An operator acting in a tenant: its key is checked against `_system`, and the tenant must be there.
    pub(super) async fn operator_origin<'a>(&self, shown: &Shown, tenant: &'a TenantId) -> Result<Origin<'a>, Failure> {
        let Admitted { writer, principal, presented } = self.operator(shown).await?;
        let Presented::ApiKey { key, .. } = presented else { return Err(Rejection::Unauthenticated.into()) };
        if writer.published.load().state.tenant_status(tenant).is_none() {
            return Err(Rejection::TenantNotFound(tenant.clone()).into());
        }
        self.ensure_keys(tenant).await?;
        Ok(Origin { tenant, principal, presented: Presented::Operator { principal, key } })
    }

    /// Lets an operator in. Operators have keys only.
    pub(super) async fn operator(&self, shown: &Shown) -> Result<Admitted, Failure> {
        if !shown.tenant().is_system() {
            return Err(Rejection::NotInThisLedger(shown.tenant().clone()).into());
        }
        let admitted = self.admit(shown).await?;
        let Presented::ApiKey { key, .. } = &admitted.presented else { return Err(Rejection::Unauthenticated.into()) };
        let published = admitted.writer.published.load_full();
        let rights = published.state.rights().caller(admitted.principal, Some(*key), self.clock.now());
        if rights.grant(Action::ManageTenants, "").is_none() {
            let attempt =
                Attempt { principal: admitted.principal, action: Action::ManageTenants, target: Prefix::tenant() };
            let credential = Credential::ApiKey { tenant: TenantId::system(), key: *key };
            let (door, minute) = (Door::Command, self.clock.now().minute());
            self.attestor().denied(&TenantId::system(), AttemptDenied { attempt, credential, door, minute }).await;
            return Err(Rejection::Forbidden(Action::ManageTenants).into());
        }
        Ok(admitted)
    }
}
