//! What a caller shows in `Authorization`: an API key as a bearer token, or its two parts as name and password (HTTP Basic,
//! RFC 7617) for clients that know nothing else, or a token of an issuer that the tenant trusts. All of them lead to a
//! [`Presented`], so everything behind is the same.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use data_encoding::BASE64;
use promptory_events::TenantId;

use crate::apikey::{ApiKey, Presented};
use crate::problem::{Problem, ProblemType};
use crate::token::BearerToken;

/// More than any key has; what is longer is not decoded.
const BASIC_MAX_BYTES: usize = 1024;

/// Names the tenant of whoever shows a token of an issuer. An API key names it itself.
const TENANT: HeaderName = HeaderName::from_static("promptory-tenant");

/// Every path that touches data asks for it.
impl<S: Send + Sync> FromRequestParts<S> for Presented {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let detail = "send an API key as `Authorization: Bearer pk_<tenant>_<key id>_<secret>`, or by HTTP Basic with \
                      `pk_<tenant>_<key id>` as the name and the secret as the password; or a token of an issuer that the \
                      tenant trusts, with the tenant's name in `Promptory-Tenant`";
        presented(&parts.headers).ok_or_else(|| Problem::new(ProblemType::UNAUTHENTICATED, detail))
    }
}

fn presented(headers: &HeaderMap) -> Option<Presented> {
    let (scheme, credentials) = only(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        return basic(credentials).map(|key| key.presented());
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    if credentials.starts_with("pk_") {
        return credentials.parse::<ApiKey>().ok().map(|key| key.presented());
    }
    // Operators have keys only.
    let tenant: TenantId = only(headers, &TENANT)?.parse().ok()?;
    if tenant.is_system() { None } else { BearerToken::new(tenant, credentials).map(Presented::Token) }
}

/// A header's text; none if it is there twice, since the two may contradict each other.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The name is `pk_<tenant>_<key id>`, the password the secret: together the key's text.
fn basic(credentials: &str) -> Option<ApiKey> {
    if credentials.len() > BASIC_MAX_BYTES {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(credentials.as_bytes()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    format!("{name}_{password}").parse().ok()
}

#[cfg(test)]
mod tests {
    use promptory_events::KeyId;

    use super::*;
    use crate::apikey::Secret;

    fn headers(all: &[(&'static str, &str)]) -> Option<Presented> {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        presented(&headers)
    }

    fn read(authorization: &str) -> Option<Presented> {
        headers(&[("authorization", authorization)])
    }

    #[test]
    fn a_token_comes_with_the_name_of_a_tenant_that_is_not_the_operators() {
        let token = ("authorization", "Bearer a.b.c");
        let shown = headers(&[token, ("promptory-tenant", "acme")]);
        assert!(matches!(&shown, Some(Presented::Token(token)) if token.tenant.as_str() == "acme"), "{shown:?}");
        assert_eq!(headers(&[token]), None);
        for tenant in ["_system", "", "A"] {
            assert_eq!(headers(&[token, ("promptory-tenant", tenant)]), None, "{tenant}");
        }
        let twice = [token, ("promptory-tenant", "acme"), ("promptory-tenant", "other")];
        assert_eq!(headers(&twice), None);
        assert_eq!(headers(&[token, token, ("promptory-tenant", "acme")]), None);
        assert_eq!(headers(&[("authorization", "Bearer a.b"), ("promptory-tenant", "acme")]), None);
    }

    #[test]
    fn a_key_is_the_same_as_a_bearer_token_and_as_name_and_password() {
        for tenant in ["acme", "_system"] {
            let key = ApiKey::new(tenant.parse().unwrap(), KeyId([3; 8]), Secret::random().unwrap());
            let text = key.reveal();
            let (name, secret) = text.rsplit_once('_').unwrap();
            let basic = BASE64.encode(format!("{name}:{secret}").as_bytes());
            for way in [format!("Bearer {text}"), format!("bearer  {text}"), format!("Basic {basic}")] {
                assert_eq!(read(&way), Some(key.presented()), "{way}");
            }
            let whole = BASE64.encode(format!("{name}:{text}").as_bytes());
            let swapped = BASE64.encode(format!("{secret}:{name}").as_bytes());
            let alone = BASE64.encode(text.as_bytes());
            for bad in [whole, swapped, alone, "=".into(), String::new(), "A".repeat(2000)] {
                assert_eq!(read(&format!("Basic {bad}")), None, "{bad}");
            }
            assert_eq!(read(&format!("Digest {text}")), None);
        }
    }
}
