//! Answers to every question, from the rows and the state alone; sealed texts are opened here and nowhere else.

mod access;
mod changes;
pub(crate) mod detail;
mod diff;
mod held;
pub(crate) mod history;
mod holdings;
mod insight;
mod prompt;
mod releases;
mod render;
mod who;
mod why;

pub use prompt::number;

use promptory_domain::access::Action;
use promptory_events::event::{Languages, Quota};
use promptory_events::{Content, ContentBody, ContentId, Position, Prefix, Sealed, TenantId, limits};
use promptory_ledger::seal::aad;
use promptory_ledger::{KeyStore, KeyStoreError};

use super::point::{AnswerError, Model, Point};
use super::row::{self, EventRow};
use super::sight::Sight;
use crate::ask::{Answer, AskError, Question, QuotaAnswer, Reply, StatusAnswer};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::hot::opened::OpenedCache;
use crate::hot::past::PastCache;
use crate::hot::shown::LastShown;
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::View;

/// What is needed to answer.
#[derive(Debug)]
pub struct Desk<'a, R> {
    /// Whose model.
    pub tenant: &'a TenantId,
    /// The model.
    pub model: Model<'a, R>,
    /// Opens sealed texts.
    pub keys: &'a KeyStore,
    /// Keeps what was opened, under the tenant's number.
    pub opened: Option<(&'a OpenedCache, u64)>,
    /// Keeps past states, under the tenant's number.
    pub past: Option<(&'a PastCache, u64)>,
    /// When keys were last shown to this process by readers.
    pub shown: Option<&'a LastShown>,
}

impl<R: Rows> Desk<'_, R> {
    /// Answers a question of a principal that may read.
    ///
    /// # Errors
    /// There is no answer; the store is damaged.
    pub fn answer(&self, reader: &Reader, question: &Question) -> Result<Reply, AnswerError> {
        let hot = self.model.hot;
        let sight = &Sight::new(hot, reader);
        let now = hot.index.map(|index| Point { index, time: None });
        let (point, answer) = match question {
            Question::Prompt { prompt, which, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                let opened = self.opened(&row, which)?;
                (point, Answer::Prompt(Box::new(opened.answer.clone())))
            }
            Question::List { prefix, after, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let rows =
                    point.map(|p| self.model.holders(prefix, after.as_ref(), page(*limit), p, sight)).transpose()?;
                let rows = rows.unwrap_or_default();
                (point, Answer::List(rows.iter().filter_map(|row| row.summary()).collect()))
            }
            Question::Versions { prompt, below, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Versions(self.versions(&row, *below, page(*limit))?))
            }
            Question::LabelHistory { prompt, label, after, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::LabelHistory(self.label_history(&row, label, *after, page(*limit))?))
            }
            Question::Events { from, limit } => (now, Answer::Events(self.events(*from, page(*limit), sight)?)),
            Question::Access { what, after, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                (point, Answer::Access(self.listed(*what, after.as_deref(), page(*limit), sight, point)?))
            }
            Question::Comments { prompt, on, after, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Comments(self.comments(row.id, *on, *after, page(*limit), point)?))
            }
            Question::Forks { prompt, after, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Forks(self.forks(&row, *after, page(*limit), point, sight)?))
            }
            Question::Diff { prompt, which, against, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Diff(Box::new(self.diff(&row, which, against, point, sight)?)))
            }
            Question::Render { prompt, which, as_of, variables } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Rendered(Box::new(self.rendered(&row, which, variables, point, sight)?)))
            }
            Question::Expand { prompt, which, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Expanded(Box::new(self.expanded(&row, which, point, sight)?)))
            }
            Question::Dependents { prompt, all, after, limit, as_of } => {
                let point = self.model.resolve(*as_of)?;
                let row = self.model.find(prompt, point, sight)?;
                (point, Answer::Dependents(self.dependents(&row, *all, *after, page(*limit), point, sight)?))
            }
            Question::Quotas => (now, Answer::Quotas(quotas(hot, sight)?)),
            Question::Languages { as_of } => {
                let point = self.model.resolve(*as_of)?;
                (point, Answer::Languages(self.languages(point)?))
            }
            Question::Watch { as_of } => {
                let point = self.model.resolve(*as_of)?;
                (point, Answer::Watch(self.watch(point)?))
            }
            Question::Changes(ask) => {
                let (point, answer) = self.changes(ask, page(ask.limit), sight)?;
                (point, Answer::Changes(answer))
            }
            Question::Who(ask) => {
                let (point, answer) = self.who(ask, sight)?;
                (point, Answer::Who(answer))
            }
            Question::Holdings(ask) => {
                let (point, answer) = self.holdings(ask, sight)?;
                (point, Answer::Holdings(answer))
            }
            Question::Why(ask) => {
                let (point, answer) = self.why(ask, sight)?;
                (point, Answer::Why(answer))
            }
            Question::Search(_) | Question::Suggest { .. } => {
                return Err(AskError::Unavailable("the catalog has no index of words".to_owned()).into());
            }
            Question::Status => (now, Answer::Status(status(hot, reader, sight))),
            Question::Audit { .. }
            | Question::AuditCount { .. }
            | Question::Analytics(_)
            | Question::EmptySearches(_)
            | Question::Insight(_)
            | Question::Models { .. }
            | Question::Work(_) => {
                return Err(AskError::Unavailable("this is no question to the catalog".to_owned()).into());
            }
        };
        Ok(Reply { as_of: point.and_then(|point| position(hot, point.index)), answer, cut: false })
    }

    /// The languages that prompts were searched in at a point. No secret: whoever searches meets them.
    fn languages(&self, point: Option<Point>) -> Result<Languages, RowError> {
        let Some(point) = point else { return Ok(Languages::default()) };
        let set = self.model.rows.last(&Key::Languages(0), &Key::Languages(point.index))?;
        set.map_or_else(|| Ok(Languages::default()), |(_, row)| row::decode("languages", &row))
    }

    /// Whether versions were watched at a point.
    fn watch(&self, point: Option<Point>) -> Result<bool, RowError> {
        let Some(point) = point else { return Ok(true) };
        let set = self.model.rows.last(&Key::Watch(0), &Key::Watch(point.index))?;
        set.map_or(Ok(true), |(_, row)| row::decode("watch", &row))
    }

    /// An event's row. It is there: something in the model points to it.
    pub(crate) fn event(&self, index: u64) -> Result<EventRow, RowError> {
        EventRow::decode(&self.model.rows.get(&Key::Event(index))?.ok_or(RowError::Row("event"))?)
    }

    /// The text of a content, wherever in the ledger its sealed bytes are.
    pub(crate) fn content(&self, content: &Content) -> Result<String, AnswerError> {
        let bytes = match &content.body {
            ContentBody::Inline(sealed) => self.open(&content.id, sealed)?,
            ContentBody::At(index) => {
                let event = self.event(*index)?.event;
                let sealed = event.carries(&content.id).ok_or(RowError::Row("content"))?;
                self.open(&content.id, sealed)?
            }
        };
        let text = String::from_utf8(bytes);
        text.map_err(|_| AskError::Unavailable(format!("{} is no UTF-8 text", content.id)).into())
    }

    fn open(&self, id: &ContentId, sealed: &Sealed) -> Result<Vec<u8>, AskError> {
        self.keys.open_sealed(self.tenant, &aad::content(self.tenant, id), sealed).map_err(|e| unopened(&e))
    }
}

/// Why a sealed text can't be opened, for the one who asked.
pub(crate) fn unopened(error: &KeyStoreError) -> AskError {
    match error {
        KeyStoreError::Erased(_) => AskError::Erased,
        other => AskError::Unavailable(other.to_string()),
    }
}

/// A page's length within its bounds.
pub(crate) fn page(limit: usize) -> usize {
    limit.clamp(1, limits::PAGE_MAX)
}

/// An index of a model as users see it.
#[must_use]
pub fn position(hot: &Hot, index: u64) -> Option<Position> {
    hot.cursor.map(|cursor| Position { incarnation: cursor.incarnation, index })
}

/// How the model stands, for one of its readers.
#[must_use]
pub fn status(hot: &Hot, reader: &Reader, sight: &Sight<'_>) -> StatusAnswer {
    StatusAnswer {
        model_digest: hot.digest(),
        prompts: sight.count() as u64,
        roles: hot.access.roles(reader),
        reads: sight.prefixes().to_vec(),
    }
}

/// What the tenant has and may have: for whoever sees all of it, or who may do what in it.
fn quotas(hot: &Hot, sight: &Sight<'_>) -> Result<Vec<QuotaAnswer>, AskError> {
    if !sight.everything() && !sight.may(Action::ReadAccess, &Prefix::tenant()) {
        return Err(AskError::Forbidden);
    }
    let answer = |quota| QuotaAnswer { quota, used: hot.quotas.used(quota), limit: hot.quotas.limit(quota) };
    Ok(Quota::ALL.map(answer).to_vec())
}

#[cfg(test)]
mod tests;
