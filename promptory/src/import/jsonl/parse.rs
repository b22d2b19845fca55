//! A line of JSON becomes an edit. Reasons name fields and never quote what is in them: it may be prompt text.

use promptory_events::{Author, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::import::edit::{Change, Edit, Origin};

/// Reads one line.
///
/// # Errors
/// Why it is no edit.
pub fn edit(line: &[u8]) -> Result<Edit, String> {
    let line = std::str::from_utf8(line).map_err(|e| format!("no valid UTF-8 from byte {} on", e.valid_up_to() + 1))?;
    let value: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
    let Value::Object(object) = value else { return Err("no JSON object".into()) };
    let mut fields = Fields(object);
    let change = change(&mut fields)?;
    Ok(Edit {
        path: fields.text("path")?,
        change,
        title: fields.optional("title")?,
        time: time(&fields.text("time")?)?,
        author: fields.optional("author_id")?.map(|author| pseudonym(&author)).transpose()?,
        message: fields.optional("message")?,
        origin: Origin {
            repo: fields.text("repo")?.into(),
            commit: fields.text("commit")?.into(),
            seq: fields.number("seq")?,
        },
    })
}

fn change(fields: &mut Fields) -> Result<Change, String> {
    let op = fields.text("op")?;
    if op == "delete" {
        let content = fields.optional("content")?;
        return if content.is_some() { Err("a delete has no `content`".into()) } else { Ok(Change::Delete) };
    }
    let text = fields.text("content")?;
    check_hash(fields, &text)?;
    match op.as_str() {
        "create" => Ok(Change::Create { text }),
        "edit" => Ok(Change::Edit { text }),
        "rename" => Ok(Change::Rename { from: fields.text("from")?, text: Some(text) }),
        _ => Err("`op` is none of create, edit, rename, delete".into()),
    }
}

fn check_hash(fields: &mut Fields, text: &str) -> Result<(), String> {
    let Some(stated) = fields.optional("content_sha256")? else { return Ok(()) };
    let actual = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
    if stated.eq_ignore_ascii_case(&actual) {
        Ok(())
    } else {
        Err(format!("`content_sha256` is not that of `content`, which has {actual}"))
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error| format!("`time`: {error}"))
}

fn pseudonym(text: &str) -> Result<Author, String> {
    text.parse().map_err(|error| format!("`author_id` {error}"))
}

/// The fields that are not taken yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn optional(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` is no text")),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        self.optional(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    fn number(&mut self, name: &str) -> Result<u64, String> {
        let value = self.0.remove(name).ok_or_else(|| format!("`{name}` is missing"))?;
        value.as_u64().ok_or_else(|| format!("`{name}` is no whole number"))
    }
}
