//! The API guide is true: every request in docs/api.md is sent, in a story that this test tells, and every answer there is what
//! the server answers, field by field, in this order. With `PROMPTORY_WRITE_GOLDEN=1` the answers are written anew.

mod block;
mod names;
mod node;
mod story;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use promptory_tests::client::patiently;
use promptory_tests::{Answer, Client};

use crate::feed::Stream;
use block::Block;
use names::Names;
use node::Node;

/// The guide while its story is told.
struct Guide {
    file: PathBuf,
    text: String,
    blocks: Vec<Block>,
    names: Names,
    done: BTreeSet<usize>,
    /// What is to stand at which place instead.
    changes: Vec<(std::ops::Range<usize>, String)>,
}

impl Guide {
    fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/api.md");
        let text = fs::read_to_string(&file).unwrap();
        let blocks = block::all(&text);
        Self { file, text, blocks, names: Names::default(), done: BTreeSet::new(), changes: Vec::new() }
    }

    /// The next example below a heading.
    fn take(&mut self, heading: &str) -> Block {
        let next = self.blocks.iter().enumerate().find(|(n, block)| block.heading == heading && !self.done.contains(n));
        let (n, block) = next.unwrap_or_else(|| panic!("the guide has no (other) example below {heading}"));
        let block = block.clone();
        self.done.insert(n);
        block
    }

    /// Sends the next example below a heading and compares the answer.
    fn play(&mut self, caller: &Client, heading: &str) -> Answer {
        let block = self.take(heading);
        let headers: Vec<_> =
            block.headers.iter().map(|(name, value)| (name.as_str(), self.names.real(value))).collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sent = block.sent.as_ref().map(|sent| block.json(&self.names.real(sent)));
        let path = self.names.real(&block.path);
        let (answer, text) = patiently(|| caller.exchange(&block.method, &path, &headers, sent.as_ref()).unwrap());
        assert_eq!(answer.status, block.status, "{heading}: {text}");
        self.compare(&block, &answer, &text);
        answer
    }

    fn compare(&mut self, block: &Block, answer: &Answer, text: &str) {
        let mut shown = Vec::new();
        for (name, written) in &block.shown {
            let real = answer.header(name);
            self.names.learn("", written, real);
            shown.push((name.clone(), self.names.written("", real)));
        }
        let body = match serde_json::from_str::<Node>(text) {
            // A body that the guide does not show: a file.
            _ if block.body.is_empty() => String::new(),
            Ok(real) => {
                if let Ok(written) = serde_json::from_str::<Node>(&block.body) {
                    written.both(&real, "", &mut |field, written, real| self.names.learn(field, written, real));
                }
                real.map("", &mut |field, text| self.names.written(field, text)).to_string()
            }
            Err(error) => panic!("{}: the answer is no JSON: {error}: {text}", block.heading),
        };
        self.put(block, &shown, &body);
    }

    /// Reads the next example below a heading, a stream, up to its first event.
    fn stream(&mut self, caller: &Client, heading: &str) {
        let block = self.take(heading);
        let after = block.headers.iter().find(|(name, _)| name == "Last-Event-ID").map(|(_, id)| id.parse().unwrap());
        let mut stream = Stream::open(caller, &self.names.real(&block.path), after);
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.starts_with("data:")) {
            lines.extend(
                stream
                    .line()
                    .filter(|line| ["retry:", "id:", "event:", "data:"].iter().any(|kind| line.starts_with(kind))),
            );
        }
        // An empty line ends an event, and what is said about the stream.
        let body = self.names.written("", &lines.join("\n")).replacen('\n', "\n\n", 1);
        self.put(&block, &[], &body);
    }

    fn put(&mut self, block: &Block, shown: &[(String, String)], body: &str) {
        let now = block.with(shown, body);
        if now != self.text[block.place.clone()] {
            self.changes.push((block.place.clone(), now));
        }
    }

    /// Every example was sent, and every answer is the guide's.
    fn finish(mut self) {
        let left = self.blocks.iter().enumerate().filter(|(n, _)| !self.done.contains(n));
        let left: Vec<_> =
            left.map(|(_, block)| format!("{}: {} {}", block.heading, block.method, block.path)).collect();
        assert!(left.is_empty(), "the story leaves out examples of the guide:\n{}", left.join("\n"));
        let told: Vec<_> = self
            .changes
            .iter()
            .map(|(at, now)| format!("is:\n{}\nshould be:\n{now}", &self.text[at.clone()]))
            .collect();
        self.changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        for (place, now) in self.changes {
            self.text.replace_range(place, &now);
        }
        if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() {
            fs::write(&self.file, &self.text).unwrap();
        } else {
            assert!(
                told.is_empty(),
                "docs/api.md is not what the server answers (PROMPTORY_WRITE_GOLDEN=1 writes it):\n{}",
                told.join("\n")
            );
        }
    }
}
