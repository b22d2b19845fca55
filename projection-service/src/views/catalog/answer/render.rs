//! What a version says with values for its variables, together with all that it includes; and which versions include it.

use std::collections::HashMap;
use std::sync::Arc;

use promptory_events::event::{Event, Include, Selector, VersionAdded, VersionRef, Written};
use promptory_events::limits::{INCLUDE_DEPTH_MAX, RENDER_CONTENT_MAX_BYTES, RENDER_PARTS_MAX};
use promptory_events::{Branch, Label, PromptId};
use promptory_template::plain::expand;
use promptory_template::{Part, Refusal, render};
use serde_json::{Map, Value};

use super::prompt::number;
use super::{AnswerError, Desk};
use crate::ask::{
    AskError, Dependent, DependentsAnswer, ExpandedAnswer, ExpandedPart, NotRendered, RenderedAnswer, RenderedPart,
    Which,
};
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::PromptRow;
use crate::views::catalog::sight::Sight;

/// Versions that one question looks at, shown or not.
const DEPENDENTS_LOOKED_AT_MAX: usize = 10_000;

impl<R: Rows> Desk<'_, R> {
    /// What a version says. What it includes is as it was at the same point, and only what `sight` reaches.
    pub(super) fn rendered(
        &self,
        row: &Arc<PromptRow>,
        which: &Which,
        variables: &str,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<RenderedAnswer, AnswerError> {
        let values: Map<String, Value> = serde_json::from_str(variables)
            .map_err(|error| AskError::Unavailable(format!("the values are no JSON object: {error}")))?;
        let at = self.model.version(row, number(row, which)?)?;
        let (index, event_row, event) = self.added(&at)?;
        let prompt = row.summary().ok_or(AskError::PromptNotFound)?;
        let version = self.summary(index, &event_row, event.clone())?;
        let closure = self.closure(row, event, point, sight)?;
        let (parts, mut included): (Vec<Part>, Vec<RenderedPart>) =
            closure.all.into_iter().map(|found| (found.part, found.named)).unzip();
        let said = render(&parts, &values).map_err(|refusal| refused(refusal, &included))?;
        included.remove(0);
        Ok(RenderedAnswer { prompt, version, said, included })
    }

    /// What a version says with all that it includes filled in, as [`Desk::rendered`].
    pub(super) fn expanded(
        &self,
        row: &Arc<PromptRow>,
        which: &Which,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<ExpandedAnswer, AnswerError> {
        let (_, _, event) = self.added(&*self.model.version(row, number(row, which)?)?)?;
        let closure = self.closure(row, event, point, sight)?;
        let (parts, named): (Vec<Part>, Vec<RenderedPart>) =
            closure.all.into_iter().map(|found| (found.part, found.named)).unzip();
        let said = expand(&parts).map_err(|refusal| refused(refusal, &named))?;
        let parts = parts.iter().zip(named).map(|(part, named)| {
            let includes = part.includes.iter().filter_map(|(_, included)| *included).collect();
            ExpandedPart { named, includes }
        });
        Ok(ExpandedAnswer { said, parts: parts.collect() })
    }

    /// A version and everything that it includes at a point.
    fn closure<'d>(
        &'d self,
        row: &PromptRow,
        event: VersionAdded,
        point: Option<Point>,
        sight: &'d Sight<'d>,
    ) -> Result<Closure<'d, 'd, R>, AnswerError> {
        let mut closure = Closure { desk: self, point, sight, known: HashMap::new(), all: Vec::new(), bytes: 0 };
        closure.add(row, event)?;
        closure.follow()?;
        Ok(closure)
    }

    /// The versions that include a prompt and whose prompts `sight` reaches, oldest first, after an index.
    pub(super) fn dependents(
        &self,
        of: &PromptRow,
        all: bool,
        after: Option<u64>,
        limit: usize,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<DependentsAnswer, AnswerError> {
        let mut answer = DependentsAnswer { items: Vec::new(), next: None };
        let Some(point) = point else { return Ok(answer) };
        let from = Key::Dependent(of.id, after.map_or(0, |after| after.saturating_add(1)));
        let to = Key::Dependent(of.id, point.index);
        for (looked_at, found) in self.model.rows.range(&from.encode(), &to.encode()).enumerate() {
            let Some(Key::Dependent(_, index)) = Key::decode(&found?.0) else {
                return Err(RowError::Row("dependent").into());
            };
            if answer.items.len() == limit || looked_at == DEPENDENTS_LOOKED_AT_MAX {
                answer.next = Some(index.saturating_sub(1));
                break;
            }
            answer.items.extend(self.dependent(of.id, index, all, point, sight)?);
        }
        Ok(answer)
    }

    fn dependent(
        &self,
        of: PromptId,
        index: u64,
        all: bool,
        point: Point,
        sight: &Sight<'_>,
    ) -> Result<Option<Dependent>, AnswerError> {
        let added = self.event(index)?;
        let Event::VersionAdded(event) = &added.event else { return Err(RowError::Row("dependent").into()) };
        if !sight.prompt(event.prompt) {
            return Ok(None);
        }
        // As of an occurred time the prompt may not have the version yet, though it has an earlier index.
        let row = self.model.prompt(event.prompt, point)?.filter(|row| row.versions >= event.number);
        let Some((row, prompt)) = row.and_then(|row| row.summary().map(|prompt| (row, prompt))) else {
            return Ok(None);
        };
        let (labels, branches) = led(&row, event.number);
        if !all && (row.archived || (labels.is_empty() && branches.is_empty())) {
            return Ok(None);
        }
        let version = VersionRef { prompt: event.prompt, number: event.number, version: event.version };
        let at = event.includes.iter().filter(|include| include.prompt == of);
        let at = at.map(|include| include.written.at.clone()).collect();
        let stamp = self.stamp(index, &added, &mut None)?;
        Ok(Some(Dependent { prompt, version, at, labels, branches, stamp }))
    }
}

/// The labels and the open branches that lead to a version of a prompt.
pub(super) fn led(row: &PromptRow, number: u32) -> (Vec<Label>, Vec<Branch>) {
    // A label that is split leads to each of its versions.
    let split = |label: &Label| {
        let running = row.rollouts.get(label);
        running.is_some_and(|running| running.table.runs().iter().any(|run| run.version == number))
    };
    let labels = row.labels.iter().filter(|(label, at)| **at == number || split(label));
    let main = (row.main == number).then(Branch::main);
    let heads = row.branches.iter().filter(|(_, head)| **head == number).map(|(branch, _)| branch.clone());
    let mut branches: Vec<_> = heads.chain(main).collect();
    branches.sort_unstable();
    (labels.map(|(label, _)| label.clone()).collect(), branches)
}

fn refused(refusal: Refusal, parts: &[RenderedPart]) -> AskError {
    let place = match &refusal {
        Refusal::Failed { place, .. } | Refusal::NotIncluded { place, .. } => place.part,
        Refusal::Variables(_) | Refusal::Limit { .. } => 0,
    };
    let included = parts.get(place).filter(|_| place > 0).cloned();
    AskError::NotRendered(Box::new(NotRendered { refusal, included }))
}

/// A version, and everything that it includes at a point.
struct Closure<'d, 'a, R> {
    desk: &'d Desk<'a, R>,
    point: Option<Point>,
    sight: &'d Sight<'d>,
    /// By prompt and number.
    known: HashMap<(PromptId, u32), usize>,
    all: Vec<Found>,
    bytes: usize,
}

struct Found {
    part: Part,
    named: RenderedPart,
    includes: Vec<Include>,
}

impl<R: Rows> Closure<'_, '_, R> {
    /// A version with its content opened; the number of its part.
    fn add(&mut self, row: &PromptRow, event: VersionAdded) -> Result<usize, AnswerError> {
        self.bytes += usize::try_from(event.content.bytes).unwrap_or(usize::MAX);
        limit(
            self.all.len() < RENDER_PARTS_MAX,
            "versions that one includes, directly or by others",
            RENDER_PARTS_MAX,
        )?;
        limit(self.bytes <= RENDER_CONTENT_MAX_BYTES, "bytes of contents together", RENDER_CONTENT_MAX_BYTES)?;
        let part = Part {
            kind: row.kind,
            syntax: event.syntax,
            content: self.desk.content(&event.content)?,
            declared: self.desk.declared(&event)?,
            includes: Vec::new(),
        };
        let version = VersionRef { prompt: row.id, number: event.number, version: event.version };
        let named = RenderedPart { key: row.key.clone(), version };
        self.all.push(Found { part, named, includes: event.includes });
        let part = self.all.len() - 1;
        self.known.insert((row.id, version.number), part);
        Ok(part)
    }

    /// What the versions so far include, and what that includes: those of one depth after the other.
    fn follow(&mut self) -> Result<(), AnswerError> {
        let mut level = vec![0];
        for depth in 0.. {
            let mut next = Vec::new();
            for part in level {
                for include in std::mem::take(&mut self.all[part].includes) {
                    let before = self.all.len();
                    let found = self.included(&include)?;
                    next.extend(found.filter(|found| *found >= before));
                    self.all[part].part.includes.push((include.written, found));
                }
            }
            if next.is_empty() {
                break;
            }
            limit(depth < INCLUDE_DEPTH_MAX, "includes inside each other", INCLUDE_DEPTH_MAX)?;
            level = next;
        }
        Ok(())
    }

    /// The part that an include means; `None` if it is not there, or not to be seen, which is not told apart.
    fn included(&mut self, include: &Include) -> Result<Option<usize>, AnswerError> {
        let Some(point) = self.point else { return Ok(None) };
        let row = self.desk.model.prompt(include.prompt, point)?;
        let Some(row) = row.filter(|row| row.versions > 0 && self.sight.prompt(row.id)) else { return Ok(None) };
        let Ok(number) = number(&row, &meant(&include.written)) else { return Ok(None) };
        if let Some(known) = self.known.get(&(row.id, number)) {
            return Ok(Some(*known));
        }
        let (_, _, event) = self.desk.added(&*self.desk.model.version(&row, number)?)?;
        self.add(&row, event).map(Some)
    }
}

fn meant(written: &Written) -> Which {
    match &written.at {
        Selector::Number(number) => Which::Number(*number),
        Selector::Label(label) => Which::Label(label.clone()),
    }
}

fn limit(holds: bool, what: &str, max: usize) -> Result<(), AskError> {
    if holds {
        return Ok(());
    }
    let refusal = Refusal::Limit { what: what.to_owned(), max: max as u64 };
    Err(AskError::NotRendered(Box::new(NotRendered { refusal, included: None })))
}
