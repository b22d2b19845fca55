//! A dry run: everything is read and mapped as in an import, and nothing is sent.

use serde::Deserialize;

use super::command::Mapper;
use super::edit::Read;
use super::pack::{Mapping, Packed};
use super::progress::Progress;
use super::report::Report;

#[derive(Deserialize)]
struct Command {
    r#type: String,
}

/// Reads a source to its end; what would be sent is in the report.
pub fn run(source: impl Iterator<Item = Read>, mapper: Mapper, mut progress: Progress) -> Report {
    let (mut report, mut mapping) = (Report::default(), Mapping::new(mapper));
    for read in source {
        let at = read.progress;
        match mapping.packed(read) {
            Packed::Command(command) => match serde_json::from_slice::<Command>(&command.json) {
                Ok(Command { r#type }) => report.would_send(&r#type),
                Err(error) => progress.say(&report.fail(&command.place, &error.to_string())),
            },
            Packed::Note(note) => progress.say(&report.note(&note)),
        }
        progress.at(at, &report);
    }
    progress.finish();
    report
}
