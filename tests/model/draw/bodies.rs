//! What each kind of command says.

use promptory_events::Timestamp;
use serde_json::{Map, Value, json};

use super::{ACTIONS, BRANCHES, KEYS, LABELS, MODELS, Maker, ROLES, unknown};

impl Maker<'_> {
    pub(super) fn body(&mut self, kind: &str) -> Value {
        match kind {
            "create_prompt" => {
                let field = if self.draw.chance(15) { "messages" } else { "text" };
                let mut body = self.version(field);
                body["key"] = self.draw.of(&KEYS).into();
                self.new_prompt(body)
            }
            "fork_prompt" => {
                let prompt = self.prompt();
                let mut body = json!({"from": self.from(&prompt), "prompt": prompt, "key": self.draw.of(&KEYS)});
                if body["from"] == json!({}) {
                    body.as_object_mut().unwrap().remove("from");
                }
                self.new_prompt(body)
            }
            "add_version" => {
                let prompt = self.prompt();
                let mut body = self.version_for(&prompt);
                if self.draw.chance(50) {
                    body["branch"] = self.branch_of(&prompt).into();
                }
                body["prompt"] = prompt.into();
                let body = self.labels(body);
                self.if_match(body)
            }
            "merge" => self.merge(),
            "rename_prompt" => {
                let prompt = self.prompt();
                let mut body = if self.draw.chance(30) { self.version_for(&prompt) } else { json!({}) };
                (body["prompt"], body["to"]) = (prompt.into(), self.draw.of(&KEYS).into());
                self.if_match(body)
            }
            "create_branch" => {
                let prompt = self.prompt();
                let mut body = json!({"from": self.from(&prompt), "prompt": prompt, "branch": self.draw.of(&BRANCHES)});
                if body["from"] == json!({}) {
                    body.as_object_mut().unwrap().remove("from");
                }
                body
            }
            "close_branch" => {
                let body = json!({"prompt": self.prompt(), "branch": self.draw.of(&BRANCHES)});
                self.if_match(body)
            }
            "set_tags" => {
                let body = json!({"prompt": self.prompt(), "tags": self.some(&["x", "y", "z"])});
                self.if_match(body)
            }
            "set_metadata" => {
                let body = json!({"prompt": self.prompt(), "metadata": {"title": self.draw.below(3)}});
                self.if_match(body)
            }
            "archive_prompt" => {
                let body = json!({"prompt": self.prompt()});
                self.if_match(body)
            }
            "restore_prompt" => {
                let mut body = json!({"prompt": self.prompt_id(true)});
                if self.draw.chance(40) {
                    body["key"] = self.draw.of(&KEYS).into();
                }
                body
            }
            "set_label" => {
                let prompt = self.prompt();
                let body = json!({"version": self.number(&prompt), "prompt": prompt, "label": self.label()});
                self.if_match(body)
            }
            "remove_label" | "roll_back_label" => {
                let prompt = self.prompt();
                let body = json!({"label": self.label_of(&prompt), "prompt": prompt});
                self.if_match(body)
            }
            "start_rollout" => {
                let prompt = self.prompt();
                json!({"label": self.label_of(&prompt), "arms": self.arms(&prompt), "prompt": prompt})
            }
            _ if kind.ends_with("_rollout") => self.rollout(kind),
            _ => self.release(kind),
        }
    }

    fn rollout(&mut self, kind: &str) -> Value {
        let (prompt, label) = self.split();
        let mut body = json!({"label": label});
        let running = self.found(&prompt).and_then(|found| found.rollouts.get(&label)).cloned();
        let mut arms = running.iter().flat_map(|running| running.arms.keys().copied());
        match kind {
            "advance_rollout" => body["arms"] = self.arms(&prompt),
            "complete_rollout" => {
                let arm = arms.nth(self.draw.below(2)).filter(|_| !self.draw.chance(20));
                body["version"] = arm.map_or_else(|| self.number(&prompt), Value::from);
            }
            _ => {}
        }
        if self.draw.chance(25) {
            let id = running.filter(|_| !self.draw.chance(20)).map(|running| running.id);
            body["rollout"] = id.unwrap_or_else(|| unknown("rol_")).into();
        }
        body["prompt"] = prompt.into();
        body
    }

    fn merge(&mut self) -> Value {
        let prompt = self.prompt();
        let mut body = json!({"prompt": prompt, "from": self.from(&prompt)});
        if self.draw.chance(30) {
            let other = self.prompt();
            body["from"] = self.from(&other);
            body["from"]["prompt"] = other.into();
        } else if body["from"] == json!({}) || self.draw.chance(60) {
            body["from"] = json!({"branch": self.other_branch_of(&prompt)});
        }
        if self.draw.chance(25) {
            body["branch"] = self.branch_of(&prompt).into();
        }
        let body = self.labels(body);
        let mut body = self.if_match(body);
        if self.draw.chance(15) {
            let resolved = self.version_for(&prompt);
            for (field, value) in resolved.as_object().unwrap() {
                body[field] = value.clone();
            }
            body["from"] = json!({"version": self.number(&prompt)});
        }
        body
    }

    fn release(&mut self, kind: &str) -> Value {
        match kind {
            "protect_label" => {
                let approvals = 1 + self.draw.below(2);
                json!({"prefix": self.prefix(), "label": self.label(), "approvals": approvals})
            }
            "unprotect_label" => match self.pick(self.model.protections.keys().cloned().collect()) {
                Some((prefix, label)) if !self.draw.chance(20) => json!({"prefix": prefix, "label": label}),
                _ => json!({"prefix": self.prefix(), "label": self.label()}),
            },
            "set_freeze" => {
                let from = self.model.now.plus_ms([-1000, 0, 3_600_000][self.draw.below(3)]);
                let until = self.model.now.plus_ms([1000, 60_000, 7_200_000, -1000, 0][self.draw.below(5)]);
                json!({"prefix": self.prefix(), "from": from.to_string(), "until": until.to_string()})
            }
            "lift_freeze" => {
                match self.pick(self.model.freezes.iter().map(|(f, w)| (f.clone(), w.prefix.clone())).collect()) {
                    Some((freeze, prefix)) => {
                        json!({"freeze": freeze, "prefix": if self.draw.chance(10) { "other/".into() } else { prefix }})
                    }
                    None => json!({"freeze": unknown("frz_"), "prefix": ""}),
                }
            }
            "request_release" => {
                let prompt = self.prompt();
                let mut body = json!({"label": self.protected_label(&prompt), "prompt": prompt});
                match self.draw.below(10) {
                    0..6 => body["version"] = self.number(&prompt),
                    6..8 => body["arms"] = self.arms(&prompt),
                    _ => body["remove"] = true.into(),
                }
                self.expiry(body, "expires_at", 20)
            }
            "approve_release" | "reject_release" | "withdraw_release" => json!({"release": self.a_release()}),
            "add_comment" => {
                let text = "well done";
                if self.draw.chance(40) {
                    return json!({"release": self.a_release(), "text": text});
                }
                let prompt = self.prompt();
                json!({"version": self.number(&prompt), "prompt": prompt, "text": text})
            }
            _ => self.access(kind),
        }
    }

    fn access(&mut self, kind: &str) -> Value {
        match kind {
            "issue_key" => {
                let mut body = if self.draw.chance(45) {
                    json!({"principal": self.principal()})
                } else {
                    let body = json!({"role": self.draw.of(&ROLES), "prefix": self.prefix()});
                    self.expiry(body, "role_expires_at", 25)
                };
                if self.draw.chance(30) {
                    body["scope"] = json!({"role": self.draw.of(&ROLES), "prefix": self.prefix()});
                }
                self.expiry(body, "expires_at", 25)
            }
            "rotate_key" => {
                let mut body = json!({"key": self.key()});
                if self.draw.chance(30) {
                    body["overlap_seconds"] = [10, 3_600][self.draw.below(2)].into();
                }
                self.expiry(body, "expires_at", 30)
            }
            "revoke_key" => json!({"key": self.key()}),
            "grant_role" => {
                let mut body = self.subject();
                (body["role"], body["prefix"]) = (self.draw.of(&ROLES).into(), self.prefix().into());
                self.expiry(body, "expires_at", 40)
            }
            "revoke_role" => {
                let mut body = self.subject();
                let of = |field: &str| body[field].as_str().unwrap_or_default();
                let of_principal = self.model.principals.get(of("principal")).map(|principal| &principal.grants);
                let held = of_principal.or(self.model.groups.get(of("group"))).cloned().unwrap_or_default();
                match self.pick(held) {
                    Some(grant) if !self.draw.chance(20) => {
                        (body["role"], body["prefix"]) = (grant.role.into(), grant.prefix.into());
                    }
                    _ => (body["role"], body["prefix"]) = (self.draw.of(&ROLES).into(), self.prefix().into()),
                }
                body
            }
            "define_role" => json!({"role": self.draw.of(&["poet", "approver"]), "actions": self.some(&ACTIONS)}),
            "configure_search" => json!({"languages": self.some(&["en", "de", "fr"])}),
            "create_group" => json!({}),
            "add_member" | "remove_member" => json!({"group": self.group(), "principal": self.principal()}),
            _ => self.identity(kind),
        }
    }

    /// Five parts of which every other one is always the same.
    fn version(&mut self, field: &str) -> Value {
        let parts = (0..5).map(|n| match n % 2 {
            0 => format!("{n}: {}", self.draw.below(3)),
            _ => format!("-- {n}"),
        });
        let parts: Vec<String> = parts.collect();
        let content = match field {
            "text" => Value::from(parts.iter().map(|line| format!("{line}\n")).collect::<String>()),
            _ => parts.iter().map(|part| json!({"role": "user", "content": part})).collect(),
        };
        let mut body = Map::from_iter([(field.to_owned(), content)]);
        let config = match self.draw.below(6) {
            0..3 => return Value::Object(body),
            3 => json!({"model": self.draw.of(&MODELS)}),
            4 => json!({"temperature": self.draw.below(3)}),
            _ => json!({"model": self.draw.of(&MODELS), "temperature": self.draw.below(3)}),
        };
        body.insert("config".into(), config);
        Value::Object(body)
    }

    /// One of the prompt's kind, nearly always.
    fn version_for(&mut self, prompt: &str) -> Value {
        let kind = self.found(prompt).map_or("text", |found| found.kind);
        let other = if kind == "text" { "messages" } else { "text" };
        let field = if self.draw.chance(4) { other } else { kind };
        self.version(field)
    }

    fn new_prompt(&mut self, mut body: Value) -> Value {
        if self.draw.chance(20) {
            body["tags"] = self.some(&["x", "y", "z"]);
        }
        if self.draw.chance(20) {
            body["metadata"] = json!({"title": self.draw.below(3)});
        }
        self.labels(body)
    }

    fn labels(&mut self, mut body: Value) -> Value {
        if self.draw.chance(25) {
            body["labels"] = if self.draw.chance(3) { json!(["latest"]) } else { self.some(&LABELS) };
        }
        body
    }

    fn if_match(&mut self, mut body: Value) -> Value {
        if self.draw.chance(20) {
            let found = self.found(body["prompt"].as_str().unwrap()).cloned();
            let pointed_to = found.as_ref().and_then(|f| f.labels.get(body["label"].as_str()?));
            let head = found.as_ref().and_then(|f| f.branches.get(body["branch"].as_str().unwrap_or("main")));
            let right = pointed_to.or(head).copied().unwrap_or_default();
            let number = if self.draw.chance(25) { 1 } else { right };
            let version = found.as_ref().and_then(|f| f.versions.get(usize::try_from(number).ok()?.checked_sub(1)?));
            body["if_match"] = version.map_or_else(|| unknown("ver_"), |version| version.id.clone()).into();
        }
        body
    }

    fn expiry(&mut self, mut body: Value, field: &str, percent: usize) -> Value {
        if self.draw.chance(percent) {
            let ms = [10_000, 3_600_000, 86_400_000, -1000, 0][self.draw.below(5)];
            let at: Timestamp = self.model.now.plus_ms(ms);
            body[field] = at.to_string().into();
        }
        body
    }

    /// Some of these, maybe none, maybe one twice.
    pub(super) fn some(&mut self, all: &[&str]) -> Value {
        let count = self.draw.below(4);
        (0..count).map(|_| Value::from(self.draw.of(all))).collect()
    }
}
