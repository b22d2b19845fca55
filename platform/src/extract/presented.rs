//! What a caller shows in `Authorization`: an API key as a bearer token, or its two parts as name and password (HTTP Basic,
//! RFC 7617) for clients that know nothing else. Both lead to the same [`Presented`], so everything behind is the same.

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header;
use axum::http::request::Parts;
use data_encoding::BASE64;

use crate::apikey::{ApiKey, Presented};
use crate::problem::{Problem, ProblemType};

/// More than any key has; what is longer is not decoded.
const BASIC_MAX_BYTES: usize = 1024;

/// Every path that touches data asks for it.
impl<S: Send + Sync> FromRequestParts<S> for Presented {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let detail = "send an API key as `Authorization: Bearer pk_<tenant>_<key id>_<secret>`, or by HTTP Basic with \
                      `pk_<tenant>_<key id>` as the name and the secret as the password";
        let mut all = parts.headers.get_all(header::AUTHORIZATION).iter();
        match (all.next(), all.next()) {
            (Some(value), None) => presented(value),
            _ => None, // none, or two that may contradict each other
        }
        .ok_or_else(|| Problem::new(ProblemType::UNAUTHENTICATED, detail))
    }
}

fn presented(value: &HeaderValue) -> Option<Presented> {
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        credentials.parse::<ApiKey>().ok().map(|key| key.presented())
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic(credentials).map(|key| key.presented())
    } else {
        None
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

    fn read(authorization: &str) -> Option<Presented> {
        presented(&HeaderValue::from_str(authorization).unwrap())
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
