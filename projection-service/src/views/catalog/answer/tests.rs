//! Every question, asked of a small world.

use std::sync::Arc;

use promptory_events::event::*;
use promptory_events::{Content, ContentBody, Label, PromptId};

use crate::ask::*;
use crate::testing::Scribe;
use crate::testing::world::{World, ask, by_key, newest};

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn which(text: &str, as_of: AsOf) -> Question {
    Question::Prompt { prompt: by_key("team/greet"), which: Which::Label(label(text)), as_of }
}

/// `team/greet` with three versions (the third has the first one's content), labels, metadata, tags; `other`.
async fn told(world: &World) -> (Scribe, PromptId) {
    let mut scribe = world.scribe("acme");
    let prompt = scribe.create("team/greet", "hello"); // 3, 4
    scribe.append(&world.ledger).await;
    scribe.now = scribe.now.plus_ms(60_000);
    let mut second = scribe.version(prompt, 2, "hello again");
    if let Event::VersionAdded(version) = &mut second {
        version.config = Some(Box::new(scribe.content("{\"model\":\"m\"}")));
    }
    let set = |after, before| Event::LabelSet(LabelSet { prompt, label: label("production"), before, after });
    scribe.commit_with(None, Some("say it again"), vec![second, set(2, None)]); // 5, 6
    let metadata = scribe.content("{\"title\":\"Greeting\"}");
    let tags = vec!["polite".parse().unwrap()];
    scribe.commit(
        None,
        vec![
            Event::MetadataSet(MetadataSet { prompt, before: None, after: metadata }), // 7
            Event::TagsSet(TagsSet { prompt, before: vec![], after: tags }),           // 8
        ],
    );
    scribe.append(&world.ledger).await;
    scribe.now = scribe.now.plus_ms(60_000);
    let mut third = scribe.version(prompt, 3, "hello");
    if let Event::VersionAdded(version) = &mut third {
        version.content = Content { body: ContentBody::At(4), ..version.content.clone() };
    }
    scribe.commit(None, vec![third, set(3, Some(2))]); // 9, 10
    let removed = LabelRemoved { prompt, label: label("production"), before: 3 };
    scribe.commit(None, vec![Event::LabelRemoved(removed)]); // 11
    scribe.create("other", "else"); // 12, 13
    scribe.append(&world.ledger).await;
    (scribe, prompt)
}

#[tokio::test]
async fn a_prompt_is_answered_whole_now_and_as_of_any_point() {
    let world = World::new(4);
    let (scribe, prompt) = told(&world).await;
    let now = world.prompt("acme", newest("team/greet")).await.unwrap();
    assert_eq!((now.content.as_str(), now.version.number, now.prompt.versions), ("hello", 3, 3));
    assert_eq!((now.config, now.metadata.as_deref()), (None, Some("{\"title\":\"Greeting\"}")));
    assert_eq!((now.prompt.id, now.prompt.changed_index, now.prompt.basis), (prompt, 11, Basis::Recorded));

    let as_of = |point| world.prompt("acme", which("production", point));
    let then = as_of(AsOf::Index(8)).await.unwrap();
    assert_eq!((then.content.as_str(), then.version.number), ("hello again", 2));
    assert_eq!(then.config.as_deref(), Some("{\"model\":\"m\"}"));
    assert_eq!(then.prompt.tags, ["polite".parse().unwrap()]);
    let minute = |n: i64| scribe.told[0].recorded_at.plus_ms(n * 60_000);
    for clock in [AsOf::Recorded(minute(1)), AsOf::Occurred(minute(1)), AsOf::OccurredAt { time: minute(1), index: 13 }]
    {
        assert_eq!(as_of(clock).await.unwrap().version, then.version);
    }
    assert_eq!(as_of(AsOf::Now).await.unwrap_err(), AskError::LabelNotFound(label("production")));
    assert_eq!(as_of(AsOf::Recorded(minute(-1))).await.unwrap_err(), AskError::PromptNotFound);
    assert_eq!(as_of(AsOf::Occurred(minute(-1))).await.unwrap_err(), AskError::PromptNotFound);
    assert_eq!(as_of(AsOf::Index(14)).await.unwrap_err(), AskError::IndexBeyondEnd(14));
    let ninth = Question::Prompt { prompt: PromptRef::Id(prompt), which: Which::Number(9), as_of: AsOf::Now };
    assert_eq!(world.prompt("acme", ninth).await.unwrap_err(), AskError::VersionNotFound(9));
    assert_eq!(world.text("acme", "nobody").await, Err(AskError::PromptNotFound));
    let reply = world.ask("acme", which("production", AsOf::Recorded(minute(1)))).await.unwrap();
    assert_eq!(reply.as_of.unwrap().index, 8, "the last event that was recorded by then");
}

#[tokio::test]
async fn what_was_opened_once_is_answered_from_memory_also_after_a_change() {
    let world = World::new(4);
    let (mut scribe, prompt) = told(&world).await;
    let question = || ask("acme", newest("team/greet"));
    assert!(world.shelf.try_hot(&question()).is_none(), "nothing is open yet");
    world.text("acme", "team/greet").await.unwrap();
    let hot = world.shelf.try_hot(&question()).unwrap().unwrap();
    assert_eq!(hot.opened.answer.content, "hello");
    let again = world.shelf.try_hot(&question()).unwrap().unwrap();
    assert!(Arc::ptr_eq(&hot.opened, &again.opened), "shared, with its rendered body");
    assert_eq!(world.shelf.try_hot(&ask("acme", newest("nobody"))).unwrap().unwrap_err(), AskError::PromptNotFound);

    let fourth = scribe.version(prompt, 4, "new");
    scribe.commit(None, vec![fourth]);
    let sequence = scribe.batches.len() as u64;
    scribe.append(&world.ledger).await;
    let recorded = world.ledger.get(&scribe.tenant, 14).await.unwrap().unwrap();
    assert_eq!(recorded.cursor.sequence, sequence + 1);
    world.shelf.catalog().apply(&scribe.tenant, vec![recorded]).await.unwrap();
    let changed = world.shelf.try_hot(&question()).unwrap().unwrap();
    assert_eq!(changed.opened.answer.content, "new", "opened again when it changed");
    let old = Question::Prompt { prompt: by_key("team/greet"), which: Which::Number(2), as_of: AsOf::Now };
    assert!(world.shelf.try_hot(&ask("acme", old.clone())).is_none(), "nobody has asked for that one");
    assert_eq!(world.prompt("acme", old).await.unwrap().content, "hello again");
}

#[tokio::test]
async fn versions_come_newest_first_with_who_did_it_and_why() {
    let world = World::new(4);
    told(&world).await;
    let page = |below, limit, as_of| {
        let question = Question::Versions { prompt: by_key("team/greet"), below, limit, as_of };
        let reply = world.ask("acme", question);
        async {
            match reply.await.unwrap().answer {
                Answer::Versions(versions) => versions,
                other => panic!("{other:?}"),
            }
        }
    };
    let first = page(None, 2, AsOf::Now).await;
    assert_eq!(first.iter().map(|v| v.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(first[1].stamp.message.as_deref(), Some("say it again"));
    assert_eq!((first[1].stamp.index, first[1].bytes, first[1].stamp.actor), (5, 11, crate::testing::ACTOR));
    let rest = page(Some(2), 2, AsOf::Now).await;
    assert_eq!(rest.iter().map(|v| v.number).collect::<Vec<_>>(), [1]);
    assert_eq!(rest[0].content_id, first[0].content_id);
    assert_eq!(page(None, 10, AsOf::Index(4)).await.len(), 1);
}

#[tokio::test]
async fn a_labels_history_tells_every_move_even_after_it_is_gone() {
    let world = World::new(4);
    told(&world).await;
    let moves = |name: &str, after, limit| {
        let question =
            Question::LabelHistory { prompt: by_key("team/greet"), label: label(name), after, limit, as_of: AsOf::Now };
        let reply = world.ask("acme", question);
        async {
            reply.await.map(|reply| match reply.answer {
                Answer::LabelHistory(moves) => {
                    moves.iter().map(|m| (m.before, m.after, m.stamp.index)).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            })
        }
    };
    let all = vec![(None, Some(2), 6), (Some(2), Some(3), 10), (Some(3), None, 11)];
    assert_eq!(moves("production", None, 10).await.unwrap(), all);
    assert_eq!(moves("production", Some(6), 1).await.unwrap(), all[1..2]);
    assert_eq!(moves("production", Some(11), 1).await.unwrap(), []);
    let newest = [(None, Some(1), 4), (Some(1), Some(2), 5), (Some(2), Some(3), 9)];
    assert_eq!(moves("latest", None, 10).await.unwrap(), newest);
    assert_eq!(moves("latest", Some(4), 1).await.unwrap(), newest[1..2]);
    assert_eq!(moves("staging", None, 10).await, Err(AskError::LabelNotFound(label("staging"))));
}

#[tokio::test]
async fn events_tell_what_is_special_to_them_and_never_a_text() {
    let world = World::new(4);
    let (scribe, prompt) = told(&world).await;
    let Answer::Events(EventsAnswer { events, next: 14 }) =
        world.ask("acme", Question::Events { from: 0, limit: 100 }).await.unwrap().answer
    else {
        panic!()
    };
    assert_eq!(events.len(), scribe.told.len());
    assert!(events.iter().zip(&scribe.told).all(|(seen, told)| seen.name == told.event.name()));
    let detail = |index: usize| serde_json::from_str::<serde_json::Value>(&events[index].detail).unwrap();
    assert_eq!(detail(3), serde_json::json!({ "kind": "text" }));
    assert_eq!((detail(5)["number"].as_u64(), detail(5)["bytes"].as_u64()), (Some(2), Some(11)));
    assert_eq!(detail(10), serde_json::json!({ "label": "production", "before": 2, "after": 3 }));
    assert_eq!(events[6].stamp.message.as_deref(), Some("say it again"), "the second event of its commit");
    assert_eq!((events[9].prompt, events[9].key.as_ref().unwrap().as_str()), (Some(prompt), "team/greet"));
    let whole = format!("{events:?}");
    assert!(!whole.contains("hello") && !whole.contains("Greeting") && !whole.contains(&"01".repeat(32)));
    let Answer::Events(page) = world.ask("acme", Question::Events { from: 12, limit: 1 }).await.unwrap().answer else {
        panic!()
    };
    assert_eq!(page.events.iter().map(|event| event.stamp.index).collect::<Vec<_>>(), [12]);
}

#[tokio::test]
async fn a_listing_stays_at_the_index_of_its_first_page() {
    let world = World::new(4);
    let (mut scribe, _) = told(&world).await;
    let list = |prefix: &str, after: Option<&str>, as_of| {
        let after = after.map(|key| key.parse().unwrap());
        let reply = world.ask("acme", Question::List { prefix: prefix.to_owned(), after, limit: 1, as_of });
        async {
            let reply = reply.await.unwrap();
            let Answer::List(prompts) = reply.answer else { panic!() };
            (reply.as_of.unwrap().index, prompts.iter().map(|p| p.key.to_string()).collect::<Vec<_>>())
        }
    };
    let (index, page) = list("", None, AsOf::Now).await;
    assert_eq!((index, page), (13, vec!["other".to_owned()]));
    scribe.create("p", "comes between the pages");
    scribe.append(&world.ledger).await;
    let recorded = world.ledger.get(&scribe.tenant, 14).await.unwrap().unwrap();
    world.shelf.catalog().apply(&scribe.tenant, vec![recorded]).await.unwrap();
    assert_eq!(list("", Some("other"), AsOf::Index(index)).await, (13, vec!["team/greet".to_owned()]));
    assert_eq!(list("", Some("other"), AsOf::Now).await, (15, vec!["p".to_owned()]));
    assert_eq!(list("team/", None, AsOf::Now).await.1, ["team/greet"]);
    assert!(list("", Some("team/greet"), AsOf::Index(index)).await.1.is_empty());
}

/// A version of a prompt, in the syntax that includes others.
fn including(scribe: &Scribe, prompt: PromptId, number: u32, text: &str, other: (&str, PromptId)) -> Event {
    let mut event = scribe.version(prompt, number, text);
    if let Event::VersionAdded(version) = &mut event {
        version.syntax = Syntax::Jinja;
        version.includes = vec![Include { written: other.0.parse().unwrap(), prompt: other.1 }];
    }
    event
}

fn render(key: &str, as_of: AsOf) -> Question {
    let which = Which::Label(label("latest"));
    Question::Render { prompt: by_key(key), which, as_of, variables: "{}".to_owned() }
}

/// Effective time is each prompt's own, so at some time two prompts may include each other that never did so at any index.
#[tokio::test]
async fn a_circle_that_there_only_is_at_an_occurred_time_ends() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    let (a, b) = (scribe.create("a", "a"), scribe.create("b", "b"));
    scribe.append(&world.ledger).await;
    scribe.now = scribe.now.plus_ms(60_000);
    let (time, later) = (scribe.now, scribe.now.plus_ms(60_000));
    let forth = including(&scribe, a, 2, "a{% include 'b@latest' %}", ("b@latest", b));
    scribe.commit(None, vec![forth]);
    scribe.append(&world.ledger).await;
    scribe.now = later;
    let plain = scribe.version(a, 3, "a again");
    scribe.commit(None, vec![plain]);
    // It is claimed to have happened while `a` still included `b`.
    let back = including(&scribe, b, 2, "b{% include 'a@latest' %}", ("a@latest", a));
    scribe.commit(Some(time), vec![back]);
    scribe.append(&world.ledger).await;
    let said = |question| async {
        match world.ask("acme", question).await {
            Ok(Reply { answer: Answer::Rendered(answer), .. }) => Ok(answer.said),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    assert_eq!(said(render("b", AsOf::Now)).await.unwrap(), "ba again");
    assert_eq!(said(render("a", AsOf::Now)).await.unwrap(), "a again");
    let refused = said(render("a", AsOf::Occurred(time))).await.unwrap_err();
    assert!(matches!(&refused, AskError::NotRendered(_)), "{refused:?}");
    let question =
        Question::Dependents { prompt: by_key("b"), all: true, after: None, limit: 9, as_of: AsOf::Occurred(time) };
    let Answer::Dependents(found) = world.ask("acme", question).await.unwrap().answer else { panic!() };
    let found: Vec<_> = found.items.iter().map(|item| (item.prompt.key.to_string(), item.version.number)).collect();
    assert_eq!(found, [("a".to_owned(), 2)]);
}
