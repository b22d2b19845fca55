//! What waits for approval, what is protected and frozen, and what was said about it.

use promptory_domain::release::book::Status;
use promptory_events::event::CommentOn;
use promptory_events::{Event, FreezeId, Prefix, PromptId, RequestId, Timestamp};
use promptory_ledger::KeyStoreError;
use promptory_ledger::seal::aad;
use serde_json::{Value, json};

use super::access::{item, page, parsed};
use super::detail::split;
use super::{AnswerError, Desk, unopened};
use crate::ask::{AccessItem, AskError, Comment};
use crate::hot::releases::Releases;
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::{self, RequestRow};
use crate::views::catalog::sight::Sight;

/// Labels that are protected.
pub(super) fn protections(
    releases: &Releases,
    after: Option<&str>,
    limit: usize,
    sight: &Sight<'_>,
) -> Result<Vec<AccessItem>, AskError> {
    let after = after.map(|text| {
        let (label, prefix) = text.split_once(' ').ok_or(AskError::ForeignCursor)?;
        let prefix: Prefix = prefix.parse().map_err(|_| AskError::ForeignCursor)?;
        Ok::<_, AskError>((prefix, label.parse().map_err(|_| AskError::ForeignCursor)?))
    });
    Ok(page(&releases.protections, after.transpose()?, limit, |(prefix, label), row| {
        let approvals = row.approvals.filter(|_| sight.touches(prefix))?;
        let it = json!({ "prefix": prefix, "label": label, "approvals": approvals, "changed_index": row.changed });
        Some(item(format!("{label} {prefix}"), &it))
    }))
}

/// Freeze windows that are not lifted.
pub(super) fn freezes(
    releases: &Releases,
    after: Option<&str>,
    limit: usize,
    sight: &Sight<'_>,
) -> Result<Vec<AccessItem>, AskError> {
    Ok(page(&releases.freezes, parsed::<FreezeId>(after)?, limit, |id, row| {
        let shown = row.lifted.is_none() && sight.touches(&row.prefix);
        let it = json!({
            "freeze": id, "prefix": row.prefix, "from": row.from, "until": row.until, "set_index": row.set,
        });
        shown.then(|| item(id.to_string(), &it))
    }))
}

impl<R: Rows> Desk<'_, R> {
    /// Requests with the versions to compare, whoever approved, and whether another approval could still move the label.
    pub(super) fn releases(
        &self,
        releases: &Releases,
        open: bool,
        after: Option<&str>,
        limit: usize,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<Vec<AccessItem>, AnswerError> {
        let Some(point) = point else { return Ok(Vec::new()) };
        let past = (Some(point.index) != self.model.hot.index).then_some(point.index);
        let at = past.map_or(Ok(sight.now()), |index| self.event(index).map(|event| event.recorded_at))?;
        let all = &releases.requests;
        let from = parsed::<RequestId>(after)?.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let shown = all
            .range((from, std::ops::Bound::Unbounded))
            .filter(|(_, row)| sight.prompt(row.request.prompt) && (!open || row.request.status == Status::Open));
        let shown = shown.take(limit);
        shown.map(|(id, row)| Ok(item(id.to_string(), &self.release(*id, row, releases, (point, at))?))).collect()
    }

    fn release(
        &self,
        id: RequestId,
        row: &RequestRow,
        releases: &Releases,
        (point, at): (Point, Timestamp),
    ) -> Result<Value, AnswerError> {
        let request = &row.request;
        let prompt = self.model.prompt(request.prompt, point)?.ok_or(RowError::Row("request"))?;
        let stamp = self.stamp(row.opened, &self.event(row.opened)?, &mut None)?;
        let approvals = request.approvers.iter().zip(&row.approvals);
        let approvals: Vec<_> = approvals.map(|(who, index)| json!({ "principal": who, "index": index })).collect();
        let open = request.status == Status::Open;
        let rollout = prompt.rollouts.get(&request.label).map(|running| running.id);
        Ok(json!({
            "release": id,
            "prompt": request.prompt,
            "key": prompt.key,
            "label": request.label,
            "from": self.side(request.prompt, request.before)?,
            "to": self.side(request.prompt, request.after)?,
            "split": request.split.as_ref().map(split),
            "author": request.author,
            "message": stamp.message,
            "opened_index": row.opened,
            "opened_at": stamp.recorded_at,
            "expires_at": request.expires_at,
            "status": request.status,
            "expired": open && request.expired(at),
            "stale": open && request.is_stale(prompt.labels.get(&request.label).copied(), rollout),
            "approvals": approvals,
            "needed": releases.book.needed(prompt.key.as_str(), &request.label),
            "closed_index": row.closed,
        }))
    }

    /// One side of the difference: a version by number, id and content; null if there is none.
    fn side(&self, prompt: PromptId, number: Option<u32>) -> Result<Value, AnswerError> {
        let Some((number, row)) = number.zip(self.model.hot.prompt(prompt)) else { return Ok(Value::Null) };
        let (_, _, version) = self.added(&*self.model.version(row, number)?)?;
        Ok(json!({ "number": number, "version": version.version, "content_id": version.content.id }))
    }

    /// What was said about a prompt by a point, after an index.
    pub(super) fn comments(
        &self,
        prompt: PromptId,
        on: Option<CommentOn>,
        after: Option<u64>,
        limit: usize,
        point: Option<Point>,
    ) -> Result<Vec<Comment>, AnswerError> {
        let Some(Point { index: end, time }) = point else { return Ok(Vec::new()) };
        let from = Key::Comment(prompt, after.map_or(0, |after| after.saturating_add(1))).encode();
        let to = Key::Comment(prompt, end).encode();
        let mut comments = Vec::new();
        if from > to {
            return Ok(comments);
        }
        for found in self.model.rows.range(&from, &to) {
            let (key, value) = found?;
            let Some(Key::Comment(_, index)) = Key::decode(&key) else { return Err(RowError::Row("comment").into()) };
            let is_on: CommentOn = row::decode("comment", &value)?;
            if on.is_none_or(|on| on == is_on) {
                let comment = self.comment(index)?;
                let said = comment.stamp.occurred_at.unwrap_or(comment.stamp.recorded_at);
                comments.extend(Some(comment).filter(|_| time.is_none_or(|time| said <= time)));
            }
            if comments.len() == limit {
                break;
            }
        }
        Ok(comments)
    }

    fn comment(&self, index: u64) -> Result<Comment, AnswerError> {
        let row = self.event(index)?;
        let Event::CommentAdded(said) = &row.event else { return Err(RowError::Row("comment").into()) };
        let aad = aad::comment(self.tenant, said.comment);
        let text = match self.keys.open_sealed(self.tenant, &aad, &said.text) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(KeyStoreError::Erased(_)) => None,
            Err(error) => return Err(unopened(&error).into()),
        };
        Ok(Comment { id: said.comment, on: said.on, text, stamp: self.stamp(index, &row, &mut None)? })
    }
}
