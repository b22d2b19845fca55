//! A split label as JSON: all that an SDK needs to come to the same version by itself.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::rollout::Run;
use promptory_events::{Label, RolloutId};
use promptory_projection::ask::{self, Rollouts};
use promptory_projection::guard;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a label is split over.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rollout<'a> {
    /// Which rollout. The bucket of a key is SHA-256 over this text, a zero byte and the key, modulo 10,000.
    #[schema(value_type = String, example = "rol_00112233445566778899aabbccddeeff")]
    pub rollout: RolloutId,
    /// The version's number that whoever has no key gets, and while it is paused everybody.
    pub control: u32,
    /// Whether it is paused.
    pub paused: bool,
    /// Which version each bucket gets, from bucket 0 on.
    #[schema(value_type = Vec<BucketRun>)]
    pub table: &'a [Run],
    /// What no version of it may do, as it was said when it began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub guards: Vec<Value>,
    /// The places of the guards that were breached: each acts once.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Option<Vec<u16>>)]
    pub breached: &'a BTreeSet<u16>,
}

/// A number of buckets one after another that get the same version.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: it is written as the event has it")]
pub struct BucketRun {
    /// The version's number.
    version: u32,
    /// How many buckets.
    buckets: u16,
}

/// The split labels of a prompt.
pub fn rollouts<'a>(labels: &BTreeMap<Label, u32>, rollouts: &'a Rollouts) -> BTreeMap<&'a Label, Rollout<'a>> {
    let one = |(label, running): (&'a Label, &'a ask::Rollout)| {
        let (rollout, paused, table) = (running.id, running.paused, running.table.runs());
        let (guards, breached) = (running.guards.iter().map(guard::told).collect(), &running.breached);
        Some((label, Rollout { rollout, control: *labels.get(label)?, paused, table, guards, breached }))
    };
    rollouts.iter().filter_map(one).collect()
}
