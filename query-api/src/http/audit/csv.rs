//! Records as lines of CSV (RFC 4180), safe to be opened by a spreadsheet.

use promptory_platform::Problem;
use promptory_projection::ask::AuditRecord;

use super::wire;

/// The columns, in order; their names stand in the first line.
pub const COLUMNS: [&str; 18] = [
    "index",
    "recorded_at",
    "occurred_at",
    "command_id",
    "actor",
    "author",
    "credential",
    "credential_id",
    "roles",
    "grants",
    "action",
    "outcome",
    "targets",
    "key",
    "key_before",
    "prefix",
    "message",
    "detail",
];

/// The first line.
///
/// # Errors
/// None in practice.
pub fn head() -> Result<Vec<u8>, Problem> {
    lines(|writer| writer.write_record(COLUMNS))
}

/// A line for each record.
///
/// # Errors
/// `internal` if a detail is no JSON.
pub fn rows(records: &[AuditRecord]) -> Result<Vec<u8>, Problem> {
    let records = records.iter().map(wire::record).collect::<Result<Vec<_>, _>>()?;
    lines(|writer| records.iter().try_for_each(|record| writer.write_record(row(record))))
}

/// A line that says that the rest is missing, and why. No index is such a text.
///
/// # Errors
/// None in practice.
pub fn error(problem: &str) -> Result<Vec<u8>, Problem> {
    lines(|writer| writer.write_record([format!("ERROR: incomplete: {problem}")]))
}

fn lines(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<Vec<u8>, Problem> {
    // Flexible: a line about an error has one cell.
    let mut writer = csv::WriterBuilder::new().flexible(true).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    write(&mut writer).map_err(|_| Problem::internal())?;
    writer.into_inner().map_err(|_| Problem::internal())
}

fn row(record: &wire::Record<'_>) -> [String; COLUMNS.len()] {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let time = |time: Option<promptory_events::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let numbers: Vec<String> = record.grants.iter().map(ToString::to_string).collect();
    let outcome = match record.outcome {
        promptory_projection::ask::Outcome::Done => "done",
        promptory_projection::ask::Outcome::Denied => "denied",
    };
    [
        record.index.to_string(),
        record.recorded_at.to_string(),
        time(record.occurred_at),
        record.command_id.to_string(),
        record.actor.to_string(),
        text(record.author.map(promptory_events::Author::as_str)),
        record.credential.to_owned(),
        text(record.credential_id.as_deref()),
        record.roles.join(" "),
        numbers.join(" "),
        record.action.to_owned(),
        outcome.to_owned(),
        record.targets.join(" "),
        text(record.key.map(promptory_events::PromptKey::as_str)),
        text(record.key_before.map(promptory_events::PromptKey::as_str)),
        text(record.prefix.map(promptory_events::Prefix::as_str)),
        text(record.message),
        record.detail.get().to_owned(),
    ]
    .map(harmless)
}

/// A cell that no spreadsheet takes for a formula: what could be one begins with `'`, which a spreadsheet does not show.
pub fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_be_a_formula_stays_one() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(formula.to_owned()), format!("'{formula}"));
        }
        for text in ["", "1", "a=b", " =1", "下"] {
            assert_eq!(harmless(text.to_owned()), text);
        }
    }
}
