//! The servers of a ledger on NATS JetStream as they are named on the command line; and `init`, which makes its streams and
//! those of its key store once, and compares them with what they should be ever after; and the root key, if asked. Never
//! changes a stream or a root key that is there.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use promptory_ledger::jetstream::{self, Drift, OpenError, Options, Shape};
use promptory_ledger::{RootKey, RootKeyError};

/// Where the servers are, and who we are to them.
#[derive(Args, Clone, Debug, Default)]
pub struct NatsArgs {
    /// The servers of one cluster: nats://host:port or tls://host:port, separated by commas.
    #[arg(long = "ledger", value_name = "URL")]
    pub servers: Option<String>,
    /// The user; the password comes from a file.
    #[arg(long, requires_all = ["servers", "nats_password_file"], conflicts_with = "nats_creds")]
    pub nats_user: Option<String>,
    /// A file with the user's password and nothing else.
    #[arg(long, requires = "nats_user")]
    pub nats_password_file: Option<PathBuf>,
    /// A credentials file (JWT and seed) instead of user and password.
    #[arg(long, requires = "servers")]
    pub nats_creds: Option<PathBuf>,
    /// The authority that signed the servers' certificates, as PEM; requires TLS.
    #[arg(long, requires = "servers")]
    pub nats_ca: Option<PathBuf>,
}

/// The streams of a ledger and its key store: made if there are none, otherwise compared. Fails if anything is not as it should be.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// The servers.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// Copies of each message: 3 or 5 on a cluster; 1 has no second copy of anything.
    #[arg(long, default_value_t = 3)]
    pub replicas: usize,
    /// Partitions of a new ledger. They can't be changed later.
    #[arg(long, default_value_t = 8)]
    pub partitions: u16,
    /// How long the ids of usage records are known, in days. The records stay two days longer.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub usage_days: u16,
    /// A file for the root key of the key store: made, readable to its owner alone, unless it is there.
    #[arg(long, value_name = "FILE")]
    pub root_key: Option<PathBuf>,
}

/// What `init` found and did, in words; and what is not as it should be.
#[derive(Clone, Debug)]
pub struct Report {
    text: String,
    /// Settings that differ. Nothing was changed about them.
    pub drift: Vec<Drift>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `init` could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is nothing to be done without servers.
    #[error("which servers? --ledger names them")]
    NoServers,
    /// The password can't be read.
    #[error("the file with the password")]
    Password(#[source] io::Error),
    /// The root key can't be made, or what is there is none.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// The servers, or the shape that was asked for.
    #[error(transparent)]
    Ledger(#[from] OpenError),
}

impl NatsArgs {
    /// The same as the ledger takes it.
    ///
    /// # Errors
    /// No servers are named; the address is none; the password can't be read.
    pub fn options(&self) -> Result<Options, InitError> {
        self.given()?.ok_or(InitError::NoServers)
    }

    /// The same, if servers are named.
    ///
    /// # Errors
    /// The address is none; the password can't be read.
    pub fn given(&self) -> Result<Option<Options>, InitError> {
        let Some(servers) = &self.servers else { return Ok(None) };
        let mut options = Options::new(servers)?;
        if let (Some(user), Some(file)) = (&self.nats_user, &self.nats_password_file) {
            let password = fs::read_to_string(file).map_err(InitError::Password)?;
            options = options.password(user, password.trim_end_matches(['\r', '\n']));
        }
        if let Some(file) = &self.nats_creds {
            options = options.credentials_file(file);
        }
        if let Some(file) = &self.nats_ca {
            options = options.root_ca(file);
        }
        Ok(Some(options))
    }

    /// The same for the command line of another process of this program.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let text = |text: &Option<String>| text.as_ref().map(OsString::from);
        let path = |path: &Option<PathBuf>| path.as_ref().map(OsString::from);
        let given = [
            ("--ledger", text(&self.servers)),
            ("--nats-user", text(&self.nats_user)),
            ("--nats-password-file", path(&self.nats_password_file)),
            ("--nats-creds", path(&self.nats_creds)),
            ("--nats-ca", path(&self.nats_ca)),
        ];
        given.into_iter().filter_map(|(name, value)| Some([OsStr::new(name).to_owned(), value?])).flatten().collect()
    }
}

/// Makes the root key if asked, and makes or compares the streams.
///
/// # Errors
/// The root key's file can't be made, or is no root key; the servers can't be reached, are too old, or refuse.
pub async fn run(args: InitArgs) -> Result<Report, InitError> {
    let options = args.nats.options()?;
    let root_key = args.root_key.as_deref().map(root_key).transpose()?;
    let shape = Shape { replicas: args.replicas, partitions: args.partitions };
    let usage = Duration::from_secs(u64::from(args.usage_days) * 24 * 3600);
    let streams = jetstream::init_keeping(&options, shape, usage).await?;
    let text = match root_key {
        Some(line) => format!("{line}\n{streams}"),
        None => streams.to_string(),
    };
    Ok(Report { text, drift: streams.drift })
}

/// Makes a root key, or checks the one that is there; says which.
fn root_key(path: &Path) -> Result<String, RootKeyError> {
    match RootKey::create(path)? {
        Some(_) => {
            Ok(format!("root key     made: {}; keep a copy elsewhere, without it no text can be read", path.display()))
        }
        None => RootKey::read(path).map(|_| format!("root key     found: {}", path.display())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_told_the_same_servers() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            nats: NatsArgs,
        }
        let parsed = |line: Vec<OsString>| {
            let line = std::iter::once("promptory".into()).chain(line);
            <Line as clap::Parser>::try_parse_from(line).unwrap().nats
        };
        for line in [
            vec![],
            vec![
                "--ledger",
                "tls://a:1,tls://b:2",
                "--nats-user",
                "u",
                "--nats-password-file",
                "/p w",
                "--nats-ca",
                "/ca",
            ],
            vec!["--ledger", "nats://a:1", "--nats-creds", "/creds"],
        ] {
            let line: Vec<OsString> = line.into_iter().map(OsString::from).collect();
            assert_eq!(parsed(line.clone()).arguments(), line);
        }
    }

    #[test]
    fn a_root_key_is_made_once_and_checked_ever_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        assert!(root_key(&path).unwrap().contains("made"));
        let bytes = fs::read(&path).unwrap();
        assert!(root_key(&path).unwrap().contains("found"));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::write(&path, "short").unwrap();
        assert!(matches!(root_key(&path), Err(RootKeyError::Length(_))));
    }
}
