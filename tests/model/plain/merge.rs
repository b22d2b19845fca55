//! Forks and merges. The texts of this test have five parts each, lines or messages, of which every other one is always the
//! same: so a three-way merge is one part by part.

use std::collections::BTreeSet;

use promptory_events::CommandId;
use serde_json::{Map, Value};

use super::prompts::{New, matches};
use super::{Caller, Code, Model, Version, names, text};

/// How many parts a content has.
pub const PARTS: usize = 5;

impl Model {
    pub(super) fn fork(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let origin = self.needs_on_prompt(caller, "read", text(body, "prompt"))?;
        self.needs_to_put(caller, text(body, "key"), body)?;
        self.claimed(body)?;
        let (origin, prompt) = self.any(origin)?;
        let number = prompt.picked(&body["from"])?;
        let version = prompt.version(number).unwrap();
        let new = New { kind: prompt.kind, content: version.content.clone(), config: version.config.clone() };
        self.put_prompt(caller, body, id, new, vec![(origin, number)])
    }

    pub(super) fn merge(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let target = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        let from = &body["from"];
        let other = from["prompt"].as_str().map(|other| self.needs_on_prompt(caller, "read", other)).transpose()?;
        self.needs_for_labels(caller, target.as_deref(), body)?;
        self.claimed(body)?;
        let branch = body["branch"].as_str().unwrap_or("main");
        let (target, prompt) = self.live(target)?;
        let ours = (target.clone(), prompt.head_of(branch)?);
        matches(body, Some(&self.at(&ours).id))?;
        let (other, other_prompt) = self.any(other.unwrap_or(Some(target.clone())))?;
        let theirs = (other, other_prompt.picked(from)?);
        let resolved = New::of(body);
        let kind = resolved.as_ref().map_or(other_prompt.kind, |resolved| resolved.kind);
        if other_prompt.kind != prompt.kind || kind != prompt.kind {
            return Err("kind-mismatch");
        }
        let resolved_config = Some(body["config"].clone()).filter(|config| !config.is_null());
        let Some(base) = self.common(&ours, &theirs) else { return Err("unrelated-versions") };
        if base == theirs {
            return Ok(()); // the branch has it all already
        }
        let three = [&base, &ours, &theirs].map(|at| self.at(at));
        let content = match resolved {
            Some(resolved) => Some(resolved.content),
            None => contents(three.map(|version| &version.content)),
        };
        let config = match resolved_config {
            Some(config) => Some(Some(config)),
            None => configs(three.map(|version| version.config.as_ref())),
        };
        let (content, config) = content.zip(config).ok_or("merge-conflict")?;
        let new = New { kind, content, config };
        self.put_version(caller, &target, branch, new, vec![ours, theirs], id);
        let number = self.prompts[&target].newest();
        self.move_labels(caller, &target, &names(body, "labels"), number)
    }

    fn at(&self, (prompt, number): &(String, u64)) -> &Version {
        self.prompts[prompt].version(*number).unwrap()
    }

    /// Everything that a version comes from, itself too.
    fn ancestors(&self, of: &(String, u64)) -> BTreeSet<(String, u64)> {
        let (mut all, mut left) = (BTreeSet::new(), vec![of.clone()]);
        while let Some(at) = left.pop() {
            if all.insert(at.clone()) {
                left.extend(self.at(&at).parents.iter().cloned());
            }
        }
        all
    }

    /// The latest version that both come from.
    fn common(&self, one: &(String, u64), other: &(String, u64)) -> Option<(String, u64)> {
        let both = self.ancestors(one);
        self.ancestors(other).into_iter().filter(|at| both.contains(at)).max_by_key(|at| self.at(at).index)
    }
}

/// What only one side changed, or both to the same; `None` is a conflict.
fn three_way<T: PartialEq + Clone>([base, ours, theirs]: [T; 3]) -> Option<T> {
    if ours == theirs || theirs == base {
        Some(ours)
    } else if ours == base {
        Some(theirs)
    } else {
        None
    }
}

fn parts(content: &Value) -> Vec<Value> {
    let parts = match content {
        Value::String(text) => text.split_inclusive('\n').map(Value::from).collect(),
        messages => messages.as_array().unwrap().clone(),
    };
    assert_eq!(parts.len(), PARTS, "{content}");
    parts
}

fn contents(three: [&Value; 3]) -> Option<Value> {
    let [base, ours, theirs] = three.map(parts);
    let merged = (0..PARTS).map(|n| three_way([&base[n], &ours[n], &theirs[n]]).cloned());
    let merged = merged.collect::<Option<Vec<_>>>()?;
    Some(match three[0] {
        Value::String(_) => merged.iter().map(|line| line.as_str().unwrap()).collect::<String>().into(),
        _ => merged.into(),
    })
}

/// By key; a configuration that is not there has no keys.
fn configs(three: [Option<&Value>; 3]) -> Option<Option<Value>> {
    let of = |config: Option<&Value>, key: &str| config.and_then(|config| config.get(key)).cloned();
    let keys = three.iter().flatten().flat_map(|config| config.as_object().unwrap().keys());
    let mut merged = Map::new();
    for key in keys.collect::<BTreeSet<_>>() {
        if let Some(value) = three_way(three.map(|config| of(config, key)))? {
            merged.insert(key.clone(), value);
        }
    }
    let one_had_none = three[1].is_none() || three[2].is_none();
    Some(
        Some(Value::Object(merged)).filter(|merged| merged.as_object().is_some_and(|m| !m.is_empty()) || !one_had_none),
    )
}
