//! Two histories in one tenant, overlapping in time, with shuffled clocks: every answer about the past equals a
//! brute-force fold, as of an index, a recorded and an occurred time.

use std::sync::{LazyLock, Mutex};

use promptory_events::Timestamp;
use promptory_tests::client::segment;
use promptory_tests::model::{Act, Done, Model, Point};
use promptory_tests::{Client, World};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One node for all cases, a tenant each.
static WORLD: LazyLock<Mutex<(World, usize)>> = LazyLock::new(|| Mutex::new((World::new(), 0)));

const START: i64 = 1_700_000_000;

fn key() -> impl Strategy<Value = String> {
    (0..5u8).prop_map(|n| format!("team/{n}"))
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (key(), "[a-c]{0,3}").prop_map(|(key, text)| Act::Create(key, text)),
        4 => (key(), "[a-c]{0,3}").prop_map(|(key, text)| Act::Edit(key, text)),
        2 => (key(), key()).prop_map(|(from, to)| Act::Rename(from, to)),
        2 => key().prop_map(Act::Archive),
    ]
}

/// Acts of a history with clocks that go forward and, now and then, back.
fn history(len: usize) -> impl Strategy<Value = Vec<(Act, i64)>> {
    proptest::collection::vec((act(), -300i64..600), 1..len).prop_map(|steps| {
        let mut clock = START;
        let at = |(act, step)| {
            clock += step;
            (act, clock)
        };
        steps.into_iter().map(at).collect()
    })
}

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_micros(at * 1_000_000)
}

fn command(act: &Act, occurred: i64) -> Value {
    let mut command = match act {
        Act::Create(key, text) => json!({"type": "create_prompt", "key": key, "text": text}),
        Act::Edit(key, text) => json!({"type": "add_version", "prompt": key, "text": text}),
        Act::Rename(from, to) => json!({"type": "rename_prompt", "prompt": from, "to": to}),
        Act::Archive(key) => json!({"type": "archive_prompt", "prompt": key}),
    };
    command["occurred_at"] = seconds(occurred).to_string().into();
    command["author"] = "historian".into();
    command
}

/// Sends every act, some per request with the clock moved in between, and tells the model what was accepted.
fn import(world: &World, client: &Client, acts: &[(Act, i64)]) -> (Model, Option<String>) {
    let (mut model, mut last) = (Model::default(), None);
    for part in acts.chunks(5) {
        world.clock.advance_ms(60_000);
        let recorded = world.clock.now();
        let commands: Vec<Value> = part.iter().map(|(act, at)| command(act, *at)).collect();
        for ((act, at), result) in part.iter().zip(client.commands(&commands)) {
            let expected = model.judge(act);
            let accepted = result["problem"].is_null();
            assert_eq!(accepted, expected.is_some(), "{act:?}: {result}");
            let events = result["events"].as_array().cloned().unwrap_or_default();
            if let (Some(prompt), Some(event)) = (expected, events.last()) {
                let (index, occurred) = (event["index"].as_u64().unwrap(), seconds(*at));
                model.done.push(Done { prompt, index, occurred, recorded, act: act.clone() });
                last = result["position"].as_str().map(ToOwned::to_owned);
            }
        }
    }
    (model, last)
}

/// The keys at a point by the list, and each one's text and number by itself.
fn compare(client: &Client, model: &Model, point: Point, query: &str) {
    let expected = model.live(point);
    let list = client.get(&format!("/v1/prompts?{query}&limit=1000")).expect(200);
    let listed = list.json["prompts"].as_array().unwrap().iter();
    let listed: Vec<&str> = listed.map(|p| p["key"].as_str().unwrap()).collect();
    assert_eq!(listed, expected.keys().collect::<Vec<_>>(), "{query}");
    for n in 0..5 {
        let key = format!("team/{n}");
        let answer = client.get(&format!("/v1/prompts/{}?{query}", segment(&key)));
        match expected.get(&key) {
            None => assert_eq!((answer.status, answer.code()), (404, "prompt-not-found"), "{key} {query}"),
            Some((_, (text, number))) => {
                assert_eq!(answer.status, 200, "{key} {query}: {}", answer.json);
                let said = (answer.json["text"].as_str().unwrap(), answer.json["version"]["number"].as_u64().unwrap());
                assert_eq!(said, (text.as_str(), *number as u64), "{key} {query}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn answers_about_the_past_equal_a_brute_force_fold(
        one in history(20),
        two in history(20),
        order in proptest::collection::vec(any::<bool>(), 40),
        points in proptest::collection::vec(-600i64..9000, 6),
    ) {
        let mut guard = WORLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        guard.1 += 1;
        let client = guard.0.owner_of(&format!("case-{}", guard.1));
        let (mut one, mut two) = (one.into_iter(), two.into_iter());
        let mut acts: Vec<(Act, i64)> =
            order.iter().filter_map(|first| if *first { one.next() } else { two.next() }).collect();
        acts.extend(one.chain(two));
        let (model, last) = import(&guard.0, &client, &acts);
        if let Some(position) = last {
            client.wait_for(&position);
        }
        for at in points {
            let time = seconds(START + at);
            compare(&client, &model, Point::Occurred(time), &format!("as_of={time}"));
        }
        for done in model.done.iter().step_by(4) {
            let recorded = done.recorded;
            compare(&client, &model, Point::Index(done.index), &format!("as_of={}", done.index));
            compare(&client, &model, Point::Recorded(recorded), &format!("as_of={recorded}&clock=recorded"));
            compare(&client, &model, Point::Occurred(done.occurred), &format!("as_of={}", done.occurred));
        }
    }
}
