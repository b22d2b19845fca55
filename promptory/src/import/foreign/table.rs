//! A CSV file with a header: a version a row, the rows of a prompt in the order of its versions. Columns: `key` (or `name`,
//! `act`) and `text` (or `content`, `prompt`); and, if they are there, `labels` and `tags` (`;` between them), `message`,
//! `time` (RFC 3339), `author` (a pseudonym), `config` (a JSON object), `template`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Item, Version};

/// The versions in a file; a place is a row, the header aside.
///
/// # Errors
/// The file can't be opened, or its header can't be read or lacks what is needed.
pub fn file(path: &Path) -> std::io::Result<Vec<Item>> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_path(path)?;
    let columns: HashMap<String, usize> =
        reader.headers()?.iter().enumerate().map(|(at, name)| (name.trim().to_lowercase(), at)).collect();
    let column = |names: &[&str]| names.iter().find_map(|name| columns.get(*name).copied());
    let (Some(key), Some(text)) = (column(&["key", "name", "act"]), column(&["text", "content", "prompt"])) else {
        return Err(std::io::Error::other("the header has no column `key` or no column `text`"));
    };
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let row = |(place, row): (u64, csv::Result<csv::StringRecord>)| {
        let version = row.map_err(|error| told(&error)).and_then(|row| {
            let field = |name: &str| columns.get(name).and_then(|at| row.get(*at)).filter(|text| !text.is_empty());
            let name = row.get(key).unwrap_or_default().to_owned();
            let number = numbers.entry(name.clone()).or_default();
            *number += 1;
            version(
                Version {
                    name,
                    number: *number,
                    text: row.get(text).map(str::to_owned),
                    labels: list(field("labels")),
                    tags: list(field("tags")),
                    message: field("message").map(str::to_owned),
                    ..Version::default()
                },
                field,
            )
        });
        (place, version)
    };
    Ok((1..).zip(reader.records()).map(row).collect())
}

fn version<'a>(version: Version, field: impl Fn(&str) -> Option<&'a str>) -> Result<Version, String> {
    let config = field("config").map(serde_json::from_str::<Map<String, Value>>).transpose();
    let template = field("template").map(|name| serde_json::from_value(name.into())).transpose();
    Ok(Version {
        time: field("time").map(str::parse).transpose().map_err(|_| "`time` is no RFC 3339 time")?,
        author: field("author").map(str::parse).transpose().map_err(|_| "`author` is no pseudonym")?,
        config: config.map_err(|_| "`config` is no JSON object")?.unwrap_or_default(),
        template: template.map_err(|_| "`template` is none of none, simple, jinja")?,
        ..version
    })
}

fn list(names: Option<&str>) -> Vec<String> {
    names
        .into_iter()
        .flat_map(|names| names.split(';'))
        .map(|name| name.trim().to_owned())
        .filter(|n| !n.is_empty())
        .collect()
}

/// Why a row can't be read, without what stands in it.
fn told(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields; the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is no UTF-8".into(),
        _ => "it can't be read".into(),
    }
}
