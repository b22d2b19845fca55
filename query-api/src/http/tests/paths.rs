//! Keys are people's own words: whatever is legal in one must survive the path.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::world::World;

#[tokio::test]
async fn every_key_survives_the_path() {
    let mut world = World::new().await;
    let keys = [
        "a/b",
        "a b",
        " a ",
        "100%",
        "a%2Fb",
        "下棋/é",
        "a//b",
        "/a",
        "a/",
        "/",
        "a+b",
        "a?b#c",
        "..",
        "a&b=c;d",
        "\"'",
    ];
    for (n, key) in (10..).zip(keys) {
        world.append(world.created(n, key, key)).await;
    }
    for key in keys {
        let path = utf8_percent_encode(key, NON_ALPHANUMERIC);
        let answer = world.get(&format!("/v1/prompts/{path}")).await;
        assert_eq!((&answer.json["key"], &answer.json["text"]), (&key.into(), &key.into()), "{key}: {answer:?}");
        let answer = world.get(&format!("/v1/prompts/{path}/versions")).await;
        assert_eq!(answer.json["versions"][0]["number"], 1, "{key}: {answer:?}");
    }
}

#[tokio::test]
async fn a_path_that_is_no_key_is_told_apart_from_a_prompt_that_is_not_there() {
    let world = World::new().await;
    let refused = async |path: &str| {
        let answer = world.get(path).await;
        (answer.code().to_owned(), answer.field().to_owned())
    };
    let invalid = |field: &str| ("invalid-field".to_owned(), field.to_owned());
    let missing = |code: &str| (code.to_owned(), String::new());
    assert_eq!(refused("/v1/prompts/nothing").await, missing("prompt-not-found"));
    assert_eq!(refused("/v1/prompts/a%0Ab").await, invalid("prompt"));
    assert_eq!(refused("/v1/prompts/%FF").await, invalid("prompt"));
    assert_eq!(refused("/v1/prompts/e%CC%81").await, invalid("prompt"), "not in NFC");
    assert_eq!(refused(&format!("/v1/prompts/{}", "a".repeat(1025))).await, invalid("prompt"));
    assert_eq!(refused("/v1/prompts/a/labels/Production/history").await, invalid("label"));
    assert_eq!(refused("/v1/prompts/").await, missing("not-found"));
    assert_eq!(refused("/v1/prompts/a/b").await, missing("not-found"), "a slash that was not escaped");
}
