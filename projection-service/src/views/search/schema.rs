//! The index's fields.

use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};

/// The name under which the lexer is known to tantivy.
pub const LEXER: &str = "promptory";

/// The fields. One document is one version of one prompt.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// The prompt's identity, by which its documents are replaced.
    pub prompt: Field,
    /// Words of key, title and tags.
    pub name: Field,
    /// Words of content and configuration.
    pub text: Field,
    /// The labels that point to the version, `latest` among them.
    pub label: Field,
    /// The labels that the prompt carries, on whatever version.
    pub labelled: Field,
    /// The prompt's tags.
    pub tag: Field,
    /// The model.
    pub model: Field,
    /// The author.
    pub author: Field,
    /// The prompt's key, for rights, folders and the order.
    pub key: Field,
    /// When the prompt changed, in microseconds.
    pub updated: Field,
    /// An [`Entry`](crate::ask::search::Entry).
    pub entry: Field,
}

/// Names of the columns that are read by name.
pub mod column {
    /// [`super::Fields::key`].
    pub const KEY: &str = "key";
    /// [`super::Fields::updated`].
    pub const UPDATED: &str = "updated";
    /// [`super::Fields::labelled`].
    pub const LABELLED: &str = "labelled";
    /// [`super::Fields::tag`].
    pub const TAG: &str = "tag";
    /// [`super::Fields::model`].
    pub const MODEL: &str = "model";
    /// [`super::Fields::author`].
    pub const AUTHOR: &str = "author";
}

/// The schema.
#[must_use]
pub fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let words = TextFieldIndexing::default()
        .set_tokenizer(LEXER)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
        .set_fieldnorms(true);
    let words = TextOptions::default().set_indexing_options(words);
    let fields = Fields {
        prompt: schema.add_bytes_field("prompt", INDEXED),
        name: schema.add_text_field("name", words.clone()),
        text: schema.add_text_field("text", words),
        label: schema.add_text_field("label", STRING),
        labelled: schema.add_text_field(column::LABELLED, STRING | FAST),
        tag: schema.add_text_field(column::TAG, STRING | FAST),
        model: schema.add_text_field(column::MODEL, STRING | FAST),
        author: schema.add_text_field(column::AUTHOR, STRING | FAST),
        key: schema.add_text_field(column::KEY, FAST),
        updated: schema.add_i64_field(column::UPDATED, FAST),
        entry: schema.add_bytes_field("entry", STORED),
    };
    (schema.build(), fields)
}
