//! A small world: one process's ledger, keys, shelf and worker in a temporary folder, and the routes in front.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use promptory_events::event::{
    KeyIssued, KeyRevoked, Kind, LabelSet, PrincipalAdded, PromptCreated, PromptRenamed, Role, RoleGranted, Subject,
    Syntax, VersionAdded, VersionRef,
};
use promptory_events::{
    Batch, BatchHeader, BatchId, CommandHash, CommandId, Commit, CommitHeader, Content, ContentBody, Credential, Event,
    Evidence, KeyId, Position, PrincipalId, PromptId, TenantId, Timestamp, VersionId,
};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::ApiKey;
use promptory_platform::apikey::Secret;
use promptory_platform::http::{Limits, edge};
use promptory_projection::{Config, Shelf, worker};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{ReadSide, health_router, router};

/// Everything, with one tenant `acme` whose owner holds `key`.
pub struct World {
    pub app: Router,
    pub key: ApiKey,
    pub tenant: TenantId,
    ledger: Ledger,
    keys: KeyStore,
    commands: u8,
    _stop: watch::Sender<bool>,
    _folder: TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub json: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    pub fn field(&self) -> &str {
        self.json["field"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub fn owner() -> PrincipalId {
    PrincipalId([1; 16])
}

pub fn prompt(n: u8) -> PromptId {
    PromptId([n; 16])
}

pub fn version(prompt: u8, number: u32) -> VersionId {
    let mut id = [prompt; 16];
    id[15] = u8::try_from(number).unwrap();
    VersionId(id)
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    /// A tenant with an owner (events 0 to 2), its worker caught up with nothing yet.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::Embedded(Embedded::open(&folder.path().join("ledger.redb"), 1).unwrap());
        let keys = KeyStore::open(&folder.path().join("keys.redb")).unwrap();
        let tenant: TenantId = "acme".parse().unwrap();
        keys.ensure_tenant(&tenant).unwrap();
        let config = Config {
            identity: promptory_identity::Config::default(),
            search: promptory_projection::shelf::search::Config::default(),
            dir: folder.path().join("models"),
            open_max: 4,
            cache_bytes: 1 << 20,
            clock: promptory_platform::Clock::System,
            keep: promptory_projection::shelf::KEEP,
        };
        let shelf = Shelf::new(config, ledger.clone(), keys.clone());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(worker::run(shelf.clone(), worker::Scope::whole(0), stopped.clone()));
        tokio::spawn(promptory_projection::shelf::search::indexer::run(shelf.clone(), stopped));
        let read_side = ReadSide::Here(shelf);
        let routes = router(read_side.clone()).0.merge(health_router(vec![read_side]));
        let app = edge(routes, Limits::default(), &CancellationToken::new(), &promptory_platform::Attestor::default());
        let key = ApiKey::new(tenant.clone(), KeyId([9; 8]), Secret::random().unwrap());
        let mut world = Self { app, key: key.clone(), tenant, ledger, keys, commands: 0, _stop: stop, _folder: folder };
        world.append(world.key_events(owner(), &key, Role::Owner)).await;
        world
    }

    pub fn key_events(&self, principal: PrincipalId, key: &ApiKey, role: Role) -> Vec<Event> {
        self.key_events_on("", principal, key, role)
    }

    pub fn key_events_on(&self, prefix: &str, principal: PrincipalId, key: &ApiKey, role: Role) -> Vec<Event> {
        let secret_hash = key.secret_hash();
        vec![
            Event::PrincipalAdded(PrincipalAdded { principal, name: None }),
            Event::RoleGranted(RoleGranted {
                to: Subject::Principal(principal),
                role: role.into(),
                prefix: prefix.parse().unwrap(),
                expires_at: None,
            }),
            Event::KeyIssued(KeyIssued {
                key: key.key,
                principal,
                secret_hash,
                scope: None,
                expires_at: None,
                replaces: None,
            }),
        ]
    }

    pub fn revoked(&self) -> Event {
        Event::KeyRevoked(KeyRevoked { key: self.key.key, from: None })
    }

    /// Appends one commit, recorded at the hour of its command: the first at 01:00 of 2026-01-01.
    pub async fn append(&mut self, events: Vec<Event>) -> Position {
        self.append_as_of(None, events).await
    }

    pub async fn append_as_of(&mut self, occurred_at: Option<Timestamp>, events: Vec<Event>) -> Position {
        self.commands += 1;
        let head = self.ledger.head(&self.tenant).await.unwrap();
        let prev = head.as_ref().map_or(0, |head| head.cursor.sequence);
        let first_index = head.as_ref().map_or(0, |head| head.position.index + 1);
        let header = BatchHeader {
            batch_id: BatchId([self.commands; 16]),
            tenant: self.tenant.clone(),
            incarnation: self.ledger.incarnation(),
            first_index,
            events: u32::try_from(events.len()).unwrap(),
            recorded_at: at("2026-01-01T00:00:00Z").plus_ms(i64::from(self.commands) * 3_600_000),
            prev,
            writer: String::new(),
        };
        let last_index = header.last_index();
        let commit = Commit { header: self.commit_header(occurred_at), events }.encode().unwrap();
        self.ledger.append(&self.tenant, prev, Batch::encode(&header, &[commit]).unwrap()).await.unwrap();
        Position { incarnation: self.ledger.incarnation(), index: last_index }
    }

    fn commit_header(&self, occurred_at: Option<Timestamp>) -> CommitHeader {
        CommitHeader {
            command_id: CommandId([self.commands; 16]),
            command_hash: CommandHash([0; 16]),
            actor: owner(),
            evidence: Evidence { credential: Credential::System, grants: vec![1] },
            occurred_at,
            author: None,
            message: None,
            trace: None,
        }
    }

    pub fn created(&self, n: u8, key: &str, text: &str) -> Vec<Event> {
        let kind = Kind::Text;
        let created = PromptCreated { prompt: prompt(n), key: key.parse().unwrap(), kind };
        vec![Event::PromptCreated(created), self.added(n, 1, text)]
    }

    pub fn added(&self, n: u8, number: u32, text: &str) -> Event {
        let (id, sealed) = self.keys.seal_content(&self.tenant, text.as_bytes()).unwrap();
        let bytes = u32::try_from(text.len()).unwrap();
        Event::VersionAdded(VersionAdded {
            prompt: prompt(n),
            version: version(n, number),
            number,
            branch: promptory_events::Branch::main(),
            parents: (number > 1).then(|| parent(n, number - 1)).into_iter().collect(),
            before: None,
            content: Content { id, bytes, body: ContentBody::Inline(sealed) },
            config: None,
            syntax: Syntax::Simple,
            variables: None,
            includes: vec![],
        })
    }

    pub fn labelled(&self, n: u8, label: &str, before: Option<u32>, after: u32) -> Event {
        Event::LabelSet(LabelSet { prompt: prompt(n), label: label.parse().unwrap(), before, after })
    }

    pub fn renamed(&self, n: u8, before: &str, after: &str) -> Event {
        let (before, after) = (before.parse().unwrap(), after.parse().unwrap());
        Event::PromptRenamed(PromptRenamed { prompt: prompt(n), before, after })
    }

    pub fn request(&self, uri: &str) -> axum::http::request::Builder {
        Request::builder().uri(uri).header("authorization", format!("Bearer {}", self.key.reveal()))
    }

    /// Asks, once the model has reached what was appended.
    pub async fn get(&self, uri: &str) -> Answer {
        self.send(self.request(&self.caught_up(uri).await)).await
    }

    /// The same URI, waiting for all that is in the ledger.
    pub async fn caught_up(&self, uri: &str) -> String {
        let head = self.ledger.head(&self.tenant).await.unwrap().unwrap();
        let mark = if uri.contains('?') { '&' } else { '?' };
        format!("{uri}{mark}at_least={}", head.position)
    }

    pub async fn send(&self, request: axum::http::request::Builder) -> Answer {
        let response = self.open(request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: head.status, headers: head.headers, bytes, json }
    }

    pub async fn open(&self, request: axum::http::request::Builder) -> Response {
        self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }
}

fn parent(n: u8, number: u32) -> VersionRef {
    VersionRef { prompt: prompt(n), number, version: version(n, number) }
}
