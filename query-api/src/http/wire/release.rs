//! Protected labels, freeze windows and release requests. Only the schemas are used: the read side writes these items, and
//! they are passed on as they are.

use serde::Serialize;
use utoipa::ToSchema;

/// A label that is protected on a prefix.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Protection {
    /// Where.
    prefix: String,
    /// Which label.
    label: String,
    /// How many approvals a request needs.
    approvals: u16,
    /// The event that said so last.
    changed_index: u64,
}

/// One page of protected labels.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct ProtectionPage {
    /// The labels.
    protections: Vec<Protection>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A freeze window.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Freeze {
    /// Its id.
    freeze: String,
    /// Where.
    prefix: String,
    /// From when on.
    from: String,
    /// Until when.
    until: String,
    /// The event that set it.
    set_index: u64,
}

/// One page of freeze windows that are not lifted.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct FreezePage {
    /// The windows; they may be over.
    freezes: Vec<Freeze>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A version that a label points to, or should.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Side {
    /// Its number.
    number: u32,
    /// Its id.
    version: String,
    /// Keyed id of its content.
    content_id: String,
}

/// Who approved a request.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Approval {
    /// Who.
    principal: String,
    /// The event.
    index: u64,
}

/// A request to move a protected label.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Release {
    /// Its id.
    release: String,
    /// Of which prompt.
    prompt: String,
    /// The key that the prompt has.
    key: String,
    /// Which label.
    label: String,
    /// The version that the label pointed to when this was opened; null: it was not set.
    from: Option<Side>,
    /// The version that it should point to; null: it should be removed.
    to: Option<Side>,
    /// What it should be split over instead; null: it should move.
    split: Option<Split>,
    /// Who opened it.
    author: String,
    /// Why.
    message: Option<String>,
    /// The event that opened it.
    opened_index: u64,
    /// When.
    opened_at: String,
    /// Until when it may be approved.
    expires_at: Option<String>,
    /// `open`, `rejected`, `withdrawn` or `executed`.
    status: String,
    /// Whether it is open and its time is over.
    expired: bool,
    /// Whether it is open and the label has moved meanwhile: it can't be approved any more.
    stale: bool,
    /// Who approved it.
    approvals: Vec<Approval>,
    /// How many approvals the label needs; null: it is not protected any more.
    needed: Option<u16>,
    /// The event that closed it.
    closed_index: Option<u64>,
}

/// What a label should be split over.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Split {
    /// The rollout that should change; null: one should start.
    rollout: Option<String>,
    /// The versions and how much each should get.
    arms: Vec<SplitArm>,
}

/// A version of a split label.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct SplitArm {
    /// Its number.
    version: u32,
    /// How much it gets, in hundredths of a percent.
    weight: u16,
}

/// One page of release requests, by id.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct ReleasePage {
    /// The requests.
    releases: Vec<Release>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}
