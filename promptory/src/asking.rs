//! A running server, asked with an API key from a file: what the commands about read models need of HTTP.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use promptory_platform::ApiKey;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Uri;

/// A page of events has up to 4 MiB of messages, and their JSON may be longer.
const ANSWER_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskingError {
    /// The key's file.
    #[error("{0}: {1}")]
    Key(PathBuf, io::Error),
    /// The server can't be asked.
    #[error("{0} can't be asked: {1}")]
    Ask(String, Box<ureq::Error>),
    /// The server answers something else.
    #[error("{0} answers {1}: {2}")]
    Answer(String, u16, Value),
}

impl AskingError {
    /// Whether it may pass by itself: the connection, or a server that starts again.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Ask(..) | Self::Answer(_, 429 | 502..=504, _))
    }
}

/// A server and a key.
#[derive(Debug)]
pub struct Asking {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

impl Asking {
    /// A server at a URL, and the key in a file.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn new(url: &str, key_file: &Path) -> Result<Self, AskingError> {
        let key = std::fs::read_to_string(key_file).map_err(|error| AskingError::Key(key_file.to_owned(), error))?;
        Ok(Self::of(url, Some(format!("Bearer {}", key.trim()))))
    }

    /// A server at a URL, and a key.
    #[must_use]
    pub fn with_key(url: &str, key: &ApiKey) -> Self {
        Self::of(url, Some(format!("Bearer {}", key.reveal())))
    }

    /// A server of another product at a URL, and `name:password` for it, if it needs one.
    #[must_use]
    pub fn with_basic(url: &str, key: Option<&str>) -> Self {
        Self::of(url, key.map(|key| format!("Basic {}", data_encoding::BASE64.encode(key.trim().as_bytes()))))
    }

    fn of(url: &str, authorization: Option<String>) -> Self {
        let mut config = Agent::config_builder().http_status_as_error(false);
        if url.parse::<Uri>().ok().and_then(|uri| uri.host().map(is_loopback)).unwrap_or_default() {
            config = config.proxy(None); // a proxy's "localhost" is another machine
        }
        Self { agent: config.build().into(), url: url.trim_end_matches('/').to_owned(), authorization }
    }

    /// What is answered with 200.
    ///
    /// # Errors
    /// It can't be asked, or answers something else.
    pub fn get(&self, path: &str) -> Result<Value, AskingError> {
        let url = format!("{}{path}", self.url);
        let request = self.agent.get(&url);
        let answer = match &self.authorization {
            Some(authorization) => request.header("authorization", authorization).call(),
            None => request.call(),
        };
        Self::read(url, answer, 200)
    }

    /// What is answered with 200, however long it is tried: what may pass is waited for, for so long.
    ///
    /// # Errors
    /// It can't be asked, or answers something else.
    pub fn get_patiently(&self, path: &str, patience: Duration) -> Result<Value, AskingError> {
        let (began, mut pause) = (Instant::now(), Duration::from_millis(50));
        loop {
            match self.get(path) {
                Err(error) if error.passes() && began.elapsed() < patience => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                answer => return answer,
            }
        }
    }

    /// What is answered with 202 to a request without a body.
    ///
    /// # Errors
    /// It can't be asked, or answers something else.
    pub fn post(&self, path: &str) -> Result<Value, AskingError> {
        let url = format!("{}{path}", self.url);
        let request = self.agent.post(&url);
        let answer = match &self.authorization {
            Some(authorization) => request.header("authorization", authorization).send_empty(),
            None => request.send_empty(),
        };
        Self::read(url, answer, 202)
    }

    fn read(
        url: String,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        wanted: u16,
    ) -> Result<Value, AskingError> {
        let text = answer.and_then(|mut answer| {
            let text = answer.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_string()?;
            Ok((answer.status().as_u16(), text))
        });
        let (status, text) = text.map_err(|error| AskingError::Ask(url.clone(), Box::new(error)))?;
        let said = serde_json::from_str(&text).unwrap_or_default();
        if status == wanted { Ok(said) } else { Err(AskingError::Answer(url, status, said)) }
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
