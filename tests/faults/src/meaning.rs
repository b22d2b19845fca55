//! What an answer means to whoever asked, and asking until it means something.

use std::thread;
use std::time::{Duration, Instant};

use promptory_tests::{Answer, Client};
use serde_json::Value;

/// After this, whatever was done, something hangs. Long: slow is not wrong, and a machine may do other things too. How soon
/// service has to be back is asked with bars of its own, where somebody asks for it.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// How long one answer is waited for: a process says by itself within 7 s that it has none.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

const PAUSE: Duration = Duration::from_millis(100);

/// What is documented to pass.
const LATER: [(u16, &str); 5] =
    [(408, "request-timeout"), (429, "overloaded"), (503, "unavailable"), (503, "clock-behind"), (504, "behind")];

/// What an answer means to a client.
#[derive(Debug)]
pub enum Meaning {
    /// What was asked for.
    Done(Answer),
    /// Nobody knows, or not now: what was said.
    Later(String),
    /// Neither: what was said.
    Wrong(String),
}

impl Meaning {
    /// Of an answer, or of none, where `good` is what was asked for.
    #[must_use]
    pub fn of(answer: Result<Answer, ureq::Error>, good: u16) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Self::Later(error.to_string()),
        };
        if answer.status == good {
            return Self::Done(answer);
        }
        let passes = answer.problem().is_some_and(|code| LATER.contains(&(answer.status, code)));
        if passes && (answer.status == 408 || answer.header("retry-after") == "1") {
            return Self::Later(format!("{} {}", answer.status, answer.json["detail"]));
        }
        Self::Wrong(format!("{answer:?}"))
    }
}

/// Something that is asked until it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r str,
    /// The path with its query.
    pub path: &'r str,
    /// With it, what is sent again is done once.
    pub idempotency_key: Option<&'r str>,
    /// The body, if there is one.
    pub body: Option<&'r Value>,
    /// The status of what was asked for.
    pub good: u16,
}

impl Request<'_> {
    /// Sends it again as long as the answer is none, or says "later".
    ///
    /// # Errors
    /// An answer that says neither; or "later" for all of [`PATIENCE`].
    pub fn until_done(&self, client: &Client) -> Result<Answer, String> {
        let (since, headers) = (Instant::now(), self.idempotency_key.map(|key| [("idempotency-key", key)]));
        loop {
            let headers = headers.as_ref().map_or(&[][..], |header| &header[..]);
            match Meaning::of(client.try_send(self.method, self.path, headers, self.body), self.good) {
                Meaning::Done(answer) => return Ok(answer),
                Meaning::Later(_) if since.elapsed() < PATIENCE => thread::sleep(PAUSE),
                Meaning::Later(what) => return Err(format!("{}: for {PATIENCE:?} nothing but {what}", self.path)),
                Meaning::Wrong(what) => return Err(format!("{}: {what}", self.path)),
            }
        }
    }
}
