//! The HTTP API as a test speaks it: blocking, one call a line.

use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use promptory_platform::problem::TYPE_BASE;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::HeaderMap;

/// How long what a read model is behind is asked for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A caller with an API key.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    /// Where the node is.
    pub url: String,
    /// The API key.
    pub key: String,
    /// The header `Authorization`, if it is another than the key as a bearer token.
    authorization: Option<String>,
    /// The header `Promptory-Tenant`.
    tenant: Option<String>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it is JSON; `null` if it is not.
    pub json: Value,
}

impl Answer {
    /// A header's text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The code of the problem that this answer is.
    #[must_use]
    pub fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The code of the problem that this answer is, if it is a whole one: `type`, `code` and `status` agree.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        let code = self.json["code"].as_str().filter(|_| self.header("content-type") == "application/problem+json")?;
        let whole = self.json["type"] == format!("{TYPE_BASE}{code}") && self.json["status"] == self.status;
        whole.then_some(code)
    }

    /// This answer, which must have this status.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }
}

/// A key or id as one segment of a path.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Asks until the answer is another one than that a read model is behind: a server waits for two seconds, and how long a busy
/// machine takes is not what a test is about.
pub fn patiently(ask: impl Fn() -> (Answer, String)) -> (Answer, String) {
    let since = Instant::now();
    loop {
        let (answer, text) = ask();
        if answer.problem() != Some("behind") || since.elapsed() > PATIENCE {
            return (answer, text);
        }
    }
}

impl Client {
    /// A caller of the node at `url`.
    #[must_use]
    pub fn new(url: &str, key: &str) -> Self {
        Self::with_patience(url, key, None)
    }

    /// The same, and no answer is waited for longer than this.
    #[must_use]
    pub fn with_patience(url: &str, key: &str, patience: Option<Duration>) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).no_delay(true).timeout_global(patience);
        // A connection for each request: one whose body was not read before the answer is closed after it, and whoever takes it
        // for the next request at that moment gets no answer.
        let config = config.max_idle_connections(0);
        Self {
            agent: config.build().into(),
            url: url.to_owned(),
            key: key.to_owned(),
            authorization: None,
            tenant: None,
        }
    }

    /// The same caller at another node.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same caller with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), authorization: None, tenant: None, ..self.clone() }
    }

    /// The same caller, who sends this as `Authorization`.
    #[must_use]
    pub fn authorized(&self, authorization: &str) -> Self {
        Self { authorization: Some(authorization.to_owned()), ..self.clone() }
    }

    /// The same caller, who shows a token of an issuer for a tenant.
    #[must_use]
    pub fn with_token(&self, tenant: &str, token: &str) -> Self {
        let (authorization, tenant) = (Some(format!("Bearer {token}")), Some(tenant.to_owned()));
        Self { authorization, tenant, ..self.clone() }
    }

    /// One request with extra headers.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        self.try_send(method, path, headers, body).expect("an answer")
    }

    /// The same where there may be no answer, or half of one.
    ///
    /// # Errors
    /// No connection, no answer in time, or the connection was lost.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ureq::Error> {
        Ok(self.exchange(method, path, headers, body)?.0)
    }

    /// The body of what is there, whatever it is.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        self.exchange("GET", path, &[], None).expect("an answer").1
    }

    /// An answer and its body as it came.
    ///
    /// # Errors
    /// As for [`Self::try_send`].
    pub fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(Answer, String), ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let bearer = || format!("Bearer {}", self.key);
        request = request.header("authorization", self.authorization.clone().unwrap_or_else(bearer));
        if let Some(tenant) = &self.tenant {
            request = request.header("promptory-tenant", tenant);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string());
                self.agent.run(request.expect("a request"))
            }
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut response = response?;
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok((Answer { status, headers, json: serde_json::from_str(&text).unwrap_or_default() }, text))
    }

    /// GET, as often as a read model is behind what the question demands.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        patiently(|| self.exchange("GET", path, &[], None).expect("an answer")).0
    }

    /// POST.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body))
    }

    /// PUT.
    #[must_use]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[], Some(body))
    }

    /// A prompt with some query, read after everything that this node has acknowledged to `after`.
    #[must_use]
    pub fn prompt(&self, prompt: &str, query: &str) -> Answer {
        self.get(&format!("/v1/prompts/{}?{query}", segment(prompt)))
    }

    /// Commands in one request; their results.
    #[must_use]
    pub fn commands(&self, commands: &[Value]) -> Vec<Value> {
        let answer = self.post("/v1/commands", &json!({ "commands": commands })).expect(200);
        answer.json["results"].as_array().cloned().unwrap_or_default()
    }

    /// An answer, once the read models have what it says was written. Servers wait for that by themselves before they answer in the
    /// forms of other products, but not for long.
    #[must_use]
    pub fn settled(&self, answer: Answer) -> Answer {
        if answer.status < 300 && !answer.header("promptory-position").is_empty() {
            self.wait_for(answer.header("promptory-position"));
        }
        answer
    }

    /// Waits until the read models have reached a position that a command answered.
    pub fn wait_for(&self, position: &str) {
        let _ = self.get(&format!("/v1/status?at_least={position}")).expect(200);
    }
}
