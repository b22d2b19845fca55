//! The real thing against a computation over all records: with stretches that end, with the store deleted after the records have
//! expired, with two that make rollups at once.

use std::time::Duration;

use bytes::Bytes;
use promptory_events::{PromptId, TenantId, Timestamp};
use promptory_ledger::UsageLog;
use promptory_ledger::usage::FileLog;
use promptory_platform::Clock;
use promptory_usage::query::{Dimension, Filter, Order, Question, Told};
use promptory_usage::{Batch, Execution, OutcomeRecord, Record, Score, ScoreValue, page};
use tempfile::TempDir;

use super::*;

const KEEP: Duration = Duration::from_secs(24 * 3600);
const ROLLUP: Duration = Duration::from_secs(60);
const START: i64 = 1_700_000_000_000_000;

struct World {
    folder: TempDir,
    log: UsageLog,
    clock: Clock,
    tenant: TenantId,
    sent: Vec<Record>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = UsageLog::File(FileLog::open(&folder.path().join("usage.redb"), KEEP).unwrap());
        let clock = Clock::manual(Timestamp::from_micros(START));
        Self { folder, log, clock, tenant: "acme".parse().unwrap(), sent: Vec::new() }
    }

    fn view(&self, name: &str) -> Analytics {
        Analytics::new(self.folder.path().join(name), self.log.clone(), self.clock.clone(), ROLLUP, 64)
    }

    async fn send(&mut self, records: Vec<Record>) {
        let batch = Batch { received_at: self.clock.now(), records: records.clone() };
        self.log.append(&self.tenant, batch.received_at, batch.encode().into()).await.unwrap();
        self.sent.extend(records);
    }

    /// Some records at this time: late ones, repeats and outcomes among them.
    async fn send_some(&mut self, round: u64) {
        let now = self.clock.now();
        let records = (0..50_u64).map(|number| {
            let (seed, id) = (round * 50 + number, format!("e{}", (round * 50 + number) / 2 * 2 % 900));
            let late = i64::try_from(seed * 7919 % 200_000).unwrap() * 1000;
            Record::Execution(execution(&id, seed, now.plus_ms(-late)))
        });
        let outcomes = (0..10_u64).map(|number| {
            let execution = format!("e{}", (round * 31 + number * 17) % 900);
            let scores = vec![Score { name: "liked".into(), value: ScoreValue::Boolean(number % 3 == 0) }];
            let (id, occurred_at) = (format!("o{}", round * 7 + number), now);
            Record::Outcome(OutcomeRecord { id, execution, prompt: None, occurred_at, scores })
        });
        self.send(records.chain(outcomes).collect()).await;
    }

    /// The executions that count, and how often each was liked.
    fn truth(&self) -> Vec<(Execution, u64)> {
        let mut seen = std::collections::BTreeSet::new();
        let first: Vec<&Record> = self.sent.iter().filter(|record| seen.insert(record.id().to_owned())).collect();
        let liked = |id: &str| {
            let about = |record: &&&Record| matches!(record, Record::Outcome(o) if o.execution == id && o.scores[0].value == ScoreValue::Boolean(true));
            first.iter().filter(about).count() as u64
        };
        let runs = first.iter().filter_map(|record| match record {
            Record::Execution(run) => Some((run.clone(), liked(&run.id))),
            Record::Outcome(_) | Record::Searches(_) => None,
        });
        runs.collect()
    }

    fn check(&self, told: &Told, question: &Question) {
        let (from, to) = (i64::from(question.from) * 60_000_000, i64::from(question.to) * 60_000_000);
        let truth: Vec<_> =
            self.truth().into_iter().filter(|(run, _)| (from..to).contains(&run.occurred_at.micros())).collect();
        let sum = |of: &dyn Fn(&Execution) -> u64| truth.iter().map(|(run, _)| u128::from(of(run))).sum::<u128>();
        let all = |of: &dyn Fn(&promptory_usage::query::Measures) -> u128| {
            told.groups.iter().map(|group| of(&group.measures)).sum::<u128>()
        };
        assert_eq!(all(&|m| m.count.into()), truth.len() as u128);
        assert_eq!(all(&|m| m.cost_nanos), sum(&|run| run.cost_nanos.unwrap_or(0)));
        assert_eq!(all(&|m| m.errors.into()), sum(&|run| u64::from(run.error.is_some())));
        assert_eq!(all(&|m| m.input_tokens.into()), sum(&|run| run.input_tokens.unwrap_or(0)));
        let liked: u64 = truth.iter().map(|(_, liked)| liked).sum();
        assert_eq!(all(&|m| m.scores.get("liked").map_or(0, |s| s.yes).into()), u128::from(liked));
    }
}

fn execution(id: &str, seed: u64, occurred_at: Timestamp) -> Execution {
    Execution {
        id: id.to_owned(),
        prompt: PromptId([u8::try_from(seed % 5).unwrap(); 16]),
        version: 1 + u32::try_from(seed % 3).unwrap(),
        label: seed.is_multiple_of(2).then(|| "production".to_owned()),
        arm: None,
        model: Some(format!("m{}", seed % 4)),
        caller: Some(format!("c{}", seed % 11)),
        occurred_at,
        latency_us: Some(seed * 1_237 % 900_000),
        input_tokens: Some(seed % 1000),
        output_tokens: Some(3),
        cost_nanos: Some(seed * 31),
        error: seed.is_multiple_of(10).then(|| "timeout".to_owned()),
        scores: Vec::new(),
        trace: seed.is_multiple_of(3).then(|| format!("t{}", seed % 20)),
    }
}

/// Questions of every kind: with and without callers, by minutes, hours and days, of parts of the time.
fn questions() -> Vec<Question> {
    let start = u32::try_from(START / 60_000_000).unwrap();
    let steps = [None, Some(page::Grain::Minute), Some(page::Grain::Hour), Some(page::Grain::Day)];
    let ranges = [(start - 300, start + 200), (start - 100, start - 3), (start - 1, start + 30)];
    let by: [&[Dimension]; 3] =
        [&[], &[Dimension::Prompt, Dimension::Version], &[Dimension::Caller, Dimension::Model, Dimension::Label]];
    let mut all = Vec::new();
    for step in steps {
        for (from, to) in ranges {
            for by in by {
                let group_by = by.iter().copied().collect();
                let (filter, order) = (Filter::default(), Order::Count);
                all.push(Question { from, to, step, group_by, filter, order, top: None });
            }
        }
    }
    all
}

async fn answers(view: &Analytics, world: &World) -> Vec<Told> {
    let mut all = Vec::new();
    for question in questions() {
        let told = view.answer(&world.tenant, Scope::All, question.clone()).await.unwrap();
        world.check(&told, &question);
        all.push(told);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_the_same_once_the_records_have_expired_and_the_store_is_deleted() {
    let mut world = World::new();
    let view = world.view("a");
    for round in 0..24 {
        world.send_some(round).await;
        world.clock.advance_ms(20_000); // every third time a stretch is old
        if round % 2 == 0 {
            view.desk(&world.tenant).catch_up(&view.inner).await.unwrap();
        }
    }
    let during = answers(&view, &world).await;
    assert!(world.log.rollups(&world.tenant, 0).await.unwrap().len() >= 4, "some of it is in rollups, some is not");
    let fresh = world.view("b");
    assert_eq!(answers(&fresh, &world).await, during, "made anew beside it, with the records still there");
    fresh.close().await;

    world.clock.advance_ms(120_000);
    view.desk(&world.tenant).catch_up(&view.inner).await.unwrap();
    world.clock.advance_ms(4 * 24 * 3_600_000);
    assert_eq!(world.log.expire(world.clock.now()).await.unwrap(), 24, "all records are gone");
    assert_eq!(answers(&view, &world).await, during);
    view.close().await;
    std::fs::remove_dir_all(world.folder.path().join("a")).unwrap();
    let anew = world.view("a");
    assert_eq!(answers(&anew, &world).await, during);

    // And it goes on.
    world.send_some(100).await;
    let _ = answers(&anew, &world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_that_found_nothing_are_told_for_as_long_as_records_are_kept_and_by_whatever_store() {
    let world = World::new();
    let (view, tenant) = (world.view("a"), &world.tenant);
    let today = promptory_usage::searches::day(world.clock.now());
    for round in 0..6 {
        for text in ["often", "often", "now and then"].into_iter().take(if round % 2 == 0 { 3 } else { 2 }) {
            view.nothing_found(tenant, text, round == 0);
        }
        view.inner.gathered.send(&world.log, &world.clock).await;
        world.clock.advance_ms(25_000); // every third time a stretch is old
        view.desk(tenant).catch_up(&view.inner).await.unwrap();
    }
    assert!(!world.log.rollups(tenant, 0).await.unwrap().is_empty(), "some of it is behind a rollup");
    view.nothing_found(tenant, "often", false);
    let days = today - 5..=today + 5;
    let (first, told) = view.searches(tenant, days.clone(), 10).await.unwrap();
    assert_eq!(first, today, "a day is kept here");
    let counts: Vec<_> =
        told.texts.iter().map(|one| (one.text.as_str(), one.count.searches, one.count.filtered)).collect();
    assert_eq!(counts, [("often", 13, 2), ("now and then", 3, 1)]);
    assert_eq!((told.total.searches, told.total.filtered, told.others.searches, told.of), (16, 3, 0, 2));
    let fresh = world.view("b");
    assert_eq!(fresh.searches(tenant, days.clone(), 10).await.unwrap().1, told, "made anew beside it");
    // One that was sent twice, because its answer was lost, counts once.
    let page = world.log.read(tenant, 0).await.unwrap();
    world.log.append(tenant, world.clock.now(), page[0].bytes.clone()).await.unwrap();
    assert_eq!(view.searches(tenant, days.clone(), 10).await.unwrap().1, told);
    world.clock.advance_ms(24 * 3_600_000);
    assert_eq!(view.searches(tenant, days, 10).await.unwrap(), (today + 1, promptory_usage::searches::Told::default()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_not_be_counted_is_told_of_until_it_can() {
    let world = World::new();
    let (view, mut looked) = (world.view("a"), HashMap::new());
    let bytes = Bytes::from_static(b"no records");
    world.log.append(&world.tenant, world.clock.now(), bytes).await.unwrap();
    view.look(&[0], 1, &mut looked, true).await;
    let failing = view.failing();
    assert_eq!(failing.iter().map(|(tenant, _)| tenant).collect::<Vec<_>>(), [&world.tenant]);
    assert!(failing[0].1.contains("entry 1"), "{}", failing[0].1);
    let later = world.clock.now().plus_ms(4 * 24 * 3_600_000);
    assert_eq!(world.log.expire(later).await.unwrap(), 1);
    view.look(&[0], 1, &mut looked, true).await;
    assert_eq!(view.failing(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_make_rollups_at_once_say_the_same() {
    let mut world = World::new();
    let (one, two) = (world.view("one"), world.view("two"));
    for round in 0..20 {
        world.send_some(round).await;
        world.clock.advance_ms(25_000);
        let (a, b) = (one.desk(&world.tenant), two.desk(&world.tenant));
        let (a, b) = tokio::join!(a.catch_up(&one.inner), b.catch_up(&two.inner));
        a.and(b).unwrap();
    }
    let said = answers(&one, &world).await;
    assert_eq!(answers(&two, &world).await, said);
    one.close().await;
    assert_eq!(answers(&one, &world).await, said, "opened again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_damaged_or_of_another_log_begins_anew() {
    let mut world = World::new();
    let view = world.view("a");
    for round in 0..5 {
        world.send_some(round).await;
        world.clock.advance_ms(40_000);
        view.desk(&world.tenant).catch_up(&view.inner).await.unwrap();
    }
    let said = answers(&view, &world).await;
    view.close().await;
    let file = world.folder.path().join("a/acme/analytics-1/view.redb");
    std::fs::write(&file, b"nothing of worth").unwrap();
    assert_eq!(answers(&view, &world).await, said);
    view.close().await;

    // Another life of the log: as after a restore, with the rollups and nothing else.
    let other = UsageLog::File(FileLog::open(&world.folder.path().join("other.redb"), KEEP).unwrap());
    let (mut last, mut rolled) = (0, 0);
    for rollup in world.log.rollups(&world.tenant, 0).await.unwrap() {
        last = other.append_rollup(&world.tenant, last, rollup.bytes).await.unwrap();
        rolled += 1;
    }
    assert!(rolled > 0);
    let before = world.sent.len();
    world.log = other;
    world.send(vec![Record::Execution(execution("new", 1, world.clock.now()))]).await;
    let restored = world.view("a");
    let question = Question { from: 0, to: u32::MAX / 2, step: None, ..questions()[0].clone() };
    let told = restored.answer(&world.tenant, Scope::All, question.clone()).await.unwrap();
    let counted = told.groups[0].measures.count;
    assert!(counted > 1, "what the rollups say, and the new record: {counted} of {before}");
    world.clock.advance_ms(120_000);
    restored.desk(&world.tenant).catch_up(&restored.inner).await.unwrap();
    assert_eq!(restored.answer(&world.tenant, Scope::All, question).await.unwrap(), told);
    assert_eq!(world.log.rollups(&world.tenant, 0).await.unwrap().len(), rolled + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_in_scope_is_told() {
    let mut world = World::new();
    let view = world.view("a");
    world.send_some(1).await;
    let question = Question { from: 0, group_by: [Dimension::Prompt].into(), ..questions()[0].clone() };
    let these = Scope::These([PromptId([2; 16]), PromptId([9; 16])].into());
    let told = view.answer(&world.tenant, these, question.clone()).await.unwrap();
    assert_eq!(told.groups.iter().map(|group| group.dims.prompt).collect::<Vec<_>>(), [PromptId([2; 16])]);
    let top = Question { top: Some(2), ..question };
    let told = view.answer(&world.tenant, Scope::All, top).await.unwrap();
    assert_eq!((told.groups.len(), told.of), (2, 5));
    assert!(told.groups[0].measures.count >= told.groups[1].measures.count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_make_room_for_others_and_lose_nothing() {
    let mut world = World::new();
    let view = Analytics::new(world.folder.path().join("a"), world.log.clone(), world.clock.clone(), ROLLUP, 1);
    world.send_some(1).await;
    let said = answers(&view, &world).await;
    let acme = std::mem::replace(&mut world.tenant, "other".parse().unwrap());
    world.send(vec![Record::Execution(execution("e", 1, world.clock.now()))]).await;
    let mut looked = HashMap::new();
    view.look(&[0], 1, &mut looked, true).await;
    view.desk(&world.tenant).catch_up(&view.inner).await.unwrap();
    view.make_room().await;
    assert!(view.desk(&world.tenant).is_open() && !view.desk(&acme).is_open());
    assert_eq!(world.log.rollups(&acme, 0).await.unwrap().len(), 1, "its stretch was ended first");
    let _ = world.sent.pop();
    world.tenant = acme;
    assert_eq!(answers(&view, &world).await, said);
}
