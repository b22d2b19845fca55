//! What an import did, kept as the answers come in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use super::edit::Place;
use super::pack::Note;

/// So many lines that failed are kept with their reasons; all are counted, and all are told as they fail.
const LISTED_MAX: usize = 20;

/// What an import did. Every line is counted once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Lines that were read, blank ones aside; of a repository: edits.
    pub lines: u64,
    /// Lines whose command was done now.
    pub added: u64,
    /// Lines whose command was done before: by an earlier run, or by a try whose answer was lost.
    pub already_there: u64,
    /// Lines that led to nothing.
    pub failed: u64,
    /// Lines that are no prompts and were left out on purpose.
    pub skipped: u64,
    /// How long it took.
    pub seconds: f64,
    /// The first lines that failed, with where they are and why.
    pub failures: Vec<String>,
    /// Of a dry run: what would be sent, by type of command, and how often.
    pub would_send: BTreeMap<String, u64>,
}

impl Report {
    /// Lines a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a rate for a reader")]
    pub fn rate(&self) -> f64 {
        self.lines as f64 / self.seconds.max(f64::EPSILON)
    }

    /// One line without the failures.
    pub(super) fn counts(&self) -> String {
        let Self { lines, added, already_there, failed, skipped, seconds, .. } = self;
        let skipped = if *skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        if !self.would_send.is_empty() {
            let kinds: Vec<String> = self.would_send.iter().map(|(kind, times)| format!("{times} {kind}")).collect();
            return format!("dry run: {lines} lines: would send {}; {failed} failed{skipped}", kinds.join(", "));
        }
        let rate = self.rate();
        format!(
            "{lines} lines: {added} added, {already_there} already there, {failed} failed{skipped}; {seconds:.1} s, \
             {rate:.0} lines/s"
        )
    }

    pub(super) fn took(&mut self, began: Instant) {
        self.seconds = began.elapsed().as_secs_f64();
    }

    pub(super) fn add(&mut self, replayed: bool) {
        self.lines += 1;
        if replayed {
            self.already_there += 1;
        } else {
            self.added += 1;
        }
    }

    pub(super) fn would_send(&mut self, command: &str) {
        self.lines += 1;
        *self.would_send.entry(command.to_owned()).or_default() += 1;
    }

    /// Counts a place that leads to no command; gives the line to tell.
    pub(super) fn note(&mut self, note: &Note) -> String {
        if note.failed {
            return self.fail(&note.place, &note.why);
        }
        self.lines += 1;
        self.skipped += 1;
        format!("{}: skipped: {}", note.place, note.why)
    }

    /// Gives the line to tell.
    pub(super) fn fail(&mut self, place: &Place, why: &str) -> String {
        self.lines += 1;
        self.failed += 1;
        let failure = format!("{place}: {why}");
        if self.failures.len() < LISTED_MAX {
            self.failures.push(failure.clone());
        }
        failure
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.counts())?;
        for failure in &self.failures {
            write!(f, "\n  {failure}")?;
        }
        let unlisted = self.failed.saturating_sub(self.failures.len() as u64);
        if unlisted > 0 {
            write!(f, "\n  and {unlisted} more")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_counted_and_the_first_failures_are_listed() {
        let mut report = Report::default();
        report.add(false);
        report.add(true);
        for line in 3..100 {
            report.fail(&Place { file: "a.jsonl".into(), line }, "no JSON");
        }
        assert_eq!((report.lines, report.added, report.already_there, report.failed), (99, 1, 1, 97));
        let shown = report.to_string();
        assert!(shown.starts_with("99 lines: 1 added, 1 already there, 97 failed; "), "{shown}");
        assert!(shown.contains("\n  a.jsonl:3: no JSON\n"), "{shown}");
        assert!(shown.ends_with("\n  and 77 more"), "{shown}");
    }
}
