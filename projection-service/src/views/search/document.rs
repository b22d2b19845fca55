//! What the index has of a prompt: a document for each version that `latest` or another label points to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use promptory_events::event::{Event, Kind};
use promptory_events::{Content, Label};
use serde_json::Value;
use tantivy::TantivyDocument;

use super::SearchError;
use super::schema::Fields;
use crate::ask::AskError;
use crate::ask::search::Entry;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::answer::Desk;
use crate::views::catalog::point::AnswerError;
use crate::views::catalog::row::PromptRow;

/// What the index has of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What is shown of it.
    pub entry: Entry,
    /// The labels that the prompt carries, on whatever version.
    pub labelled: Vec<Label>,
    /// Its content, as it is searched and shown.
    pub text: String,
    /// The names and texts of its configuration.
    pub config: String,
}

impl Document {
    /// As tantivy takes it.
    ///
    /// # Errors
    /// The entry has no form in bytes: a defect.
    pub fn indexed(&self, fields: &Fields) -> Result<TantivyDocument, SearchError> {
        let (mut document, entry) = (TantivyDocument::new(), &self.entry);
        document.add_bytes(fields.prompt, &entry.prompt.0);
        document.add_text(fields.name, entry.key.as_str());
        entry.title.iter().for_each(|title| document.add_text(fields.name, title));
        for tag in &entry.tags {
            document.add_text(fields.name, tag.as_str());
            document.add_text(fields.tag, tag.as_str());
        }
        document.add_text(fields.text, &self.text);
        if !self.config.is_empty() {
            document.add_text(fields.text, &self.config);
        }
        entry.labels.iter().for_each(|label| document.add_text(fields.label, label.as_str()));
        self.labelled.iter().for_each(|label| document.add_text(fields.labelled, label.as_str()));
        entry.model.iter().for_each(|model| document.add_text(fields.model, model));
        document.add_text(fields.author, &entry.author);
        document.add_text(fields.key, entry.key.as_str());
        document.add_i64(fields.updated, entry.updated.micros());
        let bytes = postcard::to_allocvec(entry).map_err(|error| SearchError::Index(error.to_string()))?;
        document.add_bytes(fields.entry, &bytes);
        Ok(document)
    }
}

/// The documents of a prompt as it is in `row`; none if it is archived.
///
/// # Errors
/// A damaged store; a text that can't be opened now.
pub fn documents<R: Rows>(desk: &Desk<'_, R>, row: &Arc<PromptRow>) -> Result<Vec<Document>, SearchError> {
    if row.archived || row.versions == 0 {
        return Ok(Vec::new());
    }
    let mut numbers: BTreeMap<u32, BTreeSet<Label>> = BTreeMap::new();
    let latest: Label = Label::LATEST.parse().expect("`latest` has the form of a label");
    numbers.entry(row.main).or_default().insert(latest);
    for (label, number) in &row.labels {
        numbers.entry(*number).or_default().insert(label.clone());
    }
    let title = title(desk, row)?;
    let of = |(number, labels)| document(desk, row, number, labels, title.clone());
    numbers.into_iter().map(of).collect()
}

fn document<R: Rows>(
    desk: &Desk<'_, R>,
    row: &Arc<PromptRow>,
    number: u32,
    labels: BTreeSet<Label>,
    title: Option<String>,
) -> Result<Document, SearchError> {
    let at = desk.model.version(row, number)?;
    let (index, event_row, event) = desk.added(&at)?;
    let mut last = None;
    let commit = desk.commit(index, &event_row, &mut last)?;
    let author = commit.author.as_ref().map_or_else(|| commit.actor.to_string(), ToString::to_string);
    let config = event.config.as_ref().map(|config| opened(desk, config)).transpose()?.flatten();
    let config: Value = config.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let entry = Entry {
        prompt: row.id,
        key: row.key.clone(),
        title,
        version: event.version,
        number,
        labels: labels.into_iter().collect(),
        tags: row.tags.clone(),
        model: config.get("model").and_then(Value::as_str).map(str::to_owned),
        author,
        updated: row.effective_at,
    };
    let content = opened(desk, &event.content)?.unwrap_or_default();
    let labelled = row.labels.keys().cloned().collect();
    Ok(Document { entry, labelled, text: readable(row.kind, &content).into_owned(), config: strings(&config) })
}

/// The title in the prompt's metadata.
fn title<R: Rows>(desk: &Desk<'_, R>, row: &PromptRow) -> Result<Option<String>, SearchError> {
    let Some(at) = row.metadata else { return Ok(None) };
    let Event::MetadataSet(set) = desk.event(at)?.event else { return Err(RowError::Row("metadata").into()) };
    let metadata: Value =
        opened(desk, &set.after)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Ok(metadata.get("title").and_then(Value::as_str).map(str::to_owned))
}

/// A text; nothing if its key has been destroyed.
fn opened<R: Rows>(desk: &Desk<'_, R>, content: &Content) -> Result<Option<String>, SearchError> {
    match desk.content(content) {
        Ok(text) => Ok(Some(text)),
        Err(AnswerError::Ask(AskError::Erased)) => Ok(None),
        Err(AnswerError::Ask(error)) => Err(SearchError::Index(error.to_string())),
        Err(AnswerError::Row(error)) => Err(error.into()),
    }
}

/// A content as it is searched and shown: of a chat what its messages say, one after the other.
#[must_use]
pub fn readable(kind: Kind, content: &str) -> Cow<'_, str> {
    if kind == Kind::Text {
        return content.into();
    }
    let messages: Vec<Value> = serde_json::from_str(content).unwrap_or_default();
    let mut said = Vec::new();
    for message in &messages {
        // Not the role and not the names of fields, unless it has none that we know.
        gather(message.get("content").unwrap_or(message), &mut said);
    }
    said.join("\n").into()
}

/// The names and texts of a JSON value.
fn strings(value: &Value) -> String {
    let mut said = Vec::new();
    gather(value, &mut said);
    said.join("\n")
}

fn gather<'v>(value: &'v Value, said: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => said.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather(item, said)),
        Value::Object(fields) => {
            for (name, value) in fields {
                said.push(name);
                gather(value, said);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
