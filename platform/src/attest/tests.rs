//! What is handed on, what is counted, and that both have bounds.

use promptory_events::event::Action;
use promptory_events::{Credential, KeyId, PrincipalId, limits};

use super::*;

fn denied(n: u32) -> AttemptDenied {
    AttemptDenied {
        attempt: Attempt {
            principal: PrincipalId([1; 16]),
            action: Action::Read,
            target: format!("{n}/").parse().unwrap(),
        },
        credential: Credential::ApiKey { tenant: tenant(), key: KeyId([1; 8]) },
        door: Door::Question,
        minute: Timestamp::MIN,
    }
}

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

/// A port whose other end writes everything, and what it has written.
fn written() -> (Attestor, Clock, Arc<Mutex<Vec<Attested>>>) {
    let clock = Clock::manual("2026-05-03T12:00:30Z".parse().unwrap());
    let (attestor, mut out) = Attestor::new(clock.clone());
    let written = Arc::new(Mutex::new(Vec::new()));
    let kept = written.clone();
    tokio::spawn(async move {
        while let Some(first) = out.recv().await {
            kept.lock().unwrap().push(first.attested);
            let _ = first.recorded.send(());
        }
    });
    (attestor, clock, written)
}

#[tokio::test]
async fn the_first_is_written_when_it_returns_and_the_others_are_counted_when_the_minute_is_over() {
    let (attestor, clock, written) = written();
    for _ in 0..5 {
        attestor.denied(&tenant(), denied(1)).await;
        assert_eq!(written.lock().unwrap().len(), 1);
    }
    assert_eq!(attestor.take(false), [], "the minute is not over");
    clock.advance_ms(30_000);
    attestor.denied(&tenant(), denied(1)).await;
    assert_eq!(written.lock().unwrap().len(), 2);
    let [Attested::Counted(of, counted)] = &attestor.take(false)[..] else { panic!("no counts") };
    assert_eq!((of, counted.again[0].times, counted.others), (&tenant(), 4, 0));
    assert_eq!(counted.minute.to_string(), "2026-05-03T12:00:00Z");
    assert_eq!(attestor.take(true), [], "a first one alone leaves no count");
}

#[tokio::test]
async fn a_flood_of_kinds_is_bounded_and_none_is_lost_from_the_count() {
    let (attestor, _, written) = written();
    for n in 0..1000 {
        attestor.denied(&tenant(), denied(n)).await;
    }
    let firsts = written.lock().unwrap().len();
    assert_eq!(firsts, limits::ATTEMPTS_PER_MINUTE_MAX);
    let [Attested::Counted(_, counted)] = &attestor.take(true)[..] else { panic!("no counts") };
    assert!(counted.again.len() <= limits::ATTEMPTS_PER_MINUTE_MAX);
    let again: u64 = counted.again.iter().map(|again| again.times).sum();
    assert_eq!(again + counted.others + firsts as u64, 1000);
}

#[tokio::test]
async fn one_that_nobody_writes_is_counted_and_the_next_is_the_first_again() {
    let (attestor, mut out) = Attestor::new(Clock::manual(Timestamp::MIN));
    let failing = tokio::spawn(async move {
        let mut asked = 0;
        while out.recv().await.is_some() {
            asked += 1; // and drops who waits
        }
        asked
    });
    attestor.denied(&tenant(), denied(1)).await;
    attestor.denied(&tenant(), denied(1)).await;
    let counts = attestor.take(true);
    let [Attested::Counted(_, counted)] = &counts[..] else { panic!("no counts") };
    assert_eq!(counted.again[0].times, 2);
    // Nor is a count lost that can't be written.
    attestor.give_back(counts[0].clone());
    assert_eq!(attestor.take(true), counts);
    drop(attestor);
    assert_eq!(failing.await.unwrap(), 2);
}

#[test]
fn keys_that_open_nothing_are_counted_once_a_minute() {
    let clock = Clock::manual("2026-05-03T12:00:00Z".parse().unwrap());
    let (attestor, _out) = Attestor::new(clock.clone());
    assert_eq!(attestor.take(false), []);
    (0..70).for_each(|_| attestor.unauthenticated());
    assert_eq!(attestor.take(false), [], "the minute is not over");
    clock.advance_ms(60_000);
    let [Attested::Unauthenticated(counted)] = &attestor.take(false)[..] else { panic!("no count") };
    assert_eq!(counted.times, 70);
    clock.advance_ms(60_000);
    assert_eq!(attestor.take(true), []);
}
