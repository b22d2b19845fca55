//! In which language a tenant is searched: what is found is what a look at every word finds, in each of them; a change is built
//! beside the index that serves, and how an index came to be does not show.

use super::*;
use crate::views::search::index::Index;
use crate::views::search::words::{Lexer, Word};

fn configured(before: &[Language], after: &[Language]) -> Event {
    let (before, after) = (Languages::of(before), Languages::of(after));
    Event::SearchConfigured(SearchConfigured { before, after })
}

async fn total(world: &World, query: &str) -> u64 {
    searched(world, "acme", WIDE, words(query)).await.unwrap().total
}

/// Which of the two folders are there.
fn folders(world: &World) -> [bool; 2] {
    ["search", "search-other"].map(|name| world.dir.path().join("acme").join(name).exists())
}

async fn languages(world: &World, as_of: AsOf) -> Languages {
    match world.ask("acme", Question::Languages { as_of }).await.unwrap().answer {
        Answer::Languages(languages) => languages,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_of_languages_is_built_beside_the_index_that_serves_and_takes_its_place() {
    let mut world = World::new(4);
    let tenant: TenantId = "acme".parse().unwrap();
    let german = Languages::of(&[Language::German]);
    let mut scribe = world.scribe("acme");
    scribe.create("a", "Die Häuser am Hang");
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    assert_eq!((total(&world, "haus ").await, total(&world, "hangs ").await), (0, 1));
    scribe.commit(None, vec![configured(&[Language::English], &[Language::German])]);
    scribe.append(&world.ledger).await;
    world.shelf.catalog().catch_up(&tenant).await.unwrap();
    // The catalog knows, the index does not yet: it answers as it is, also after a restart.
    assert_eq!((languages(&world, AsOf::Now).await, total(&world, "haus ").await), (german, 0));
    world.restart().await;
    assert_eq!((languages(&world, AsOf::Now).await, total(&world, "hangs ").await), (german, 1));
    assert_eq!(folders(&world), [true, false]);
    let set = world.ask("acme", Question::Status).await.unwrap().as_of.unwrap().index;
    world.shelf.index(&tenant).await.unwrap();
    assert_eq!((total(&world, "haus ").await, folders(&world)), (1, [false, true]));
    let found = searched(&world, "acme", WIDE, words("haus ")).await.unwrap();
    assert_eq!(shown(&found.hits[0]), "Die [Häuser] am Hang");
    // What comes later goes into the new one, and a restart finds it.
    scribe.create("b", "Des Hauses Hüter");
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    assert_eq!(total(&world, "häuser ").await, 2);
    world.restart().await;
    assert_eq!((total(&world, "häuser ").await, folders(&world)), (2, [false, true]));
    scribe.commit(None, vec![configured(&[Language::German], &[])]);
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    assert_eq!((total(&world, "haus ").await, folders(&world)), (0, [true, false]), "as it is written");
    // What it was then is told.
    assert_eq!(languages(&world, AsOf::Now).await, Languages::of(&[]));
    assert_eq!(languages(&world, AsOf::Index(set)).await, german);
    assert_eq!(languages(&world, AsOf::Index(set - 1)).await, Languages::default());
}

#[tokio::test]
async fn a_beginning_that_was_not_finished_is_of_no_use_and_whoever_waits_gets_the_new_language() {
    let mut world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.create("a", "Die Häuser am Hang");
    scribe.append(&world.ledger).await;
    bring(&world, "acme").await;
    scribe.commit(None, vec![configured(&[Language::English], &[Language::German])]);
    scribe.append(&world.ledger).await;
    world.shelf.close().await;
    let begun = world.dir.path().join("acme/search-other");
    drop(Index::create(&begun, Languages::of(&[Language::German])).unwrap());
    world.restart().await;
    let tenant: TenantId = "acme".parse().unwrap();
    world.shelf.catalog().catch_up(&tenant).await.unwrap();
    assert_eq!((total(&world, "haus ").await, folders(&world)), (0, [true, false]));
    let at_least = world.ask("acme", Question::Status).await.unwrap().as_of;
    let asked = Ask { at_least, ..ask("acme", Question::Search(Box::new(words("haus ")))) };
    let shelf = world.shelf.clone();
    let waiting = tokio::spawn(async move { in_the_end(&shelf, asked).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.shelf.index(&tenant).await.unwrap();
    let reply = waiting.await.unwrap();
    let Answer::Found(found) = reply.answer else { panic!() };
    assert_eq!((found.total, reply.as_of), (1, at_least));
}

/// Words of a language that have endings, and pieces of texts without spaces.
const VOCABULARIES: [(&[Language], [&str; 8]); 8] = [
    (&[], ["linux", "terminal", "terminals", "run", "running", "été", "Straße", "方法"]),
    (&[Language::English], ["prompt", "prompts", "prompting", "run", "running", "runner", "study", "studies"]),
    (&[Language::German], ["Haus", "Häuser", "hauses", "Aufgabe", "Aufgaben", "schreibe", "schreiben", "straße"]),
    (&[Language::French], ["cheval", "chevaux", "énergie", "énergies", "écrire", "écrit", "écrits", "rôle"]),
    (&[Language::Spanish], ["traducción", "traducciones", "escribir", "escribe", "niño", "niños", "niñas", "rol"]),
    (&[Language::Russian], ["переводчик", "переводчика", "хороший", "хорошая", "текст", "тексты", "ёлка", "елки"]),
    (&[Language::English, Language::German], ["Haus", "Häuser", "house", "houses", "run", "running", "laufen", "研究"]),
    (&[Language::French], ["研究", "方法", "研究方法", "報告", "プロンプト", "を書く", "프롬프트", "rôle"]),
];

/// What a look at every word finds: the prompts that have one like it, by its letters or by a stem.
fn by_hand(lexer: &Lexer, texts: &[(String, String)], query: &str) -> Vec<String> {
    let asked = lexer.words(query);
    let has = |text: &str| {
        if asked.iter().any(|word| word.dense) {
            return text.contains(query);
        }
        let there = lexer.words(text);
        let alike = |one: &Word, other: &Word| {
            one.folded == other.folded || one.stems.iter().any(|stem| other.stems.contains(stem))
        };
        asked.iter().all(|word| there.iter().any(|there| alike(word, there)))
    };
    texts.iter().filter(|(_, text)| has(text)).map(|(key, _)| key.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_in_a_language_is_what_a_look_at_every_word_finds(
        which in 0..VOCABULARIES.len(),
        texts in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0usize..8, 1..5)), 1..6),
    ) {
        let (languages, vocabulary) = VOCABULARIES[which];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (changed, fresh) = (World::new(4), World::new(4));
            let mut texts: Vec<(String, String)> = texts
                .iter()
                .enumerate()
                .map(|(n, (inside, text))| {
                    let folder = if *inside { "a" } else { "b" };
                    let text: Vec<_> = text.iter().map(|word| vocabulary[*word]).collect();
                    (format!("{folder}/{n}"), text.join(" "))
                })
                .collect();
            texts.sort();
            for (world, late) in [(&changed, true), (&fresh, false)] {
                let mut scribe = world.scribe("acme");
                narrow(&mut scribe);
                let set = configured(&[Language::English], languages);
                if !late {
                    scribe.commit(None, vec![set.clone()]);
                }
                for (key, text) in &texts {
                    scribe.create(key, text);
                }
                scribe.append(&world.ledger).await;
                if late {
                    bring(world, "acme").await;
                    scribe.commit(None, vec![set]);
                    scribe.append(&world.ledger).await;
                }
                bring(world, "acme").await;
            }
            let lexer = Lexer::new(Languages::of(languages));
            let seen: Vec<_> = texts.iter().filter(|(key, _)| key.starts_with("a/")).cloned().collect();
            for query in vocabulary {
                for (who, texts) in [(WIDE, &texts), (NARROW, &seen)] {
                    let expected = by_hand(&lexer, texts, query);
                    let search = Search { sort: Sort::Key, limit: 100, ..words(&format!("{query} ")) };
                    let found = searched(&changed, "acme", who, search.clone()).await.unwrap();
                    let anew = searched(&fresh, "acme", who, search).await.unwrap();
                    assert_eq!(keys(&found), keys(&anew), "{query}");
                    // A word that nobody has is looked for with mistakes: that is another matter.
                    if !expected.is_empty() {
                        assert_eq!(keys(&found), expected, "{query} in {texts:?}");
                    }
                }
            }
        });
    }
}
