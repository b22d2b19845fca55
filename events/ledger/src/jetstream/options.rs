//! Where the servers are and who we are to them. Secrets are in no `Debug` print and in no error.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};

use super::OpenError;

/// How long an answer of a server is waited for.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a connection is tried; two that are missed end it.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const FIRST_RECONNECT_MS: u64 = 20;
const LONGEST_RECONNECT_MS: u64 = 500;

/// How to reach a JetStream ledger. [`Options::new`] takes the addresses; the rest has defaults.
#[derive(Clone)]
pub struct Options {
    pub(super) servers: Vec<ServerAddr>,
    credential: Credential,
    root_ca: Option<PathBuf>,
    /// How long the first connection, and a stream without a leader, are waited for.
    pub(crate) patience: Duration,
}

#[derive(Clone)]
enum Credential {
    None,
    Password { user: String, password: String },
    File(PathBuf),
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> =
            self.servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
        write!(f, "Options({}, ", servers.join(","))?;
        match &self.credential {
            Credential::None => f.write_str("no credential)"),
            Credential::Password { user, .. } => write!(f, "user {user}, password …)"),
            Credential::File(_) => f.write_str("credentials from a file)"),
        }
    }
}

impl Options {
    /// Servers as `nats://host:port` or `tls://host:port`, separated by commas; all of one cluster.
    ///
    /// # Errors
    /// An address is none, or holds a user or a password: those would be seen in every list of processes.
    pub fn new(servers: &str) -> Result<Self, OpenError> {
        let parse = |text: &str| {
            // The text is in no message: it may hold what must not be shown.
            if text.contains('@') {
                return Err(OpenError::Address("user and password are given apart, not in the address".to_owned()));
            }
            let known = ["nats://", "tls://"].iter().any(|scheme| text.starts_with(scheme));
            let address = text.parse::<ServerAddr>().ok().filter(|address| known && !address.host().is_empty());
            address.ok_or_else(|| OpenError::Address("not of the form nats://host:port or tls://host:port".to_owned()))
        };
        let servers = servers.split(',').map(|text| parse(text.trim())).collect::<Result<_, _>>()?;
        Ok(Self { servers, credential: Credential::None, root_ca: None, patience: Duration::from_secs(15) })
    }

    /// Authenticates with a user and a password. Answers then come to subjects that begin with `_INBOX_<user>`, so that
    /// a server can keep one user from reading another's.
    #[must_use]
    pub fn password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credential = Credential::Password { user: user.into(), password: password.into() };
        self
    }

    /// Authenticates with a credentials file (JWT and seed), read at each connection.
    #[must_use]
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credential = Credential::File(path.into());
        self
    }

    /// Trusts the certificates that this authority (a PEM file) signed, and requires TLS.
    #[must_use]
    pub fn root_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.root_ca = Some(path.into());
        self
    }

    /// How long the first connection, and a stream without a leader, are waited for; 15 s if not given.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) async fn connect_options(&self, name: &str) -> Result<ConnectOptions, OpenError> {
        let options = match &self.credential {
            Credential::None => ConnectOptions::new(),
            Credential::Password { user, password } => {
                let options = ConnectOptions::with_user_and_password(user.clone(), password.clone());
                options.custom_inbox_prefix(format!("_INBOX_{user}"))
            }
            Credential::File(path) => {
                let options = ConnectOptions::with_credentials_file(path).await;
                options.map_err(|e| OpenError::Connect(format!("the credentials file: {e}")))?
            }
        };
        let options = match &self.root_ca {
            Some(path) => options.add_root_certificates(path.clone()).require_tls(true),
            None => options,
        };
        Ok(options
            .name(name)
            .ping_interval(PING_INTERVAL)
            .connection_timeout(REQUEST_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .reconnect_delay_callback(reconnect_delay))
    }
}

fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.min(8)).unwrap_or(8);
    Duration::from_millis((FIRST_RECONNECT_MS << doublings).min(LONGEST_RECONNECT_MS))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn several_servers_are_one_address() {
        let options = Options::new("nats://10.0.0.1:4222, tls://nats.example:4223").unwrap();
        assert_eq!(options.servers.iter().map(ServerAddr::port).collect::<Vec<_>>(), [4222, 4223]);
        for bad in ["", "10.0.0.1:4222", "http://a:1", "nats://", "nats://a:1,,nats://b:1"] {
            assert!(Options::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let options = Options::new("nats://a:4222").unwrap().password("promptory", "s3cret");
        assert_eq!(format!("{options:?}"), "Options(a:4222, user promptory, password …)");
        let error = Options::new("nats://promptory:s3cret@a:4222").unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn a_lost_server_is_tried_again_at_least_twice_a_second() {
        assert!((0..100).all(|attempts| reconnect_delay(attempts) <= Duration::from_millis(LONGEST_RECONNECT_MS)));
    }
}
