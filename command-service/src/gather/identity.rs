//! Commands about issuers, principals and sessions: subjects and groups of issuers become pseudonyms here.

use promptory_domain::{Change, Presented};
use promptory_events::event::Session;
use promptory_events::{IssuerId, Timestamp, limits};
use promptory_platform::problem::Problem;

use super::contents::Sealer;
use super::{Origin, names, too_large};
use crate::failure::Failure;
use crate::wire;

/// A command of this family; another one is given back.
pub(super) fn change(
    sealer: &mut Sealer<'_>,
    origin: &Origin<'_>,
    change: wire::Change,
) -> Result<Result<Change, wire::Change>, Failure> {
    Ok(Ok(match change {
        wire::Change::TrustIssuer { url, audience, groups_claim } => Change::TrustIssuer {
            url: names::id("/url", &url)?,
            audience: names::id("/audience", &audience)?,
            groups_claim: names::id("/groups_claim", &groups_claim)?,
        },
        wire::Change::DistrustIssuer { issuer } => Change::DistrustIssuer { issuer: names::id("/issuer", &issuer)? },
        wire::Change::LinkIssuer { issuer, claim, attribute } => Change::LinkIssuer {
            issuer: names::id("/issuer", &issuer)?,
            claim: names::id("/claim", &claim)?,
            attribute,
        },
        wire::Change::MapClaim { issuer, value, group } => {
            let issuer: IssuerId = names::id("/issuer", &issuer)?;
            let claim = sealer.claim(issuer, claim_value(&value)?)?;
            let value = sealer.claim_value(&value)?;
            Change::MapClaim { issuer, claim, value, group: names::id("/group", &group)? }
        }
        wire::Change::UnmapClaim { issuer, value } => {
            let issuer = names::id("/issuer", &issuer)?;
            Change::UnmapClaim { issuer, claim: sealer.claim(issuer, claim_value(&value)?)? }
        }
        wire::Change::AddPrincipal { url, audience, subject, name } => {
            let (url, audience) = (names::id("/url", &url)?, names::id("/audience", &audience)?);
            if !(1..=limits::CLAIM_MAX_BYTES).contains(&subject.len()) {
                let detail = format!("must be 1 to {} bytes long", limits::CLAIM_MAX_BYTES);
                return Err(Problem::field("/subject", detail).into());
            }
            let principal = sealer.principal(&url, &audience, &subject)?;
            Change::AddPrincipal { principal, name: sealer.name("/name", name.as_deref())? }
        }
        wire::Change::RevokeSession { principal, before, token } => {
            Change::RevokeSession { session: session(origin, principal, before, token)? }
        }
        other => return Ok(Err(other)),
    }))
}

fn claim_value(value: &str) -> Result<&str, Failure> {
    match value.len() {
        0 => Err(Problem::field("/value", "must not be empty").into()),
        bytes if bytes > limits::CLAIM_MAX_BYTES => Err(too_large("/value", bytes, limits::CLAIM_MAX_BYTES).into()),
        _ => Ok(value),
    }
}

fn session(
    origin: &Origin<'_>,
    principal: Option<String>,
    before: Option<String>,
    token: Option<String>,
) -> Result<Session, Failure> {
    // What is not said is now: `decide` knows when that is.
    let now = Timestamp::from_micros(i64::MAX);
    let time = names::time("/before", before.as_deref())?;
    match (principal, token) {
        (Some(principal), None) => {
            Ok(Session::Before { principal: names::id("/principal", &principal)?, time: time.unwrap_or(now) })
        }
        (None, Some(token)) if time.is_none() => Ok(Session::Token(names::id("/token", &token)?)),
        (Some(_), Some(_)) | (None, Some(_)) => {
            Err(Problem::field("/token", "give it alone, or `principal` and `before`").into())
        }
        (None, None) => match (time, &origin.presented) {
            (Some(time), _) => Ok(Session::Before { principal: origin.principal, time }),
            (None, Presented::Token(token)) => Ok(Session::Token(token.hash)),
            (None, _) => Err(Problem::field("/principal", "whose sessions? no token is shown").into()),
        },
    }
}
