//! The values that variables have in one rendering, or all that is wrong with them, at once.

use std::collections::BTreeMap;

use promptory_events::event::Syntax;
use promptory_events::limits::{TEMPLATE_TOKENS_MAX, TEMPLATE_VALUES_MAX};
use serde_json::{Map, Value};

use super::{Fault, FaultKind, Part, Place, Refusal};
use crate::chat;
use crate::engine::INCLUDES_DEEP;
use crate::inspect::{Inspected, Need, look};
use crate::needs::Sizes;
use crate::variables::{Variable, VariableType};

/// The values of all parts. Variables are one space of names: what the first part declares counts before what is included.
pub(super) fn settle(parts: &[Part], given: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut declared: BTreeMap<&str, &Variable> = BTreeMap::new();
    for (name, variable) in parts.iter().flat_map(|part| &part.declared) {
        declared.entry(name).or_insert(variable);
    }
    let mut values = given.clone();
    for (name, variable) in &declared {
        if let Some(default) = &variable.default {
            values.entry((*name).to_owned()).or_insert_with(|| default.clone());
        }
    }
    let needs = needs(parts, &values)?;
    let mut faults: Vec<Fault> =
        given.iter().filter_map(|(name, value)| fits(name, value, &declared, &needs)).collect();
    // An included part may get its values from the one that includes it: that shows when it is rendered.
    if let Some(first) = parts.first() {
        let declared = first.declared.iter().filter(|(_, variable)| variable.required()).map(|(name, _)| name);
        let used = needs.first.iter().filter(|(name, need)| need.required && !first.declared.contains_key(*name));
        let missing = declared.chain(used.map(|(name, _)| name)).filter(|name| !values.contains_key(*name));
        faults.extend(missing.map(|name| fault(name, FaultKind::Missing, "needs a value".into())));
    }
    if faults.is_empty() {
        return Ok(values);
    }
    faults.sort_by(|one, other| (&one.name, one.kind).cmp(&(&other.name, other.kind)));
    Err(Refusal::Variables(faults))
}

struct Needs {
    /// Of the first part.
    first: BTreeMap<String, Need>,
    /// Of all.
    all: BTreeMap<String, Need>,
    /// Whether nothing that is included is missing.
    whole: bool,
}

/// What the parts need, if they make no values that are too large of those that there are.
fn needs(parts: &[Part], values: &Map<String, Value>) -> Result<Needs, Refusal> {
    let mut sizes: Sizes = values.iter().map(|(name, value)| (name.clone(), size(value))).collect();
    let computes = parts.iter().any(|part| part.syntax == Syntax::Jinja);
    if computes && sizes.values().sum::<u64>() > TEMPLATE_VALUES_MAX {
        return Err(Refusal::Limit { what: "values inside of those that are given".into(), max: TEMPLATE_VALUES_MAX });
    }
    let (mut needs, mut made) = once(parts, &sizes)?;
    // What one part sets is given to those that it includes, and they may give it on: once for each that is inside another.
    for _ in 0..if parts.len() > 1 { INCLUDES_DEEP } else { 0 } {
        let mut grown =
            made.into_iter().filter(|(name, size)| sizes.get(name).is_none_or(|known| known < size)).peekable();
        if grown.peek().is_none() {
            break;
        }
        let grown: Vec<_> = grown.collect();
        sizes.extend(grown);
        (needs, made) = once(parts, &sizes)?;
    }
    Ok(needs)
}

fn once(parts: &[Part], sizes: &Sizes) -> Result<(Needs, Sizes), Refusal> {
    let whole = parts.iter().flat_map(|part| &part.includes).all(|(_, part)| part.is_some());
    let (mut needs, mut all_made) = (Needs { first: BTreeMap::new(), all: BTreeMap::new(), whole }, Sizes::new());
    let mut all_tokens = 0;
    for (at, part) in parts.iter().enumerate() {
        let found = look(part.kind, part.syntax, &part.content, sizes).map_err(|error| {
            if error.too_large {
                return Refusal::Limit { what: error.reason, max: TEMPLATE_VALUES_MAX };
            }
            let place = Place { part: at, message: error.message, line: error.line };
            Refusal::Failed { place, reason: error.reason }
        })?;
        let Inspected { variables, tokens, made, .. } = found;
        all_tokens += tokens;
        if all_tokens > TEMPLATE_TOKENS_MAX {
            let what = "words and signs between braces".into();
            return Err(Refusal::Limit { what, max: TEMPLATE_TOKENS_MAX as u64 });
        }
        if at == 0 {
            needs.first.clone_from(&variables);
        }
        for (name, need) in variables {
            needs.all.entry(name).or_default().messages |= need.messages;
        }
        for (name, size) in made {
            let known = all_made.entry(name).or_insert(size);
            *known = size.max(*known);
        }
    }
    Ok((needs, all_made))
}

/// How many values there are in a value, itself among them.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(|value| 1 + size(value)).sum::<u64>(),
        _ => 1,
    }
}

/// What is wrong with a value that is given.
fn fits(name: &str, value: &Value, declared: &BTreeMap<&str, &Variable>, needs: &Needs) -> Option<Fault> {
    let (said, need) = (declared.get(name), needs.all.get(name));
    // It may be a variable of what is included and not there: then that is what is to be said.
    if said.is_none() && need.is_none() && needs.whole {
        return Some(fault(name, FaultKind::Unknown, "is no variable here".into()));
    }
    wrong_type(name, value, said.and_then(|said| said.kind), need.is_some_and(|need| need.messages))
}

fn wrong_type(name: &str, value: &Value, kind: Option<VariableType>, messages: bool) -> Option<Fault> {
    let kind = if messages { Some(VariableType::Messages) } else { kind };
    let kind = kind.filter(|kind| !kind.fits(value))?;
    let why = if kind == VariableType::Messages { chat::said(value).err() } else { None };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Some(fault(name, FaultKind::WrongType, format!("must be of the type {}{why}", kind.name())))
}

fn fault(name: &str, kind: FaultKind, detail: String) -> Fault {
    Fault { name: name.to_owned(), kind, detail }
}
