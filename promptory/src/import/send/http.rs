//! One request: commands in, what the server says about them out.

use std::io;
use std::time::Duration;

use promptory_platform::ApiKey;
use serde::Deserialize;
use ureq::Agent;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderValue, Response, Uri};

use crate::asking::is_loopback;

/// A stuck server must not hold an import for ever; the request is sent again then.
const REQUEST_MAX: Duration = Duration::from_secs(120);
const CONNECT_MAX: Duration = Duration::from_secs(10);
const ANSWER_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The client can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{0:?} is no address such as http://127.0.0.1:8080")]
    Url(String),
}

/// A connection to a server that is kept open.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    authorization: HeaderValue,
}

/// What became of a request.
#[derive(Debug)]
pub enum Answer {
    /// One line for each command.
    Lines(Vec<Line>),
    /// The request is too large as it is.
    TooLarge(String),
    /// Not now, or nobody knows.
    Later {
        /// Why.
        why: String,
        /// How long the server wants to be left alone.
        pause: Option<Duration>,
    },
    /// Not with this key, not at this address.
    Never(String),
    /// Not an answer of this API.
    Senseless(String),
}

/// What became of a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// It is done.
    Done {
        /// The command.
        command_id: String,
        /// Where.
        position: Option<String>,
        /// Whether it had been done before.
        replayed: bool,
    },
    /// It is refused, and will be.
    Refused(String),
    /// Not now, or nobody knows.
    Later(String),
    /// Nothing can be done with this key.
    Never(String),
}

#[derive(Deserialize)]
struct Body {
    results: Vec<ResultLine>,
}

#[derive(Deserialize)]
struct ResultLine {
    status: u16,
    command_id: Option<String>,
    position: Option<String>,
    #[serde(default)]
    replayed: bool,
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(url: &str, key: &ApiKey) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| matches!(uri.scheme_str(), Some("http" | "https"))).ok_or_else(wrong)?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .no_delay(true)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(REQUEST_MAX));
        if is_loopback(host) {
            config = config.proxy(None); // a proxy's "localhost" is another machine
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.reveal())).map_err(|_| wrong())?;
        authorization.set_sensitive(true);
        let url = format!("{}/v1/commands", url.trim_end_matches('/'));
        Ok(Self { agent: config.build().new_agent(), url, authorization })
    }

    /// Sends commands, each as JSON, in one request.
    pub fn post<'a>(&self, commands: impl Iterator<Item = &'a [u8]>) -> Answer {
        let (body, count) = body_of(commands);
        let request = self.agent.post(&self.url).header(AUTHORIZATION, self.authorization.clone());
        match request.header(CONTENT_TYPE, "application/json").send(&body) {
            Ok(response) => answer(response, count),
            Err(error) => failed(&error),
        }
    }
}

fn body_of<'a>(commands: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, usize) {
    let (mut body, mut count) = (br#"{"commands":["#.to_vec(), 0);
    for json in commands {
        if count > 0 {
            body.push(b',');
        }
        body.extend_from_slice(json);
        count += 1;
    }
    body.extend_from_slice(b"]}");
    (body, count)
}

/// Whether the request arrived is not known; the idempotency keys make it safe to send it again.
fn failed(error: &ureq::Error) -> Answer {
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::Tls(_)
        | ureq::Error::RequireHttpsOnly(_) => Answer::Never(error.to_string()),
        ureq::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused => later("nobody answers at this address"),
        _ => later(&format!("no answer: {error}")),
    }
}

fn later(why: &str) -> Answer {
    Answer::Later { why: why.to_owned(), pause: None }
}

fn answer(mut response: Response<ureq::Body>, count: usize) -> Answer {
    let status = response.status().as_u16();
    let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = match response.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_vec() {
        Ok(body) => body,
        Err(error) => return later(&format!("the answer broke off: {error}")),
    };
    if status == 200 {
        return lines(&body, count);
    }
    let why = serde_json::from_slice(&body).map_or_else(|_| format!("status {status}"), |problem| told(&problem));
    match status {
        413 => Answer::TooLarge(why),
        // 500 too: whether the commands were done is not known, and a panic may have been of one moment.
        408 | 425 | 429 | 500..=599 => Answer::Later { why, pause: pause.map(Duration::from_secs) },
        _ => Answer::Never(why),
    }
}

fn lines(body: &[u8], count: usize) -> Answer {
    match serde_json::from_slice::<Body>(body) {
        Ok(body) if body.results.len() == count => Answer::Lines(body.results.into_iter().map(line).collect()),
        Ok(body) => Answer::Senseless(format!("{} results for {count} commands", body.results.len())),
        Err(error) => Answer::Senseless(error.to_string()),
    }
}

fn line(result: ResultLine) -> Line {
    let ResultLine { status, command_id, position, replayed, problem } = result;
    let why = || problem.as_ref().map_or_else(|| format!("status {status}"), told);
    match (status, command_id) {
        (200..=299, Some(command_id)) => Line::Done { command_id, position, replayed },
        (408 | 425 | 429 | 502..=504, _) => Line::Later(why()),
        // The next command would meet the same.
        (401 | 403, _) => Line::Never(why()),
        _ => Line::Refused(why()),
    }
}

fn told(problem: &Problem) -> String {
    format!("{}: {}", problem.code, problem.detail)
}
