//! A token's text: its form before anything is believed ([`Head`]), and what it says once its signature holds ([`Claims`]).

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use promptory_domain::access::tokens::Issuer;
use promptory_events::{Timestamp, limits};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Refused;
use crate::verify::ACCEPTED;

/// Longer ones are no identity of anybody.
const SUBJECT_MAX_BYTES: usize = 256;

/// What a token says of itself. Nothing of it is believed: it is only good for finding the trust and the key.
pub struct Head {
    header: Header,
    issuer: String,
    audiences: Audiences,
}

#[derive(Deserialize)]
struct Unverified {
    iss: String,
    aud: Audiences,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Some(Vec<String>),
}

impl Head {
    /// Reads it.
    pub fn of(token: &str) -> Result<Self, Refused> {
        // `none` is no algorithm for the library, and so this is no header.
        let header = decode_header(token).map_err(|_| Refused::Malformed)?;
        if !ACCEPTED.contains(&header.alg) {
            return Err(Refused::Algorithm);
        }
        // An access token (RFC 9068) or an ID token; a log-out token, say, is signed by the same keys.
        let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
        if !matches!(kind.as_deref(), None | Some("jwt" | "at+jwt" | "application/at+jwt")) {
            return Err(Refused::Kind("its header `typ`"));
        }
        if header.crit.is_some() {
            return Err(Refused::Kind("its header `crit`"));
        }
        let Unverified { iss, aud } = insecure_decode_claims(token).map_err(|_| Refused::Malformed)?;
        Ok(Self { header, issuer: iss, audiences: aud })
    }

    /// Whether it says that it is of an issuer, and for the audience that the tenant trusts it for.
    pub fn is_of(&self, issuer: &Issuer) -> bool {
        let audience = issuer.audience.as_str();
        let is_for = match &self.audiences {
            Audiences::One(one) => one == audience,
            Audiences::Some(some) => some.iter().any(|one| one == audience),
        };
        self.issuer == issuer.url.as_str() && is_for
    }

    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    pub fn algorithm(&self) -> Algorithm {
        self.header.alg
    }
}

/// What a token says, and its issuer has signed.
pub struct Claims {
    pub subject: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub groups: Vec<String>,
    /// The user of the directory that it names, if its issuer's tokens are of users.
    pub user: Option<String>,
}

impl Claims {
    /// Checks the signature, the issuer, the audience and the form of the rest. Its times are told, but for `nbf`, which is
    /// checked here: nothing else needs it.
    pub fn verified(
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
        issuer: &Issuer,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[issuer.url.as_str()]);
        validation.set_audience(&[issuer.audience.as_str()]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // By our clock, which is not the library's.
        validation.validate_exp = false;
        let decoded = decode::<Map<String, Value>>(token, key, &validation).map_err(|error| match error.kind() {
            ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience | ErrorKind::MissingRequiredClaim(_) => {
                Refused::NotTrusted
            }
            _ => Refused::Signature,
        })?;
        let claims = decoded.claims;
        // Bound to a key of whoever shows it (RFC 8705, RFC 9449): to accept it without that key would undo the binding.
        if claims.contains_key("cnf") {
            return Err(Refused::Kind("it is bound to a key (`cnf`)"));
        }
        let skew = limits::TOKEN_SKEW_MAX_MS;
        if claims.contains_key("nbf") && time(&claims, "nbf")? > now.plus_ms(skew) {
            return Err(Refused::NotCurrent);
        }
        let subject =
            claims.get("sub").and_then(Value::as_str).filter(|sub| (1..=SUBJECT_MAX_BYTES).contains(&sub.len()));
        let user = issuer.users.as_ref().map(|link| {
            let name = claims.get(link.claim.as_str()).and_then(Value::as_str);
            let name = name.filter(|name| (1..=limits::DIRECTORY_NAME_MAX_BYTES).contains(&name.len()));
            name.map(ToOwned::to_owned).ok_or(Refused::Claim("of its user"))
        });
        Ok(Self {
            user: user.transpose()?,
            subject: subject.ok_or(Refused::Claim("sub"))?.to_owned(),
            issued_at: time(&claims, "iat")?,
            expires_at: time(&claims, "exp")?,
            groups: groups(claims.get(issuer.groups_claim.as_str()))?,
        })
    }
}

/// Seconds since 1970, perhaps with a fraction.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Timestamp, Refused> {
    let seconds = claims.get(name).and_then(Value::as_f64).filter(|seconds| (0.0..4e9).contains(seconds));
    let seconds = seconds.ok_or(Refused::Claim(name))?;
    #[allow(clippy::cast_possible_truncation, reason = "in range by the line above")]
    let micros = (seconds * 1e6) as i64;
    Ok(Timestamp::from_micros(micros))
}

/// A list of names, or one; without the claim there is no group.
fn groups(claim: Option<&Value>) -> Result<Vec<String>, Refused> {
    let groups = match claim {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(some)) if some.len() <= limits::TOKEN_CLAIMS_MAX => {
            let names = some.iter().map(|name| name.as_str().map(ToOwned::to_owned));
            names.collect::<Option<Vec<_>>>().ok_or(Refused::Claim("of its groups"))?
        }
        Some(Value::Array(_)) => return Err(Refused::Groups),
        Some(_) => return Err(Refused::Claim("of its groups")),
    };
    Ok(groups)
}
