//! What holds for a tenant as a whole: the languages that its prompts are searched in.

use promptory_events::event::{Event, Languages, SearchConfigured};

use crate::rejection::Rejection;
use crate::state::Tenant;

/// Says in which languages prompts are; nothing happens if that is known.
pub(crate) fn configure_search(state: &Tenant, after: Languages) -> Result<Vec<Event>, Rejection> {
    let before = state.languages();
    let set = SearchConfigured { before, after };
    Ok(if before == after { Vec::new() } else { vec![Event::SearchConfigured(set)] })
}

#[cfg(test)]
mod tests;
