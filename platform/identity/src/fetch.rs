//! An issuer's keys over HTTPS: its discovery document says where they are. Blocks, within limits of time and size.
//!
//! No redirect is followed and nothing but JSON is read; what came is never shown to anybody. Where keys lie is for the
//! issuer to say, so a tenant's admin can make this process ask any address that speaks HTTPS: for two documents, rarely.

use std::time::Duration;

use promptory_events::IssuerUrl;
use promptory_events::issuer::is_loopback;
use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;

/// One request, from the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(5);
/// One document.
const DOCUMENT_MAX_BYTES: u64 = 256 * 1024;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not with TLS.
    #[error("`{0}` is not reached by TLS")]
    Insecure(String),
    /// No answer, or another than 200.
    #[error("`{0}` did not answer: {1}")]
    NoAnswer(String, String),
    /// It does not speak for this issuer.
    #[error("the discovery document is of another issuer: `{0}`")]
    OtherIssuer(String),
    /// No JSON of that form.
    #[error("`{0}` has another form: {1}")]
    Form(String, serde_json::Error),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

/// The keys of an issuer as it has them now, whatever they are.
pub fn keys(url: &IssuerUrl, loopback_http: bool) -> Result<Vec<Value>, FetchError> {
    let config = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .https_only(!loopback_http)
        .http_status_as_error(false)
        .user_agent(concat!("promptory/", env!("CARGO_PKG_VERSION")));
    let agent: Agent = config.build().into();
    let place = format!("{}/.well-known/openid-configuration", url.as_str().trim_end_matches('/'));
    let discovery: Discovery = document(&agent, &place, loopback_http)?;
    if discovery.issuer != url.as_str() {
        return Err(FetchError::OtherIssuer(discovery.issuer));
    }
    Ok(document::<Keys>(&agent, &discovery.jwks_uri, loopback_http)?.keys)
}

fn document<T: serde::de::DeserializeOwned>(agent: &Agent, url: &str, loopback_http: bool) -> Result<T, FetchError> {
    let allowed = url.starts_with("https://") || loopback_http && is_loopback(url);
    if !allowed {
        return Err(FetchError::Insecure(url.to_owned()));
    }
    let failed = |why: String| FetchError::NoAnswer(url.to_owned(), why);
    let mut response = agent.get(url).header("accept", "application/json").call().map_err(|e| failed(e.to_string()))?;
    if response.status() != 200 {
        return Err(failed(format!("status {}", response.status().as_u16())));
    }
    let body = response.body_mut().with_config().limit(DOCUMENT_MAX_BYTES).read_to_vec();
    let body = body.map_err(|e| failed(e.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| FetchError::Form(url.to_owned(), error))
}
