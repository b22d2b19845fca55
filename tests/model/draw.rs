//! Commands out of raw draws and what is there: mostly such as make sense, now and then such as do not. A draw of 0 is the
//! plainest choice, so what proptest shrinks a failure to is plain.

mod bodies;
mod identity;

pub use identity::{AUDIENCES, SUBJECTS};

use serde_json::{Value, json};

use crate::plain::{Call, Model, OPERATOR, text};

const KEYS: [&str; 8] = ["a", "team/a", "team/b", "free/a", "team/x/a", "b", "free/b", "teams/a"];
pub const PREFIXES: [&str; 5] = ["", "team/", "free/", "team/x/", "other/"];
pub const LABELS: [&str; 3] = ["production", "staging", "canary"];
const MODELS: [&str; 3] = ["small", "middle", "large"];
const BRANCHES: [&str; 3] = ["try", "fix", "main"];
const ROLES: [&str; 11] = [
    "editor", "viewer", "reviewer", "admin", "poet", "approver", "owner", "importer", "auditor", "service", "operator",
];
const ACTIONS: [&str; 8] = [
    "read",
    "write-prompts",
    "move-labels",
    "approve-release",
    "comment",
    "request-release",
    "roll-back",
    "manage-tenants",
];

/// The kinds of commands, with how often each comes.
pub const KINDS: [(u32, &str); 52] = [
    (12, "create_prompt"),
    (14, "add_version"),
    (6, "create_branch"),
    (2, "close_branch"),
    (5, "fork_prompt"),
    (12, "merge"),
    (4, "rename_prompt"),
    (3, "set_tags"),
    (2, "set_metadata"),
    (3, "archive_prompt"),
    (4, "restore_prompt"),
    (10, "set_label"),
    (3, "remove_label"),
    (5, "roll_back_label"),
    (6, "start_rollout"),
    (4, "advance_rollout"),
    (2, "pause_rollout"),
    (2, "resume_rollout"),
    (2, "roll_back_rollout"),
    (3, "complete_rollout"),
    (3, "protect_label"),
    (2, "unprotect_label"),
    (2, "set_freeze"),
    (2, "lift_freeze"),
    (9, "request_release"),
    (10, "approve_release"),
    (2, "reject_release"),
    (2, "withdraw_release"),
    (3, "add_comment"),
    (5, "issue_key"),
    (2, "rotate_key"),
    (2, "revoke_key"),
    (6, "grant_role"),
    (4, "revoke_role"),
    (3, "define_role"),
    (2, "create_group"),
    (3, "add_member"),
    (2, "remove_member"),
    (2, "configure_search"),
    (1, "suspend_tenant"),
    (2, "trust_issuer"),
    (1, "distrust_issuer"),
    (1, "link_issuer"),
    (3, "map_claim"),
    (1, "unmap_claim"),
    (2, "add_principal"),
    (3, "revoke_session"),
    (5, "set_user"),
    (2, "remove_user"),
    (4, "set_group"),
    (1, "remove_group"),
    (4, "set_quota"),
];

/// Raw draws, used up one after another.
pub struct Draw<'a>(pub std::slice::Iter<'a, u16>);

impl Draw<'_> {
    /// From 0 to below `n`.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % n.max(1)
    }

    /// So many times in a hundred.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }
}

/// What commands are made from.
pub struct Maker<'a> {
    pub model: &'a Model,
    /// The API keys whose secrets are known.
    pub keys: &'a [String],
    /// The address of the issuer.
    pub url: &'a str,
    pub draw: Draw<'a>,
}

impl Maker<'_> {
    /// A command of a kind, by somebody.
    pub fn call(&mut self, kind: &str, idempotency_key: Option<String>) -> Call {
        let mut body = self.body(kind);
        let key = self.caller(kind, &body);
        let forged = self.draw.chance(1);
        body["type"] = kind.into();
        self.claims(&mut body);
        Call { key, forged, body, idempotency_key }
    }

    fn caller(&mut self, kind: &str, body: &Value) -> String {
        let owner = self.model.working_owner(self.keys).unwrap_or_default();
        if kind == "set_quota" && !self.draw.chance(15) {
            return OPERATOR.into();
        }
        let opens = self.keys.iter().filter(|key| self.model.opens(key)).cloned();
        if kind == "approve_release" && !self.draw.chance(40) {
            // Somebody who may, and who did not ask for it himself.
            let author = self.model.releases.get(text(body, "release")).map(|release| &release.author);
            let approver = |key: &String| {
                let principal = &self.model.keys[key].principal;
                let mut grants = self.model.principals[principal].grants.iter();
                Some(principal) != author && grants.any(|g| ["owner", "admin", "reviewer"].contains(&g.role.as_str()))
            };
            return self.pick(opens.filter(approver).collect()).unwrap_or(owner);
        }
        match self.draw.below(100) {
            0..45 => owner,
            45..80 => self.pick(opens.collect()).unwrap_or(owner),
            80..95 => self.token(),
            _ => self.keys[self.draw.below(self.keys.len())].clone(),
        }
    }

    fn claims(&mut self, body: &mut Value) {
        if self.draw.chance(6) {
            body["override_freeze"] = true.into();
        }
        match self.draw.below(40) {
            37 => body["occurred_at"] = self.model.now.plus_ms(-1000).to_string().into(),
            38 => body["author"] = "somebody".into(),
            39 => body["occurred_at"] = self.model.now.plus_ms(1000).to_string().into(),
            _ => {}
        }
    }

    fn pick<T>(&mut self, all: Vec<T>) -> Option<T> {
        let at = self.draw.below(all.len());
        all.into_iter().nth(at)
    }

    fn found(&self, name: &str) -> Option<&crate::plain::Prompt> {
        let mut live = self.model.prompts.values().filter(|prompt| !prompt.archived && prompt.key == name);
        self.model.prompts.get(name).or_else(|| live.next())
    }

    fn prompt(&mut self) -> String {
        if self.draw.chance(25) {
            return self.prompt_id(false);
        }
        let live = self.model.prompts.values().filter(|prompt| !prompt.archived).map(|prompt| prompt.key.clone());
        // The first ones more often, so that much happens to them.
        let some = self.draw.below(live.clone().count()) + 1;
        match self.pick(live.take(some).collect()) {
            Some(key) if !self.draw.chance(8) => key,
            _ => self.draw.of(&KEYS).into(),
        }
    }

    fn prompt_id(&mut self, archived: bool) -> String {
        let wanted = self.model.prompts.iter().filter(|(_, prompt)| !archived || prompt.archived);
        match self.pick(wanted.map(|(id, _)| id.clone()).collect()) {
            Some(id) if !self.draw.chance(8) => id,
            _ => self.pick(self.model.prompts.keys().cloned().collect()).unwrap_or_else(|| unknown("prm_")),
        }
    }

    fn number(&mut self, prompt: &str) -> Value {
        let newest = self.found(prompt).map_or(1, |found| found.versions.len());
        let number = 1 + self.draw.below(newest);
        if self.draw.chance(4) { json!(newest + 1) } else { json!(number) }
    }

    /// Which version of a prompt is meant.
    fn from(&mut self, prompt: &str) -> Value {
        match self.draw.below(6) {
            0 => json!({}),
            1..3 => json!({"version": self.number(prompt)}),
            3 => json!({"label": if self.draw.chance(20) { "latest".into() } else { self.label_of(prompt) }}),
            _ => json!({"branch": self.branch_of(prompt)}),
        }
    }

    /// A label of a prompt that is protected, if there is one.
    fn protected_label(&mut self, prompt: &str) -> String {
        let key = self.found(prompt).map(|found| found.key.clone()).unwrap_or_default();
        let on_it = self.model.protections.keys().filter(|(prefix, _)| key.starts_with(prefix));
        let labels = on_it.map(|(_, label)| label.clone()).collect();
        self.pick(labels).filter(|_| !self.draw.chance(15)).unwrap_or_else(|| self.label().into())
    }

    /// Another branch than `main`, if there is one.
    fn other_branch_of(&mut self, prompt: &str) -> String {
        let branches = self.found(prompt).into_iter().flat_map(|found| found.branches.keys().cloned());
        self.pick(branches.filter(|branch| branch != "main").collect()).unwrap_or_else(|| "try".into())
    }

    fn branch_of(&mut self, prompt: &str) -> String {
        let branches = self.found(prompt).map(|found| found.branches.keys().cloned().collect()).unwrap_or_default();
        match self.pick(branches) {
            Some(branch) if !self.draw.chance(8) => branch,
            _ => self.draw.of(&BRANCHES).into(),
        }
    }

    fn label(&mut self) -> &'static str {
        if self.draw.chance(3) { "latest" } else { self.draw.of(&LABELS) }
    }

    fn label_of(&mut self, prompt: &str) -> String {
        let labels = self.found(prompt).map(|found| found.labels.keys().cloned().collect()).unwrap_or_default();
        self.pick(labels).filter(|_| !self.draw.chance(10)).unwrap_or_else(|| self.label().into())
    }

    /// Versions of a prompt with their shares.
    fn arms(&mut self, prompt: &str) -> Value {
        let (one, other) = (self.number(prompt), self.number(prompt));
        let weight = [1_000, 5_000, 1][self.draw.below(3)];
        if one == other {
            return json!([{"version": one, "weight": 10_000}]);
        }
        json!([{"version": one, "weight": 10_000 - weight}, {"version": other, "weight": weight}])
    }

    /// A prompt and a label of it that is split, if there is one.
    fn split(&mut self) -> (String, String) {
        let prompts = self.model.prompts.iter();
        let split = prompts.flat_map(|(id, prompt)| prompt.rollouts.keys().map(|label| (id.clone(), label.clone())));
        match self.pick(split.collect()) {
            Some(split) if !self.draw.chance(10) => split,
            _ => {
                let prompt = self.prompt();
                let label = self.label_of(&prompt);
                (prompt, label)
            }
        }
    }

    fn prefix(&mut self) -> &'static str {
        self.draw.of(&PREFIXES)
    }

    fn a_release(&mut self) -> String {
        let open = self.model.releases.iter().filter(|(_, release)| release.status == "open");
        match self.pick(open.map(|(id, _)| id.clone()).collect()) {
            Some(open) if !self.draw.chance(15) => open,
            _ => self.pick(self.model.releases.keys().cloned().collect()).unwrap_or_else(|| unknown("rel_")),
        }
    }

    fn principal(&mut self) -> String {
        let known = self.pick(self.model.principals.keys().cloned().collect()).unwrap();
        if self.draw.chance(4) { unknown("pri_") } else { known }
    }

    fn group(&mut self) -> String {
        let known = self.pick(self.model.groups.keys().cloned().collect());
        known.filter(|_| !self.draw.chance(4)).unwrap_or_else(|| unknown("grp_"))
    }

    fn subject(&mut self) -> Value {
        match self.draw.chance(35) {
            true => json!({"group": self.group()}),
            false => json!({"principal": self.principal()}),
        }
    }

    fn key(&mut self) -> String {
        let known = self.pick(self.model.keys.keys().cloned().collect()).unwrap();
        if self.draw.chance(4) { "00000000000000ff".into() } else { known }
    }
}

/// An id that nothing has.
fn unknown(prefix: &str) -> String {
    format!("{prefix}00112233445566778899aabbccddeeff")
}
