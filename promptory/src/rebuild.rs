//! `rebuild`: a read model of a tenant built anew from its ledger, compared with the one that was there and put in its place; or
//! the one before it put back. In a running server over HTTP, or on a data folder that no server holds. Prints a JSON report.

mod there;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use promptory_events::TenantId;
use promptory_projection::Shelf;
use promptory_projection::rebuild::RebuildError;
use promptory_projection::views::Name;
use serde_json::json;

use crate::asking::AskingError;
use crate::init::NatsArgs;
use crate::node;
use crate::offline::{OfflineError, print, stores};

/// A tenant's read model, built anew from the ledger, compared with the old one, and put in its place.
#[derive(Args, Clone, Debug)]
pub struct RebuildArgs {
    /// The address of a running server, which does it while it serves; the tenant is that of the key.
    #[arg(
        long,
        value_name = "URL",
        requires = "key_file",
        conflicts_with_all = ["data", "servers", "root_key", "tenant"]
    )]
    pub url: Option<String>,
    /// With `--url`: a file with an API key of the tenant that may read all of it.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub key_file: Option<PathBuf>,
    /// With `--url`: how much of a core it takes beside what is served, 0.05 to 1; 0.5 if not given.
    #[arg(long, requires = "url")]
    pub share: Option<f64>,
    /// The data folder. No server may hold it.
    #[arg(long, default_value = "promptory-data")]
    pub data: PathBuf,
    /// The servers of a ledger on NATS JetStream; without them it is in the data folder.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// The file with the root key of the key store on JetStream.
    #[arg(long, requires = "servers")]
    pub root_key: Option<PathBuf>,
    /// Whose read models.
    #[arg(long, required_unless_present = "url")]
    pub tenant: Option<TenantId>,
    /// Which of them: `catalog` or `audit`.
    #[arg(long, default_value = "catalog")]
    pub view: Name,
    /// Puts the store that was replaced last back in its place instead.
    #[arg(long)]
    pub rollback: bool,
}

/// A read model could not be built, or put back.
#[derive(Debug, thiserror::Error)]
pub enum RebuildRunError {
    /// The data folder.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// What was there is still there.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The server.
    #[error(transparent)]
    Asking(#[from] AskingError),
    /// It went wrong there.
    #[error("it failed there: {0}")]
    Failed(String),
    /// Something else goes on there.
    #[error("a {0} goes on there already; ask again when it has ended")]
    Other(String),
    /// The server says nothing of it.
    #[error("the server does not know of it any more: it was started again, perhaps")]
    Gone,
    /// Neither a server nor a tenant.
    #[error("--url with --key-file, or --tenant")]
    Nothing,
    /// A task failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Builds a read model anew or puts one back, showing progress, rate and what is left, and prints both digests.
///
/// # Errors
/// It could not be done; what was there is there.
pub async fn run(args: RebuildArgs) -> Result<(), RebuildRunError> {
    let bar = ProgressBar::new(0).with_style(style());
    let report = match (args.url.clone(), args.key_file.clone(), args.tenant.clone()) {
        (Some(url), Some(key_file), _) => {
            let shown = bar.clone();
            tokio::task::spawn_blocking(move || there::run(&url, &key_file, &args, &shown)).await?
        }
        (_, _, Some(tenant)) => here(args, tenant, bar.clone()).await,
        _ => Err(RebuildRunError::Nothing),
    };
    bar.finish_and_clear();
    print(&report?)?;
    Ok(())
}

/// On a data folder that no server holds, or a ledger on NATS JetStream.
async fn here(args: RebuildArgs, tenant: TenantId, bar: ProgressBar) -> Result<serde_json::Value, RebuildRunError> {
    let (config, stores) = stores(&args.data, &args.nats, args.root_key).await?;
    let shelf = Shelf::new(node::models(&config), stores.ledger.clone(), stores.keys.clone());
    let progress = move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        let left = bar.eta().as_secs();
        bar.set_message(format!("{:.0}/s, {left} s left", bar.per_sec()));
    };
    let report = if args.rollback {
        shelf.roll_back(&tenant, args.view, progress).await
    } else {
        shelf.rebuild(&tenant, args.view, progress).await
    };
    shelf.close().await;
    let report = report?;
    // What is put back has most of its events already: there is no rate to tell.
    #[allow(clippy::cast_precision_loss, reason = "a rate for a reader")]
    let rate = (!args.rollback && report.seconds > 0.0).then(|| (report.events as f64 / report.seconds).round());
    Ok(json!({
        "tenant": tenant,
        "view": args.view,
        "events": report.events,
        "seconds": report.seconds,
        "events_per_second": rate,
        "model_digest_before": report.old,
        "model_digest_after": report.new,
        "equal": report.old.as_ref().map(|old| *old == report.new),
    }))
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {pos}/{len} events  {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
