//! Protected labels, freeze windows, release requests, rollbacks, comments.

use promptory_events::CommandId;
use serde_json::Value;

use super::prompts::matches;
use super::rollouts::{Split, arms};
use super::{Caller, Code, Freeze, Model, Release, text, time};

impl Model {
    /// How many approvals a label of a key needs: of several prefixes around it the most.
    pub fn needed(&self, key: &str, label: &str) -> Option<u64> {
        let around = self.protections.iter().filter(|((prefix, of), _)| key.starts_with(prefix) && of == label);
        around.map(|(_, approvals)| *approvals).max()
    }

    pub(super) fn frozen(&self, key: &str) -> bool {
        let now = self.now;
        self.freezes.values().any(|window| key.starts_with(&window.prefix) && window.from <= now && now < window.until)
    }

    /// A prompt takes its labels along when it gets another key, so it goes only where they are protected alike; and while it
    /// carries a protected label it is neither archived nor restored.
    pub(super) fn labels_go_along(&self, id: &str, from: Option<&str>, to: Option<&str>) -> Result<(), Code> {
        let needed = |key: Option<&str>, label: &str| key.and_then(|key| self.needed(key, label));
        let alike = |label: &String| needed(from, label) == needed(to, label);
        if self.prompts[id].labels.keys().all(alike) { Ok(()) } else { Err("label-protected") }
    }

    pub(super) fn protect(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (prefix, label) = (text(body, "prefix"), text(body, "label"));
        self.needs(caller, "manage-protection", prefix)?;
        self.claimed(body)?;
        if label == "latest" {
            return Err("label-reserved");
        }
        let approvals = body["approvals"].as_u64().unwrap();
        if self.protections.insert((prefix.into(), label.into()), approvals) != Some(approvals) {
            self.say("label.protected");
        }
        Ok(())
    }

    pub(super) fn unprotect(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (prefix, label) = (text(body, "prefix"), text(body, "label"));
        self.needs(caller, "manage-protection", prefix)?;
        self.claimed(body)?;
        if self.protections.remove(&(prefix.into(), label.into())).is_some() {
            self.say("label.unprotected");
        }
        Ok(())
    }

    pub(super) fn set_freeze(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let prefix = text(body, "prefix");
        self.needs(caller, "manage-protection", prefix)?;
        self.claimed(body)?;
        let (from, until) = (time(body, "from").unwrap(), time(body, "until").unwrap());
        self.ahead(Some(until))?;
        if until <= from {
            return Err("empty-window");
        }
        self.freezes.insert(id.freeze().to_string(), Freeze { prefix: prefix.into(), from, until });
        self.say("freeze.set");
        Ok(())
    }

    pub(super) fn lift_freeze(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (prefix, freeze) = (text(body, "prefix"), text(body, "freeze"));
        self.needs(caller, "manage-protection", prefix)?;
        self.claimed(body)?;
        self.freezes.get(freeze).filter(|window| window.prefix == prefix).ok_or("freeze-not-found")?;
        self.freezes.remove(freeze);
        self.say("freeze.lifted");
        Ok(())
    }

    pub(super) fn request_release(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let prompt = self.needs_on_prompt(caller, "request-release", text(body, "prompt"))?;
        self.claimed(body)?;
        let (prompt_id, prompt) = self.live(prompt)?;
        let label = text(body, "label");
        self.needed(&prompt.key, label).ok_or("label-not-protected")?;
        let until = time(body, "expires_at");
        self.ahead(until)?;
        let before = prompt.labels.get(label).copied();
        let split = match arms(body) {
            Some(arms) => {
                prompt.splittable(label, &arms)?;
                Some(Split { arms, rollout: prompt.rollouts.get(label).map(|running| running.id.clone()) })
            }
            None => None,
        };
        let after = if split.is_some() { before } else { body["version"].as_u64() };
        match after {
            _ if split.is_some() => {}
            Some(number) => prompt.version(number).map(drop).ok_or("version-not-found")?,
            None => before.map(drop).ok_or("label-not-found")?,
        }
        if split.is_none() && before == after {
            return Ok(());
        }
        let (label, author, approvers, status) = (label.into(), caller.principal.into(), Vec::new(), "open");
        let release = Release { prompt: prompt_id, label, before, after, split, until, author, approvers, status };
        self.releases.insert(id.request().to_string(), release);
        self.say("release.requested");
        Ok(())
    }

    /// A request that may be approved or rejected now.
    fn open(&self, release: &str) -> Result<Release, Code> {
        let release = self.releases.get(release).ok_or("release-not-found")?;
        if release.status != "open" {
            return Err("release-closed");
        }
        if self.lasts(release.until) { Ok(release.clone()) } else { Err("release-expired") }
    }

    pub(super) fn approve(&mut self, caller: Caller<'_>, body: &Value, command: CommandId) -> Result<(), Code> {
        let id = text(body, "release");
        self.needs_on_release(caller, "approve-release", id)?;
        self.claimed(body)?;
        let release = self.open(id)?;
        let (prompt_id, prompt) = self.live(Some(release.prompt.clone()))?;
        let running = prompt.rollouts.get(&release.label).map(|running| &running.id);
        let another = release.split.as_ref().is_some_and(|split| split.rollout.as_ref() != running);
        if prompt.labels.get(&release.label).copied() != release.before || another {
            return Err("release-stale");
        }
        // Of a split all but the control.
        let mut about: Vec<u64> = match &release.split {
            Some(split) => split.arms.keys().copied().filter(|number| Some(*number) != release.before).collect(),
            None => release.after.into_iter().collect(),
        };
        about.retain(|number| prompt.version(*number).unwrap().author == caller.principal);
        if release.author == caller.principal || !about.is_empty() {
            return Err("own-release");
        }
        let needed = self.needed(&prompt.key, &release.label).unwrap_or(1);
        let counted = self.releases.get_mut(id).unwrap();
        if !counted.approvers.iter().any(|approver| approver == caller.principal) {
            counted.approvers.push(caller.principal.into());
            self.say("release.approved");
        }
        let counted = self.releases.get_mut(id).unwrap();
        if counted.approvers.len() as u64 >= needed {
            counted.status = "executed";
            self.say("release.executed");
            match &release.split {
                Some(split) => self.release_split(caller, &release, split, command)?,
                None => self.point(caller, &prompt_id, &release.label, release.after)?,
            }
        }
        Ok(())
    }

    pub(super) fn reject(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = text(body, "release");
        self.needs_on_release(caller, "approve-release", id)?;
        self.claimed(body)?;
        self.open(id)?;
        self.releases.get_mut(id).unwrap().status = "rejected";
        self.say("release.rejected");
        Ok(())
    }

    pub(super) fn withdraw(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = text(body, "release");
        self.needs_on_release(caller, "request-release", id)?;
        self.claimed(body)?;
        let release = self.releases.get_mut(id).ok_or("release-not-found")?;
        if release.author != caller.principal {
            return Err("release-not-yours");
        }
        match release.status {
            "withdrawn" => {}
            "open" => {
                release.status = "withdrawn";
                self.say("release.withdrawn");
            }
            _ => return Err("release-closed"),
        }
        Ok(())
    }

    /// What taking back needs, of a label of the prompt that is called so.
    pub(super) fn to_go_back(&self, name: &str, label: &str) -> &'static str {
        let mut named = self.prompts.iter().filter(|(id, p)| *id == name || (!p.archived && p.key == name));
        let protected = named.any(|(_, prompt)| self.needed(&prompt.key, label).is_some());
        if protected { "roll-back" } else { "move-labels" }
    }

    pub(super) fn roll_back(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (name, label) = (text(body, "prompt"), text(body, "label"));
        let id = self.needs_on_prompt(caller, self.to_go_back(name, label), name)?;
        self.claimed(body)?;
        let (id, prompt) = self.live(id)?;
        matches(body, prompt.pointed_to(label))?;
        prompt.labels.get(label).ok_or("label-not-found")?;
        let back = *prompt.came_from.get(label).ok_or("nothing-to-roll-back")?;
        self.say("label.rolled-back");
        self.point(caller, &id, label, Some(back))
    }

    pub(super) fn comment(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        match body["release"].as_str() {
            Some(release) => {
                self.needs_on_release(caller, "comment", release)?;
                self.claimed(body)?;
            }
            None => {
                let id = self.needs_on_prompt(caller, "comment", text(body, "prompt"))?;
                self.claimed(body)?;
                let (_, prompt) = self.live(id)?;
                prompt.version(body["version"].as_u64().unwrap()).ok_or("version-not-found")?;
            }
        }
        self.say("comment.added");
        Ok(())
    }
}
