//! Who writes while processes are killed: each tenant by one client, in requests of some commands of all kinds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use promptory_tests::Client;
use serde_json::{Value, json};

use crate::meaning::Request;
use crate::plan::Numbers;

/// Commands of a request at the most.
const COMMANDS_MAX: u64 = 8;
/// What texts, titles and tags are made of.
pub(super) const WORDS: [&str; 12] = [
    "linux",
    "terminal",
    "travel",
    "guide",
    "poet",
    "lawyer",
    "teacher",
    "chess",
    "summary",
    "translate",
    "café",
    "研究方法",
];
const MODELS: [&str; 3] = ["large", "small", "tiny"];
const FOLDERS: [&str; 3] = ["team/a/", "team/b/", "other/"];

/// A tenant that is written to.
pub(super) struct Tenant {
    pub(super) name: String,
    /// Its owner's key.
    pub(super) key: String,
    /// The position that was answered last.
    end: Mutex<String>,
    commands: AtomicU64,
}

impl Tenant {
    /// Where it ends, as far as its writer knows.
    pub(super) fn end(&self) -> String {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writers at work.
pub(super) struct Load {
    tenants: Vec<Arc<Tenant>>,
    /// Held by who writes, and by who wants nobody to write.
    gate: Arc<RwLock<()>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<(), String>>>,
}

impl Load {
    /// Starts a writer for each tenant, given with its owner's key.
    pub(super) fn start(url: &str, tenants: Vec<(String, String)>, rest: Duration, seed: u64) -> Self {
        let (gate, stop) = (Arc::<RwLock<()>>::default(), Arc::<AtomicBool>::default());
        let tenant = |(key, name)| Tenant { name, key, end: Mutex::default(), commands: AtomicU64::new(0) };
        let tenants: Vec<_> = tenants.into_iter().map(|made| Arc::new(tenant(made))).collect();
        let mut threads = Vec::new();
        for (tenant, n) in tenants.iter().zip(0..) {
            let mut writer = Writer::new(tenant.clone(), Client::new(url, &tenant.key), Numbers::new(seed ^ (n << 32)));
            // Before anybody asks where it ends.
            writer.write().unwrap();
            let (gate, stop) = (gate.clone(), stop.clone());
            threads.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let writing = gate.read().unwrap_or_else(PoisonError::into_inner);
                    writer.write()?;
                    drop(writing);
                    thread::sleep(rest);
                }
                Ok(())
            }));
        }
        Self { tenants, gate, stop, threads }
    }

    pub(super) fn tenants(&self) -> &[Arc<Tenant>] {
        &self.tenants
    }

    /// Nobody writes while this is held.
    pub(super) fn rest(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all still write.
    pub(super) fn goes_on(&self) -> Result<(), String> {
        let ended = self.threads.iter().any(JoinHandle::is_finished);
        if ended { Err("a writer was told something else than that it is done".to_owned()) } else { Ok(()) }
    }

    /// Ends them; gives how many commands they wrote.
    pub(super) fn stop(self) -> Result<u64, String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| "a writer panicked".to_owned())??;
        }
        Ok(self.tenants.iter().map(|tenant| tenant.commands.load(Ordering::Relaxed)).sum())
    }
}

/// One tenant's writer.
struct Writer {
    tenant: Arc<Tenant>,
    client: Client,
    numbers: Numbers,
    /// Keys that it gave; some are of prompts that have another one now, or are archived.
    keys: Vec<String>,
    made: u64,
}

impl Writer {
    fn new(tenant: Arc<Tenant>, client: Client, numbers: Numbers) -> Self {
        Self { tenant, client, numbers, keys: Vec::new(), made: 0 }
    }

    /// One request. A command that is refused, such as one about an archived prompt, is an answer like others.
    fn write(&mut self) -> Result<(), String> {
        let commands: Vec<_> = (0..=self.numbers.below(COMMANDS_MAX)).map(|_| self.command()).collect();
        let (body, path) = (json!({"commands": commands}), "/v1/commands");
        let request = Request { method: "POST", path, idempotency_key: None, body: Some(&body), good: 200 };
        let answer = request.until_done(&self.client)?;
        let results = answer.json["results"].as_array().cloned().unwrap_or_default();
        let mut positions = results.iter().filter_map(|result| result["position"].as_str());
        if let Some(last) = positions.next_back() {
            last.clone_into(&mut self.tenant.end.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.tenant.commands.fetch_add(results.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn one_of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[usize::try_from(self.numbers.below(all.len() as u64)).unwrap()]
    }

    fn words(&mut self, count: u64) -> String {
        let words: Vec<_> = (0..count).map(|_| self.one_of(&WORDS)).collect();
        words.join(" ")
    }

    fn new_key(&mut self) -> String {
        self.made += 1;
        let key = format!("{}{}-{}", self.one_of(&FOLDERS), self.one_of(&WORDS), self.made);
        self.keys.push(key.clone());
        key
    }

    fn command(&mut self) -> Value {
        let kind = if self.keys.is_empty() { 0 } else { self.numbers.below(16) };
        if kind < 3 {
            let (key, text, title, tag) = (self.new_key(), self.words(12), self.words(2), self.words(1));
            let config = json!({"model": self.one_of(&MODELS)});
            return json!({"type": "create_prompt", "key": key, "text": text, "config": config, "labels": ["production"],
                "tags": [tag], "metadata": {"title": title}, "message": "made"});
        }
        let prompt = self.keys[usize::try_from(self.numbers.below(self.keys.len() as u64)).unwrap()].clone();
        match kind {
            3 => json!({"type": "rename_prompt", "prompt": prompt, "key": self.new_key()}),
            4 => json!({"type": "archive_prompt", "prompt": prompt}),
            5 => json!({"type": "restore_prompt", "prompt": prompt}),
            6 => {
                json!({"type": "set_label", "prompt": prompt, "label": "production", "version": 1 + self.numbers.below(3)})
            }
            7 => json!({"type": "set_tags", "prompt": prompt, "tags": [self.words(1)]}),
            8 => json!({"type": "set_metadata", "prompt": prompt, "metadata": {"title": self.words(3)}}),
            9 => json!({"type": "create_branch", "prompt": prompt, "branch": "try", "from": {"version": 1}}),
            _ => json!({"type": "add_version", "prompt": prompt, "text": self.words(12), "message": self.words(1)}),
        }
    }
}
