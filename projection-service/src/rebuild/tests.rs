//! Running, rebuilt and replayed: the same model by digest.

mod beside;
mod formats;

use std::sync::{Arc, Mutex};

use promptory_events::event::{Event, LabelSet, PromptArchived, PromptRenamed};
use promptory_events::{PromptId, Timestamp};

use super::*;
use crate::ask::AsOf;
use crate::replay::{Replay, replay};
use crate::testing::Scribe;
use crate::testing::world::World;

async fn told(world: &World, tenant: &str) -> (Scribe, PromptId) {
    let mut scribe = world.scribe(tenant);
    scribe.append(&world.ledger).await;
    for number in 0..30 {
        scribe.now = scribe.now.plus_ms(1000);
        scribe.create(&format!("team/{number:02}"), &format!("text {number}"));
        if number % 3 == 0 {
            scribe.append(&world.ledger).await;
        }
    }
    let prompt = scribe.create("team/last", "one");
    let early = scribe.now.plus_ms(-5000);
    let event = scribe.version(prompt, 2, "two");
    scribe.commit(Some(early), vec![event]);
    let (before, after) = ("team/last".parse().unwrap(), "team/renamed".parse().unwrap());
    scribe.commit(None, vec![Event::PromptRenamed(PromptRenamed { prompt, before, after })]);
    let label = "production".parse().unwrap();
    scribe.commit(None, vec![Event::LabelSet(LabelSet { prompt, label, before: None, after: 1 })]);
    scribe.append(&world.ledger).await;
    (scribe, prompt)
}

async fn replayed(world: &World, scribe: &Scribe, as_of: AsOf) -> Replay {
    replay(&world.ledger, &world.keys, &scribe.tenant, as_of).await.unwrap()
}

#[tokio::test]
async fn running_rebuilt_and_replayed_are_the_same_model() {
    let world = World::new(4);
    let (scribe, _) = told(&world, "acme").await;
    let running = world.status("acme").await.model_digest;
    let steps = Arc::new(Mutex::new(vec![]));
    let told = steps.clone();
    let progress = move |done, total| told.lock().unwrap().push((done, total));
    let report = world.shelf.rebuild(&scribe.tenant, Name::Catalog, progress).await.unwrap();
    assert_eq!((report.old, &report.new), (Some(running.clone()), &running));
    assert_eq!(report.events, scribe.told.len() as u64);
    assert_eq!(steps.lock().unwrap().last(), Some(&(report.events, report.events)));
    assert_eq!(world.status("acme").await.model_digest, running);
    assert_eq!(world.text("acme", "team/renamed").await.unwrap(), "two");

    // Each view alone: the audit view is built, and built again.
    let first = world.shelf.rebuild(&scribe.tenant, Name::Audit, |_, _| {}).await.unwrap();
    let again = world.shelf.rebuild(&scribe.tenant, Name::Audit, |_, _| {}).await.unwrap();
    assert_eq!((first.old, again.old.as_ref(), again.events), (None, Some(&first.new), report.events));
    assert_eq!(again.new, first.new);
    assert_ne!(again.new, running, "a digest is of its view");

    let replay = replayed(&world, &scribe, AsOf::Now).await;
    assert_eq!(replay.model_digest, running);
    assert_eq!((replay.prompts, replay.versions, replay.events), (31, 32, report.events));
    assert_eq!(
        replay.contents.last().map(|content| (content.key.as_str(), content.version)),
        Some(("team/renamed", 2))
    );
}

#[tokio::test]
async fn a_replay_ends_where_it_is_told_by_every_clock() {
    let world = World::new(4);
    let (mut scribe, prompt) = told(&world, "acme").await;
    let end = scribe.told.last().unwrap().index;
    let half = replayed(&world, &scribe, AsOf::Index(end / 2)).await;
    assert_eq!((half.position.unwrap().index, half.events), (end / 2, end / 2 + 1));
    let begun = scribe.told[3].recorded_at;
    let recorded = replayed(&world, &scribe, AsOf::Recorded(begun)).await;
    assert_eq!(recorded.position.unwrap().index, 2 + 2, "key and role, then the first prompt");

    // What is claimed to have happened early counts early, though it was recorded last.
    scribe.now = scribe.now.plus_ms(1000);
    let (early, key) = (Timestamp::from_micros(crate::testing::BEGIN_MICROS), "team/early".parse().unwrap());
    let created = scribe.command().prompt();
    let kind = promptory_events::event::Kind::Text;
    let event = promptory_events::event::PromptCreated { prompt: created, key, kind };
    let version = scribe.version(created, 1, "early");
    scribe.commit(Some(early), vec![Event::PromptCreated(event), version]);
    scribe.append(&world.ledger).await;
    let occurred = replayed(&world, &scribe, AsOf::Occurred(early)).await;
    let keys: Vec<_> = occurred.contents.iter().map(|content| content.key.as_str()).collect();
    assert_eq!(keys, ["team/early"]);

    // The history digest knows nothing of what is not counted, and changes with what is.
    let before = replayed(&world, &scribe, AsOf::Now).await;
    let archived = PromptArchived { prompt, key: "team/renamed".parse().unwrap() };
    scribe.commit(None, vec![Event::PromptArchived(archived)]);
    scribe.append(&world.ledger).await;
    let after = replayed(&world, &scribe, AsOf::Now).await;
    assert_ne!(before.history_digest, after.history_digest);
    let again = replayed(&world, &scribe, AsOf::Index(before.position.unwrap().index)).await;
    assert_eq!(again, before);
}

#[tokio::test]
async fn a_history_has_the_same_digest_in_two_ledgers_whatever_the_batches() {
    let (one, other) = (World::new(4), World::new(4));
    let (mut a, mut b) = (one.scribe("acme"), other.scribe("other"));
    b.now = b.now.plus_ms(77_000);
    for scribe in [&mut a, &mut b] {
        let at = Some(Timestamp::from_micros(crate::testing::BEGIN_MICROS - 1));
        let prompt = scribe.command().prompt();
        let (key, kind) = ("team/\"下\\棋\"".parse().unwrap(), promptory_events::event::Kind::Text);
        let created = Event::PromptCreated(promptory_events::event::PromptCreated { prompt, key, kind });
        let version = scribe.version(prompt, 1, "same text");
        scribe.commit(at, vec![created, version]);
    }
    a.append(&one.ledger).await;
    b.append(&other.ledger).await;
    let (a, b) = (replayed(&one, &a, AsOf::Now).await, replayed(&other, &b, AsOf::Now).await);
    assert_eq!(a.history_digest, b.history_digest);
    assert_ne!(a.model_digest, b.model_digest);
    // By hand, as Python's json.dumps(sort_keys=True, separators=(",", ":"), ensure_ascii=False) has it.
    let key = r#""key":"team/\"下\\棋\"","#;
    let at = r#""occurred_at":"2023-11-14T22:13:19.999999Z","type":"#;
    let sha = crate::digest::hex(&<sha2::Sha256 as sha2::Digest>::digest("same text"));
    let lines = format!(
        "{{\"author\":\"somebody\",{key}\"kind\":\"text\",{at}\"prompt.created\"}}\n\
         {{\"author\":\"somebody\",\"content_sha256\":\"{sha}\",{key}\"number\":1,{at}\"version.added\"}}\n"
    );
    assert_eq!(a.history_digest, crate::digest::hex(&<sha2::Sha256 as sha2::Digest>::digest(lines)));
}

#[tokio::test]
async fn a_store_that_lies_is_told_of_and_replaced() {
    let mut world = World::new(4);
    let (scribe, _) = told(&world, "acme").await;
    let digest = world.status("acme").await.model_digest;
    world.restart().await;
    std::fs::write(world.shelf.catalog().folder(&scribe.tenant).current().join("db"), b"nonsense").unwrap();
    let report = world.shelf.rebuild(&scribe.tenant, Name::Catalog, |_, _| {}).await.unwrap();
    assert_eq!((report.old, report.new), (None, digest.clone()));
    world.restart().await;
    assert_eq!(world.status("acme").await.model_digest, digest);
    let unknown = world.shelf.rebuild(&"nobody".parse().unwrap(), Name::Catalog, |_, _| {}).await;
    assert!(matches!(unknown, Err(RebuildError::UnknownTenant(_))));
    assert!(!world.dir.path().join("nobody").exists());
}
