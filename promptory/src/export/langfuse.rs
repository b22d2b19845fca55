//! The prompts of a tenant as Langfuse's public API has them: a list of versions, with the labels that point to them now.
//!
//! Langfuse has no branches, templates, archived prompts or moves of labels: versions of all branches stand in one row, by their
//! numbers, and what is archived is left out.

use std::io::{BufWriter, Write};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::ExportError;
use super::args::LangfuseArgs;
use super::report::Report;
use super::source::Source;
use crate::asking::Asking;

pub(super) fn run(args: &LangfuseArgs) -> Result<Report, ExportError> {
    // A source says what the key reads, and which point it is.
    let source = Source::open(&args.from)?;
    let (until, patience) = (source.until(), Duration::from_secs(args.from.patience));
    let asking = Asking::with_key(&args.from.server.url, &args.from.server.api_key()?);
    let mut report = Report { until, dry_run: args.from.dry_run, ..Report::default() };
    let mut versions = Vec::new();
    let mut page = asking.get_patiently(&format!("/v1/prompts?limit=1000&as_of={until}"), patience)?;
    loop {
        for prompt in page["prompts"].as_array().into_iter().flatten() {
            let count = prompt["versions"].as_u64().unwrap_or_default();
            report.versions += count;
            if args.from.dry_run {
                continue;
            }
            for number in 1..=count {
                versions.push(version(&asking, patience, prompt, number, until)?);
            }
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        page = asking.get_patiently(&format!("/v1/prompts?limit=1000&cursor={cursor}"), patience)?;
    }
    if args.from.dry_run {
        return Ok(report);
    }
    let failed = |error| ExportError::File { path: args.file.clone(), error };
    let mut out = BufWriter::new(std::fs::File::create(&args.file).map_err(failed)?);
    serde_json::to_writer_pretty(&mut out, &versions).map_err(|error| failed(error.into()))?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed)?;
    Ok(report)
}

fn version(asking: &Asking, patience: Duration, prompt: &Value, number: u64, until: u64) -> Result<Value, ExportError> {
    let id = utf8_percent_encode(prompt["id"].as_str().unwrap_or_default(), NON_ALPHANUMERIC);
    let answer = asking.get_patiently(&format!("/v1/prompts/{id}?version={number}&as_of={until}"), patience)?;
    let (chat, of) = (answer["kind"] == "chat", &answer["version"]);
    let pointing = answer["labels"].as_object().into_iter().flatten().filter(|(_, to)| **to == number);
    let mut labels: Vec<&str> = pointing.map(|(label, _)| label.as_str()).collect();
    if answer["branches"]["main"] == number {
        labels.push("latest");
    }
    let made = if of["occurred_at"].is_null() { &of["recorded_at"] } else { &of["occurred_at"] };
    Ok(json!({
        "name": answer["key"],
        "version": number,
        "type": if chat { "chat" } else { "text" },
        "prompt": if chat { &answer["messages"] } else { &answer["text"] },
        "config": if answer["config"].is_null() { json!({}) } else { answer["config"].clone() },
        "labels": labels,
        "tags": answer["tags"],
        "commitMessage": of["message"],
        "createdAt": made,
        "createdBy": if of["author"].is_null() { &of["actor"] } else { &of["author"] },
    }))
}
