//! The servers of a ledger on NATS JetStream on the command line, and `init`: makes the streams of a ledger on NATS JetStream, once, and compares them with what they should be ever after.
//! Never changes a stream that is there.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use promptory_ledger::jetstream::{self, OpenError, Options, Report, Shape};

/// Where the servers are, and who we are to them.
#[derive(Args, Clone, Debug)]
pub struct NatsArgs {
    /// The servers of one cluster: nats://host:port or tls://host:port, separated by commas.
    #[arg(long = "ledger", value_name = "URL")]
    pub servers: String,
    /// The user; the password comes from a file.
    #[arg(long, requires = "nats_password_file", conflicts_with = "nats_creds")]
    pub nats_user: Option<String>,
    /// A file with the user's password and nothing else.
    #[arg(long, requires = "nats_user")]
    pub nats_password_file: Option<PathBuf>,
    /// A credentials file (JWT and seed) instead of user and password.
    #[arg(long)]
    pub nats_creds: Option<PathBuf>,
    /// The authority that signed the servers' certificates, as PEM; requires TLS.
    #[arg(long)]
    pub nats_ca: Option<PathBuf>,
}

/// The streams of a ledger: made if there are none, otherwise compared. Fails if anything is not as it should be.
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
}

/// `init` could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The password can't be read.
    #[error("the file with the password")]
    Password(#[source] io::Error),
    /// The servers, or the shape that was asked for.
    #[error(transparent)]
    Ledger(#[from] OpenError),
}

impl NatsArgs {
    /// The same as the ledger takes it.
    ///
    /// # Errors
    /// The address is none; the password can't be read.
    pub fn options(&self) -> Result<Options, InitError> {
        let mut options = Options::new(&self.servers)?;
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
        Ok(options)
    }
}

/// Makes or compares the streams.
///
/// # Errors
/// The servers can't be reached, are too old, or refuse.
pub async fn run(args: InitArgs) -> Result<Report, InitError> {
    let shape = Shape { replicas: args.replicas, partitions: args.partitions };
    Ok(jetstream::init(&args.nats.options()?, shape).await?)
}
