//! Events about issuers and about tokens that open nothing any more.

use promptory_events::event::{ClaimMapped, ClaimUnmapped, Event, IssuerLinked, IssuerTrusted, SessionRevoked};
use promptory_events::{ClaimId, GroupId, IssuerId};

use super::Broken;
use super::access::write;
use super::apply::Step;
use super::row::{ClaimRow, IssuerRow, encode};
use super::stage::Staged;
use crate::hot::Hot;
use crate::store::key::Key;

/// The rows of an event of this family; the state is the caller's business.
pub(super) fn apply(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) -> Result<(), Broken> {
    match step.event {
        Event::IssuerTrusted(event) => trusted(hot, staged, step, event),
        Event::IssuerDistrusted(event) => distrusted(hot, staged, step, event.issuer)?,
        Event::IssuerLinked(event) => linked(hot, staged, step, event)?,
        Event::ClaimMapped(event) => mapped(hot, staged, step, event),
        Event::ClaimUnmapped(event) => unmapped(hot, staged, step, event)?,
        Event::SessionRevoked(event) => revoked(hot, staged, step, event),
        _ => {}
    }
    Ok(())
}

fn trusted(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &IssuerTrusted) {
    let row = IssuerRow {
        url: event.url.clone(),
        audience: event.audience.clone(),
        groups_claim: event.groups_claim.clone(),
        trusted: step.index,
        distrusted: None,
        users: None,
    };
    write(hot, staged, &Key::Issuer(event.issuer), None, &row);
    hot.access.issuers.insert_mut(event.issuer, row);
}

fn distrusted(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, issuer: IssuerId) -> Result<(), Broken> {
    let before = hot.access.issuers.get(&issuer).cloned().ok_or_else(|| step.broken("the issuer was never trusted"))?;
    let row = IssuerRow { distrusted: Some(step.index), ..before.clone() };
    write(hot, staged, &Key::Issuer(issuer), Some(&before), &row);
    hot.access.issuers.insert_mut(issuer, row);
    Ok(())
}

fn linked(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &IssuerLinked) -> Result<(), Broken> {
    let before = hot.access.issuers.get(&event.issuer).cloned();
    let before = before.ok_or_else(|| step.broken("the issuer was never trusted"))?;
    let users = Some((event.claim.clone(), event.attribute));
    let row = IssuerRow { users, ..before.clone() };
    write(hot, staged, &Key::Issuer(event.issuer), Some(&before), &row);
    hot.access.issuers.insert_mut(event.issuer, row);
    Ok(())
}

fn mapped(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &ClaimMapped) {
    put(hot, staged, event.issuer, event.claim, (event.after, step.index), None);
}

fn unmapped(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &ClaimUnmapped) -> Result<(), Broken> {
    let before = hot.access.claims.get(&(event.issuer, event.claim));
    let mapped = before.map(|row| row.mapped).ok_or_else(|| step.broken("the claim was never mapped"))?;
    put(hot, staged, event.issuer, event.claim, (event.before, mapped), Some(step.index));
    Ok(())
}

fn put(
    hot: &mut Hot,
    staged: &mut Staged,
    issuer: IssuerId,
    claim: ClaimId,
    (group, mapped): (GroupId, u64),
    unmapped: Option<u64>,
) {
    let before = hot.access.claims.get(&(issuer, claim)).cloned();
    let row = ClaimRow { group, mapped, unmapped };
    write(hot, staged, &Key::Claim(issuer, claim), before.as_ref(), &row);
    hot.access.claims.insert_mut((issuer, claim), row);
}

/// A row of its own for each: what is revoked stays so.
fn revoked(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &SessionRevoked) {
    staged.put(&mut hot.sum, &Key::Session(step.index), encode(event));
}
