//! Who writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use promptory_tests::{Answer, Client};
use serde_json::json;

use super::{ANSWERED_WITHIN, Common, Known, PROMPT, Tenant};
use crate::meaning::Meaning;
use crate::walk::of_command;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Between the tenants that two clients begin with: they are soon spread over all.
const STRIDE: usize = 3;
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Who did not answer is asked last for so long.
const AVOIDED: Duration = Duration::from_secs(3);
/// What was acknowledged is sent once more after each such number of writes.
const REPEATS_EVERY: u64 = 16;

pub(super) struct Writer {
    common: Arc<Common>,
    client: Client,
    n: usize,
    /// Whether it writes the other tenants, and not the hot one.
    spreads: bool,
    /// For each process, when it last did not answer.
    silent: Vec<Option<Instant>>,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    command: String,
    number: u64,
    index: u64,
    position: String,
}

impl Told {
    fn of(answer: &Answer) -> Option<Self> {
        let json = &answer.json;
        let added = json["events"].as_array()?.iter().find(|event| event["type"] == "version.added")?;
        Some(Self {
            command: json["command_id"].as_str()?.to_owned(),
            number: json["version"]["number"].as_u64()?,
            index: added["index"].as_u64()?,
            position: json["position"].as_str()?.to_owned(),
        })
    }
}

impl Writer {
    pub(super) fn new(common: Arc<Common>, n: usize, spreads: bool) -> Self {
        let silent = vec![None; common.commands.len()];
        Self { common, client: Client::with_patience("", "", Some(ANSWERED_WITHIN)), n, spreads, silent }
    }

    pub(super) fn run(mut self) {
        let (common, mut count) = (self.common.clone(), 0);
        common.repeat(|| {
            self.write(count);
            count += 1;
        });
    }

    /// One tenant after another, each client from another one on: each is written by all, at both processes.
    fn tenant(&self, count: u64) -> Arc<Tenant> {
        let others = self.common.tenants.len() - 1;
        let place = if self.spreads { 1 + (self.n * STRIDE + usize::try_from(count).unwrap()) % others } else { 0 };
        self.common.tenants[place].clone()
    }

    /// Where it asks first: at one of the processes always, unless that did not answer lately.
    fn first(&self) -> usize {
        let first = self.n % self.common.commands.len();
        let avoided = self.silent[first].is_some_and(|at| at.elapsed() < AVOIDED);
        if avoided { first + 1 } else { first }
    }

    fn write(&mut self, count: u64) {
        let (tenant, text) = (self.tenant(count), format!("{}/{count}", self.n));
        let began = Instant::now();
        let first = self.first();
        let tenant = tenant.as_ref();
        let Some(answer) = self.until_acknowledged(tenant, &text, first) else { return };
        let Some(told) = Told::of(&answer) else {
            return self.common.oracle.wrong(format!("{text} in {}: {answer:?}", tenant.name));
        };
        let Told { number, index, ref position, ref command } = told;
        let Ok(id) = command.parse() else {
            return self.common.oracle.wrong(format!("{text} in {}: {answer:?}", tenant.name));
        };
        let place = (index, u32::try_from(number).ok());
        self.common.oracle.acknowledged(&tenant.name, of_command(id), place, began);
        tenant.acknowledged(Known { number, index, position: position.clone(), text: text.clone() });
        let counted = &self.common.counted;
        let of_ours = if self.spreads { &counted.spread } else { &counted.hot };
        of_ours.fetch_add(1, Ordering::Relaxed);
        if count % REPEATS_EVERY == REPEATS_EVERY - 1 {
            self.repeat(tenant, &text, &told);
        }
    }

    /// The same key again, at the other process: the same answer, and it says that it is a repetition.
    fn repeat(&mut self, tenant: &Tenant, text: &str, told: &Told) {
        let other = (self.n + 1) % self.common.commands.len();
        let Some(answer) = self.until_acknowledged(tenant, text, other) else { return };
        if Told::of(&answer).as_ref() != Some(told) || answer.header("idempotency-replayed") != "true" {
            self.common.oracle.wrong(format!("{text} in {} was {told:?} and is now {answer:?}", tenant.name));
        }
    }

    /// Sends until there is an answer that says that it is done. `None`: it was something else, and the oracle knows.
    fn until_acknowledged(&mut self, tenant: &Tenant, text: &str, first: usize) -> Option<Answer> {
        let (path, body) = (format!("/v1/prompts/{PROMPT}/versions"), json!({"text": text}));
        let client = self.client.with_key(&tenant.key);
        let mut pause = FIRST_PAUSE;
        for at in (0..self.common.commands.len()).cycle().skip(first) {
            let client = client.at(&self.common.commands[at].url());
            let answer = client.try_send("POST", &path, &[("idempotency-key", text)], Some(&body));
            self.silent[at] = answer.is_err().then(Instant::now);
            match Meaning::of(answer, 201) {
                Meaning::Done(answer) => return Some(answer),
                Meaning::Later(what) => {
                    self.common.oracle.later(&tenant.name, format!("c{}: {what}", at + 1));
                    self.common.counted.again.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Meaning::Wrong(what) => {
                    self.common.oracle.wrong(format!("{text} in {}: {what}", tenant.name));
                    return None;
                }
            }
        }
        None
    }
}
