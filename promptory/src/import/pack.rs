//! What a source finds, packed into batches that one request can carry.

use std::sync::Arc;
use std::sync::mpsc::{SendError, SyncSender};

use super::command::Mapper;
use super::edit::{Found, Place, Read};
use super::send::Command;

/// Some of what was found, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is to be sent.
    pub commands: Vec<Command>,
    /// What is to be told.
    pub notes: Vec<Note>,
    /// How far the source had come.
    pub progress: u64,
    bytes: usize,
}

/// A place that leads to no command, and why.
#[derive(Debug)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// Why.
    pub why: String,
    /// Whether it should have been an edit.
    pub failed: bool,
}

/// How large a batch may become.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Commands and notes.
    pub count: usize,
    /// Bytes of JSON. A single command may be larger.
    pub bytes: usize,
}

/// Reads a source to its end, batch by batch.
///
/// # Errors
/// Nobody takes the batches any more.
pub fn pack(
    source: impl Iterator<Item = Read>,
    mapper: Mapper,
    bounds: Bounds,
    out: &SyncSender<Batch>,
) -> Result<(), SendError<Batch>> {
    let (mut batch, mut mapping) = (Batch::default(), Mapping::new(mapper));
    for read in source {
        let progress = read.progress;
        match mapping.packed(read) {
            Packed::Command(command) => {
                if batch.bytes + command.json.len() > bounds.bytes && !batch.commands.is_empty() {
                    out.send(std::mem::take(&mut batch))?;
                }
                batch.bytes += command.json.len();
                batch.commands.push(command);
            }
            Packed::Note(note) => batch.notes.push(note),
        }
        batch.progress = progress;
        if batch.commands.len() + batch.notes.len() >= bounds.count {
            out.send(std::mem::take(&mut batch))?;
        }
    }
    if batch.commands.is_empty() && batch.notes.is_empty() { Ok(()) } else { out.send(batch) }
}

/// What a place led to.
#[derive(Debug)]
pub enum Packed {
    /// A command.
    Command(Command),
    /// Nothing, and why.
    Note(Note),
}

/// Turns what is found into commands, file by file.
#[derive(Debug)]
pub struct Mapping {
    mapper: Mapper,
    file: Option<Arc<str>>,
}

impl Mapping {
    /// Before the first.
    pub fn new(mapper: Mapper) -> Self {
        Self { mapper, file: None }
    }

    /// What a place leads to.
    pub fn packed(&mut self, Read { place, found, .. }: Read) -> Packed {
        if !self.file.as_ref().is_some_and(|file| Arc::ptr_eq(file, &place.file)) {
            self.file = Some(Arc::clone(&place.file));
            self.mapper.next_source();
        }
        let command = match found {
            Found::Edit(edit) => self.mapper.map(*edit),
            Found::Command(command) => Ok(*command),
            Found::Bad(why) => Err(why),
            Found::Skipped(why) => return Packed::Note(Note { place, why, failed: false }),
        };
        match command.and_then(|command| serde_json::to_vec(&command).map_err(|error| error.to_string())) {
            Ok(json) => Packed::Command(Command { place, json, known: None }),
            Err(why) => Packed::Note(Note { place, why, failed: true }),
        }
    }
}

#[cfg(test)]
mod tests;
