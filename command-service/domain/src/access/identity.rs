//! The rules of identity: issuers trusted and not any more, what their groups mean, principals known before they come,
//! sessions revoked.

use promptory_events::event::{
    ClaimMapped, ClaimUnmapped, Event, IssuerDistrusted, IssuerLinked, IssuerTrusted, PrincipalAdded, Session,
    SessionRevoked, Subject,
};
use promptory_events::{ClaimId, IssuerId, IssuerUrl, Sealed, Term, limits};

use super::rules::within;
use super::tokens::{Issuer, UserLink, remembered_until};
use crate::command::{Change, Context};
use crate::rejection::Rejection;
use crate::state::Tenant;

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    if state.id().is_system() {
        return Err(Rejection::NotInThisLedger(state.id().clone()));
    }
    match change {
        Change::TrustIssuer { url, audience, groups_claim } => trust(state, context, url, audience, groups_claim),
        Change::DistrustIssuer { issuer } => distrust(state, *issuer),
        Change::LinkIssuer { issuer, claim, attribute } => {
            let link = UserLink { claim: claim.clone(), attribute: *attribute };
            match &known(state, *issuer)?.users {
                Some(before) if *before == link => Ok(Vec::new()),
                Some(_) => Err(Rejection::IssuerExists(*issuer)),
                None => Ok(vec![Event::IssuerLinked(IssuerLinked {
                    issuer: *issuer,
                    claim: link.claim,
                    attribute: link.attribute,
                })]),
            }
        }
        Change::MapClaim { issuer, claim, value, group } => {
            let before = known(state, *issuer)?.claims.get(claim).copied();
            if state.rights().grants(Subject::Group(*group)).is_none() {
                return Err(Rejection::GroupNotFound(*group));
            }
            if before == Some(*group) {
                return Ok(Vec::new());
            }
            map(state, *issuer, *claim, value, (before, *group))
        }
        Change::UnmapClaim { issuer, claim } => {
            let before = known(state, *issuer)?.claims.get(claim).copied();
            let gone = |before| Event::ClaimUnmapped(ClaimUnmapped { issuer: *issuer, claim: *claim, before });
            Ok(before.map(gone).into_iter().collect())
        }
        Change::AddPrincipal { principal, name } => {
            let known = state.rights().has_principal(*principal);
            let added = PrincipalAdded { principal: *principal, name: name.clone() };
            Ok((!known).then_some(Event::PrincipalAdded(added)).into_iter().collect())
        }
        Change::RevokeSession { session } => revoke(state, context, *session),
        _ => Ok(Vec::new()), // not of this family
    }
}

/// A trust: of an issuer for an audience there is one at a time, so that every token has one reading.
fn trust(
    state: &Tenant,
    context: &Context,
    url: &IssuerUrl,
    audience: &Term,
    groups_claim: &Term,
) -> Result<Vec<Event>, Rejection> {
    let issuers = state.rights().tokens().issuers();
    if let Some((id, found)) = issuers.iter().find(|(_, issuer)| issuer.url == *url && issuer.audience == *audience) {
        return if found.groups_claim == *groups_claim { Ok(Vec::new()) } else { Err(Rejection::IssuerExists(*id)) };
    }
    within("trusted issuers", issuers.size(), limits::ISSUERS_MAX)?;
    let (url, audience, groups_claim) = (url.clone(), audience.clone(), groups_claim.clone());
    let issuer = context.command_id.issuer();
    Ok(vec![Event::IssuerTrusted(IssuerTrusted { issuer, url, audience, groups_claim })])
}

fn distrust(state: &Tenant, issuer: IssuerId) -> Result<Vec<Event>, Rejection> {
    known(state, issuer)?;
    Ok(vec![Event::IssuerDistrusted(IssuerDistrusted { issuer })])
}

fn map(
    state: &Tenant,
    issuer: IssuerId,
    claim: ClaimId,
    value: &Sealed,
    (before, after): (Option<promptory_events::GroupId>, promptory_events::GroupId),
) -> Result<Vec<Event>, Rejection> {
    if before.is_none() {
        within("groups of an issuer", known(state, issuer)?.claims.len(), limits::CLAIMS_MAX)?;
    }
    Ok(vec![Event::ClaimMapped(ClaimMapped { issuer, claim, value: value.clone(), before, after })])
}

/// From now on at the latest: a time that is still to come would refuse tokens that nobody has seen.
fn revoke(state: &Tenant, context: &Context, session: Session) -> Result<Vec<Event>, Rejection> {
    let tokens = state.rights().tokens();
    let session = match session {
        Session::Before { principal, time } => Session::Before { principal, time: time.min(context.now) },
        Session::Token(_) => {
            within("revoked tokens", tokens.revoked_count(context.now), limits::TOKENS_REVOKED_MAX)?;
            session
        }
    };
    if tokens.is_revoked(session) {
        return Ok(Vec::new());
    }
    Ok(vec![Event::SessionRevoked(SessionRevoked { session, until: remembered_until(context.now) })])
}

fn known(state: &Tenant, issuer: IssuerId) -> Result<&Issuer, Rejection> {
    state.rights().tokens().issuers().get(&issuer).ok_or(Rejection::IssuerNotFound(issuer))
}

#[cfg(test)]
mod tests;
