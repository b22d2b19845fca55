//! Commands that are done together: all or nothing, whatever they are, whoever else writes, and however often they are sent.

use std::collections::BTreeMap;

use promptory_domain::Tenant;
use promptory_platform::Problem;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

impl World {
    async fn together(&self, commands: Vec<Value>, key: Option<&str>) -> Result<Vec<Outcome>, Failure> {
        together(&self.service, &self.owner, commands, key).await
    }

    /// The batches of acme's ledger: the ids of the commands in each.
    async fn batches(&self) -> Vec<Vec<CommandId>> {
        let mut reader = self.ledger.read(&"acme".parse().unwrap(), 0).await.unwrap();
        let mut batches = Vec::new();
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                return batches;
            }
            for recorded in page {
                let batch = Batch::parse(recorded.bytes).unwrap();
                batches.push(batch.commits.iter().map(|commit| commit.header.command_id).collect());
            }
        }
    }

    /// What the ledger says, folded anew.
    async fn folded(&self) -> Tenant {
        let mut reader = self.ledger.read(&"acme".parse().unwrap(), 0).await.unwrap();
        let mut state = Tenant::new("acme".parse().unwrap());
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                return state;
            }
            for recorded in page {
                for (first, commit) in Batch::parse(recorded.bytes).unwrap().indexed() {
                    for (event, index) in commit.decode_events().unwrap().iter().zip(first..) {
                        state.evolve(index, commit.header.actor, event).unwrap();
                    }
                }
            }
        }
    }
}

async fn together(
    service: &Service,
    caller: &Presented,
    commands: Vec<Value>,
    key: Option<&str>,
) -> Result<Vec<Outcome>, Failure> {
    let requests = commands.into_iter().map(request).collect();
    service.execute_together(caller, requests, key.map(ToOwned::to_owned)).await
}

/// Which command was refused, and the code.
fn refused(result: Result<Vec<Outcome>, Failure>) -> (usize, &'static str) {
    match result {
        Err(Failure::InBatch { command, why }) => (command, Problem::from(*why).kind.code),
        other => panic!("not refused because of a command: {other:?}"),
    }
}

fn set_label(key: &str, label: &str, version: u32) -> Value {
    json!({"type": "set_label", "prompt": key, "label": label, "version": version})
}

#[tokio::test]
async fn all_are_done_in_one_batch_each_on_the_state_that_the_one_before_it_left() {
    let world = World::new().await;
    let before = world.batches().await.len();
    let commands = vec![create("a"), add("a", "two"), set_label("a", "production", 2), create("b")];
    let outcomes = world.together(commands, None).await.unwrap();
    assert_eq!(outcomes[1].version.unwrap().1, 2);
    let batches = world.batches().await;
    assert_eq!(batches.len(), before + 1);
    assert_eq!(batches[before], outcomes.iter().map(|outcome| outcome.command_id).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_that_is_refused_is_named_and_leaves_nothing_of_the_others() {
    let world = World::new().await;
    world.one(create("there")).await.unwrap();
    let (before, state) = (world.batches().await, world.folded().await);
    let refusals = [
        (vec![create("a"), create("there"), create("b")], (1, "key-taken")),
        (vec![create("a"), create("a")], (1, "key-taken")),
        (vec![add("nobody", "x"), create("a")], (0, "prompt-not-found")),
        (vec![create("a"), json!({"type": "create_prompt", "key": "b"})], (1, "invalid-field")),
        (
            vec![create("a"), json!({"idempotency_key": "k", "type": "archive_prompt", "prompt": "a"})],
            (1, "invalid-field"),
        ),
        (
            vec![create("a"), json!({"type": "set_label", "prompt": "a", "label": "x", "version": 2})],
            (1, "version-not-found"),
        ),
    ];
    for (commands, expected) in refusals {
        assert_eq!(refused(world.together(commands.clone(), None).await), expected, "{commands:?}");
    }
    let viewer = world.key_for("viewer").await.presented();
    let by_viewer = together(&world.service, &viewer, vec![create("a"), create("b")], None).await;
    assert_eq!(refused(by_viewer), (0, "forbidden"));
    assert_eq!(world.batches().await.len(), before.len() + 2, "only the viewer's key, and what it was denied");
    assert!(world.folded().await.prompt(&promptory_domain::PromptRef::Key("a".parse().unwrap())).is_none());
    assert!(state.next_index() < world.folded().await.next_index());
}

#[tokio::test]
async fn the_whole_is_done_once_under_its_key_and_another_whole_is_refused() {
    let world = World::new().await;
    let commands = || vec![create("a"), add("a", "two"), json!({"type": "issue_key", "role": "viewer"})];
    let first = world.together(commands(), Some("k")).await.unwrap();
    assert!(first[2].api_key.is_some() && first.iter().all(|outcome| !outcome.replayed));
    world.clock.advance_ms(24 * 3600 * 1000);
    let batches = world.batches().await;
    for service in [&world.service, &world.replica("two")] {
        let again = together(service, &world.owner, commands(), Some("k")).await.unwrap();
        assert!(again.iter().all(|outcome| outcome.replayed && outcome.api_key.is_none()));
        assert!(again.iter().zip(&first).all(|(again, first)| again.events == first.events));
        let others = [vec![create("a")], [commands(), vec![create("b")]].concat(), vec![add("a", "two"), create("a")]];
        for other in others {
            let refused = together(service, &world.owner, other, Some("k")).await;
            assert!(matches!(refused, Err(Failure::IdempotencyMismatch)), "{refused:?}");
        }
    }
    let alone = json!({"type": "create_prompt", "key": "a", "text": "one", "idempotency_key": "k"});
    assert!(matches!(world.one(alone).await, Err(Failure::IdempotencyMismatch)), "alone it is another request");
    assert_eq!(world.batches().await, batches);
}

#[tokio::test]
async fn a_fork_and_a_merge_rest_on_versions_of_the_same_request() {
    let world = World::new().await;
    let commands = || {
        vec![
            create("a"),
            json!({"type": "create_branch", "prompt": "a", "branch": "try"}),
            json!({"type": "add_version", "prompt": "a", "branch": "try", "text": "tried"}),
            json!({"type": "fork_prompt", "prompt": "a", "from": {"branch": "try"}, "key": "f"}),
            json!({"type": "merge", "prompt": "a", "from": {"branch": "try"}}),
            set_label("f", "production", 1),
        ]
    };
    let outcomes = world.together(commands(), Some("k")).await.unwrap();
    assert_eq!((outcomes[3].version.unwrap().1, outcomes[4].version.unwrap().1), (1, 3));
    let last = world.batches().await.pop().unwrap();
    assert_eq!(last.len(), 6, "one batch");
    assert!(world.together(commands(), Some("k")).await.unwrap().iter().all(|outcome| outcome.replayed));
    // A conflict names the command and has both sides.
    let conflict = vec![
        json!({"type": "create_branch", "prompt": "f", "branch": "try"}),
        json!({"type": "add_version", "prompt": "f", "branch": "try", "text": "one way"}),
        add("f", "another way"),
        json!({"type": "merge", "prompt": "f", "from": {"branch": "try"}}),
    ];
    let Err(Failure::InBatch { command: 3, why }) = world.together(conflict, None).await else { panic!("no conflict") };
    let problem = Problem::from(*why);
    assert_eq!(problem.kind.code, "merge-conflict");
    assert!(!problem.members.is_empty(), "{:?}", problem.members);
    assert_eq!(world.batches().await.last(), Some(&last));
}

#[tokio::test]
async fn more_than_a_batch_is_refused_with_the_sum_and_what_fits_is_one_batch_however_full_the_last_one_is() {
    let world = World::new().await;
    let text = |n: usize| "x".repeat(limits::CONTENT_MAX_BYTES - n);
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"type": "create_prompt", "key": format!("k{n}"), "text": text(n)})).collect()
    };
    let Err(Failure::TooLarge { bytes, max }) = world.together(many(12), None).await else { panic!("it fits") };
    assert!(max == limits::BATCH_MAX_BYTES && bytes > max && bytes < 13 * limits::CONTENT_MAX_BYTES, "{bytes}");
    assert!(world.folded().await.prompt(&promptory_domain::PromptRef::Key("k0".parse().unwrap())).is_none());
    let requests = |prefix: &str| -> Vec<Value> {
        let named = |n: usize| json!({"type": "create_prompt", "key": format!("{prefix}{n}"), "text": text(n)});
        (0..8).map(named).collect()
    };
    let (one, two) = (requests("a"), requests("b"));
    let (one, two) = tokio::join!(world.together(one, None), world.together(two, None));
    let batches = world.batches().await;
    for outcomes in [one.unwrap(), two.unwrap()] {
        let ids: Vec<_> = outcomes.iter().map(|outcome| outcome.command_id).collect();
        assert!(batches.iter().any(|batch| batch.windows(8).any(|part| part == ids)), "in one batch, whole");
    }
}

/// Two replicas that race for the same keys: of each request all is there or nothing, and in one message.
#[tokio::test]
async fn two_replicas_over_jetstream_never_write_a_part() {
    let server = Server::start();
    let (world, ledger) = on_jetstream(&server).await;
    let other = open(&world.folder, "other", &ledger, &world.keys, &world.clock);
    let mut tasks = Vec::new();
    for round in 0..8 {
        for (service, by) in [(&world.service, "x"), (&other, "y")] {
            let (service, owner) = (service.clone(), world.owner.clone());
            // Both want `shared`, in another place each.
            let mut commands = vec![create(&format!("{by}{round}")), create(&format!("shared{round}"))];
            if by == "y" {
                commands.reverse();
            }
            commands.push(add(&format!("{by}{round}"), "two"));
            tasks.push(tokio::spawn(async move { (round, together(&service, &owner, commands, None).await) }));
        }
    }
    let mut won = BTreeMap::<usize, usize>::new();
    let mut ids = Vec::new();
    for task in tasks {
        let (round, answer) = task.await.unwrap();
        match answer {
            Ok(outcomes) => {
                *won.entry(round).or_default() += 1;
                ids.push(outcomes.iter().map(|outcome| outcome.command_id).collect::<Vec<_>>());
            }
            refusal => assert_eq!(refused(refusal).1, "key-taken"),
        }
    }
    assert!(won.len() == 8 && won.values().all(|times| *times == 1), "each round has one winner: {won:?}");
    let batches = world.batches().await;
    assert!(ids.iter().all(|ids| batches.iter().any(|batch| batch.windows(3).any(|part| part == ids))));
    let written: usize = batches.iter().skip(1).map(Vec::len).sum();
    assert_eq!(written, 8 * 3, "nothing of those that were refused");
}

/// What is asked for, on few keys.
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Add(u8),
    Label(u8, u32),
    Archive(u8),
    Rename(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6u8).prop_map(Step::Create),
        (0..6u8).prop_map(Step::Add),
        (0..6u8, 1..4u32).prop_map(|(key, version)| Step::Label(key, version)),
        (0..6u8).prop_map(Step::Archive),
        (0..6u8, 0..6u8).prop_filter("to another key", |(from, to)| from != to).prop_map(|(a, b)| Step::Rename(a, b)),
    ]
}

impl Step {
    fn json(&self) -> Value {
        let key = |n: &u8| format!("p{n}");
        match self {
            Self::Create(n) => create(&key(n)),
            Self::Add(n) => add(&key(n), "more"),
            Self::Label(n, version) => set_label(&key(n), "production", *version),
            Self::Archive(n) => json!({"type": "archive_prompt", "prompt": key(n)}),
            Self::Rename(n, to) => json!({"type": "rename_prompt", "prompt": key(n), "to": key(to)}),
        }
    }

    /// The plainest model: keys and how many versions their prompts have.
    fn on(&self, model: &mut BTreeMap<u8, u32>) -> Result<(), &'static str> {
        let missing = "prompt-not-found";
        match self {
            Self::Create(n) if model.contains_key(n) => return Err("key-taken"),
            Self::Create(n) => drop(model.insert(*n, 1)),
            Self::Add(n) => *model.get_mut(n).ok_or(missing)? += 1,
            Self::Label(n, version) if model.get(n).ok_or(missing)? < version => return Err("version-not-found"),
            Self::Label(..) => {}
            Self::Archive(n) => drop(model.remove(n).ok_or(missing)?),
            Self::Rename(n, to) => {
                let versions = *model.get(n).ok_or(missing)?;
                if model.contains_key(to) {
                    return Err("key-taken");
                }
                model.remove(n);
                model.insert(*to, versions);
            }
        }
        Ok(())
    }
}

#[test]
fn any_commands_together_are_what_a_fold_says_all_or_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let model = std::cell::RefCell::new(BTreeMap::new());
    // Each case goes on from what the ones before it have left, so none can be made smaller or kept.
    let config =
        ProptestConfig { cases: 100, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() };
    let steps = proptest::collection::vec(step(), 1..7);
    let run = TestRunner::new(config).run(&steps, |steps| {
        let mut after = model.borrow().clone();
        let expected =
            steps.iter().enumerate().try_for_each(|(place, step)| step.on(&mut after).map_err(|code| (place, code)));
        let before = runtime.block_on(world.batches()).len();
        let answer = runtime.block_on(world.together(steps.iter().map(Step::json).collect(), None));
        let state = runtime.block_on(world.folded());
        let batches = runtime.block_on(world.batches());
        match expected {
            Ok(()) => {
                prop_assert!(answer.is_ok(), "{:?}", answer);
                prop_assert!(batches.len() <= before + 1);
                model.replace(after);
            }
            Err(expected) => {
                prop_assert_eq!(refused(answer), expected);
                prop_assert_eq!(batches.len(), before);
            }
        }
        for n in 0..6u8 {
            let found = state.prompt(&promptory_domain::PromptRef::Key(format!("p{n}").parse().unwrap()));
            prop_assert_eq!(found.map(|(_, prompt)| prompt.newest()), model.borrow().get(&n).copied());
        }
        Ok(())
    });
    run.unwrap();
}
