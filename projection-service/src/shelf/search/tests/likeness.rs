//! Words that nobody has, and words that stand together.

use super::*;

async fn texts(world: &World, texts: &[(&str, &str)]) {
    let mut scribe = world.scribe("acme");
    narrow(&mut scribe);
    for (key, text) in texts {
        scribe.create(key, text);
    }
    scribe.append(&world.ledger).await;
    bring(world, "acme").await;
}

async fn found(world: &World, query: &str) -> Found {
    searched(world, "acme", WIDE, words(query)).await.unwrap()
}

fn respelt(found: &Found) -> Vec<(&str, Vec<&str>)> {
    let words = found.respelt.iter();
    words.map(|word| (word.word.as_str(), word.as_words.iter().map(String::as_str).collect())).collect()
}

#[tokio::test]
async fn a_space_that_is_missing_or_too_many_is_a_mistake_like_another() {
    let world = World::new(4);
    texts(&world, &[("a", "Act as a Linux terminal."), ("b/secret", "a git diff and a database")]).await;
    let missing = found(&world, "linuxterminal reply").await;
    assert_eq!(missing.total, 0, "all words must be there");
    let missing = found(&world, "act linuxterminal ").await;
    assert_eq!(respelt(&missing), [("linuxterminal", vec!["linux terminal"])]);
    assert_eq!((keys(&missing), shown(&missing.hits[0])), (vec!["a"], "[Act] as a [Linux] [terminal].".to_owned()));
    let too_many = found(&world, "data base ").await;
    assert_eq!(respelt(&too_many).last(), Some(&("data base", vec!["database"])));
    assert_eq!(
        (keys(&too_many), shown(&too_many.hits[0])),
        (vec!["b/secret"], "a git diff and a [database]".to_owned())
    );
    assert_eq!(found(&world, "gitdiff ").await.total, 1);
    // What may not be read is no word, nor two.
    for query in ["gitdiff ", "data base "] {
        assert_eq!(searched(&world, "acme", NARROW, words(query)).await.unwrap().total, 0, "{query}");
    }
}

#[tokio::test]
async fn one_mistake_is_meant_before_two_and_a_missing_space_is_one() {
    let world = World::new(4);
    texts(
        &world,
        &[("a", "generator"), ("b", "kitten and mitten"), ("c", "a bit ten"), ("d", "alpha beta"), ("e", "alphabetic")],
    )
    .await;
    for (query, words) in [
        ("geenrator ", &["generator"][..]),
        ("gneerator ", &["generator"]),
        ("xenerator ", &["generator"]),
        ("gemerstor ", &["generator"]),
        ("bitten ", &["kitten", "mitten"]),
        ("bittten ", &["kitten", "mitten"]),
        ("alphabeta ", &["alpha beta"]),
        ("tenbit ", &[]),
    ] {
        assert_eq!(respelt(&found(&world, query).await), [(query.trim(), words.to_vec())]);
    }
}

#[tokio::test]
async fn who_is_still_typing_means_what_begins_so_before_what_is_like_it() {
    let world = World::new(4);
    texts(&world, &[("a", "ups and downs"), ("b", "updates and more")]).await;
    let typing = found(&world, "upd").await;
    assert_eq!((keys(&typing), typing.respelt.len()), (vec!["b", "a"], 0));
    let typed = found(&world, "upd ").await;
    assert_eq!((keys(&typed), respelt(&typed)), (vec!["a"], vec![("upd", vec!["ups"])]));
}

#[tokio::test]
async fn words_that_stand_together_come_before_the_same_words_apart() {
    let world = World::new(4);
    texts(
        &world,
        &[
            ("a", "review of the code"),
            ("b", "of the code review"),
            ("c", "the reviews of code"),
            ("d", "of the codes reviewed"),
        ],
    )
    .await;
    assert_eq!(keys(&found(&world, "code review ").await)[..2], ["b", "a"]);
    assert_eq!(keys(&found(&world, "codes reviewed ").await)[..2], ["d", "b"]);
    let narrowed = Search {
        filters: Filters { folder: Some("b/".parse().unwrap()), ..Filters::default() },
        ..words("code review ")
    };
    assert_eq!(searched(&world, "acme", WIDE, narrowed).await.unwrap().total, 0, "it is worth more, it finds no more");
}
