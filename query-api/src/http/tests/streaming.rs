//! The event stream: replay, then live, resumed where it stopped, over when the key is revoked.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::{FutureExt, StreamExt};

use super::world::World;

/// A client that reads frames as they come.
struct Client {
    body: BodyDataStream,
    waiting: String,
}

impl Client {
    async fn open(world: &World, uri: &str, last_seen: Option<u64>) -> Self {
        let request = world.request(&world.caught_up(uri).await).header("accept", "text/event-stream, */*");
        let request = last_seen.iter().fold(request, |r, id| r.header("last-event-id", id.to_string()));
        let response = world.open(request).await;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (200.try_into().unwrap(), &"text/event-stream".parse().unwrap())
        );
        let mut client = Self::of(response.into_body());
        assert_eq!(client.frame().await.unwrap(), "retry: 1000");
        client
    }

    fn of(body: Body) -> Self {
        Self { body: body.into_data_stream(), waiting: String::new() }
    }

    /// The next frame; `None` if the stream is over.
    async fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.waiting.split_once("\n\n") {
                let frame = frame.to_owned();
                self.waiting = rest.to_owned();
                return Some(frame);
            }
            let chunk = self.body.next().await?.unwrap();
            self.waiting.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event's index and type.
    async fn event(&mut self) -> Option<(u64, String)> {
        let frame = self.frame().await?;
        let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let data: serde_json::Value = serde_json::from_str(&line("data: ").unwrap()).unwrap();
        let (id, event) = (line("id: ").unwrap().parse().unwrap(), line("event: ").unwrap());
        assert_eq!((&data["index"], &data["type"]), (&serde_json::Value::from(id), &event.clone().into()));
        Some((id, event))
    }
}

#[tokio::test]
async fn a_stream_replays_then_follows_without_a_gap() {
    let mut world = World::new().await;
    world.append(world.created(5, "p", "x")).await;
    let mut client = Client::open(&world, "/v1/events?from=2", None).await;
    assert_eq!(client.event().await.unwrap(), (2, "key.issued".into()));
    for n in 0..20 {
        world.append(world.created(20 + n, &format!("q{n}"), "y")).await;
    }
    for index in 3..45 {
        assert_eq!(client.event().await.unwrap().0, index);
    }
    assert!(client.event().now_or_never().is_none(), "it waits");
    world.append(vec![world.labelled(5, "live", None, 1)]).await;
    assert_eq!(client.event().await.unwrap(), (45, "label.set".into()));
}

#[tokio::test]
async fn a_reader_resumes_after_the_last_event_that_it_has_seen() {
    let mut world = World::new().await;
    world.append(world.created(5, "p", "x")).await;
    let mut client = Client::open(&world, "/v1/events?from=0", Some(3)).await;
    assert_eq!(client.event().await.unwrap(), (4, "version.added".into()));
    let request = world.request("/v1/events").header("accept", "text/event-stream").header("last-event-id", "x");
    assert_eq!(world.send(request).await.field(), "Last-Event-ID");
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams() {
    let mut world = World::new().await;
    let mut client = Client::open(&world, "/v1/events?from=3", None).await;
    assert!(client.event().now_or_never().is_none());
    world.append(vec![world.revoked()]).await;
    assert_eq!(client.event().await, None, "not even the revocation is shown");
    let request = world.request("/v1/events").header("accept", "text/event-stream");
    assert_eq!(world.send(request).await.code(), "unauthenticated");
}

#[tokio::test]
async fn an_idle_stream_has_a_heartbeat() {
    let world = World::new().await;
    let mut client = Client::open(&world, "/v1/events?from=3", None).await;
    tokio::time::pause();
    for _ in 0..3 {
        assert_eq!(client.frame().await.unwrap(), ": heartbeat");
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_delays_nobody() {
    let mut world = World::new().await;
    let mut slow = Client::open(&world, "/v1/events", None).await;
    let mut quick = Client::open(&world, "/v1/events", None).await;
    for n in 0..150 {
        world.append(world.created(50 + n, &format!("q{n}"), "y")).await;
    }
    for index in 0..303 {
        let event = tokio::time::timeout(Duration::from_secs(60), quick.event()).await;
        assert_eq!(event.unwrap().unwrap().0, index);
    }
    for index in 0..303 {
        assert_eq!(slow.event().await.unwrap().0, index, "and misses nothing itself");
    }
}
