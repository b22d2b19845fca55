//! A real OpenID provider as a process: npm's `oidc-provider`, by `tests/oidc/provider.mjs`. `./test` installs it under
//! `target/tools/oidc`; `PROMPTORY_OIDC_PROVIDER` names another folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use ureq::Agent;

/// For whom the provider makes access tokens of people.
pub const AUDIENCE: &str = "https://promptory.example";

/// A provider that runs until this is dropped.
#[derive(Debug)]
pub struct Provider {
    process: Child,
    url: String,
    agent: Agent,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

impl Provider {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        let folder = std::env::var_os("PROMPTORY_OIDC_PROVIDER").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| top().join("target/tools/oidc"));
        assert!(folder.join("node_modules/oidc-provider").exists(), "no oidc-provider in {}", folder.display());
        let mut process = Command::new("node")
            .arg(top().join("tests/oidc/provider.mjs"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let url = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("http://"));
        // Notices may follow; nobody reads them, and they must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: url.expect("the provider's address"), agent: Agent::new_with_defaults() }
    }

    /// Its address: the claim `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn post(&self, path: &str) -> Value {
        let answer = self.agent.post(format!("{}{path}", self.url)).send_empty();
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string()).expect("an answer");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Somebody logs in, as with a browser; his tokens: `access_token`, `id_token`.
    #[must_use]
    pub fn login(&self, user: &str) -> Value {
        self.post(&format!("/test/login?user={user}"))
    }

    /// The access token of somebody who logs in.
    #[must_use]
    pub fn token(&self, user: &str) -> String {
        self.login(user)["access_token"].as_str().expect("a token").to_owned()
    }

    /// An access token of a program, for an audience.
    #[must_use]
    pub fn client_token(&self, audience: &str) -> String {
        self.post(&format!("/test/client?audience={audience}"))["access_token"].as_str().expect("a token").to_owned()
    }

    /// Another signing key in the place of the one it has.
    pub fn rotate(&self) {
        let _ = self.post("/test/rotate");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
