//! Commands that are done together or not at all, as one request with one idempotency key.

use promptory_events::CommandHash;
use promptory_ledger::KeyStore;
use promptory_platform::Problem;

use super::{Gathered, Origin, command_id, gather_as};
use crate::failure::Failure;
use crate::wire;

/// Gathers commands that are done together. Their ids derive from the request's, and each keeps the hash of the whole
/// request: the same key with another request is refused whatever the commands in it are.
///
/// # Errors
/// `InBatch` with the first command that can't be gathered, and why; as [`super::gather`] for the idempotency key.
pub fn gather_together(
    origin: &Origin<'_>,
    keys: &KeyStore,
    requests: Vec<wire::Request>,
    idempotency_key: Option<&str>,
) -> Result<Vec<Gathered>, Failure> {
    let first = command_id(origin, idempotency_key)?;
    let hash = match idempotency_key {
        None => CommandHash::NONE,
        Some(_) => {
            let body = serde_json::to_vec(&requests).map_err(|error| Failure::Internal(error.to_string()))?;
            keys.command_hash(origin.tenant, &body)?
        }
    };
    let count = requests.len();
    let gathered = requests.into_iter().enumerate().map(|(place, request)| {
        let in_batch = |why: Failure| Failure::InBatch { command: place, why: Box::new(why) };
        if request.claims.idempotency_key.is_some() {
            let detail = "commands that are done together share the request's Idempotency-Key; leave it out here";
            return Err(in_batch(Problem::field("/idempotency_key", detail).into()));
        }
        let item = gather_as(origin, keys, first.part(place), request).map_err(in_batch)?;
        let may_repeat = idempotency_key.is_some();
        Ok(Gathered { command_hash: hash, may_repeat, tied: place + 1 < count, ..item })
    });
    gathered.collect()
}
