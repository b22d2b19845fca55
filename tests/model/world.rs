//! The real command service, one replica or two over one ledger, beside the model. What clients are told and what the ledger
//! holds must be what the model says, in the order of the ledger.

mod outside;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use promptory::backup::LedgerArgs;
use promptory::verify::{self, VerifyArgs};
use promptory_command::load::Confirmed;
use promptory_command::{Config, Failure, Outcome, Service, wire};
use promptory_events::{Batch, CommandId, Event, TenantId};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::apikey::Presented;
use promptory_platform::{Clock, Problem};
use serde_json::{Value, json};

use crate::compare::Contents;
use crate::draw::{AUDIENCES, Draw, Maker};
use crate::plain::{Call, Model, OPERATOR, Verdict, claims};
use crate::why::{self, Probe};
use outside::{ISSUER, subjects, token};

/// What a client was told.
type Told = Result<Outcome, &'static str>;

/// How a replica comes back.
#[derive(Clone, Copy, Debug)]
pub enum Comeback {
    /// After a crash, with nothing but the ledger.
    Bare,
    /// After a crash, with the snapshot of some time ago.
    OldSnapshot,
    /// After it was closed.
    Closed,
}

/// Commands that are under way at the same time.
#[derive(Clone, Debug)]
pub struct Sent {
    pub replica: usize,
    /// Of one caller, in one request.
    pub calls: Vec<Call>,
}

pub struct World {
    folder: tempfile::TempDir,
    ledger: Ledger,
    stores: KeyStore,
    clock: Clock,
    replicas: Vec<(Service, PathBuf)>,
    /// A cache as it was when its replica was closed last.
    kept: Option<PathBuf>,
    files: u32,
    tenant: TenantId,
    operator: Presented,
    /// API keys whose secrets are known, in the order in which they were issued.
    keys: Vec<String>,
    secrets: HashMap<String, Presented>,
    pub model: Model,
    fold: Confirmed,
    contents: Contents,
    /// Every command that may be repeated.
    repeatable: Vec<Call>,
    told: Vec<String>,
    /// What the access model is asked in the end.
    probes: Vec<Probe>,
}

impl World {
    pub async fn new(replicas: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::Embedded(Embedded::open(&folder.path().join("ledger.redb"), 1).unwrap());
        let stores = KeyStore::open(&folder.path().join("keystore.redb")).unwrap();
        let clock = Clock::manual("2026-05-03T12:00:00Z".parse().unwrap());
        let tenant: TenantId = "acme".parse().unwrap();
        let first = open(folder.path().join("cache-0.redb"), &ledger, &stores, &clock);
        let operator = first.0.bootstrap(|_| Ok(())).await.unwrap().unwrap().presented();
        let create = json!({"type": "create_tenant", "tenant": "acme"}).as_object().unwrap().clone();
        let create = wire::Request::from_object(&create).unwrap();
        let owner = first.0.create_tenant(&operator, create).await.unwrap().1;
        let model = Model::new(clock.now(), subjects(&stores, &tenant));
        let mut world = Self {
            folder,
            ledger,
            stores,
            clock,
            replicas: vec![first],
            kept: None,
            files: 1,
            fold: Confirmed::empty(tenant.clone()),
            tenant,
            operator,
            keys: Vec::new(),
            secrets: HashMap::new(),
            model,
            contents: Contents::default(),
            repeatable: Vec::new(),
            told: Vec::new(),
            probes: Vec::new(),
        };
        world.let_in(&owner).await;
        world.model.operator = world.actor(0).await;
        while world.replicas.len() < replicas {
            let file = world.new_file();
            world.replicas.push(open(file, &world.ledger, &world.stores, &world.clock));
        }
        world
    }

    /// What a tenant begins with, so that there is somebody to ask and something to do.
    pub async fn found(&mut self) {
        let text = |a: u8, b: u8, c: u8| format!("0: {a}\n-- 1\n2: {b}\n-- 3\n4: {c}\n");
        let mut bodies = vec![
            json!({"type": "issue_key", "role": "reviewer", "prefix": ""}),
            json!({"type": "issue_key", "role": "admin", "prefix": ""}),
            json!({"type": "issue_key", "role": "editor", "prefix": "team/"}),
            json!({"type": "issue_key", "role": "importer", "scope": {"role": "importer", "prefix": "free/"}}),
            json!({"type": "protect_label", "prefix": "team/x/", "label": "production", "approvals": 1}),
        ];
        bodies.push(
            json!({"type": "trust_issuer", "url": ISSUER.url(), "audience": AUDIENCES[0], "groups_claim": "groups"}),
        );
        bodies.extend(["dora", "emil"].map(|name| json!({"type": "set_user", "profile": {"userName": name}})));
        for key in ["team/a", "free/a", "team/x/a"] {
            bodies.push(json!({"type": "create_prompt", "key": key, "text": text(0, 0, 0), "labels": ["staging"]}));
            for (branch, parts) in [("try", text(1, 0, 0)), ("fix", text(2, 1, 0)), ("main", text(0, 0, 2))] {
                bodies.push(json!({"type": "create_branch", "prompt": key, "branch": branch}));
                bodies.push(json!({"type": "add_version", "prompt": key, "branch": branch, "text": parts}));
            }
        }
        let key = self.keys[0].clone();
        for body in bodies {
            let call = Call { key: key.clone(), forged: false, body, idempotency_key: None };
            self.send(vec![Sent { replica: 0, calls: vec![call] }]).await;
        }
        self.groups_mean_something().await;
    }

    /// Takes note of an owner whom the operator has let in.
    async fn let_in(&mut self, owner: &Outcome) {
        let key = owner.api_key.as_ref().unwrap();
        self.model.let_in(&owner.principal.unwrap().to_string(), &key.key.to_string());
        self.fold.catch_up(&self.ledger).await.unwrap();
        self.keys.push(key.key.to_string());
        self.secrets.insert(key.key.to_string(), key.presented());
        self.told.push("an owner was let in".into());
    }

    /// Lets another owner in if every owner's secret was lost on the way.
    pub async fn needs_an_owner(&mut self) {
        if self.model.working_owner(&self.keys).is_none() {
            let owner = self.replicas[0].0.add_owner(&self.operator, "acme", None, None).await.unwrap();
            self.let_in(&owner).await;
        }
    }

    fn new_file(&mut self) -> PathBuf {
        self.files += 1;
        self.folder.path().join(format!("cache-{}.redb", self.files))
    }

    pub fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// A command of a kind out of raw draws.
    pub fn make(&mut self, kind: &str, draws: &[u16], idempotency_key: Option<String>) -> Call {
        let mut maker = Maker { model: &self.model, keys: &self.keys, url: ISSUER.url(), draw: Draw(draws.iter()) };
        let call = maker.call(kind, idempotency_key);
        if call.idempotency_key.is_some() {
            self.repeatable.push(call.clone());
        }
        call
    }

    /// A command that was sent before.
    pub fn repeated(&self, which: usize) -> Option<Call> {
        self.repeatable.get(which % self.repeatable.len().max(1)).cloned()
    }

    pub fn wait(&mut self, ms: i64) {
        self.clock.advance_ms(ms);
        self.model.now = self.clock.now();
        self.told.push(format!("it is {}", self.model.now));
    }

    /// A replica goes and comes back.
    pub async fn restart(&mut self, replica: usize, how: Comeback) {
        self.told.push(format!("replica {replica}: {how:?}"));
        let file = match (how, self.kept.clone()) {
            (Comeback::Closed, _) => {
                self.replicas[replica].0.close().await;
                // As it is on the disk now: an older state than that of any crash that comes.
                let (copy, file) = (self.new_file(), self.new_file());
                for to in [&copy, &file] {
                    std::fs::copy(&self.replicas[replica].1, to).unwrap();
                }
                self.kept = Some(copy);
                file
            }
            (Comeback::OldSnapshot, Some(kept)) => {
                let file = self.new_file();
                std::fs::copy(kept, &file).unwrap();
                file
            }
            _ => self.new_file(),
        };
        // Dropped as it is; its file is left to it.
        self.replicas[replica] = open(file, &self.ledger, &self.stores, &self.clock);
    }

    /// Sends requests at the same time and holds all that comes of them against the model.
    pub async fn send(&mut self, requests: Vec<Sent>) {
        let tasks: Vec<_> = requests.iter().map(|sent| tokio::spawn(self.execute(sent))).collect();
        let mut told = Vec::new();
        for (sent, task) in requests.into_iter().zip(tasks) {
            told.extend(sent.calls.into_iter().zip(task.await.unwrap().into_iter().map(Some)));
        }
        self.judge(told).await;
    }

    /// The same, but the replica that they went to dies under them; the clients then ask another process. All of the commands
    /// may be repeated.
    pub async fn send_and_crash(&mut self, replica: usize, calls: Vec<Call>, yields: usize) {
        let sent = |call: &Call, replica| Sent { replica, calls: vec![call.clone()] };
        let tasks: Vec<_> = calls.iter().map(|call| tokio::spawn(self.execute(&sent(call, replica)))).collect();
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        let file = self.new_file();
        let reborn = open(file, &self.ledger, &self.stores, &self.clock);
        let dying = std::mem::replace(&mut self.replicas[replica], reborn);
        let other = (replica + 1) % self.replicas.len();
        let again: Vec<_> = calls.iter().map(|call| tokio::spawn(self.execute(&sent(call, other)))).collect();
        let mut told = Vec::new();
        for (call, task) in calls.iter().zip(again) {
            told.extend(task.await.unwrap().into_iter().map(|answer| (call.clone(), Some(answer))));
        }
        // Until its last append is through, the order is not known.
        dying.0.close().await;
        told.extend(calls.into_iter().map(|call| (call, None)));
        self.judge(told).await;
    }

    /// Sends commands of one caller that are done together or not at all, with nothing else under way.
    pub async fn send_together(&mut self, replica: usize, calls: Vec<Call>) {
        let (service, shown) = (self.replicas[replica].0.clone(), self.shown(&calls[0]));
        let expected = self.model.refused_of(&calls);
        let answer = service.execute_together(&shown, calls.iter().map(request).collect(), None).await;
        let failure = match answer {
            Ok(outcomes) => {
                let indexes: Vec<u64> =
                    outcomes.iter().flat_map(|outcome| &outcome.events).map(|event| event.0).collect();
                if let (Some(first), Some(last)) = (indexes.first(), indexes.last()) {
                    let batch = self.ledger.get(&self.tenant, *first).await.unwrap().unwrap();
                    let header = Batch::peek(batch.bytes).unwrap();
                    assert!(header.last_index() >= *last, "{calls:?} are in several batches");
                }
                self.told.push("together -> done".into());
                return self
                    .judge(calls.into_iter().zip(outcomes.into_iter().map(|outcome| Some(Ok(outcome)))).collect())
                    .await;
            }
            Err(failure) => failure,
        };
        let place = if let Failure::InBatch { command, .. } = &failure { Some(*command) } else { None };
        let code = Problem::from(failure).kind.code;
        let told: Vec<_> = calls.iter().map(|call| (call.clone(), Some(Err(code)))).collect();
        if expected.is_none_or(|(at, why)| why != code || place.is_some_and(|place| place != at)) {
            self.fail(&told, &format!("together they were told {code} of {place:?}, the model says {expected:?}"));
        }
        self.told.push(format!("together -> {code}"));
        // Nothing is there but, maybe, the word that he was denied something.
        for (_, first) in self.fold.catch_up(&self.ledger).await.unwrap().commits {
            let denied = self.denied_at(&told, first).await;
            assert_eq!(Some(&denied), self.model.principal_of(&calls[0].key).as_ref());
            self.model.denied(&denied);
        }
        self.noted(&told, &[], &told[expected.map_or(0, |(at, _)| at)]);
        if let Err(difference) = self.contents.compare(&self.model, &self.fold.state) {
            self.fail(&told, &difference);
        }
        self.told.extend(told.iter().map(|(call, answer)| format!("{call:?} -> {}", said(answer.as_ref()))));
    }

    /// Whoever was denied something is known of. Whose a token was may have changed since.
    fn noted(&self, told: &[(Call, Option<Told>)], then: &[Model], (call, answer): &(Call, Option<Told>)) {
        let denied = matches!(answer, Some(Err("forbidden" | "delegation-exceeds")));
        let mut bearers = then.iter().chain([&self.model]).filter_map(|model| model.principal_of(&call.key));
        if denied && call.key != OPERATOR && !bearers.any(|who| self.model.knows_of_denied(&who)) {
            self.fail(told, &format!("nobody took note that {call:?} was denied"));
        }
    }

    fn shown(&self, call: &Call) -> Presented {
        if let Some(claims) = claims(&call.key) {
            return Presented::Token(token(&self.tenant, &claims, call.forged));
        }
        let mut shown = if call.key == OPERATOR { self.operator.clone() } else { self.secrets[&call.key].clone() };
        if let (true, Presented::ApiKey { secret_hash, .. }) = (call.forged, &mut shown) {
            *secret_hash = [0; 32];
        }
        shown
    }

    fn execute(&self, sent: &Sent) -> impl Future<Output = Vec<Told>> + Send + use<> {
        let service = self.replicas[sent.replica].0.clone();
        let shown = self.shown(&sent.calls[0]);
        let requests: Vec<_> = sent.calls.iter().map(request).collect();
        let is_operator = sent.calls[0].key == OPERATOR;
        async move {
            if is_operator {
                let mut told = Vec::new();
                for request in requests {
                    let answer = service.set_quota(&shown, "acme", request).await;
                    told.push(answer.map_err(|failure| Problem::from(failure).kind.code));
                }
                return told;
            }
            let code = |failure: Failure| Problem::from(failure).kind.code;
            let count = requests.len();
            match service.execute(&shown, requests).await {
                Ok(answers) => answers.into_iter().map(|answer| answer.map_err(code)).collect(),
                Err(failure) => vec![Err(code(failure)); count],
            }
        }
    }

    /// Goes through the new commits in their order, then explains every answer by a state that was there on the way.
    async fn judge(&mut self, told: Vec<(Call, Option<Told>)>) {
        let caught_up = self.fold.catch_up(&self.ledger).await.unwrap();
        let mut on_the_way = vec![self.model.clone()];
        let mut done = HashMap::new();
        for (id, first) in caught_up.commits {
            // Who was refused did not do it, though another did it under the same idempotency key.
            let mut not_refused = told.iter().filter(|(_, told)| !matches!(told, Some(Err(_))));
            let is_it = |call: &Call, told| on_the_way.iter().any(|model| self.id(model, call, told) == Some(id));
            let call = not_refused.find(|(call, told)| is_it(call, told.as_ref()));
            let mut model = on_the_way.last().unwrap().clone();
            let Some((call, _)) = call else {
                let denied = self.denied(&told, &model, first).await;
                model.denied(&denied);
                on_the_way.push(model);
                continue;
            };
            let verdict = model.take(call, id);
            let Verdict::Done(at, names) = verdict else {
                self.fail(&told, &format!("the ledger holds {call:?} at {first}, the model says {verdict:?}"))
            };
            assert_eq!(at, first, "{call:?}: {names:?}");
            done.insert(id, (first, names));
            on_the_way.push(model);
        }
        for (call, answer) in &told {
            if let Some(answer) = answer {
                self.explain(&told, &on_the_way, &done, call, answer);
            }
        }
        self.probes.extend(on_the_way[1..].iter().filter_map(Probe::of));
        let whose = |model: &Model| (model.issuers.clone(), model.users.clone());
        let moved = whose(&on_the_way[0]) != whose(on_the_way.last().unwrap());
        self.model = on_the_way.pop().unwrap();
        told.iter().for_each(|one| self.noted(&told, &on_the_way, one));
        if let Err(difference) = self.contents.compare(&self.model, &self.fold.state) {
            self.fail(&told, &difference);
        }
        for (call, answer) in told {
            self.told.push(format!("{call:?} -> {}", said(answer.as_ref())));
            if let Some(key) = answer.and_then(Result::ok).and_then(|outcome| outcome.api_key) {
                self.keys.push(key.key.to_string());
                self.secrets.insert(key.key.to_string(), key.presented());
            }
        }
        if moved {
            self.all_hear().await;
        }
    }

    /// Who was denied something, by a commit that no command made: somebody was, at that moment.
    async fn denied(&self, told: &[(Call, Option<Told>)], model: &Model, index: u64) -> String {
        let principal = self.denied_at(told, index).await;
        let lacks = |call: &Call| {
            let verdict = model.clone().take(call, CommandId([0; 16]));
            let code = if let Verdict::Refused(code) = verdict { code } else { "" };
            let his = model.principal_of(&call.key).as_ref() == Some(&principal);
            his && ["forbidden", "delegation-exceeds", "prompt-not-found", "release-not-found"].contains(&code)
        };
        if !told.iter().any(|(call, _)| lacks(call)) {
            self.fail(told, &format!("{principal} was denied nothing at {index}"));
        }
        principal
    }

    /// Who was denied something, as the ledger says.
    async fn denied_at(&self, told: &[(Call, Option<Told>)], index: u64) -> String {
        let recorded = self.ledger.get(&self.tenant, index).await.unwrap().unwrap();
        let batch = Batch::parse(recorded.bytes).unwrap();
        let commit = batch.indexed().find(|(first, _)| *first == index).unwrap().1;
        let events = commit.decode_events().unwrap();
        let [Event::AttemptDenied(denied)] = events.as_slice() else {
            self.fail(told, &format!("a commit of nobody at {index}: {events:?}"))
        };
        denied.attempt.principal.to_string()
    }

    /// A command's id: what it makes is named after it.
    fn id(&self, model: &Model, call: &Call, told: Option<&Told>) -> Option<CommandId> {
        match (&call.idempotency_key, told) {
            (Some(key), _) => {
                let principal = model.principal_of(&call.key)?.parse().unwrap();
                Some(CommandId::from_idempotency_key(&self.tenant, principal, key))
            }
            (None, Some(Ok(outcome))) => Some(outcome.command_id),
            (None, _) => None,
        }
    }

    fn explain(
        &self,
        told: &[(Call, Option<Told>)],
        on_the_way: &[Model],
        done: &HashMap<CommandId, (u64, Vec<&'static str>)>,
        call: &Call,
        answer: &Told,
    ) {
        let id = |model| self.id(model, call, Some(answer)).unwrap_or(CommandId([0; 16]));
        let answered = match answer {
            Err(code) => Verdict::Refused(code),
            Ok(outcome) if outcome.events.is_empty() => Verdict::Unchanged,
            Ok(outcome) => {
                let names = outcome.events.iter().map(|(_, name)| known(name)).collect::<Vec<_>>();
                let first = outcome.events[0].0;
                if !outcome.replayed {
                    let is_there = |model| done.get(&id(model)) == Some(&(first, names.clone()));
                    if !on_the_way.iter().any(is_there) {
                        self.fail(told, &format!("{call:?} was told {first} {names:?}, and that is not in the ledger"));
                    }
                    return;
                }
                Verdict::Repeat(first, names)
            }
        };
        // Whose a token is was seen when it was let in; if that is another's by the time of its command, it opens nothing.
        let moved =
            on_the_way.iter().any(|model| model.principal_of(&call.key) != on_the_way[0].principal_of(&call.key));
        if moved && claims(&call.key).is_some() && answered == Verdict::Refused("unauthenticated") {
            return;
        }
        let verdicts: Vec<_> = on_the_way.iter().map(|model| model.clone().take(call, id(model))).collect();
        if !verdicts.contains(&answered) {
            self.fail(told, &format!("{call:?} was told {answered:?}, the model says {verdicts:?}"));
        }
    }

    fn fail(&self, told: &[(Call, Option<Told>)], why: &str) -> ! {
        let now = told.iter().map(|(call, answer)| format!("{call:?} -> {}", said(answer.as_ref())));
        let all: Vec<String> = self.told.iter().cloned().chain(now).collect();
        panic!("{why}\n\nAll that was done:\n{}\n", all.join("\n"));
    }

    /// What each client was told, for the count.
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// Asks who could do what, after each event.
    pub async fn explained(&self) {
        let owner = &self.secrets[&self.model.working_owner(&self.keys).unwrap()];
        why::check(&self.ledger, &self.stores, &self.clock, owner, &self.probes).await;
    }

    /// Ends it, and checks the law over what was written: no violation.
    pub async fn lawful(self) -> usize {
        for (service, _) in self.replicas {
            service.close().await;
        }
        drop((self.ledger, self.stores));
        let place = LedgerArgs { data: Some(self.folder.path().to_owned()), nats: None, root_key: None };
        let args = VerifyArgs { place, backup: None, against: None, keys: None, backup_key: None, rights: true };
        // What was dropped in the middle of its work lets the files go when that is through.
        for _ in 0..500 {
            if let Ok(report) = verify::run(args.clone()).await {
                assert!(report.holds(), "{:#}\n{}", report.json(), self.told.join("\n"));
                return self.told.len();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("somebody still holds the ledger");
    }
}

fn open(file: PathBuf, ledger: &Ledger, keys: &KeyStore, clock: &Clock) -> (Service, PathBuf) {
    let identity = promptory_identity::Config { loopback_http: true, refetch_after: Duration::ZERO };
    let config = Config { cache: file.clone(), hot_bytes: 1 << 24, exchange: None, identity };
    (Service::open(config, ledger.clone(), keys.clone(), clock.clone()).unwrap(), file)
}

fn request(call: &Call) -> wire::Request {
    let Value::Object(mut object) = call.body.clone() else { panic!("no object: {}", call.body) };
    // The model names a token by what it says.
    if let Some(token_said) = object.get("token").and_then(Value::as_str).and_then(claims) {
        let hash = token(&"acme".parse().unwrap(), &token_said, false).hash;
        object.insert("token".into(), hash.to_string().into());
    }
    if let Some(key) = &call.idempotency_key {
        object.insert("idempotency_key".into(), key.clone().into());
    }
    wire::Request::from_object(&object).unwrap()
}

/// An event's name as the model has it.
fn known(name: &str) -> &'static str {
    crate::EVENTS.into_iter().find(|known| *known == name).unwrap_or("an event that the model does not know")
}

fn said(answer: Option<&Told>) -> String {
    match answer {
        None => "nobody heard".into(),
        Some(Err(code)) => (*code).into(),
        Some(Ok(outcome)) => {
            let names: Vec<_> = outcome.events.iter().map(|(index, name)| format!("{index} {name}")).collect();
            format!("{}{}", if outcome.replayed { "replayed: " } else { "" }, names.join(", "))
        }
    }
}
