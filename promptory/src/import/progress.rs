//! How far an import is: a bar on a terminal, a line every few seconds elsewhere. All of it goes to standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::Report;

const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// What the input is measured in.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Bytes of files, as they lie on disk.
    Bytes,
    /// Commits of a history.
    Commits,
    /// Versions of prompts.
    Versions,
}

/// Shows how far an import is.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    total: Option<u64>,
    began: Instant,
    shown: Instant,
}

impl Progress {
    /// For an input of `total` units, if that is known.
    pub fn new(unit: Unit, total: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(unit, total));
        let now = Instant::now();
        Self { bar, total, began: now, shown: now }
    }

    /// So much of the input has been dealt with.
    pub fn at(&mut self, done: u64, report: &Report) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(format!("{} lines, {}", report.lines, self.rate(report)));
        } else if self.shown.elapsed() >= PLAIN_EVERY {
            self.shown = Instant::now();
            let so_far = self.total.filter(|total| *total > 0).map(|total| self.so_far(done, total));
            self.say(&format!("{} lines, {}{}", report.lines, self.rate(report), so_far.unwrap_or_default()));
        }
    }

    /// A line of text, above the bar.
    pub fn say(&self, line: &str) {
        let write = || {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(io::stderr().lock(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate for a reader")]
    fn rate(&self, report: &Report) -> String {
        format!("{:.0} lines/s", report.lines as f64 / self.began.elapsed().as_secs_f64().max(f64::EPSILON))
    }

    #[allow(clippy::cast_precision_loss, reason = "a share for a reader")]
    fn so_far(&self, done: u64, total: u64) -> String {
        let share = (done as f64 / total as f64).clamp(f64::EPSILON, 1.0);
        let left = self.began.elapsed().as_secs_f64() * (1.0 / share - 1.0);
        format!(", {:.0} %, about {left:.0} s left", share * 100.0)
    }
}

fn bar(unit: Unit, total: Option<u64>) -> ProgressBar {
    let template = match (unit, total) {
        (Unit::Bytes, Some(_)) => "{bar:30} {bytes}/{total_bytes}  {msg}  ETA {eta}",
        (Unit::Bytes, None) => "{spinner} {bytes}  {msg}",
        (Unit::Commits, _) => "{bar:30} {pos}/{len} commits  {msg}  ETA {eta}",
        (Unit::Versions, _) => "{bar:30} {pos}/{len} versions  {msg}  ETA {eta}",
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
