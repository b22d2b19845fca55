//! Random commands by random principals on one replica and on two, with crashes, repeats and reordering, against the plainest
//! possible model: the same is accepted, the same is refused with the same code, and the ledger folds to the same state. In
//! the end the access model is asked who could do what after each event, and the law is checked over all that was written.
//!
//! `PROMPTORY_COMMANDS` says how many commands; what fails is kept in `proptest-regressions/model.txt` and tried first.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod compare;
mod draw;
#[allow(dead_code, reason = "the tests of tokens ask more of it")]
#[path = "../../platform/identity/src/tests/issuer.rs"]
mod issuer;
mod plain;
mod why;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use tokio::runtime::{Builder, Runtime};

use draw::KINDS;
use plain::{Call, OPERATOR};
use serde_json::json;
use world::{Comeback, Sent, World};

/// How many commands a tenant gets.
const COMMANDS: usize = 500;
/// Where failing seeds are kept.
const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/model.txt");

/// The events that a tenant's commands lead to.
const EVENTS: [&str; 51] = [
    "principal.added",
    "role.granted",
    "role.revoked",
    "key.issued",
    "key.revoked",
    "prompt.created",
    "version.added",
    "prompt.renamed",
    "tags.set",
    "metadata.set",
    "prompt.archived",
    "prompt.restored",
    "label.set",
    "label.removed",
    "command.unchanged",
    "branch.created",
    "branch.closed",
    "role.defined",
    "group.created",
    "member.added",
    "member.removed",
    "label.protected",
    "label.unprotected",
    "freeze.set",
    "freeze.lifted",
    "freeze.overridden",
    "release.requested",
    "release.approved",
    "release.rejected",
    "release.withdrawn",
    "release.executed",
    "label.rolled-back",
    "rollout.started",
    "rollout.advanced",
    "rollout.paused",
    "rollout.resumed",
    "rollout.rolled-back",
    "rollout.completed",
    "comment.added",
    "search.configured",
    "issuer.trusted",
    "issuer.distrusted",
    "issuer.linked",
    "claim.mapped",
    "claim.unmapped",
    "session.revoked",
    "user.set",
    "user.removed",
    "group.set",
    "group.removed",
    "quota.set",
];

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// What operators do with which tenants, of which some are never made.
const OPERATIONS: [&str; 3] = ["create_tenant", "suspend_tenant", "resume_tenant"];
const TENANTS: [&str; 3] = ["beta", "acme", "gamma"];

/// A command before it is known what is there.
type Raw = (&'static str, [u16; 32]);

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// One command.
    One(u8, bool, Raw),
    /// Requests at the same time, each with its commands.
    Many(Vec<(u8, Vec<(bool, Raw)>)>),
    /// One request whose commands are done together or not at all.
    Together(u8, Vec<Raw>),
    /// Commands that were sent before are sent again, with a new one at the same time.
    Again(Vec<(u8, u16)>, Raw),
    /// Commands under which a replica dies.
    Crash(u8, Vec<Raw>, u8),
    /// A replica is started anew.
    Restart(u8, Comeback),
    /// Time passes.
    Wait(i64),
    /// An operator does something with a tenant.
    Operate(u8, &'static str, &'static str),
}

fn raw() -> impl Strategy<Value = Raw> {
    let kinds = KINDS.iter().map(|(weight, kind)| (*weight, Just(*kind)));
    (Union::new_weighted(kinds.collect()), any::<[u16; 32]>())
}

fn step() -> impl Strategy<Value = Step> {
    let comebacks = prop_oneof![Just(Comeback::Bare), Just(Comeback::OldSnapshot), Just(Comeback::Closed)];
    let request = (any::<u8>(), vec((any::<bool>(), raw()), 1..=3));
    prop_oneof![
        60 => (any::<u8>(), any::<bool>(), raw()).prop_map(|(replica, keyed, raw)| Step::One(replica, keyed, raw)),
        12 => vec(request, 2..=4).prop_map(Step::Many),
        6 => (any::<u8>(), vec(raw(), 1..=4)).prop_map(|(replica, raws)| Step::Together(replica, raws)),
        6 => (vec((any::<u8>(), any::<u16>()), 1..=3), raw()).prop_map(|(again, raw)| Step::Again(again, raw)),
        3 => (any::<u8>(), vec(raw(), 1..=3), 0..40u8).prop_map(|(replica, raws, yields)| Step::Crash(replica, raws, yields)),
        2 => (any::<u8>(), comebacks).prop_map(|(replica, how)| Step::Restart(replica, how)),
        3 => (any::<u8>(), select(&OPERATIONS), select(&TENANTS)).prop_map(|(replica, what, tenant)| Step::Operate(replica, what, tenant)),
        6 => select(vec![1, 1_000, 20_000, 3_600_000, 86_400_000]).prop_map(Step::Wait),
    ]
}

/// A tenant's life in a world of its own, and how many commands were sent.
struct Life {
    world: World,
    sent: usize,
}

impl Life {
    fn call(&mut self, (kind, draws): &Raw, keyed: bool) -> Call {
        self.sent += 1;
        let idempotency_key = keyed.then(|| format!("k{}", self.sent));
        self.world.make(kind, draws, idempotency_key)
    }

    fn replica(&self, raw: u8) -> usize {
        usize::from(raw) % self.world.replicas()
    }

    /// A tenant that is suspended is resumed before every third step: nothing but refusals would come of it.
    async fn goes_on(&mut self, n: usize) {
        if n.is_multiple_of(3) && self.world.model.suspended() {
            self.world.operate(0, json!({"type": "resume_tenant", "tenant": "acme"})).await;
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::One(replica, keyed, raw) => {
                let calls = vec![self.call(raw, *keyed)];
                let replica = self.replica(*replica);
                self.world.send(vec![Sent { replica, calls }]).await;
            }
            Step::Many(requests) => {
                let sent = requests.iter().map(|(replica, raws)| {
                    let calls = raws.iter().map(|(keyed, raw)| self.call(raw, *keyed)).collect();
                    Sent { replica: self.replica(*replica), calls: one_callers(calls) }
                });
                let sent = sent.collect();
                self.world.send(sent).await;
            }
            Step::Together(replica, raws) => {
                let mut calls: Vec<Call> = raws.iter().map(|raw| self.call(raw, false)).collect();
                calls.retain(|call| call.key != OPERATOR); // who does his at another door
                if calls.is_empty() {
                    return;
                }
                let replica = self.replica(*replica);
                self.world.send_together(replica, one_callers(calls)).await;
            }
            Step::Again(again, raw) => {
                let mut new = self.call(raw, true);
                // Now and then it has another's idempotency key, or its own caller's of before.
                if let Some(other) = again.first().and_then(|(_, which)| self.world.repeated(usize::from(*which)))
                    && raw.1[31] % 3 == 2
                    && [&other.key, &new.key].iter().all(|key| *key != OPERATOR)
                {
                    new = Call { body: new.body, ..other };
                }
                let mut sent = vec![Sent { replica: 0, calls: vec![new] }];
                for (replica, which) in again {
                    let repeated = self.world.repeated(usize::from(*which));
                    sent.extend(repeated.map(|call| Sent { replica: self.replica(*replica), calls: vec![call] }));
                }
                self.sent += sent.len() - 1;
                self.world.send(sent).await;
            }
            Step::Crash(replica, raws, yields) => {
                let calls = raws.iter().map(|raw| self.call(raw, true)).collect();
                let replica = self.replica(*replica);
                self.world.send_and_crash(replica, calls, usize::from(*yields)).await;
            }
            Step::Restart(replica, how) => self.world.restart(self.replica(*replica), *how).await,
            Step::Wait(ms) => self.world.wait(*ms),
            Step::Operate(replica, what, tenant) => {
                self.world.operate(self.replica(*replica), json!({"type": what, "tenant": tenant})).await;
            }
        }
    }
}

/// One request is one caller's: that of its first command.
fn one_callers(mut calls: Vec<Call>) -> Vec<Call> {
    if calls[0].key == OPERATOR {
        calls.truncate(1); // nothing else is an operator's
    }
    let (key, forged) = (calls[0].key.clone(), calls[0].forged);
    calls.iter_mut().for_each(|call| (call.key, call.forged) = (key.clone(), forged));
    calls
}

/// How often each command got each answer: what a run has met is seen in what it prints.
static ANSWERS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

async fn live(two: bool, steps: Vec<Option<Step>>) {
    let mut life = Life { world: World::new(if two { 2 } else { 1 }).await, sent: 0 };
    life.world.found().await;
    for (n, step) in steps.iter().flatten().enumerate() {
        life.world.needs_an_owner().await;
        life.goes_on(n).await;
        life.step(step).await;
        if life.sent >= COMMANDS {
            break;
        }
    }
    let answers: Vec<String> = life.world.told().iter().filter_map(|told| answer(told)).collect();
    life.world.needs_an_owner().await;
    life.goes_on(0).await;
    life.world.explained().await;
    life.world.lawful().await;
    let mut counted = ANSWERS.lock().unwrap();
    answers.into_iter().for_each(|answer| *counted.entry(answer).or_default() += 1);
}

/// Which command got which answer in what was told: without numbers, repeats apart.
fn answer(told: &str) -> Option<String> {
    let (command, answer) = told.rsplit_once(" -> ")?;
    let command = command.split(' ').next().unwrap_or_default();
    if answer.starts_with("replayed") {
        return Some(format!("{command}: what was done before"));
    }
    let words = answer.split([' ', ',']).filter(|word| !word.is_empty() && !word.bytes().all(|b| b.is_ascii_digit()));
    let words: Vec<_> = words.collect();
    Some(format!("{command}: {}", if words.is_empty() { "nothing to do".into() } else { words.join(" ") }))
}

#[test]
fn the_command_service_does_what_the_plainest_model_does() {
    let commands = std::env::var("PROMPTORY_COMMANDS").ok().map(|count| count.parse().unwrap());
    let commands: usize = commands.unwrap_or(10_000);
    let cases = u32::try_from(commands.div_ceil(COMMANDS)).unwrap();
    let config = Config {
        cases,
        max_shrink_time: 300_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))),
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    // A step that is left out is what shrinking tries first.
    let lives = (any::<bool>(), vec(weighted(0.99, step()), COMMANDS));
    // Each try of the shrinking would say all; the first failure does, and the plainest one is in the end.
    let (hook, failed) = (std::panic::take_hook(), AtomicBool::new(false));
    std::panic::set_hook(Box::new(move |info| {
        if !failed.swap(true, Ordering::SeqCst) {
            hook(info);
        }
    }));
    let result = runner.run(&lives, |(two, steps)| {
        RUNTIME.block_on(live(two, steps));
        Ok(())
    });
    drop(std::panic::take_hook());
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let answers = ANSWERS.lock().unwrap();
    let count: usize = answers.values().sum();
    for (answer, times) in answers.iter() {
        println!("{times:7} {answer}");
    }
    println!("{count} answers of {cases} tenants, each as the model has it; 0 violations of the law");
    assert!(count >= commands, "{count} answers");
}
