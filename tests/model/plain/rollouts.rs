//! Rollouts: labels that are split over versions for a while.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::CommandId;
use serde_json::Value;

use super::{Caller, Code, Model, Prompt, Release, text};

/// A version's share of ten thousand.
pub type Arms = BTreeMap<u64, u64>;

#[derive(Clone, Debug)]
pub struct Rollout {
    pub id: String,
    pub arms: Arms,
    pub paused: bool,
    /// What a release request has allowed in it.
    pub approved: BTreeSet<u64>,
}

/// What a release request for a split asks for, and the rollout that ran when it was opened.
#[derive(Clone, Debug)]
pub struct Split {
    pub arms: Arms,
    pub rollout: Option<String>,
}

/// The arms that a command names.
pub(super) fn arms(body: &Value) -> Option<Arms> {
    let arms = body["arms"].as_array()?.iter();
    Some(arms.map(|arm| (arm["version"].as_u64().unwrap(), arm["weight"].as_u64().unwrap())).collect())
}

impl Prompt {
    /// Where a label that can be split points to.
    fn control(&self, label: &str) -> Result<u64, Code> {
        if label == "latest" {
            return Err("label-reserved");
        }
        self.labels.get(label).copied().ok_or("label-not-found")
    }

    fn all_there(&self, arms: &Arms) -> Result<(), Code> {
        if arms.keys().all(|number| self.version(*number).is_some()) { Ok(()) } else { Err("version-not-found") }
    }

    pub(super) fn splittable(&self, label: &str, arms: &Arms) -> Result<(), Code> {
        self.control(label)?;
        self.all_there(arms)
    }

    /// Whether a protected label may be split so: what is not the control and was not allowed gets no more than it had.
    fn grows_as_allowed(&self, label: &str, before: &Arms, after: &Arms) -> bool {
        let none = BTreeSet::new();
        let approved = self.rollouts.get(label).map_or(&none, |running| &running.approved);
        let may = |number: &u64| self.labels.get(label) == Some(number) || approved.contains(number);
        after.iter().all(|(number, share)| may(number) || before.get(number).is_some_and(|had| had >= share))
    }
}

impl Model {
    pub(super) fn roll_out(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let (name, label, step) = (text(body, "prompt"), text(body, "label"), text(body, "type"));
        let back = ["pause_rollout", "roll_back_rollout"].contains(&step);
        let action = if back { self.to_go_back(name, label) } else { "move-labels" };
        let prompt = self.needs_on_prompt(caller, action, name)?;
        self.claimed(body)?;
        let (prompt_id, prompt) = self.live(prompt)?;
        let prompt = prompt.clone();
        if step == "start_rollout" {
            let arms = arms(body).unwrap();
            self.may_start(&prompt, label, &arms)?;
            self.allowed(&prompt, label, prompt.grows_as_allowed(label, &Arms::new(), &arms))?;
            return self.start(caller, &prompt_id, label, arms, id, false);
        }
        let asked = body["rollout"].as_str();
        let running = prompt.rollouts.get(label).filter(|running| asked.is_none_or(|asked| asked == running.id));
        let mut running = running.ok_or("rollout-not-found")?.clone();
        match step {
            "advance_rollout" => {
                let arms = arms(body).unwrap();
                prompt.all_there(&arms)?;
                if running.arms == arms {
                    return Ok(());
                }
                self.allowed(&prompt, label, prompt.grows_as_allowed(label, &running.arms, &arms))?;
                running.arms = arms;
                self.run(caller, &prompt_id, label, running, "rollout.advanced")
            }
            "pause_rollout" if running.paused => Ok(()),
            "resume_rollout" if !running.paused => Ok(()),
            "pause_rollout" => {
                running.paused = true;
                self.run(caller, &prompt_id, label, running, "rollout.paused")
            }
            "resume_rollout" => {
                self.allowed(&prompt, label, prompt.grows_as_allowed(label, &Arms::new(), &running.arms))?;
                running.paused = false;
                self.run(caller, &prompt_id, label, running, "rollout.resumed")
            }
            "roll_back_rollout" => self.end(caller, &prompt_id, label, "rollout.rolled-back"),
            _ => self.complete(caller, &prompt_id, label, &running, body["version"].as_u64().unwrap()),
        }
    }

    fn complete(
        &mut self,
        caller: Caller<'_>,
        id: &str,
        label: &str,
        running: &Rollout,
        version: u64,
    ) -> Result<(), Code> {
        let prompt = self.prompts[id].clone();
        let control = prompt.control(label)?;
        if version != control && !running.arms.contains_key(&version) {
            return Err("not-an-arm");
        }
        self.end(caller, id, label, "rollout.completed")?;
        if version == control {
            return Ok(());
        }
        self.allowed(&prompt, label, running.approved.contains(&version))?;
        self.point(caller, id, label, Some(version))
    }

    /// A release request that is approved starts a rollout, or changes the one that it was opened for.
    pub(super) fn release_split(
        &mut self,
        caller: Caller<'_>,
        release: &Release,
        split: &Split,
        id: CommandId,
    ) -> Result<(), Code> {
        let prompt = self.prompts[&release.prompt].clone();
        match prompt.rollouts.get(&release.label).cloned() {
            None => {
                self.may_start(&prompt, &release.label, &split.arms)?;
                self.start(caller, &release.prompt, &release.label, split.arms.clone(), id, true)
            }
            Some(mut running) => {
                running.approved.extend(split.arms.keys());
                running.arms = split.arms.clone();
                self.run(caller, &release.prompt, &release.label, running, "rollout.advanced")
            }
        }
    }

    fn may_start(&self, prompt: &Prompt, label: &str, arms: &Arms) -> Result<(), Code> {
        prompt.control(label)?;
        if prompt.rollouts.contains_key(label) {
            return Err("rollout-runs");
        }
        prompt.all_there(arms)
    }

    fn start(
        &mut self,
        caller: Caller<'_>,
        prompt: &str,
        label: &str,
        arms: Arms,
        id: CommandId,
        released: bool,
    ) -> Result<(), Code> {
        let approved = if released { arms.keys().copied().collect() } else { BTreeSet::new() };
        let rollout = Rollout { id: id.rollout().to_string(), arms, paused: false, approved };
        self.run(caller, prompt, label, rollout, "rollout.started")
    }

    fn run(
        &mut self,
        caller: Caller<'_>,
        prompt: &str,
        label: &str,
        rollout: Rollout,
        said: &'static str,
    ) -> Result<(), Code> {
        self.thawed(caller, prompt)?;
        self.prompts.get_mut(prompt).unwrap().rollouts.insert(label.into(), rollout);
        self.say(said);
        Ok(())
    }

    fn end(&mut self, caller: Caller<'_>, prompt: &str, label: &str, said: &'static str) -> Result<(), Code> {
        self.thawed(caller, prompt)?;
        self.prompts.get_mut(prompt).unwrap().rollouts.remove(label);
        self.say(said);
        Ok(())
    }

    /// A label that is not protected may be split anyhow.
    fn allowed(&self, prompt: &Prompt, label: &str, as_allowed: bool) -> Result<(), Code> {
        match self.needed(&prompt.key, label) {
            Some(_) if !as_allowed => Err("label-protected"),
            _ => Ok(()),
        }
    }
}
