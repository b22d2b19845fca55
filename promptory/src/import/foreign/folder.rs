//! A folder of files beside what the tenant has: a file that is no prompt yet becomes one, one that says something else a
//! version. Nothing is archived, and nothing is overwritten that changed in between.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use globset::GlobSet;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use promptory_command::wire::{Change, Claims, Message, Request};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::messages;
use crate::asking::{Asking, AskingError};
use crate::import::edit::{Found, Place, Read, idempotency_key};
use crate::import::key;

/// What is wanted of a folder.
#[derive(Debug)]
pub struct Wanted {
    /// The folder.
    pub folder: PathBuf,
    /// Which of its paths are prompts.
    pub globs: GlobSet,
    /// What a path ends with and its key does not.
    pub strip_suffix: Option<String>,
    /// Put before every key.
    pub prefix: String,
    /// Why.
    pub message: Option<String>,
    /// Labels that go to what is new.
    pub labels: Vec<String>,
}

/// The files that are wanted, by path; hidden ones and links are none.
///
/// # Errors
/// A folder can't be read.
pub fn paths(wanted: &Wanted) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut waiting) = (Vec::new(), vec![wanted.folder.clone()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() && path.strip_prefix(&wanted.folder).is_ok_and(|path| wanted.globs.is_match(path))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What there is to be done for each file.
///
/// # Errors
/// The server can't be asked.
pub fn reads(
    wanted: &Wanted,
    paths: Vec<PathBuf>,
    asking: &Asking,
    patience: Duration,
) -> Result<Vec<Read>, AskingError> {
    let mut reads = Vec::with_capacity(paths.len());
    for (at, path) in (1..).zip(paths) {
        let place = Place { file: Arc::from(path.to_string_lossy()), line: 1 };
        let found = match content(&path).and_then(|content| Ok((key_of(wanted, &path)?, content))) {
            Ok((key, content)) => compared(wanted, &key, content, asking, patience)?,
            Err(why) => Found::Bad(why),
        };
        reads.push(Read { place, found, progress: at });
    }
    Ok(reads)
}

/// A text, or the messages of a chat.
enum Content {
    Text(String),
    Messages(Vec<Message>, Value),
}

fn content(path: &Path) -> Result<Content, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
    let chat =
        path.extension().is_some_and(|end| end == "json").then(|| serde_json::from_str::<Value>(&text).ok()).flatten();
    match chat.and_then(|value| Some((messages(&value).ok()?, value))) {
        Some((messages, value)) => Ok(Content::Messages(messages, value)),
        None => Ok(Content::Text(text)),
    }
}

fn key_of(wanted: &Wanted, path: &Path) -> Result<String, String> {
    let path = path.strip_prefix(&wanted.folder).unwrap_or(path);
    let path = path.to_str().ok_or("its path is no UTF-8")?;
    let stripped = wanted.strip_suffix.as_ref().and_then(|suffix| path.strip_suffix(suffix.as_str()));
    let chat = wanted.strip_suffix.as_ref().and_then(|_| path.strip_suffix(".json"));
    Ok(format!("{}{}", wanted.prefix, key::of_path(stripped.or(chat).unwrap_or(path))))
}

fn compared(
    wanted: &Wanted,
    key: &str,
    content: Content,
    asking: &Asking,
    patience: Duration,
) -> Result<Found, AskingError> {
    let path = format!("/v1/prompts/{}", utf8_percent_encode(key, NON_ALPHANUMERIC));
    let there = match asking.get_patiently(&path, patience) {
        Ok(there) => Some(there),
        Err(AskingError::Answer(_, 404, problem)) if problem["code"] == "prompt-not-found" => None,
        Err(error) => return Err(error),
    };
    let same = |there: &Value| match &content {
        Content::Text(text) => there["text"] == text.as_str(),
        Content::Messages(_, value) => there["messages"] == *value,
    };
    if there.as_ref().is_some_and(same) {
        return Ok(Found::Skipped("it is so already".into()));
    }
    let head = there.as_ref().and_then(|there| there["version"]["id"].as_str()).map(str::to_owned);
    Ok(Found::Command(Box::new(request(wanted, key, content, head))))
}

fn request(wanted: &Wanted, key: &str, content: Content, head: Option<String>) -> Request {
    let (text, messages, bytes) = match content {
        Content::Text(text) => (Some(text.clone()), None, text.into_bytes()),
        Content::Messages(messages, value) => (None, Some(messages), value.to_string().into_bytes()),
    };
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
    let parts = ["dir", key, &sha256, head.as_deref().unwrap_or_default()];
    let claims = Claims {
        idempotency_key: Some(idempotency_key(&parts)),
        if_match: head.clone(),
        message: wanted.message.clone(),
        ..Claims::default()
    };
    let (config, template, variables, labels) = (None, None, None, wanted.labels.clone());
    let change = match head {
        None => {
            let (key, tags, metadata) = (key.to_owned(), vec![], None);
            Change::CreatePrompt { key, text, messages, config, template, variables, labels, tags, metadata }
        }
        Some(_) => {
            let (prompt, branch) = (key.to_owned(), None);
            Change::AddVersion { prompt, text, messages, config, template, variables, labels, branch }
        }
    };
    Request { claims, change }
}
