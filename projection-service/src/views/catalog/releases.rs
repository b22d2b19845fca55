//! Events about protected labels, release requests, freeze windows and comments. The prompt itself does not change by them:
//! its label moves by an event of its own.

use promptory_domain::release::book::{Request, Status};
use promptory_events::RequestId;
use promptory_events::event::{CommentAdded, Event, FreezeSet, ReleaseRequested};

use super::Broken;
use super::apply::Step;
use super::row::{FreezeRow, ProtectionRow, RequestRow, encode};
use super::stage::Staged;
use crate::hot::Hot;
use crate::store::key::{Area, Key};

pub(super) fn apply(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) -> Result<(), Broken> {
    match step.event {
        Event::LabelProtected(e) => protection(hot, staged, step, (&e.prefix, &e.label), Some(e.after)),
        Event::LabelUnprotected(e) => protection(hot, staged, step, (&e.prefix, &e.label), None),
        Event::FreezeSet(e) => freeze(hot, staged, step, e),
        Event::FreezeLifted(e) => {
            let before = hot.releases.freezes.get(&e.freeze).cloned();
            let before = before.ok_or_else(|| step.broken("there is no such freeze window"))?;
            let row = FreezeRow { lifted: Some(step.index), ..before.clone() };
            staged.replace(&mut hot.sum, &Key::Freeze(e.freeze), &encode(&before), encode(&row));
            hot.releases.freezes.insert_mut(e.freeze, row);
        }
        Event::ReleaseRequested(e) => requested(hot, staged, step, e),
        Event::ReleaseApproved(e) => change(hot, staged, step, e.request, |row| {
            row.request.approvers.push(step.commit.actor);
            row.approvals.push(step.index);
        })?,
        Event::ReleaseRejected(e) => close(hot, staged, step, e.request, Status::Rejected)?,
        Event::ReleaseWithdrawn(e) => close(hot, staged, step, e.request, Status::Withdrawn)?,
        Event::ReleaseExecuted(e) => close(hot, staged, step, e.request, Status::Executed)?,
        Event::CommentAdded(e) => return comment(hot, staged, step, e),
        _ => return Ok(()), // it only says why a label moves
    }
    staged.put(&mut hot.sum, &Key::Change(Area::Releases, step.index), Vec::new());
    // Last, so that the rows were made from what was there before. It is the judge of what can follow.
    if hot.releases.book.evolve(step.commit.actor, step.event) {
        Ok(())
    } else {
        Err(step.broken("it contradicts what is protected, frozen and asked for"))
    }
}

fn protection(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    (prefix, label): (&promptory_events::Prefix, &promptory_events::Label),
    approvals: Option<u16>,
) {
    let at = (prefix.clone(), label.clone());
    let row = ProtectionRow { changed: step.index, approvals };
    let key = Key::Protection(at.0.clone(), at.1.clone());
    match hot.releases.protections.get(&at) {
        Some(before) => staged.replace(&mut hot.sum, &key, &encode(before), encode(&row)),
        None => staged.put(&mut hot.sum, &key, encode(&row)),
    }
    hot.releases.protections.insert_mut(at, row);
}

fn freeze(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &FreezeSet) {
    let (prefix, from, until) = (event.prefix.clone(), event.from, event.until);
    let row = FreezeRow { prefix, from, until, set: step.index, lifted: None };
    staged.put(&mut hot.sum, &Key::Freeze(event.freeze), encode(&row));
    hot.releases.freezes.insert_mut(event.freeze, row);
}

fn requested(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &ReleaseRequested) {
    let request = Request::new(event, step.commit.actor);
    let row = RequestRow { request, opened: step.index, approvals: Vec::new(), closed: None };
    staged.put(&mut hot.sum, &Key::Request(event.request), encode(&row));
    hot.releases.requests.insert_mut(event.request, row);
}

fn close(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, id: RequestId, status: Status) -> Result<(), Broken> {
    change(hot, staged, step, id, |row| {
        row.request.status = status;
        row.closed = Some(step.index);
    })
}

fn change(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    id: RequestId,
    change: impl FnOnce(&mut RequestRow),
) -> Result<(), Broken> {
    let before = hot.releases.requests.get(&id).cloned();
    let before = before.ok_or_else(|| step.broken("there is no such release request"))?;
    let mut row = before.clone();
    change(&mut row);
    staged.replace(&mut hot.sum, &Key::Request(id), &encode(&before), encode(&row));
    hot.releases.requests.insert_mut(id, row);
    Ok(())
}

/// What it is on, beside its index: the event has the text.
fn comment(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &CommentAdded) -> Result<(), Broken> {
    if hot.prompt(event.prompt).is_none() {
        return Err(step.broken("its prompt is not known"));
    }
    staged.put(&mut hot.sum, &Key::Comment(event.prompt, step.index), encode(&event.on));
    Ok(())
}
