//! Which server, and the API key for it, as every command takes them that moves a tenant's history. A key comes from a
//! file or from the environment; no message ever shows it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use promptory_platform::ApiKey;

/// A server and the key that opens it.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// The server's address.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// A file with an API key: to import an importer's or an owner's, to export one that reads the whole tenant.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["key", "dry_run"])]
    pub key_file: Option<PathBuf>,
    /// The API key itself; a file or the variable is safer, because everybody sees a command line.
    #[arg(long, env = "PROMPTORY_KEY", hide_env_values = true)]
    pub key: Option<KeyText>,
}

/// There is no API key to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file can't be read.
    #[error("the file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is none, or it has not the form of one.
    #[error("{0} holds no API key; it has the form pk_<tenant>_<key id>_<secret>")]
    None(String),
}

impl Server {
    /// The server at `url`, and the key in a file.
    #[must_use]
    pub fn new(url: &str, key_file: &Path) -> Self {
        Self { url: url.to_owned(), key_file: Some(key_file.to_owned()), key: None }
    }

    /// The key.
    ///
    /// # Errors
    /// There is none.
    pub fn api_key(&self) -> Result<ApiKey, KeyError> {
        // A file that is named says more than a variable that is there.
        if let Some(path) = &self.key_file {
            let text = fs::read_to_string(path).map_err(|error| KeyError::File { path: path.clone(), error })?;
            return text.trim().parse().map_err(|_| KeyError::None(format!("the file {}", path.display())));
        }
        self.key.as_ref().and_then(KeyText::key).ok_or_else(|| KeyError::None("PROMPTORY_KEY (or --key)".into()))
    }
}

/// The text of an API key, as it was given. No message ever shows it, whether it is a key or not.
#[derive(Clone)]
pub struct KeyText(String);

impl KeyText {
    /// The key that it is.
    #[must_use]
    pub fn key(&self) -> Option<ApiKey> {
        self.0.trim().parse().ok()
    }
}

impl FromStr for KeyText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pk_…")
    }
}
