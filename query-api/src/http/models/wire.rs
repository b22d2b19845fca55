//! The JSON of how a read model stands.

use data_encoding::HEXLOWER;
use promptory_events::{Position, Timestamp};
use promptory_projection::ask::{ModelAnswer, WorkAnswer};
use serde::Serialize;
use utoipa::ToSchema;

/// The tenant's read models.
#[derive(Debug, Serialize, ToSchema)]
pub struct Models<'a> {
    /// Each of them.
    #[schema(value_type = Vec<Model>)]
    pub models: Vec<Model<'a>>,
}

/// A read model.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model<'a> {
    /// Which: `catalog` or `audit`.
    #[schema(example = "catalog")]
    view: &'a str,
    /// The shape of its rows: a release with another one builds stores of its own.
    format: u32,
    /// How far it is.
    #[schema(value_type = Option<String>)]
    position: Option<Position>,
    /// Digest over the whole model at that position.
    model_digest: Option<&'a str>,
    /// Whether it has stopped: `GET /readyz` says why.
    stopped: bool,
    /// What the last check found, if the process that answers has checked it.
    #[schema(value_type = Option<Checked>)]
    checked: Option<Checked<'a>>,
    /// The last rebuild or rollback by the process that answers, under way or over.
    #[schema(value_type = Option<Work>)]
    work: Option<Work<'a>>,
    /// The store that was replaced last. It can be put back.
    #[schema(value_type = Option<Previous>)]
    previous: Option<Previous<'a>>,
    /// Stores that releases of another format have left.
    other_formats: Vec<Other>,
}

/// A rebuild or a rollback.
#[derive(Debug, Serialize, ToSchema)]
pub struct Work<'a> {
    /// The request that it was begun by.
    #[schema(example = "5e3a9c01d2b44f70")]
    id: Option<String>,
    /// `rebuild` or `rollback`.
    #[schema(example = "rebuild")]
    kind: &'a str,
    /// `waiting` for another one of the process, `running`, `done` or `failed`.
    #[schema(example = "running")]
    stage: &'a str,
    /// How much of a core it takes.
    share: f64,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    asked_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Events that its store has.
    events: u64,
    /// Events of the tenant, as far as it knows.
    total: u64,
    /// How fast it is.
    events_per_second: u64,
    /// How long it still takes at that rate.
    eta_seconds: Option<u64>,
    /// The digest of the store that was replaced, where both ended; null if none was whole.
    digest_before: Option<&'a str>,
    /// The digest of the one that took its place.
    digest_after: Option<&'a str>,
    /// Whether they are equal.
    equal: Option<bool>,
    /// Why it failed. What ran before runs on.
    failed: Option<&'a str>,
}

/// A store that was replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct Previous<'a> {
    /// Its last event then.
    index: u64,
    /// Its digest there.
    model_digest: &'a str,
    /// When it was replaced.
    #[schema(value_type = String, format = DateTime)]
    replaced_at: Timestamp,
    /// When it is removed.
    #[schema(value_type = String, format = DateTime)]
    kept_until: Timestamp,
}

/// Stores of another format.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtherFormat)]
pub struct Other {
    /// Which.
    format: u32,
    /// Since when no release uses them.
    #[schema(value_type = String, format = DateTime)]
    unused_since: Timestamp,
    /// When they are removed.
    #[schema(value_type = String, format = DateTime)]
    kept_until: Timestamp,
}

/// A model against its ledger, folded anew.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked<'a> {
    /// Up to and with this event.
    index: u64,
    /// When the check ended.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The digest that the ledger leads to.
    model_digest: &'a str,
    /// Whether the model had the same.
    equal: bool,
}

/// How a model stands.
pub fn model(answer: &ModelAnswer) -> Model<'_> {
    let checked = answer.checked.as_ref();
    Model {
        view: &answer.view,
        format: answer.format,
        position: answer.position,
        model_digest: answer.digest.as_deref(),
        stopped: answer.stopped.is_some(),
        checked: checked.map(|c| Checked { index: c.index, at: c.at, model_digest: &c.folded, equal: c.equal }),
        work: answer.work.as_ref().map(work),
        previous: answer.previous.as_ref().map(|previous| Previous {
            index: previous.index,
            model_digest: &previous.digest,
            replaced_at: previous.replaced_at,
            kept_until: previous.kept_until,
        }),
        other_formats: answer
            .others
            .iter()
            .map(|other| Other { format: other.format, unused_since: other.unused_since, kept_until: other.kept_until })
            .collect(),
    }
}

fn work(work: &WorkAnswer) -> Work<'_> {
    Work {
        id: work.id.map(|id| HEXLOWER.encode(&id)),
        kind: work.kind.as_str(),
        stage: work.stage.as_str(),
        share: work.share.fraction(),
        asked_at: work.asked_at,
        ended_at: work.ended_at,
        events: work.events,
        total: work.total,
        events_per_second: work.events_per_second,
        eta_seconds: work.eta_seconds,
        digest_before: work.old.as_deref(),
        digest_after: work.new.as_deref(),
        equal: work.old.as_ref().zip(work.new.as_ref()).map(|(old, new)| old == new),
        failed: work.failed.as_deref(),
    }
}
