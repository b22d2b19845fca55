//! What is found, by whom, and that it does not depend on how the index came to be.

mod languages;
mod likeness;

use std::time::Duration;

use promptory_events::event::*;
use promptory_events::{KeyId, Position, PrincipalId, PromptId, TenantId, limits};
use promptory_platform::Clock;
use proptest::prelude::*;

use crate::Shelf;
use crate::ask::search::*;
use crate::ask::{Answer, AsOf, Ask, AskError, Caller, Question, Reply};
use crate::testing::world::{World, ask};
use crate::testing::{Scribe, granted};

/// A search for some words in what `latest` points to.
fn words(query: &str) -> Search {
    Search {
        query: query.to_owned(),
        label: "latest".parse().unwrap(),
        filters: Filters::default(),
        sort: Sort::Relevance,
        facets: false,
        limit: 10,
        after: None,
    }
}

/// Whoever [`World::scribe`] lets in, and whoever [`narrow`] does.
const WIDE: u8 = 1;
const NARROW: u8 = 2;

/// Lets somebody in who reads below `a/` only.
fn narrow(scribe: &mut Scribe) {
    scribe.let_in(NARROW, NARROW, None);
    let subject = Subject::Principal(PrincipalId([NARROW; 16]));
    scribe.commit(None, vec![granted(subject, Role::Viewer, "a/")]);
}

async fn asked(world: &World, tenant: &str, who: u8, question: Question) -> Result<Reply, AskError> {
    let caller = Caller::Key { key: KeyId([who; 8]), secret_hash: [who; 32] };
    world.shelf.answer(Ask { caller, ..ask(tenant, question) }).await
}

async fn searched(world: &World, tenant: &str, who: u8, search: Search) -> Result<Found, AskError> {
    match asked(world, tenant, who, Question::Search(Box::new(search))).await?.answer {
        Answer::Found(found) => Ok(*found),
        other => panic!("{other:?}"),
    }
}

async fn suggested(world: &World, who: u8, text: &str) -> Suggestions {
    let question = Question::Suggest { text: text.to_owned(), label: "latest".parse().unwrap(), limit: 5 };
    match asked(world, "acme", who, question).await.unwrap().answer {
        Answer::Suggested(suggestions) => suggestions,
        other => panic!("{other:?}"),
    }
}

fn keys(found: &Found) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.entry.key.as_str()).collect()
}

fn shown(hit: &Hit) -> String {
    hit.snippet.iter().map(|piece| if piece.hit { format!("[{}]", piece.text) } else { piece.text.clone() }).collect()
}

/// What a worker and the indexer would do.
async fn bring(world: &World, tenant: &str) {
    let tenant: TenantId = tenant.parse().unwrap();
    world.shelf.catalog().catch_up(&tenant).await.unwrap();
    world.shelf.index(&tenant).await.unwrap();
}

async fn three_prompts(world: &World) -> Scribe {
    let mut scribe = world.scribe("acme");
    narrow(&mut scribe);
    scribe.create("a/linux", "Act as a Linux terminal. Reply with the terminal output.");
    scribe.create("a/研究", "研究方法和報告");
    scribe.create("b/tracker", "Trace eye movement over terminals.");
    scribe.append(&world.ledger).await;
    bring(world, "acme").await;
    scribe
}

#[tokio::test]
async fn words_phrases_beginnings_and_misspelt_words_are_found() {
    let world = World::new(4);
    three_prompts(&world).await;
    for (query, expected) in [
        ("terminal", &["a/linux", "b/tracker"][..]),
        ("TERMINAL linux", &["a/linux"]),
        ("\"linux terminal\"", &["a/linux"]),
        ("\"terminal linux\"", &[]),
        ("mov*", &["b/tracker"]),
        ("movem", &["b/tracker"]),
        ("movem eye", &[]),
        ("termianl reply", &["a/linux"]),
        ("方法", &["a/研究"]),
        ("究方", &["a/研究"]),
        ("告", &["a/研究"]),
        ("方究", &[]),
        ("!!", &[]),
        ("", &["a/linux", "a/研究", "b/tracker"]),
    ] {
        let found = searched(&world, "acme", WIDE, words(query)).await.unwrap();
        assert_eq!(keys(&found), expected, "{query}");
        assert_eq!(found.total, expected.len() as u64, "{query}");
    }
    let found = searched(&world, "acme", WIDE, words("termianl reply")).await.unwrap();
    assert_eq!(shown(&found.hits[0]), "Act as a Linux [terminal]. [Reply] with the [terminal] output.");
    let like = ["terminal".to_owned()];
    assert_eq!((found.respelt[0].word.as_str(), &found.respelt[0].as_words[..]), ("termianl", &like[..]));
    let fault = searched(&world, "acme", WIDE, words("act \"as")).await.unwrap_err();
    assert!(matches!(fault, AskError::QueryInvalid(QueryFault { position: 4, .. })), "{fault:?}");
}

#[tokio::test]
async fn what_may_not_be_read_is_not_found_counted_or_suggested() {
    let world = World::new(4);
    three_prompts(&world).await;
    let found = searched(&world, "acme", NARROW, Search { facets: true, ..words("terminals") }).await.unwrap();
    assert_eq!((keys(&found), found.total), (vec!["a/linux"], 1));
    let folders = &found.facets.as_ref().unwrap().folders;
    assert_eq!(folders, &[Count { value: "a/".to_owned(), count: 1 }]);
    // A word that only hidden prompts have is a word that nobody has.
    let found = searched(&world, "acme", NARROW, words("movement ")).await.unwrap();
    assert_eq!((found.total, found.respelt[0].as_words.len()), (0, 0));
    assert_eq!(
        suggested(&world, NARROW, "t").await.words,
        [Count { value: "terminal".into(), count: 1 }, Count { value: "the".into(), count: 1 }]
    );
    assert_eq!(suggested(&world, NARROW, "track").await, Suggestions::default());
    let all = suggested(&world, WIDE, "track").await;
    assert_eq!(all.prompts[0].key.as_str(), "b/tracker");
}

#[tokio::test]
async fn every_labels_text_is_found_and_archived_prompts_are_not() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    let id = scribe.create("greet", "hello old world");
    let label = |after| LabelSet { prompt: id, label: "production".parse().unwrap(), before: None, after };
    scribe.commit(None, vec![Event::LabelSet(label(1)), scribe.version(id, 2, "hello new world")]);
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    let of = |label: &str| Search { label: label.parse().unwrap(), ..words("old") };
    assert_eq!(searched(&world, "acme", WIDE, words("old ")).await.unwrap().total, 0);
    let found = searched(&world, "acme", WIDE, of("production")).await.unwrap();
    assert_eq!((found.hits[0].entry.number, shown(&found.hits[0])), (1, "hello [old] world".to_owned()));
    let labelled = Filters { labelled: Some("production".parse().unwrap()), ..Filters::default() };
    assert_eq!(searched(&world, "acme", WIDE, Search { filters: labelled, ..words("new") }).await.unwrap().total, 1);
    scribe.commit(None, vec![Event::PromptArchived(PromptArchived { prompt: id, key: "greet".parse().unwrap() })]);
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    for label in ["production", "latest"] {
        assert_eq!(searched(&world, "acme", WIDE, of(label)).await.unwrap().total, 0, "{label}");
    }
}

#[tokio::test]
async fn equal_keys_of_other_tenants_are_other_prompts() {
    let world = World::new(2);
    let names: Vec<_> = (0..6).map(|n| format!("tenant{n}")).collect();
    for name in &names {
        let mut scribe = world.scribe(name);
        scribe.create("same/key", &format!("shared words of {name} only"));
        scribe.append(&world.ledger).await;
        bring(&world, name).await;
    }
    for name in &names {
        let found = searched(&world, name, WIDE, words("shared words")).await.unwrap();
        assert_eq!((found.total, shown(&found.hits[0])), (1, format!("[shared] [words] of {name} only")));
        for other in names.iter().filter(|other| *other != name) {
            let found = searched(&world, name, WIDE, words(&format!("\"{other}\""))).await.unwrap();
            assert_eq!(found.total, 0, "{other} in {name}");
        }
    }
}

#[tokio::test]
async fn pages_are_of_one_state_and_are_held_for_a_while() {
    let clock = Clock::manual(promptory_events::Timestamp::from_micros(crate::testing::BEGIN_MICROS));
    let world = World::with_clock(4, clock.clone());
    let mut scribe = world.scribe("acme");
    for n in 0..7 {
        scribe.create(&format!("p{n}"), "the same words");
    }
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    let page = |after| Search { limit: 3, after, ..words("words") };
    let first = searched(&world, "acme", WIDE, page(None)).await.unwrap();
    assert_eq!((keys(&first), first.total), (vec!["p0", "p1", "p2"], 7));
    scribe.create("p15", "the same words");
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    let second = searched(&world, "acme", WIDE, page(first.next.clone())).await.unwrap();
    assert_eq!((keys(&second), second.total), (vec!["p3", "p4", "p5"], 7), "as it was");
    let last = searched(&world, "acme", WIDE, page(second.next.clone())).await.unwrap();
    assert_eq!((keys(&last), &last.next), (vec!["p6"], &None));
    assert_eq!(searched(&world, "acme", WIDE, page(None)).await.unwrap().total, 8, "as it is");
    clock.advance_ms(i64::try_from(limits::SEARCH_HOLD_MS).unwrap() + 1);
    assert_eq!(searched(&world, "acme", WIDE, page(second.next)).await.unwrap_err(), AskError::CursorExpired);
}

#[tokio::test]
async fn a_position_that_is_not_reached_in_time_is_told_with_the_one_that_is() {
    let world = World::new(4);
    let mut scribe = three_prompts(&world).await;
    scribe.create("late", "later words");
    scribe.append(&world.ledger).await;
    let tenant: TenantId = "acme".parse().unwrap();
    world.shelf.catalog().catch_up(&tenant).await.unwrap();
    let catalog = world.ask("acme", Question::Status).await.unwrap().as_of.unwrap();
    let question = Question::Search(Box::new(words("later")));
    let wanted = Ask { at_least: Some(catalog), ..ask("acme", question) };
    let behind = world.shelf.answer(wanted.clone()).await.unwrap_err();
    let AskError::SearchBehind { wanted: Some(told), reached: Some(reached) } = behind else { panic!("{behind:?}") };
    assert_eq!((told, reached), (catalog, Position { index: catalog.index - 2, ..catalog }));
    let (shelf, waiting) = (world.shelf.clone(), wanted.clone());
    let waiting = tokio::spawn(async move { in_the_end(&shelf, waiting).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.shelf.index(&tenant).await.unwrap();
    assert_eq!(waiting.await.unwrap().as_of, Some(catalog));
}

/// The answer once the index is as far: it is waited for two seconds, and a busy machine takes longer.
async fn in_the_end(shelf: &Shelf, ask: Ask) -> Reply {
    for _ in 0..30 {
        match shelf.answer(ask.clone()).await {
            Err(AskError::SearchBehind { .. }) => {}
            reply => return reply.unwrap(),
        }
    }
    panic!("the index does not come to where it is wanted");
}

#[tokio::test]
async fn an_index_goes_on_after_a_restart_and_is_built_again_if_it_is_damaged() {
    let mut world = World::new(4);
    let mut scribe = three_prompts(&world).await;
    world.restart().await;
    // Not brought any further: what is found comes from the disk.
    assert_eq!(searched(&world, "acme", WIDE, words("linux")).await.unwrap().total, 1);
    scribe.create("c", "linux again");
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    assert_eq!(searched(&world, "acme", WIDE, words("linux")).await.unwrap().total, 2);
    let folder = world.dir.path().join("acme/search");
    type Damage = fn(&std::path::Path);
    let damages: [Damage; 4] = [
        |folder| std::fs::write(folder.join("meta.json"), b"{}").unwrap(),
        |folder| {
            for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().extension().is_some()) {
                if entry.path().extension().is_some_and(|ending| ending == "term") {
                    let mut bytes = std::fs::read(entry.path()).unwrap();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 0xff;
                    std::fs::write(entry.path(), bytes).unwrap();
                }
            }
        },
        |folder| {
            let meta = std::fs::read_to_string(folder.join("meta.json")).unwrap();
            let other = meta.replace("\\\"format\\\":2", "\\\"format\\\":0");
            assert_ne!(meta, other);
            std::fs::write(folder.join("meta.json"), other).unwrap();
        },
        |folder| std::fs::remove_dir_all(folder).unwrap(),
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        world.shelf.close().await;
        damage(&folder);
        world.restart().await;
        bring(&world, "acme").await;
        assert_eq!(searched(&world, "acme", WIDE, words("linux")).await.unwrap().total, 2, "damage {n}");
    }
}

#[tokio::test]
async fn the_indexer_follows_by_itself() {
    let world = World::new(4);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let indexer = tokio::spawn(super::indexer::run(world.shelf.clone(), stopped));
    let mut scribe = world.scribe("acme");
    for n in 0..3 {
        scribe.create(&format!("p{n}"), "followed words");
        scribe.append(&world.ledger).await;
        let tenant: TenantId = "acme".parse().unwrap();
        world.shelf.catalog().catch_up(&tenant).await.unwrap();
        let at_least = world.ask("acme", Question::Status).await.unwrap().as_of;
        let question = Question::Search(Box::new(words("followed")));
        let reply = in_the_end(&world.shelf, Ask { at_least, ..ask("acme", question) }).await;
        let Answer::Found(found) = reply.answer else { panic!() };
        assert_eq!((found.total, reply.as_of), (n + 1, at_least));
    }
    stop.send(true).unwrap();
    indexer.await.unwrap();
    assert!(world.shelf.health().stopped.is_empty());
}

/// What happens to a prompt.
#[derive(Clone, Debug)]
enum Op {
    Version(Vec<u8>),
    Label(u8),
    Tags(u8),
    Move(bool),
    Archive,
}

const VOCABULARY: [&str; 12] = [
    "linux",
    "terminal",
    "terminals",
    "termite",
    "act",
    "as",
    "prompt",
    "prompting",
    "研究方法",
    "方法",
    "été",
    "study",
];

fn ops() -> impl Strategy<Value = Vec<(u8, Op, bool)>> {
    let text = proptest::collection::vec(0u8..12, 1..12);
    let op = prop_oneof![
        6 => text.prop_map(Op::Version),
        2 => (0u8..3).prop_map(Op::Label),
        2 => (0u8..3).prop_map(Op::Tags),
        3 => any::<bool>().prop_map(Op::Move),
        1 => Just(Op::Archive),
    ];
    proptest::collection::vec((0u8..8, op, any::<bool>()), 1..50)
}

#[derive(Clone, Default)]
struct Known {
    id: Option<PromptId>,
    key: String,
    versions: u32,
    archived: bool,
}

/// Tells what happens to some of the prompts, each batch appended; `between` is asked what to do after each.
async fn told(world: &World, ops: &[(u8, Op, bool)], some: impl Fn(u8) -> bool, often: bool) -> Vec<Known> {
    let mut scribe = world.scribe("acme");
    narrow(&mut scribe);
    let mut known = vec![Known::default(); 8];
    for (n, op, pause) in ops {
        scribe.now = scribe.now.plus_ms(1000);
        if !some(*n) {
            continue;
        }
        let prompt = &mut known[usize::from(*n)];
        let events = events_of(&scribe, prompt, *n, op);
        if events.is_empty() {
            continue;
        }
        scribe.commit(None, events);
        scribe.append(&world.ledger).await;
        if often && *pause {
            bring(world, "acme").await;
        }
    }
    scribe.commit(None, vec![Event::CommandUnchanged]);
    scribe.append(&world.ledger).await;
    bring(world, "acme").await;
    known
}

fn events_of(scribe: &Scribe, prompt: &mut Known, n: u8, op: &Op) -> Vec<Event> {
    let (Some(id), false) = (prompt.id, prompt.archived) else {
        let Op::Version(text) = op else { return vec![] };
        if prompt.archived {
            return vec![];
        }
        let id = scribe.command().prompt();
        *prompt = Known { id: Some(id), key: format!("a/linux{n}"), versions: 1, archived: false };
        let created = PromptCreated { prompt: id, key: prompt.key.parse().unwrap(), kind: Kind::Text };
        return vec![Event::PromptCreated(created), scribe.version(id, 1, &text_of(text))];
    };
    match op {
        Op::Version(text) => {
            prompt.versions += 1;
            vec![scribe.version(id, prompt.versions, &text_of(text))]
        }
        Op::Label(version) => {
            let after = 1 + u32::from(*version) % prompt.versions;
            let label = "production".parse().unwrap();
            vec![Event::LabelSet(LabelSet { prompt: id, label, before: None, after })]
        }
        Op::Tags(count) => {
            let after = (0..*count).map(|n| format!("study{n}").parse().unwrap()).collect();
            vec![Event::TagsSet(TagsSet { prompt: id, before: vec![], after })]
        }
        Op::Move(inside) => {
            let after = if *inside { format!("a/terminal{n}") } else { format!("b/x{n}") };
            let before = std::mem::replace(&mut prompt.key, after.clone());
            if before == after {
                return vec![];
            }
            let (before, after) = (before.parse().unwrap(), after.parse().unwrap());
            vec![Event::PromptRenamed(PromptRenamed { prompt: id, before, after })]
        }
        Op::Archive => {
            prompt.archived = true;
            vec![Event::PromptArchived(PromptArchived { prompt: id, key: prompt.key.parse().unwrap() })]
        }
    }
}

fn text_of(words: &[u8]) -> String {
    words.iter().map(|n| VOCABULARY[usize::from(*n)]).collect::<Vec<_>>().join(" ")
}

fn searches() -> Vec<Search> {
    let queries =
        ["", "linux", "terminals act", "termina", "termnal ", "\"act as\"", "te*", "研究", "法", "prompt study"];
    let tag = Filters { tag: Some("study0".parse().unwrap()), ..Filters::default() };
    let folder = Filters { folder: Some("a/".parse().unwrap()), ..Filters::default() };
    let mut all = Vec::new();
    for query in queries {
        let plain = Search { facets: true, limit: 100, ..words(query) };
        all.push(Search { label: "production".parse().unwrap(), ..plain.clone() });
        all.push(Search { filters: tag.clone(), sort: Sort::Updated, ..plain.clone() });
        all.push(Search { filters: folder.clone(), sort: Sort::Key, ..plain.clone() });
        all.push(plain);
    }
    all
}

/// All answers; without the identities, which follow from what else was told.
async fn answers(world: &World, who: u8, with_ids: bool) -> Vec<String> {
    let mut all = Vec::new();
    for search in searches() {
        let mut found = searched(world, "acme", who, search).await.unwrap();
        if !with_ids {
            for hit in &mut found.hits {
                (hit.entry.prompt, hit.entry.version) = (PromptId([0; 16]), promptory_events::VersionId([0; 16]));
            }
        }
        all.push(format!("{found:?}"));
    }
    for text in ["t", "study", "linux te", "方"] {
        let mut suggestions = suggested(world, who, text).await;
        if !with_ids {
            suggestions.prompts.iter_mut().for_each(|prompt| prompt.prompt = PromptId([0; 16]));
        }
        all.push(format!("{suggestions:?}"));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_does_not_depend_on_how_the_index_came_to_be(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (often, once) = (World::new(4), World::new(4));
            told(&often, &ops, |_| true, true).await;
            told(&once, &ops, |_| true, false).await;
            for who in [WIDE, NARROW] {
                assert_eq!(answers(&often, who, true).await, answers(&once, who, true).await);
            }
        });
    }

    #[test]
    fn who_reads_a_part_is_answered_as_if_there_were_no_more(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (whole, part) = (World::new(4), World::new(4));
            let known = told(&whole, &ops, |_| true, true).await;
            let seen = |n: u8| {
                let prompt = &known[usize::from(n)];
                prompt.key.starts_with("a/") && !prompt.archived
            };
            told(&part, &ops, seen, false).await;
            assert_eq!(answers(&whole, NARROW, false).await, answers(&part, WIDE, false).await);
        });
    }
}
