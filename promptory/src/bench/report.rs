//! Figures with their bars, as a table, as the generated block of docs/performance.md, and as JSON.

use std::fmt;

use serde::{Serialize, Serializer};

use super::machine::Machine;

/// What a bench found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of which release.
    pub version: &'static str,
    /// Whether it was built with optimization. Without, the figures say nothing.
    pub release: bool,
    /// On which machine.
    pub machine: Machine,
    /// The servers of the scenario `jetstream`, or why there were none; nothing if it was not asked for.
    pub jetstream: Option<String>,
    /// With which histories.
    pub data: String,
    /// How long each measurement took.
    pub seconds: f64,
    /// How often each was repeated.
    pub rounds: u32,
    /// The seed.
    pub seed: u64,
    /// The size of what was filled in; 1 is whole.
    pub scale: f64,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// One figure: a sample for each round.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Of which scenario.
    pub scenario: &'static str,
    /// What was measured.
    pub name: String,
    /// In what.
    pub unit: &'static str,
    /// The median of the samples.
    pub median: f64,
    /// The samples, one a round.
    pub samples: Vec<f64>,
    /// What it is held against, if anything.
    pub bar: Option<Bar>,
    /// Whether the median meets the bar.
    pub met: Option<bool>,
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// It should not be less.
    AtLeast(f64),
    /// It should not be more.
    AtMost(f64),
}

impl Bar {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(f, "≥ {}", number(*bar)),
            Self::AtMost(bar) => write!(f, "≤ {}", number(*bar)),
        }
    }
}

impl Serialize for Bar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The figures of a scenario while they are measured, in the order in which they first came.
#[derive(Debug)]
pub struct Figures {
    scenario: &'static str,
    list: Vec<Figure>,
}

impl Figures {
    /// None yet.
    #[must_use]
    pub fn of(scenario: &'static str) -> Self {
        Self { scenario, list: Vec::new() }
    }

    /// Adds one round's sample of a figure.
    pub fn sample(&mut self, name: impl Into<String>, unit: &'static str, value: f64) {
        self.add(name.into(), unit, value, None);
    }

    /// The same, held against a bar.
    pub fn held(&mut self, name: impl Into<String>, unit: &'static str, value: f64, bar: Bar) {
        self.add(name.into(), unit, value, Some(bar));
    }

    fn add(&mut self, name: String, unit: &'static str, value: f64, bar: Option<Bar>) {
        if let Some(figure) = self.list.iter_mut().find(|figure| figure.name == name && figure.unit == unit) {
            figure.samples.push(value);
            return;
        }
        let (scenario, samples) = (self.scenario, vec![value]);
        self.list.push(Figure { scenario, name, unit, median: value, samples, bar, met: None });
    }

    /// The figures with their medians.
    #[must_use]
    pub fn done(mut self) -> Vec<Figure> {
        for figure in &mut self.list {
            figure.median = median(&figure.samples);
            figure.met = figure.bar.map(|bar| bar.met(figure.median));
        }
        self.list
    }
}

/// The median; of an even number of values, the mean of the middle two. Not a number if there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

impl Figure {
    fn spread(&self) -> String {
        let smallest = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.samples.len() < 2 { String::new() } else { format!("{} to {}", number(smallest), number(largest)) }
    }

    fn cells(&self) -> [String; 7] {
        let met = self.met.map_or("", |met| if met { "yes" } else { "no" });
        [
            self.scenario.to_owned(),
            self.name.clone(),
            number(self.median),
            self.spread(),
            self.unit.to_owned(),
            self.bar.map(|bar| bar.to_string()).unwrap_or_default(),
            met.to_owned(),
        ]
    }
}

const HEADS: [&str; 7] = ["scenario", "what", "median", "min to max", "unit", "bar", "met"];
const BEGIN: &str = "<!-- bench -->";
const END: &str = "<!-- /bench -->";

impl Report {
    /// The generated block of docs/performance.md, markers included.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rows: String = self.figures.iter().map(|figure| line(&figure.cells())).collect();
        let heads = line(&HEADS.map(str::to_owned));
        let rule = format!("|{}\n", "---|".repeat(HEADS.len()));
        format!("{BEGIN}\n{}\n\n{heads}{rule}{rows}{END}\n", self.preface().join("  \n"))
    }

    fn preface(&self) -> Vec<String> {
        let m = &self.machine;
        let mut lines = vec![
            format!("{} cores ({}), {} MiB, kernel {}", m.cores, m.cpu, number(m.memory_mib as f64), m.kernel),
            format!(
                "4 KiB and fdatasync: {} ms before, {} ms after",
                number(m.fsync_before_ms),
                number(m.fsync_after_ms)
            ),
            format!(
                "Promptory {}; {}; medians of {} rounds of {} s, seed {}",
                self.version, self.data, self.rounds, self.seconds, self.seed
            ),
        ];
        lines.extend(self.jetstream.as_ref().map(|servers| format!("JetStream: {servers}")));
        if !self.release {
            lines.push("BUILT WITHOUT OPTIMIZATION: these figures say nothing".to_owned());
        }
        if self.scale < 1.0 {
            lines.push(format!("ONLY {} OF THE DATA: the bars say nothing", self.scale));
        }
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.preface() {
            writeln!(f, "{line}")?;
        }
        let rows: Vec<[String; 7]> = self.figures.iter().map(Figure::cells).collect();
        let heads = HEADS.map(str::to_owned);
        let all = || std::iter::once(&heads).chain(&rows);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 7] = std::array::from_fn(width);
        for row in all() {
            let cell = |(text, width): (&String, usize)| format!("{text:<width$}");
            let cells: Vec<String> = row.iter().zip(widths).map(cell).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        let met = |wanted: bool| self.figures.iter().filter(|figure| figure.met == Some(wanted)).count();
        writeln!(f, "{} bars met, {} not", met(true), met(false))
    }
}

/// About three digits, thousands apart.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let decimals = match value.abs() {
        v if v >= 100.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let rest = rest.trim_end_matches('0').trim_end_matches('.');
    let apart = |(i, c): (usize, char)| {
        let left = whole.len() - i;
        let comma = i > 0 && left % 3 == 0 && !(i == 1 && whole.starts_with('-'));
        if comma { format!(",{c}") } else { c.to_string() }
    };
    whole.chars().enumerate().map(apart).collect::<String>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut figures = Figures::of("resolve");
        for (ratio, rate) in [(58.0, 20_000.0), (71.5, 31_234.5), (64.0, 30_000.0)] {
            figures.held("of the bare GET", "%", ratio, Bar::AtLeast(60.0));
            figures.sample("answers", "/s", rate);
        }
        figures.held("p99 at the server", "ms", 2.5, Bar::AtMost(1.0));
        let machine = Machine {
            cores: 2,
            cpu: "a cpu".into(),
            kernel: "6.1".into(),
            memory_mib: 24_000,
            fsync_before_ms: 0.25,
            fsync_after_ms: 0.3,
        };
        let (data, figures) = ("a history".into(), figures.done());
        let jetstream = Some("left out".into());
        Report {
            version: "0",
            release: true,
            machine,
            jetstream,
            data,
            seconds: 3.0,
            rounds: 3,
            seed: 1,
            scale: 1.0,
            figures,
        }
    }

    #[test]
    fn the_median_of_the_rounds_is_held_against_the_bar() {
        let report = report();
        let met: Vec<_> = report.figures.iter().map(|figure| (figure.median, figure.met)).collect();
        assert_eq!(met, [(64.0, Some(true)), (30_000.0, None), (2.5, Some(false))]);
        assert!((median(&[4.0, 1.0]) - 2.5).abs() < 1e-9 && median(&[]).is_nan());
    }

    #[test]
    fn the_table_shows_figures_spread_and_bars() {
        let text = report().to_string();
        assert!(text.contains("64      58 to 71.5        %     ≥ 60  yes"), "{text}");
        assert!(text.contains("30,000  20,000 to 31,234  /s"), "{text}");
        assert!(text.ends_with("1 bars met, 1 not\n"), "{text}");
    }

    #[test]
    fn the_block_for_the_docs_keeps_its_markers() {
        let text = report().markdown();
        assert!(text.starts_with(BEGIN) && text.trim_end().ends_with(END));
        assert!(text.contains("seed 1  \nJetStream: left out\n\n"), "{text}");
        assert!(text.contains("| resolve | p99 at the server | 2.5 |  | ms | ≤ 1 | no |\n"), "{text}");
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!((&json["figures"][0]["bar"], &json["figures"][0]["met"]), (&"≥ 60".into(), &true.into()));
    }

    #[test]
    fn a_report_without_optimization_or_with_little_data_says_so() {
        let report = Report { release: false, scale: 0.01, ..report() };
        assert!(report.to_string().contains("WITHOUT OPTIMIZATION") && report.markdown().contains("ONLY 0.01"));
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.034_56, 0.5, 1.0, 12.34, 999.9, 12_345.6, 1_234_567.0, -123_456.0, f64::NAN].map(number);
        assert_eq!(shown, ["0", "0.0346", "0.5", "1", "12.3", "1,000", "12,346", "1,234,567", "-123,456", "-"]);
    }
}
