//! Prompts, versions, branches, labels.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::CommandId;
use serde_json::Value;

use super::{Caller, Code, Model, Prompt, Version, names, text};

/// What a version is made of.
pub(super) struct New {
    pub kind: &'static str,
    pub content: Value,
    pub config: Option<Value>,
}

impl New {
    /// What a command brings, if it brings a content.
    pub fn of(body: &Value) -> Option<Self> {
        let kind = ["text", "messages"].into_iter().find(|field| !body[*field].is_null())?;
        let config = Some(body["config"].clone()).filter(|config| !config.is_null());
        Some(Self { kind, content: body[kind].clone(), config })
    }
}

impl Prompt {
    pub(super) fn newest(&self) -> u64 {
        self.versions.len() as u64
    }

    pub(super) fn version(&self, number: u64) -> Option<&Version> {
        self.versions.get(usize::try_from(number.checked_sub(1)?).unwrap())
    }

    pub(super) fn pointed_to(&self, label: &str) -> Option<&str> {
        self.labels.get(label).map(|number| self.version(*number).unwrap().id.as_str())
    }

    pub(super) fn head_of(&self, branch: &str) -> Result<u64, Code> {
        self.branches.get(branch).copied().ok_or("branch-not-found")
    }

    /// The number that `from` means.
    pub(super) fn picked(&self, from: &Value) -> Result<u64, Code> {
        if let Some(number) = from["version"].as_u64() {
            return self.version(number).map(|_| number).ok_or("version-not-found");
        }
        match from["label"].as_str() {
            Some("latest") => Ok(self.branches["main"]),
            Some(label) => self.labels.get(label).copied().ok_or("label-not-found"),
            None => self.head_of(from["branch"].as_str().unwrap_or("main")),
        }
    }
}

/// `if_match` names the current version, if it is there.
pub(super) fn matches(body: &Value, current: Option<&str>) -> Result<(), Code> {
    match body["if_match"].as_str() {
        Some(wanted) if current != Some(wanted) => Err("precondition-failed"),
        _ => Ok(()),
    }
}

impl Model {
    pub(super) fn create_prompt(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        self.needs_to_put(caller, text(body, "key"), body)?;
        self.claimed(body)?;
        self.put_prompt(caller, body, id, New::of(body).unwrap(), Vec::new())
    }

    /// To write under a key, and to move the labels that come along.
    pub(super) fn needs_to_put(&self, caller: Caller<'_>, key: &str, body: &Value) -> Result<(), Code> {
        self.needs(caller, "write-prompts", key)?;
        if names(body, "labels").is_empty() { Ok(()) } else { self.needs(caller, "move-labels", key) }
    }

    pub(super) fn put_prompt(
        &mut self,
        caller: Caller<'_>,
        body: &Value,
        id: CommandId,
        new: New,
        parents: Vec<(String, u64)>,
    ) -> Result<(), Code> {
        let key = text(body, "key");
        self.free(key)?;
        let prompt_id = id.prompt().to_string();
        let prompt = Prompt {
            key: key.into(),
            kind: new.kind,
            archived: false,
            versions: Vec::new(),
            branches: BTreeMap::from([("main".into(), 0)]),
            labels: BTreeMap::new(),
            came_from: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            tags: names(body, "tags"),
            metadata: Some(body["metadata"].clone()).filter(|metadata| !metadata.is_null()),
        };
        let (has_tags, has_metadata) = (!prompt.tags.is_empty(), prompt.metadata.is_some());
        self.prompts.insert(prompt_id.clone(), prompt);
        self.say("prompt.created");
        self.put_version(caller, &prompt_id, "main", new, parents, id);
        if has_tags {
            self.say("tags.set");
        }
        if has_metadata {
            self.say("metadata.set");
        }
        self.move_labels(caller, &prompt_id, &names(body, "labels"), 1)
    }

    pub(super) fn put_version(
        &mut self,
        caller: Caller<'_>,
        prompt: &str,
        branch: &str,
        new: New,
        parents: Vec<(String, u64)>,
        id: CommandId,
    ) {
        let (index, author) = (self.say("version.added"), caller.principal.to_owned());
        let prompt = self.prompts.get_mut(prompt).unwrap();
        let New { content, config, .. } = new;
        prompt.versions.push(Version { id: id.version().to_string(), content, config, author, parents, index });
        prompt.branches.insert(branch.into(), prompt.newest());
    }

    fn free(&self, key: &str) -> Result<(), Code> {
        let taken = self.prompts.values().any(|prompt| !prompt.archived && prompt.key == key);
        if taken { Err("key-taken") } else { Ok(()) }
    }

    pub(super) fn any(&self, id: Option<String>) -> Result<(String, &Prompt), Code> {
        let id = id.ok_or("prompt-not-found")?;
        self.prompts.get(&id).map(|prompt| (id, prompt)).ok_or("prompt-not-found")
    }

    pub(super) fn live(&self, id: Option<String>) -> Result<(String, &Prompt), Code> {
        let (id, prompt) = self.any(id)?;
        if prompt.archived { Err("prompt-archived") } else { Ok((id, prompt)) }
    }

    /// A prompt that a command with this action may change, with `if_match` on the head of `main`.
    fn changeable(&self, caller: Caller<'_>, body: &Value) -> Result<(String, &Prompt), Code> {
        let id = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        self.claimed(body)?;
        let (id, prompt) = self.live(id)?;
        matches(body, prompt.version(prompt.branches["main"]).map(|version| version.id.as_str()))?;
        Ok((id, prompt))
    }

    pub(super) fn add_version(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let prompt = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        self.needs_for_labels(caller, prompt.as_deref(), body)?;
        self.claimed(body)?;
        let branch = body["branch"].as_str().unwrap_or("main");
        let (prompt_id, prompt) = self.live(prompt)?;
        let head = prompt.head_of(branch)?;
        matches(body, Some(&prompt.version(head).unwrap().id))?;
        let new = New::of(body).unwrap();
        if new.kind != prompt.kind {
            return Err("kind-mismatch");
        }
        self.put_version(caller, &prompt_id, branch, new, vec![(prompt_id.clone(), head)], id);
        let number = self.prompts[&prompt_id].newest();
        self.move_labels(caller, &prompt_id, &names(body, "labels"), number)
    }

    /// Labels that come with a version are moved like any other.
    pub(super) fn needs_for_labels(&self, caller: Caller<'_>, id: Option<&str>, body: &Value) -> Result<(), Code> {
        let key = id.and_then(|id| self.prompts.get(id)).map_or(text(body, "prompt"), |prompt| &prompt.key);
        if names(body, "labels").is_empty() { Ok(()) } else { self.needs(caller, "move-labels", key) }
    }

    pub(super) fn rename(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let to = text(body, "to");
        let prompt = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        self.needs(caller, "write-prompts", to)?;
        self.claimed(body)?;
        let (prompt_id, prompt) = self.live(prompt)?;
        let head = prompt.branches["main"];
        matches(body, Some(&prompt.version(head).unwrap().id))?;
        let moves = prompt.key != to;
        if moves {
            self.free(to)?;
        }
        let new = New::of(body);
        if new.as_ref().is_some_and(|new| new.kind != prompt.kind) {
            return Err("kind-mismatch");
        }
        if moves {
            self.labels_go_along(&prompt_id, Some(&prompt.key), Some(to))?;
            self.prompts.get_mut(&prompt_id).unwrap().key = to.into();
            self.say("prompt.renamed");
        }
        if let Some(new) = new {
            self.put_version(caller, &prompt_id, "main", new, vec![(prompt_id.clone(), head)], id);
        }
        Ok(())
    }

    pub(super) fn set_tags(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (id, prompt) = self.changeable(caller, body)?;
        let tags = names(body, "tags");
        if prompt.tags != tags {
            self.prompts.get_mut(&id).unwrap().tags = tags;
            self.say("tags.set");
        }
        Ok(())
    }

    pub(super) fn set_metadata(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (id, prompt) = self.changeable(caller, body)?;
        if prompt.metadata.as_ref() != Some(&body["metadata"]) {
            self.prompts.get_mut(&id).unwrap().metadata = Some(body["metadata"].clone());
            self.say("metadata.set");
        }
        Ok(())
    }

    pub(super) fn archive(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        self.claimed(body)?;
        let (id, prompt) = self.any(id)?;
        if !prompt.archived {
            matches(body, prompt.version(prompt.branches["main"]).map(|version| version.id.as_str()))?;
            self.labels_go_along(&id, Some(&prompt.key), None)?;
            self.prompts.get_mut(&id).unwrap().archived = true;
            self.say("prompt.archived");
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        let asked = body["key"].as_str();
        asked.map_or(Ok(()), |key| self.needs(caller, "write-prompts", key))?;
        self.claimed(body)?;
        let (id, prompt) = self.any(id)?;
        if !prompt.archived {
            return Err("prompt-not-archived");
        }
        let key = asked.unwrap_or(&prompt.key).to_owned();
        self.free(&key)?;
        self.labels_go_along(&id, None, Some(&key))?;
        let prompt = self.prompts.get_mut(&id).unwrap();
        (prompt.key, prompt.archived) = (key, false);
        self.say("prompt.restored");
        Ok(())
    }

    pub(super) fn create_branch(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        self.claimed(body)?;
        let (id, prompt) = self.live(id)?;
        let (number, branch) = (prompt.picked(&body["from"])?, text(body, "branch"));
        match prompt.branches.get(branch) {
            Some(head) if *head == number => {}
            Some(_) => return Err("branch-exists"),
            None => {
                self.prompts.get_mut(&id).unwrap().branches.insert(branch.into(), number);
                self.say("branch.created");
            }
        }
        Ok(())
    }

    pub(super) fn close_branch(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = self.needs_on_prompt(caller, "write-prompts", text(body, "prompt"))?;
        self.claimed(body)?;
        let (id, prompt) = self.live(id)?;
        let branch = text(body, "branch");
        if branch == "main" {
            return Err("branch-reserved");
        }
        let head = prompt.head_of(branch)?;
        matches(body, Some(&prompt.version(head).unwrap().id))?;
        self.prompts.get_mut(&id).unwrap().branches.remove(branch);
        self.say("branch.closed");
        Ok(())
    }

    pub(super) fn set_label(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = self.needs_on_prompt(caller, "move-labels", text(body, "prompt"))?;
        self.claimed(body)?;
        let (id, prompt) = self.live(id)?;
        let (label, number) = (text(body, "label"), body["version"].as_u64().unwrap());
        matches(body, prompt.pointed_to(label))?;
        prompt.version(number).ok_or("version-not-found")?;
        self.move_labels(caller, &id, &BTreeSet::from([label.to_owned()]), number)
    }

    pub(super) fn remove_label(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = self.needs_on_prompt(caller, "move-labels", text(body, "prompt"))?;
        self.claimed(body)?;
        let (id, prompt) = self.live(id)?;
        let label = text(body, "label");
        if label == "latest" {
            return Err("label-reserved");
        }
        matches(body, prompt.pointed_to(label))?;
        prompt.labels.get(label).ok_or("label-not-found")?;
        self.unprotected(&id, label)?;
        self.point(caller, &id, label, None)
    }

    /// Labels to a version, in order; those that point there already stay.
    pub(super) fn move_labels(
        &mut self,
        caller: Caller<'_>,
        id: &str,
        labels: &BTreeSet<String>,
        to: u64,
    ) -> Result<(), Code> {
        if labels.contains("latest") {
            return Err("label-reserved");
        }
        for label in labels {
            if self.prompts[id].labels.get(label) != Some(&to) {
                self.unprotected(id, label)?;
                self.point(caller, id, label, Some(to))?;
            }
        }
        Ok(())
    }

    fn unprotected(&self, id: &str, label: &str) -> Result<(), Code> {
        self.holds_still(id, label)?;
        if self.needed(&self.prompts[id].key, label).is_some() { Err("label-protected") } else { Ok(()) }
    }

    /// While a label is split, it does not move.
    fn holds_still(&self, id: &str, label: &str) -> Result<(), Code> {
        if self.prompts[id].rollouts.contains_key(label) { Err("rollout-runs") } else { Ok(()) }
    }

    /// Nothing happens to labels while they are frozen, unless the caller says so.
    pub(super) fn thawed(&mut self, caller: Caller<'_>, id: &str) -> Result<(), Code> {
        if self.frozen(&self.prompts[id].key) {
            if !caller.overrides {
                return Err("frozen");
            }
            self.overrode = true;
        }
        Ok(())
    }

    /// A label points somewhere else, or nowhere.
    pub(super) fn point(&mut self, caller: Caller<'_>, id: &str, label: &str, to: Option<u64>) -> Result<(), Code> {
        self.holds_still(id, label)?;
        self.thawed(caller, id)?;
        let prompt = self.prompts.get_mut(id).unwrap();
        match (to, prompt.labels.remove(label)) {
            (Some(to), before) => {
                prompt.labels.insert(label.into(), to);
                before.and_then(|before| prompt.came_from.insert(label.into(), before));
                self.say("label.set");
            }
            (None, _) => {
                prompt.came_from.remove(label);
                self.say("label.removed");
            }
        }
        Ok(())
    }
}
