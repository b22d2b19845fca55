//! What the routes about prompts as a whole have in common: the page that is asked for, and how it is answered.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use promptory_events::{Position, PromptId, PromptKey, limits};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::insight::{AskInsight, Insight, Named, What};
use promptory_projection::ask::{Answer, Question};
use serde::Serialize;

use super::super::audit::csv::harmless;
use super::super::cursor::{self, Cursor};
use super::super::error::problem;
use super::super::{App, params, render, respond};
use super::params::Format;

/// Where the next page of a table of CSV begins: its lines have no place for it.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("promptory-next-cursor");

/// What is asked besides what it is about.
pub struct Paged {
    pub prefix: Option<String>,
    pub prompt: Option<String>,
    pub limit: Option<usize>,
    pub cursor: Option<String>,
    pub at_least: Option<Position>,
}

/// An answer, and what it takes to say it.
pub struct Said {
    pub as_of: Option<Position>,
    pub insight: Insight,
    asked: AskInsight,
}

impl Paged {
    /// Asks. A cursor carries everything on; `fresh` is whether something is said that only a first page says, and names it.
    ///
    /// # Errors
    /// What is asked can't be; it is refused.
    pub async fn ask(
        self,
        app: &App,
        presented: &Presented,
        fresh: Option<&'static str>,
        what: What,
    ) -> Result<Said, Problem> {
        let tenant = presented.tenant();
        let limit = params::limit(self.limit);
        let asked = match self.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
            None => {
                let prefix = self.prefix.unwrap_or_default();
                if prefix.len() > limits::KEY_MAX_BYTES {
                    return Err(Problem::field("prefix", format!("has at most {} bytes", limits::KEY_MAX_BYTES)));
                }
                let prompt = self.prompt.as_deref().map(params::prompt).transpose()?;
                AskInsight { prefix, prompt, after: None, limit, what }
            }
            Some(Cursor::Insight(asked)) if std::mem::discriminant(&asked.what) == std::mem::discriminant(&what) => {
                let given = [("prefix", self.prefix.is_some()), ("prompt", self.prompt.is_some())];
                let given = given.into_iter().find(|(_, given)| *given).map(|(field, _)| field);
                if let Some(field) = given.or(fresh) {
                    return Err(params::fixed(field));
                }
                AskInsight { limit, ..*asked }
            }
            Some(_) => return Err(cursor::foreign()),
        };
        let question = Question::Insight(Box::new(asked.clone()));
        let reply = app.read_side.ask(params::ask(presented, self.at_least, question)).await.map_err(problem)?;
        let Answer::Insight(insight) = reply.answer else { return Err(Problem::internal()) };
        Ok(Said { as_of: reply.as_of, insight: *insight, asked })
    }
}

/// The cursor of the page after a key.
///
/// # Errors
/// None in practice.
pub fn next(presented: &Presented, asked: &AskInsight, after: Option<PromptKey>) -> Result<Option<String>, Problem> {
    let next = after.map(|after| AskInsight { after: Some(after), ..asked.clone() });
    next.map(|next| Cursor::Insight(Box::new(next)).encode(presented.tenant())).transpose()
}

impl Said {
    /// What was asked, on this page.
    pub fn asked(&self) -> &AskInsight {
        &self.asked
    }
}

/// The answer as JSON, or as a table: its names in the first line.
///
/// # Errors
/// None in practice.
pub fn answer(
    as_of: Option<Position>,
    format: Option<Format>,
    body: &impl Serialize,
    next: Option<&str>,
    table: impl FnOnce() -> Result<Vec<Vec<String>>, Problem>,
) -> Result<Response, Problem> {
    match format.unwrap_or_default() {
        Format::Json => Ok(respond::json(as_of, render::json(body)?)),
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            for line in table()? {
                writer.write_record(line.into_iter().map(harmless)).map_err(|_| Problem::internal())?;
            }
            let bytes = writer.into_inner().map_err(|_| Problem::internal())?;
            let mut response = respond::json(as_of, bytes.into());
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(super::CSV));
            headers.extend(next.and_then(|next| HeaderValue::try_from(next).ok()).map(|next| (NEXT_CURSOR, next)));
            Ok(response)
        }
    }
}

/// The first names of every table.
pub fn head(names: &[&str]) -> Vec<String> {
    ["key", "prompt"].iter().chain(names).map(ToString::to_string).collect()
}

/// A line of it.
pub fn line(prompt: &Named, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    [prompt.key.to_string(), prompt.id.to_string()].into_iter().chain(cells).collect()
}

/// A cell that may be empty.
pub fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A prompt in an answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Which<'a> {
    /// The prompt.
    #[schema(value_type = String)]
    prompt: PromptId,
    /// What it is called now.
    #[schema(value_type = String)]
    key: &'a PromptKey,
}

impl<'a> From<&'a Named> for Which<'a> {
    fn from(named: &'a Named) -> Self {
        Self { prompt: named.id, key: &named.key }
    }
}
