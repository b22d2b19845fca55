//! Real edit histories as commands, repeated under prefixes until there is enough of them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::BenchError;

/// Where the full histories lie beside a checkout.
const FULL: &str = "../shared/data";
/// A slice of one of them (CC0), see promptory/demo.
const BUNDLED: &[u8] = include_bytes!("../../demo/awesome-slice.jsonl.gz");

/// The label that resolves ask for.
pub const LABEL: &str = "production";

/// Edits of one or more histories, in order.
#[derive(Debug)]
pub struct History {
    /// Which, for the report.
    pub name: String,
    edits: Vec<Edit>,
}

#[derive(Debug, Deserialize)]
struct Edit {
    op: Op,
    path: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    content: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Create,
    Edit,
    Rename,
    Delete,
}

impl History {
    /// The histories in a folder; without one, the full ones if they are there, else the bundled one.
    ///
    /// # Errors
    /// The folder holds none, or one that can't be read.
    pub fn find(folder: Option<&Path>) -> Result<Self, BenchError> {
        let files = files(folder.unwrap_or(Path::new(FULL)));
        if files.is_empty() {
            if let Some(folder) = folder {
                return Err(BenchError::History(format!("{} holds no *.jsonl.gz", folder.display())));
            }
            let mut bundled = Self { name: "the bundled history".to_owned(), edits: Vec::new() };
            bundled.take_in("", BUNDLED)?;
            return Ok(bundled);
        }
        let mut history = Self { name: String::new(), edits: Vec::new() };
        for file in &files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().replace(".jsonl.gz", "");
            history.take_in(&format!("{name}/"), File::open(file)?)?;
            history.name += &if history.name.is_empty() { name } else { format!(", {name}") };
        }
        Ok(history)
    }

    fn take_in(&mut self, prefix: &str, compressed: impl Read) -> Result<(), BenchError> {
        for line in BufReader::new(GzDecoder::new(compressed)).lines() {
            let mut edit: Edit = serde_json::from_str(&line?)?;
            edit.path = key(prefix, &edit.path);
            edit.from = edit.from.map(|from| key(prefix, &from));
            self.edits.push(edit);
        }
        Ok(())
    }

    /// How many edits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.edits.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The edits as commands, again and again under another prefix. With `labelled`, a label follows the newest version.
    #[must_use]
    pub fn repeated(&self, labelled: bool) -> Repeated<'_> {
        Repeated { history: self, labelled, created_only: false, sent: 0, alive: BTreeSet::new() }
    }

    /// Only what makes a prompt, with the label, from the edit with a number on.
    #[must_use]
    pub fn created(&self, from: usize) -> Repeated<'_> {
        Repeated { history: self, labelled: true, created_only: true, sent: from, alive: BTreeSet::new() }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(".jsonl.gz")).collect();
    files.sort();
    files
}

/// A path as a key: keys hold no control characters, paths may.
fn key(prefix: &str, path: &str) -> String {
    let mut key = prefix.to_owned();
    for c in path.chars() {
        if c.is_control() {
            key.extend(utf8_percent_encode(c.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
        } else {
            key.push(c);
        }
    }
    key
}

/// Commands without end.
#[derive(Debug)]
pub struct Repeated<'a> {
    history: &'a History,
    labelled: bool,
    created_only: bool,
    sent: usize,
    /// The keys that prompts hold after the commands so far.
    pub alive: BTreeSet<String>,
}

impl Repeated<'_> {
    /// How many commands it has given.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent
    }
}

impl Iterator for Repeated<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let under = |repeat: usize, path: &str| format!("{repeat}/{path}");
        let count = self.history.edits.len();
        let (repeat, edit) = (0..=count).find_map(|_| {
            let (repeat, edit) = (self.sent.checked_div(count)?, &self.history.edits[self.sent % count]);
            self.sent += 1;
            // One that was deleted may be made again.
            let made = matches!(edit.op, Op::Create) && !self.alive.contains(&under(repeat, &edit.path));
            (made || !self.created_only).then_some((repeat, edit))
        })?;
        let under = |path: &str| under(repeat, path);
        let path = under(&edit.path);
        let mut command = match edit.op {
            Op::Create => json!({"type": "create_prompt", "key": path, "text": edit.content}),
            Op::Edit => json!({"type": "add_version", "prompt": path, "text": edit.content}),
            Op::Rename => {
                let from = under(edit.from.as_deref().unwrap_or_default());
                self.alive.remove(&from);
                json!({"type": "rename_prompt", "prompt": from, "to": path, "text": edit.content})
            }
            Op::Delete => json!({"type": "archive_prompt", "prompt": path}),
        };
        if self.labelled && matches!(edit.op, Op::Create | Op::Edit) {
            command["labels"] = json!([LABEL]);
        }
        if !edit.message.is_empty() {
            command["message"] = json!(edit.message);
        }
        match edit.op {
            Op::Delete => self.alive.remove(&path),
            Op::Create | Op::Edit | Op::Rename => self.alive.insert(path),
        };
        Some(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(op: Op, path: &str, from: Option<&str>) -> Edit {
        let content = (!matches!(op, Op::Delete)).then(|| format!("text of {path}"));
        Edit { op, path: path.into(), from: from.map(Into::into), message: "why".into(), content }
    }

    #[test]
    fn a_history_becomes_commands_under_prefixes() {
        let edits = vec![
            edit(Op::Create, "a", None),
            edit(Op::Create, "b", None),
            edit(Op::Rename, "c", Some("a")),
            edit(Op::Delete, "b", None),
        ];
        let history = History { name: String::new(), edits };
        let mut commands = history.repeated(true);
        let first: Vec<Value> = commands.by_ref().take(5).collect();
        assert_eq!(first[0]["labels"], json!(["production"]));
        let rename = json!({"type":"rename_prompt","prompt":"0/a","to":"0/c","text":"text of c","message":"why"});
        assert_eq!(first[2], rename);
        assert_eq!(first[3], json!({"type": "archive_prompt", "prompt": "0/b", "message": "why"}));
        assert_eq!((first[4]["key"].as_str(), commands.sent()), (Some("1/a"), 5));
        assert_eq!(commands.alive.into_iter().collect::<Vec<_>>(), ["0/c", "1/a"]);
    }

    #[test]
    fn what_makes_prompts_comes_alone() {
        let edits = vec![edit(Op::Create, "a", None), edit(Op::Delete, "a", None), edit(Op::Create, "a", None)];
        let history = History { name: String::new(), edits };
        let keys: Vec<_> = history.created(1).take(2).map(|command| command["key"].clone()).collect();
        assert_eq!(keys, ["0/a", "1/a"]);
    }

    #[test]
    fn the_bundled_history_is_there_and_every_key_is_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(History::find(Some(folder.path())), Err(BenchError::History(_))));
        let mut bundled = History { name: String::new(), edits: Vec::new() };
        bundled.take_in("x/", BUNDLED).unwrap();
        assert!(bundled.len() > 1_000 && !bundled.is_empty());
        for edit in &bundled.edits {
            edit.path.parse::<promptory_events::PromptKey>().unwrap();
        }
        assert_eq!(key("", "a\nb c/下"), "a%0Ab c/下");
    }

    #[test]
    fn without_edits_there_are_no_commands() {
        assert!(History { name: String::new(), edits: Vec::new() }.repeated(false).next().is_none());
    }
}
