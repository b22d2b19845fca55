//! Another kind of writer: clients over HTTP with idempotency keys, and readers that know what must be there.
//!
//! A client has two command processes. After no answer, or one that says "later", it sends the same with the same key to the
//! other one, until it is acknowledged. Any other answer is wrong, and so is one that is not what was said before.

mod reader;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use promptory_tests::{Answer, Client};
use serde_json::{Value, json};

use crate::meaning::{ANSWERED_WITHIN, Request};
use crate::oracle::Oracle;
use crate::processes::{Door, Processes};
use reader::Reader;
use writer::Writer;

/// The prompt that all write, in each tenant.
const PROMPT: &str = "hot";
/// The tenant whose one prompt many write.
const HOT: &str = "hot";
const LOOK: Duration = Duration::from_millis(2);

/// How many do what.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients that write one prompt of one tenant.
    pub hot: usize,
    /// Clients that write one prompt in each of the other tenants.
    pub spread: usize,
    /// The other tenants.
    pub tenants: usize,
    /// Who only reads.
    pub readers: usize,
    /// How long each rests between two requests.
    pub rest: Duration,
}

/// A tenant, what its owner shows, and the last that was acknowledged in it.
#[derive(Debug)]
pub struct Tenant {
    /// Its name: also the oracle's line.
    pub name: String,
    key: String,
    last: Mutex<Option<Known>>,
}

/// What everybody who asks must be told from now on.
#[derive(Clone, Debug)]
struct Known {
    /// The version's number.
    number: u64,
    /// Its event's index.
    index: u64,
    position: String,
    text: String,
}

impl Tenant {
    /// Its owner's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    fn last(&self) -> Option<Known> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn acknowledged(&self, known: Known) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| last.number < known.number) {
            *last = Some(known);
        }
    }
}

/// Makes the tenants with their prompt: the hot one, and as many others.
///
/// # Panics
/// One can't be made.
#[must_use]
pub fn tenants(processes: &Processes, others: usize) -> Vec<Arc<Tenant>> {
    let operator = Client::new(&processes.commands()[0].url(), &processes.operator());
    let names = std::iter::once(HOT.to_owned()).chain((0..others).map(|n| format!("t{n}")));
    let made = names.map(|name| {
        let key = made(&operator, &name).unwrap();
        Arc::new(Tenant { name, key, last: Mutex::default() })
    });
    made.collect()
}

/// Makes a tenant and its prompt, however often a busy machine says "later". Gives its owner's key.
///
/// # Errors
/// It is refused.
pub fn made(operator: &Client, name: &str) -> Result<String, String> {
    let mut made = post(operator, "/v1/tenants", Some(name), &json!({"tenant": name}))?;
    if made.json["key"].is_null() {
        // It was done, and the answer that showed the key was "later": another owner, then.
        made = post(operator, &format!("/v1/tenants/{name}/owners"), None, &json!({}))?;
    }
    let key = made.json["key"].as_str().ok_or_else(|| format!("{name} has no owner: {made:?}"))?.to_owned();
    post(&operator.with_key(&key), "/v1/prompts", Some(PROMPT), &json!({"key": PROMPT, "text": ""}))?;
    Ok(key)
}

fn post(client: &Client, path: &str, idempotency_key: Option<&str>, body: &Value) -> Result<Answer, String> {
    Request { method: "POST", path, idempotency_key, body: Some(body), good: 201 }.until_done(client)
}

/// What all clients share.
struct Common {
    oracle: Arc<Oracle>,
    /// One or more.
    commands: Vec<Door>,
    query: Door,
    /// The hot one first.
    tenants: Vec<Arc<Tenant>>,
    rest: Duration,
    stop: AtomicBool,
    resting: AtomicBool,
    busy: AtomicUsize,
    counted: Counted,
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Counted {
    hot: AtomicU64,
    spread: AtomicU64,
    reads: AtomicU64,
    again: AtomicU64,
}

/// The same, at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Writes to the hot prompt that were acknowledged.
    pub hot: u64,
    /// Writes to the others that were acknowledged.
    pub spread: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Requests that got no answer, or one that said "later".
    pub again: u64,
}

/// Clients at work.
pub struct Clients {
    common: Arc<Common>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Starts them. `commands`: where they write, by turns their first choice.
    #[must_use]
    pub fn start(
        shape: Shape,
        commands: Vec<Door>,
        query: Door,
        tenants: Vec<Arc<Tenant>>,
        oracle: &Arc<Oracle>,
    ) -> Self {
        let common = Arc::new(Common {
            oracle: oracle.clone(),
            commands,
            query,
            tenants,
            rest: shape.rest,
            stop: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            counted: Counted::default(),
        });
        let mut threads = Vec::new();
        if shape.hot > 0 {
            oracle.expect(HOT);
        }
        if shape.spread > 0 {
            common.tenants[1..].iter().for_each(|tenant| oracle.expect(&tenant.name));
        }
        for n in 0..shape.hot + shape.spread {
            let writer = Writer::new(common.clone(), n, n >= shape.hot);
            threads.push(thread::spawn(move || writer.run()));
        }
        for n in 0..shape.readers {
            let reader = Reader::new(common.clone(), n, shape.readers);
            threads.push(thread::spawn(move || reader.run()));
        }
        Self { common, threads }
    }

    /// Lets everybody finish what they began, and rest until [`Clients::resume`].
    pub fn pause(&self) {
        self.common.resting.store(true, Ordering::SeqCst);
        while self.common.busy.load(Ordering::SeqCst) > 0 {
            thread::sleep(LOOK);
        }
    }

    /// Everybody goes on.
    pub fn resume(&self) {
        self.common.resting.store(false, Ordering::SeqCst);
    }

    /// Lets everybody finish what they began, and ends them.
    ///
    /// # Panics
    /// One of them has.
    pub fn stop(self) -> Counts {
        self.common.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a client does not panic");
        }
        self.common.counts()
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.common.counts()
    }
}

impl Common {
    fn counts(&self) -> Counts {
        let Counted { hot, spread, reads, again } = &self.counted;
        let [hot, spread, reads, again] = [hot, spread, reads, again].map(|count| count.load(Ordering::Relaxed));
        Counts { hot, spread, reads, again }
    }

    /// Does something again and again, with rests, until it is told to stop.
    fn repeat(&self, mut what: impl FnMut()) {
        while !self.stop.load(Ordering::SeqCst) {
            self.busy.fetch_add(1, Ordering::SeqCst);
            let works = !self.resting.load(Ordering::SeqCst);
            if works {
                what();
            }
            self.busy.fetch_sub(1, Ordering::SeqCst);
            let rest = if works { self.rest } else { LOOK };
            if !rest.is_zero() {
                thread::sleep(rest);
            }
        }
    }
}
