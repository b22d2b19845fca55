//! `verify --models`: asks a running server to fold a tenant's ledger anew beside its read models, and waits for what it finds.
//!
//! Through the API and with a key of the tenant, so that it needs no file of the server's and works wherever the models are.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::asking::{Asking, AskingError};

/// How often it is asked, and how long at most.
const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(3600);

/// A running server instead of a ledger.
#[derive(Args, Clone, Debug)]
pub struct ModelsArgs {
    /// The address of a running server, whose read models of one tenant are compared with its ledger, folded anew there.
    #[arg(
        long,
        value_name = "URL",
        requires = "key_file",
        conflicts_with_all = ["data", "servers", "backup", "against", "rights"]
    )]
    pub models: Option<String>,
    /// With `--models`: a file with an API key of that tenant that may read all of it.
    #[arg(long, value_name = "FILE", requires = "models")]
    pub key_file: Option<PathBuf>,
}

/// The models could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The server.
    #[error(transparent)]
    Asking(#[from] AskingError),
    /// It took too long.
    #[error("no check came to its end within an hour")]
    Patience,
    /// A task failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What was found.
#[derive(Debug)]
pub struct Models(Value);

impl Models {
    /// Whether each model is what the ledger says.
    #[must_use]
    pub fn hold(&self) -> bool {
        self.models().all(|model| model["checked"]["equal"] == true)
    }

    fn models(&self) -> impl Iterator<Item = &Value> {
        self.0["models"].as_array().into_iter().flatten()
    }

    /// Whether each was checked up to where it was at `begun`, or has stopped and can't be.
    fn are_done(&self, begun: &Self) -> bool {
        let index = |model: &Value| {
            let position = model["position"].as_str().unwrap_or_default();
            position.rsplit_once('-').and_then(|(_, index)| index.parse::<u64>().ok())
        };
        let since = self.models().zip(begun.models());
        since
            .into_iter()
            .all(|(model, before)| model["stopped"] == true || model["checked"]["index"].as_u64() >= index(before))
    }

    /// The report.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "holds": self.hold(), "models": self.0["models"] })
    }
}

/// Asks a server with the key in a file until its models are checked.
///
/// # Errors
/// It can't be asked, or does not answer.
pub async fn run(url: String, key_file: PathBuf) -> Result<Models, ModelsError> {
    tokio::task::spawn_blocking(move || checked(&url, &key_file)).await?
}

fn checked(url: &str, key_file: &Path) -> Result<Models, ModelsError> {
    let asking = Asking::new(url, key_file)?;
    let ask = || asking.get("/v1/models?check=true").map(Models);
    let (begun, since) = (ask()?, Instant::now());
    loop {
        let now = ask()?;
        if now.are_done(&begun) {
            return Ok(now);
        }
        if since.elapsed() > PATIENCE {
            return Err(ModelsError::Patience);
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn said(position: &str, checked: Value) -> Models {
        Models(json!({ "models": [{ "view": "catalog", "position": position, "stopped": false, "checked": checked }] }))
    }

    #[test]
    fn a_check_counts_once_it_is_as_far_as_the_model_was_when_it_was_asked_for() {
        let begun = said("0011-7", json!({ "index": 3, "equal": true }));
        assert!(!begun.are_done(&begun), "an older one");
        let done = said("0011-9", json!({ "index": 7, "equal": true }));
        assert!(done.are_done(&begun) && done.hold());
        assert!(!said("0011-9", Value::Null).hold());
        assert!(!said("0011-9", json!({ "index": 9, "equal": false })).hold());
    }
}
