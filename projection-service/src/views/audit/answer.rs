//! Answers from the audit view: a page of records, or how many there are. Only so many rows are looked at for one question
//! that each gets an answer soon; it says where to go on.

use bytes::Bytes;
use promptory_domain::access::Action;
use promptory_events::{Credential, Prefix, PromptId, TenantId};
use promptory_ledger::seal::aad;
use promptory_ledger::{KeyStore, KeyStoreError};

use super::chunk::Records;
use super::filter::{Span, means, says};
use super::key::{Key, number_of};
use super::record::{RecordRow, Said, Words};
use super::{Audit, block, row};
use crate::ask::{Answer, AskError, AuditAnswer, AuditCounted, AuditFilter, AuditRecord, Order, Question, Reply};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::store::rows::{RowError, RowKey, Rows};
use crate::views::View;
use crate::views::catalog::answer::{page, unopened};
use crate::views::catalog::point::AnswerError;

/// Rows that one question looks at.
const LOOKED_AT_MAX: usize = 20_000;
/// Messages that one question opens to look for words.
const OPENED_MAX: usize = 2_000;

/// Which records a reader may see: those about what it may `read-access` on. A prompt's key now decides about all of its
/// history, as everywhere.
#[derive(Debug)]
pub struct Reach<'a> {
    catalog: &'a Hot,
    prefixes: Vec<Prefix>,
}

impl<'a> Reach<'a> {
    /// Of a reader.
    ///
    /// # Errors
    /// It may read about access nowhere.
    pub fn new(catalog: &'a Hot, reader: &Reader) -> Result<Self, AskError> {
        let prefixes = catalog.access.rights_of(reader).prefixes(Action::ReadAccess);
        if prefixes.is_empty() { Err(AskError::AccessHidden(Prefix::tenant())) } else { Ok(Self { catalog, prefixes }) }
    }

    /// Whether it is everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.prefixes.first().is_some_and(Prefix::is_tenant)
    }

    fn sees(&self, record: &RecordRow) -> bool {
        self.is_all()
            || match record.prompt {
                Some(prompt) => self.covers_prompt(prompt),
                None => self.covers(record.place.as_str()),
            }
    }

    fn covers_prompt(&self, prompt: PromptId) -> bool {
        self.catalog.prompt(prompt).is_some_and(|row| self.covers(row.key.as_str()))
    }

    fn covers(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| prefix.covers(path))
    }
}

/// What is needed to answer.
#[derive(Debug)]
pub struct AuditDesk<'a, R> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// How far the view is.
    pub audit: &'a Audit,
    /// Its rows, which may be ahead.
    pub rows: &'a R,
    /// Opens messages.
    pub keys: &'a KeyStore,
    /// What the reader may see.
    pub reach: Reach<'a>,
}

/// What was come upon where records are looked for.
enum Candidate {
    /// A record that a filter may mean, and what it says; nothing, if that was not read: then it has what was looked for.
    Record(u64, Option<Bytes>),
    /// A block that has none.
    NoneIn(u64),
}

/// Where records are looked for, and how many more.
struct Looking<'q> {
    filter: &'q AuditFilter,
    order: Order,
    /// Whether records are shown, or only counted.
    shown: bool,
    looked: usize,
    opened: usize,
    last: Option<(u64, Words)>,
}

impl<R: Rows> AuditDesk<'_, R> {
    /// Answers a question to this view.
    ///
    /// # Errors
    /// There is no answer; the store is damaged.
    pub fn answer(&self, question: &Question) -> Result<Reply, AnswerError> {
        let (filter, end, from, order, limit) = match question {
            Question::Audit { filter, end, from, order, limit, .. } => {
                (filter, *end, *from, *order, Some(page(*limit)))
            }
            Question::AuditCount { filter, end, from } => (filter, *end, *from, Order::OldestFirst, None),
            _ => return Err(AskError::Unavailable("this is no question to the audit view".to_owned()).into()),
        };
        let head = self.audit.head().index;
        let end = match (end, head) {
            (Some(end), Some(head)) if end <= head => Some(end),
            (Some(end), _) => return Err(AskError::IndexBeyondEnd(end).into()),
            (None, head) => head,
        };
        let records = Records::of(self.audit, self.rows);
        let span = end.map(|end| Span::of(filter, &records, end)).transpose()?.flatten();
        let span = span.and_then(|span| narrowed(span, from, order));
        let mut looking = Looking { filter, order, shown: limit.is_some(), looked: 0, opened: 0, last: None };
        let answer = match limit {
            Some(limit) => {
                let (mut found, mut next) = (Vec::new(), None);
                if let Some(span) = &span {
                    next = self.look(span, &mut looking, &records, false, |record| {
                        found.extend(record);
                        found.len() < limit
                    })?;
                }
                Answer::Audit(AuditAnswer { order, records: found, next })
            }
            None => {
                let (mut count, mut next) = (0, None);
                if let Some(span) = &span {
                    let unread = span.is_all(filter) && self.reach.is_all();
                    next = self.look(span, &mut looking, &records, unread, |_| {
                        count += 1;
                        true
                    })?;
                }
                Answer::AuditCount(AuditCounted { count, next })
            }
        };
        let position = self.audit.position().zip(end).map(|(at, index)| promptory_events::Position { index, ..at });
        Ok(Reply { as_of: position, answer, cut: false })
    }

    /// Goes along a span and takes what the filter means and the reader may see, until `take` has enough or enough was
    /// looked at. Says where to go on. `unread`: what is found by the span is meant, whatever else it says.
    fn look(
        &self,
        span: &Span,
        looking: &mut Looking<'_>,
        records: &Records<'_, R>,
        unread: bool,
        mut take: impl FnMut(Option<AuditRecord>) -> bool,
    ) -> Result<Option<u64>, AnswerError> {
        for candidate in self.candidates(span, records, looking.order) {
            looking.looked += 1;
            let (index, enough) = match candidate? {
                Candidate::NoneIn(block) => (looking.order.last(block::start(block), block::end(block)), false),
                Candidate::Record(index, value) if unread && (value.is_none() || span.by.is_none()) => {
                    (index, !take(None))
                }
                Candidate::Record(index, value) => {
                    let value = value.map_or_else(|| records.get(index), Ok)?;
                    let meant = self.meant(index, row::decode("record", &value)?, records, looking)?;
                    (index, meant.is_some_and(|record| !take(Some(record))))
                }
            };
            if enough || looking.looked >= LOOKED_AT_MAX || looking.opened >= OPENED_MAX {
                let within = |next: &u64| (span.low..=span.high).contains(next);
                return Ok(looking.order.after(index).filter(within));
            }
        }
        Ok(None)
    }

    /// What a span finds. The rows may be ahead: whether a block is full is for the state to say.
    fn candidates<'r>(
        &'r self,
        span: &Span,
        records: &'r Records<'r, R>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<Candidate, RowError>> + 'r> {
        let (low, high) = (span.low, span.high);
        let Some(by) = span.by else {
            let each = records.range(low, high);
            return ordered(
                each.map(|record| record.map(|(index, record)| Candidate::Record(index, Some(record)))),
                order,
            );
        };
        let within = move |block, marks| -> Vec<_> {
            let indexes = block::marked(block, marks).filter(|index| (low..=high).contains(index));
            let found: Vec<_> = indexes.map(|index| Ok(Candidate::Record(index, None))).collect();
            if found.is_empty() { vec![Ok(Candidate::NoneIn(block))] } else { found }
        };
        let (unfinished, posting) = (block::of(records.next()), by.posting());
        let rest = (block::of(high) == unfinished).then(|| within(unfinished, self.audit.block.marks(posting)));
        let rest = rest.into_iter().flatten();
        let Some(last) = unfinished.checked_sub(1) else { return ordered(rest, order) };
        let key = |block| Key::Block(block).bytes();
        let full = self.rows.range(&key(block::of(low)), &key(block::of(high).min(last))).flat_map(move |row| {
            let found = row.and_then(|(key, row)| Ok((numbered(&key)?, block::marks_in(&row, posting)?)));
            found.map_or_else(|error| vec![Err(error)], |(block, marks)| within(block, marks))
        });
        ordered(full.chain(rest), order)
    }

    /// The record, if the filter means it and the reader may see it.
    fn meant(
        &self,
        index: u64,
        record: RecordRow,
        records: &Records<'_, R>,
        looking: &mut Looking<'_>,
    ) -> Result<Option<AuditRecord>, AnswerError> {
        let filter = looking.filter;
        if !means(filter, &record) || !self.reach.sees(&record) {
            return Ok(None);
        }
        let words = words(index, &record, records, &mut looking.last)?;
        if filter.author.is_some() && words.author != filter.author {
            return Ok(None);
        }
        let opens = looking.shown || filter.words.is_some();
        let message = if opens { self.message(words)? } else { None };
        if let Some(wanted) = &filter.words {
            looking.opened += 1;
            if !says(message.as_deref(), wanted) {
                return Ok(None);
            }
        }
        Ok(Some(shown(index, record, words, message)))
    }

    /// A commit's message. An erased one is no reason to hide the rest of what happened.
    fn message(&self, words: &Words) -> Result<Option<String>, AskError> {
        let Some(sealed) = &words.message else { return Ok(None) };
        match self.keys.open_sealed(self.tenant, &aad::message(self.tenant, words.command_id), sealed) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(KeyStoreError::Erased(_)) => Ok(None),
            Err(error) => Err(unopened(&error)),
        }
    }
}

/// What the commit of a record says. `last` spares reading it again for the next event of the same commit.
fn words<'l>(
    index: u64,
    record: &RecordRow,
    records: &Records<'_, impl Rows>,
    last: &'l mut Option<(u64, Words)>,
) -> Result<&'l Words, RowError> {
    match &record.said {
        Said::Here(words) => *last = Some((index, Words::clone(words))),
        Said::At(first) if last.as_ref().is_some_and(|(known, _)| known == first) => {}
        Said::At(first) => match row::decode::<RecordRow>("record", &records.get(*first)?)?.said {
            Said::Here(words) => *last = Some((*first, *words)),
            Said::At(_) => return Err(RowError::Row("commit")),
        },
    }
    last.as_ref().map(|(_, words)| words).ok_or(RowError::Row("commit"))
}

/// What is left of a span from an index on, in an order.
fn narrowed(mut span: Span, from: Option<u64>, order: Order) -> Option<Span> {
    match (from, order) {
        (None, _) => {}
        (Some(from), Order::OldestFirst) => span.low = span.low.max(from),
        (Some(from), Order::NewestFirst) => span.high = span.high.min(from),
    }
    (span.low <= span.high).then_some(span)
}

fn ordered<'i, T>(items: impl DoubleEndedIterator<Item = T> + 'i, order: Order) -> Box<dyn Iterator<Item = T> + 'i> {
    match order {
        Order::OldestFirst => Box::new(items),
        Order::NewestFirst => Box::new(items.rev()),
    }
}

fn numbered(key: &[u8]) -> Result<u64, RowError> {
    number_of(key).ok_or(RowError::Row("record"))
}

fn shown(index: u64, record: RecordRow, words: &Words, message: Option<String>) -> AuditRecord {
    let RecordRow { recorded_at, action, outcome, actor, credential, roles, targets, prompt, key, key_before, .. } =
        record;
    // Of the system nothing was shown.
    let grants = if matches!(credential, Credential::System) { Vec::new() } else { words.grants.clone() };
    AuditRecord {
        index,
        recorded_at,
        occurred_at: words.occurred_at,
        command_id: words.command_id,
        actor,
        author: words.author.clone(),
        credential,
        roles,
        grants,
        action,
        outcome,
        targets,
        prefix: (prompt.is_none() && !record.place.is_tenant()).then_some(record.place),
        key,
        key_before,
        message,
        detail: record.detail,
    }
}
