//! A rebuild or a rollback by a running server: asked for, and watched until it has ended.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{RebuildArgs, RebuildRunError};
use crate::asking::Asking;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a server may say nothing of it, or nothing at all. Another process that has the tenant may answer in between.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(url: &str, key_file: &Path, args: &RebuildArgs, bar: &ProgressBar) -> Result<Value, RebuildRunError> {
    let asking = Asking::new(url, key_file)?;
    let (view, kind) = (args.view.as_str(), if args.rollback { "rollback" } else { "rebuild" });
    let share = args.share.map(|share| format!("?share={share}")).unwrap_or_default();
    let begun = asking.post(&format!("/v1/models/{view}/{kind}{share}"))?["work"].take();
    if begun["kind"] != kind {
        return Err(RebuildRunError::Other(begun["kind"].as_str().unwrap_or_default().to_owned()));
    }
    let mut seen = Instant::now();
    let mut work = begun.clone();
    loop {
        show(bar, &work);
        match work["stage"].as_str() {
            Some("done") => return Ok(report(view, &work)),
            Some("failed") => {
                let why = work["failed"].as_str().unwrap_or_default();
                return Err(RebuildRunError::Failed(why.to_owned()));
            }
            _ => {}
        }
        work = loop {
            std::thread::sleep(LOOK);
            match asking.get("/v1/models").map(|models| of(&models, view)) {
                Ok(now) if now["id"] == begun["id"] => {
                    seen = Instant::now();
                    break now;
                }
                Ok(_) if seen.elapsed() > PATIENCE => return Err(RebuildRunError::Gone),
                Err(error) if seen.elapsed() > PATIENCE || !error.passes() => return Err(error.into()),
                Ok(_) | Err(_) => {}
            }
        };
    }
}

/// What is told of the work on a view.
fn of(models: &Value, view: &str) -> Value {
    let mut models = models["models"].as_array().into_iter().flatten();
    models.find(|model| model["view"] == view).map_or(Value::Null, |model| model["work"].clone())
}

fn show(bar: &ProgressBar, work: &Value) {
    bar.set_length(work["total"].as_u64().unwrap_or_default());
    bar.set_position(work["events"].as_u64().unwrap_or_default());
    let eta = work["eta_seconds"].as_u64().map(|eta| format!(", {eta} s left")).unwrap_or_default();
    let stage = work["stage"].as_str().unwrap_or_default();
    bar.set_message(format!("{stage}, {}/s{eta}", work["events_per_second"]));
}

fn report(view: &str, work: &Value) -> Value {
    json!({
        "view": view,
        "kind": work["kind"],
        "events": work["events"],
        "events_per_second": work["events_per_second"],
        "model_digest_before": work["digest_before"],
        "model_digest_after": work["digest_after"],
        "equal": work["equal"],
    })
}
