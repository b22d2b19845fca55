use super::*;
use crate::import::testing::{Act, Fake, key};
use proptest::prelude::*;

fn command(n: usize, name: &str) -> Command {
    let json = serde_json::json!({"type": "archive_prompt", "prompt": name, "idempotency_key": format!("k{n}")});
    let place = Place { file: "f".into(), line: n as u64 + 1 };
    Command { place, json: json.to_string().into_bytes(), known: None }
}

fn commands(names: &[&str]) -> Vec<Command> {
    names.iter().enumerate().map(|(n, name)| command(n, name)).collect()
}

struct Sent {
    result: Result<(), SendError>,
    report: Report,
    acks: Vec<u64>,
}

fn send(fake: &Fake, commands: Vec<Command>, patience: Duration) -> Sent {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acks");
    let client = Client::new(&fake.serve(), &key()).unwrap();
    let mut sender = Sender::new(client, Some(AckLog::open(&path).unwrap()), patience);
    sender.first_pause = Duration::from_millis(1);
    let mut report = Report::default();
    let shown = Progress::new(crate::import::progress::Unit::Bytes, None);
    let result = sender.send(commands, &mut report, &shown);
    let acks = std::fs::read_to_string(&path).unwrap();
    let line = |ack: &str| serde_json::from_str::<serde_json::Value>(ack).unwrap()["line"].as_u64().unwrap();
    Sent { result, report, acks: acks.lines().map(line).collect() }
}

const LONG: Duration = Duration::from_secs(60);

fn counts(report: &Report) -> (u64, u64, u64) {
    (report.added, report.already_there, report.failed)
}

fn order(fake: &Fake) -> Vec<String> {
    fake.done().iter().map(|command| command["prompt"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn commands_are_done_in_order_and_logged_when_they_are() {
    let fake = Fake::default();
    let sent = send(&fake, commands(&["a", "bad", "c"]), LONG);
    sent.result.unwrap();
    assert_eq!(counts(&sent.report), (2, 0, 1));
    assert_eq!(sent.report.failures, ["f:2: a-code: a detail"]);
    assert_eq!(sent.acks, [1, 3]);
    assert_eq!(order(&fake), ["a", "c"]);
}

#[test]
fn a_repeat_is_told_from_a_first_time() {
    let fake = Fake::default();
    send(&fake, commands(&["a", "b"]), LONG).result.unwrap();
    let again = send(&fake, commands(&["a", "b", "c"]), LONG);
    assert_eq!(counts(&again.report), (1, 2, 0));
    assert_eq!(again.acks, [1, 2, 3], "what was there already is acknowledged too");
}

#[test]
fn a_server_that_is_not_available_is_tried_again() {
    let fake = Fake::acting([Act::Say(503), Act::Say(500), Act::Say(408)]);
    let sent = send(&fake, commands(&["a", "b"]), LONG);
    sent.result.unwrap();
    assert_eq!(counts(&sent.report), (2, 0, 0));
    assert_eq!(fake.request_sizes(), [2, 2, 2, 2]);
}

#[test]
fn a_lost_answer_is_asked_for_again_and_nothing_is_done_twice() {
    let fake = Fake::acting([Act::LoseAnswer]);
    let sent = send(&fake, commands(&["a", "b"]), LONG);
    sent.result.unwrap();
    assert_eq!(order(&fake), ["a", "b"]);
    assert_eq!(sent.acks, [1, 2]);
}

#[test]
fn from_a_command_that_is_not_done_all_that_follow_are_sent_again() {
    let fake = Fake::acting([Act::DoSome(1), Act::DoSome(1)]);
    let sent = send(&fake, commands(&["a", "b", "c", "d"]), LONG);
    sent.result.unwrap();
    assert_eq!(fake.request_sizes(), [4, 3, 2]);
    assert_eq!((counts(&sent.report), order(&fake).join("")), ((4, 0, 0), "abcd".to_owned()));
}

#[test]
fn what_was_acknowledged_out_of_turn_is_logged_and_counted_once() {
    let fake = Fake::acting([Act::Miss(1)]);
    let sent = send(&fake, commands(&["a", "b", "c"]), LONG);
    sent.result.unwrap();
    assert_eq!(counts(&sent.report), (3, 0, 0));
    assert_eq!(sent.acks, [1, 3, 2]);
}

#[test]
fn a_refusal_behind_a_command_that_is_not_done_is_not_final() {
    // `bad` is only bad until what comes before it is done: here it stays bad, and is counted once.
    let fake = Fake::acting([Act::Miss(0)]);
    let sent = send(&fake, commands(&["a", "bad"]), LONG);
    sent.result.unwrap();
    assert_eq!(counts(&sent.report), (1, 0, 1));
}

#[test]
fn a_request_that_is_too_large_is_sent_in_parts() {
    let fake = Fake::default();
    fake.refuse_more_than(2);
    let sent = send(&fake, commands(&["a", "b", "c", "d", "e"]), LONG);
    sent.result.unwrap();
    assert_eq!(order(&fake).join(""), "abcde");
}

#[test]
fn a_command_that_is_too_large_by_itself_fails_alone() {
    let fake = Fake::acting([Act::Say(413), Act::Say(413)]);
    let sent = send(&fake, commands(&["a", "b"]), LONG);
    sent.result.unwrap();
    assert_eq!((counts(&sent.report), order(&fake).join("")), ((1, 0, 1), "b".to_owned()));
}

#[test]
fn patience_ends_and_the_report_holds_what_was_done_until_then() {
    let fake = Fake::acting([Act::DoSome(1), Act::Say(503), Act::Say(503)]);
    let sent = send(&fake, commands(&["a", "b"]), Duration::ZERO);
    assert!(matches!(sent.result, Err(SendError::Patience { .. })));
    assert_eq!((counts(&sent.report), sent.acks), ((1, 0, 0), vec![1]));
}

#[test]
fn nothing_is_tried_again_with_a_key_that_opens_nothing() {
    let closed = Fake::acting([Act::Say(401)]);
    assert!(matches!(send(&closed, commands(&["a"]), LONG).result, Err(SendError::Refused(_))));
    assert_eq!(closed.request_sizes(), [1]);
    let forbidden = send(&Fake::default(), commands(&["a", "forbidden", "c"]), LONG);
    assert!(matches!(forbidden.result, Err(SendError::Refused(_))));
    assert_eq!(counts(&forbidden.report).0, 1);
}

#[test]
fn an_answer_of_something_else_ends_the_import() {
    let sent = send(&Fake::acting([Act::Babble]), commands(&["a"]), LONG);
    assert!(matches!(sent.result, Err(SendError::Answer(_))));
    let other = send(&Fake::acting([Act::Say(404)]), commands(&["a"]), LONG);
    assert!(matches!(other.result, Err(SendError::Refused(_))));
}

#[test]
fn addresses_are_looked_at_before_anything_is_sent() {
    for bad in ["", "localhost", "ftp://localhost", "http://", "/v1"] {
        assert!(Client::new(bad, &key()).is_err(), "{bad}");
    }
    for good in ["http://localhost:1/", "https://example.org", "http://[::1]:8080"] {
        assert!(Client::new(good, &key()).is_ok(), "{good}");
    }
    assert!(!format!("{:?}", Client::new("http://localhost", &key()).unwrap()).contains("aaaa"), "a key in a log");
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Do),
        (0..6usize).prop_map(Act::DoSome),
        Just(Act::LoseAnswer),
        Just(Act::Say(503)),
        Just(Act::Say(429)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_on_the_way_everything_is_done_once_and_in_order(acts in prop::collection::vec(act(), 0..6)) {
        let fake = Fake::acting(acts);
        let names = ["a", "b", "bad", "c", "d", "e"];
        let sent = send(&fake, commands(&names), LONG);
        prop_assert!(sent.result.is_ok());
        prop_assert_eq!(order(&fake).join(""), "abcde");
        prop_assert_eq!(sent.acks, [1, 2, 4, 5, 6]);
        prop_assert_eq!((sent.report.lines, sent.report.failed), (6, 1));
    }
}
