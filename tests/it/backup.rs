//! A backup of a running server, everything lost, and everything there again: in a folder and on NATS servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use promptory::backup::{BackupArgs, BackupRunError, LedgerArgs};
use promptory::init::NatsArgs;
use promptory::node::{Config, Node};
use promptory::restore::RestoreArgs;
use promptory::verify::VerifyArgs;
use promptory::{backup, init, keys, restore, verify};
use promptory_ledger::UsageLog;
use promptory_ledger::backup::BackupKey;
use promptory_ledger::usage::{FileLog, KEEP};
use promptory_test_nats::{Server, User};
use promptory_tests::{Client, World};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A folder with a backup key, and the two files once they are made.
struct Safe {
    folder: tempfile::TempDir,
}

impl Safe {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let safe = Self { folder };
        fs::write(safe.at("backup.key"), "ab".repeat(32)).unwrap();
        fs::set_permissions(safe.at("backup.key"), fs::Permissions::from_mode(0o600)).unwrap();
        safe
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self) -> BackupKey {
        BackupKey::read(&self.at("backup.key")).unwrap()
    }

    /// A backup of a stopped ledger, as `<name>.ledger` and `<name>.keys`.
    fn stopped(&self, name: &str, place: LedgerArgs) -> BackupArgs {
        BackupArgs {
            out: self.at(&format!("{name}.ledger")),
            keys_out: Some(self.at(&format!("{name}.keys"))),
            backup_key: Some(self.at("backup.key")),
            url: None,
            key_file: None,
            place,
        }
    }

    fn running(&self, name: &str, world: &World) -> BackupArgs {
        BackupArgs {
            backup_key: None,
            url: Some(world.node().url()),
            key_file: Some(keys::operator_file(world.folder.path())),
            ..self.stopped(name, nowhere())
        }
    }

    fn restore(&self, name: &str, place: LedgerArgs) -> RestoreArgs {
        RestoreArgs {
            from: self.at(&format!("{name}.ledger")),
            keys: self.at(&format!("{name}.keys")),
            backup_key: self.at("backup.key"),
            place,
            partitions: 1,
            resume: false,
        }
    }

    fn verify(&self, name: &str, place: LedgerArgs) -> VerifyArgs {
        VerifyArgs {
            place,
            backup: None,
            against: Some(self.at(&format!("{name}.ledger"))),
            keys: Some(self.at(&format!("{name}.keys"))),
            backup_key: Some(self.at("backup.key")),
            rights: false,
        }
    }
}

fn nowhere() -> LedgerArgs {
    LedgerArgs { data: None, nats: None, root_key: None }
}

fn folder(data: &Path) -> LedgerArgs {
    LedgerArgs { data: Some(data.to_owned()), ..nowhere() }
}

/// Texts, a chat, a config, a commit message, a name: everything that is sealed.
fn write(client: &Client, from: usize, count: usize) {
    for n in from..from + count {
        let prompt =
            json!({"key": format!("p{n}"), "text": format!("text {n}"), "message": "why", "labels": ["production"]});
        let _ = client.post("/v1/prompts", &prompt).expect(201);
    }
}

fn tenants(report: &Value) -> Vec<(String, u64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    report["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            (text(&t["tenant"]), t["events"].as_u64().unwrap(), text(&t["model_digest"]), text(&t["history_digest"]))
        })
        .collect()
}

#[test]
fn a_backup_under_load_is_everything_that_was_acknowledged_before_it() {
    let safe = Safe::new();
    let world = World::with_backup_key(Some(safe.key()));
    let client = world.acme();
    write(&client, 0, 20);
    let before = client.get("/v1/status").json["position"].as_str().unwrap().to_owned();
    let stop = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        let busy = client.clone();
        scope.spawn(|| {
            let busy = busy;
            (100..).take_while(|_| !stop.load(Ordering::Relaxed)).for_each(|n| write(&busy, n, 1));
        });
        let report = world.block_on(backup::run(safe.running("online", &world)));
        stop.store(true, Ordering::Relaxed);
        report.unwrap()
    });
    assert_eq!((&report["tenants"], &report["keys"]), (&json!(2), &json!(true)));
    // Read once a later write of the same tenant can be: the records of the backup are before it.
    let operator = world.operator();
    let later = operator.post("/v1/tenants", &json!({"tenant": "later"})).expect(201);
    operator.wait_for(later.json["position"].as_str().unwrap());
    let events = operator.get("/v1/events?from=0&limit=1000").expect(200).json["events"].clone();
    let started: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["type"] == "backup.started")
        .map(|e| e["detail"].clone())
        .collect();
    let backup_id = report["backup"].clone();
    let (one, two) = (json!({"backup": backup_id, "part": "ledger"}), json!({"backup": backup_id, "part": "keys"}));
    assert_eq!(started, [one, two], "recorded before a byte left");

    // Everything is lost but the two files, the backup key and the API keys.
    let (new, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
    fs::create_dir(new.path().join("keys")).unwrap();
    for entry in fs::read_dir(keys::folder(world.folder.path())).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), new.path().join("keys").join(entry.file_name())).unwrap();
    }
    drop(world);
    let restored = runtime.block_on(restore::run(safe.restore("online", folder(new.path())))).unwrap();
    let again = runtime.block_on(restore::run(safe.restore("online", folder(new.path()))));
    assert!(matches!(again, Err(BackupRunError::There(_))), "{again:?}");
    let verified = runtime.block_on(verify::run(safe.verify("online", folder(new.path())))).unwrap();
    assert!(verified.holds(), "{:#}", verified.json());
    assert_eq!(verified.json()["against"]["equal"], true);

    let node = runtime.block_on(Node::start(Config::new(new.path()))).unwrap();
    let client = Client::new(&node.url(), &client.key);
    for n in 0..20 {
        let answer = client.prompt(&format!("p{n}"), "label=production").expect(200);
        assert_eq!(answer.json["text"], format!("text {n}"));
    }
    let old = client.get(&format!("/v1/status?at_least={before}"));
    assert_eq!(old.code(), "other-incarnation", "a position of the lost life is told apart");
    write(&client, 1000, 1);
    let operator = client.with_key(&keys::read(&keys::operator_file(new.path())).unwrap().reveal());
    let events = operator.get("/v1/events?from=0&limit=1000").expect(200).json["events"].clone();
    let last = events.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["type"], "ledger.restored");
    assert_eq!((&last["detail"]["from"], &last["detail"]["into"]), (&restored["from"], &restored["into"]));
    assert_eq!(last["detail"]["backup"], backup_id);
    let acme = tenants(&verified.json()).into_iter().find(|(tenant, ..)| tenant == "acme").unwrap();
    let head =
        last["detail"]["heads"].as_array().unwrap().iter().find(|head| head["tenant"] == "acme").unwrap().clone();
    assert_eq!(head["index"].as_u64(), Some(acme.1 - 1));
    runtime.block_on(node.stop());
}

/// These take no body, and nobody reads one that is sent: the connection is not used again.
fn post(client: &Client, path: &str) -> promptory_tests::client::Answer {
    client.send("POST", path, &[("connection", "close")], None)
}

#[test]
fn only_operators_back_up_and_keys_are_never_given_in_the_clear() {
    let world = World::new();
    let (operator, owner) = (world.operator(), world.acme());
    assert_eq!(post(&owner, "/v1/backups").expect(422).code(), "not-in-this-ledger");
    assert_eq!(post(&owner.with_key("pk_acme_0"), "/v1/backups").expect(401).code(), "unauthenticated");
    let viewer =
        operator.post("/v1/keys", &json!({"role": "viewer"})).expect(201).json["key"].as_str().unwrap().to_owned();
    let viewer = operator.with_key(&viewer);
    assert_eq!(post(&viewer, "/v1/backups").expect(403).code(), "forbidden");
    let id = format!("bkp_{}", "0".repeat(32));
    let keys = format!("/v1/backups/{id}/keys");
    assert_eq!(post(&viewer, &keys).expect(403).code(), "forbidden");
    assert_eq!(post(&operator, &keys).expect(409).code(), "no-backup-key");
    assert_eq!(post(&operator, "/v1/backups/x/keys").expect(400).code(), "invalid-field");
    let events = operator.get("/v1/events?from=0&limit=1000").expect(200);
    assert!(!events.json.to_string().contains("backup.started"), "what was refused is not recorded");
}

/// Servers with a ledger on them, and how a command reaches it.
struct Nats {
    server: Server,
    user: User,
    safe: PathBuf,
}

impl Nats {
    fn start(safe: &Safe) -> Self {
        let server = Server::start();
        let user = server.user();
        fs::write(safe.at("password"), &user.name).unwrap();
        Self { server, user, safe: safe.folder.path().to_owned() }
    }

    fn args(&self) -> NatsArgs {
        NatsArgs {
            servers: Some(self.server.url()),
            nats_user: Some(self.user.name.clone()),
            nats_password_file: Some(self.safe.join("password")),
            nats_creds: None,
            nats_ca: None,
        }
    }

    fn place(&self) -> LedgerArgs {
        LedgerArgs { nats: Some(self.args()), root_key: Some(self.safe.join("root.key")), ..nowhere() }
    }
}

/// An execution that is in a rollup.
fn use_it(world: &World) {
    let acme = world.acme();
    let made = acme.post("/v1/prompts", &json!({"key": "used", "text": ""})).expect(201).json;
    let _ = acme.post("/v1/usage", &json!({"records": [{"id": "e1", "prompt": "used", "version": 1}]})).expect(200);
    world.clock.advance_ms(1_000_000);
    let counted = acme.get(&format!("/v1/analytics?at_least={}", made["position"].as_str().unwrap())).expect(200).json;
    assert_eq!(counted["groups"][0]["count"], json!(1));
}

fn rollups(runtime: &Runtime, data: &Path) -> Vec<Vec<u8>> {
    let log = UsageLog::File(FileLog::open(&data.join("usage.redb"), KEEP).unwrap());
    let rollups = runtime.block_on(log.rollups(&"acme".parse().unwrap(), 0)).unwrap();
    rollups.into_iter().map(|rollup| rollup.bytes.to_vec()).collect()
}

#[test]
fn from_one_machine_to_nats_servers_and_back_every_digest_is_the_same() {
    let (safe, runtime) = (Safe::new(), Runtime::new().unwrap());
    let mut world = World::new();
    write(&world.acme(), 0, 30);
    write(&world.owner_of("other"), 0, 3);
    use_it(&world);
    let (mut first, mut counted) = (Value::Null, Vec::new());
    world.restart(|data| {
        counted = rollups(&runtime, data);
        runtime.block_on(backup::run(safe.stopped("first", folder(data)))).unwrap();
        let stopped = VerifyArgs { against: None, ..safe.verify("first", folder(data)) };
        first = runtime.block_on(verify::run(stopped)).unwrap().json();
    });
    drop(world);
    assert_eq!(first["holds"], true, "{first:#}");
    assert!(tenants(&first).iter().all(|(_, _, model, history)| model.len() == 64 && history.len() == 64));

    let nats = Nats::start(&safe);
    let init = init::InitArgs {
        nats: nats.args(),
        replicas: 1,
        partitions: 4,
        root_key: Some(safe.at("root.key")),
        usage_days: 30,
    };
    runtime.block_on(init::run(init)).unwrap();
    runtime.block_on(restore::run(safe.restore("first", nats.place()))).unwrap();
    let there = runtime.block_on(verify::run(safe.verify("first", nats.place()))).unwrap();
    assert!(there.holds(), "{:#}", there.json());
    assert_eq!(tenants(&there.json()), tenants(&first), "the same digests on JetStream");
    let again = runtime.block_on(restore::run(safe.restore("first", nats.place())));
    assert!(matches!(&again, Err(BackupRunError::Restore(e)) if e.to_string().contains("not empty")), "{again:?}");

    runtime.block_on(backup::run(safe.stopped("second", nats.place()))).unwrap();
    let back_folder = tempfile::tempdir().unwrap();
    runtime.block_on(restore::run(safe.restore("second", folder(back_folder.path())))).unwrap();
    let back = runtime.block_on(verify::run(safe.verify("first", folder(back_folder.path())))).unwrap();
    assert!(back.holds(), "{:#}", back.json());
    assert_eq!(tenants(&back.json()), tenants(&first), "and after the way back");
    assert_eq!((counted.len(), rollups(&runtime, back_folder.path())), (1, counted), "what is counted came along");
    let file = VerifyArgs {
        place: nowhere(),
        backup: Some(safe.at("first.ledger")),
        against: None,
        ..safe.verify("first", nowhere())
    };
    let file = runtime.block_on(verify::run(file)).unwrap();
    assert_eq!(tenants(&file.json()), tenants(&first), "and in the file alone");
}

#[test]
fn a_wrong_backup_key_and_keys_of_another_time_are_refused_before_anything_is_made() {
    let (safe, runtime) = (Safe::new(), Runtime::new().unwrap());
    let mut world = World::new();
    write(&world.acme(), 0, 2);
    world.restart(|data| {
        runtime.block_on(backup::run(safe.stopped("a", folder(data)))).unwrap();
        runtime.block_on(backup::run(safe.stopped("b", folder(data)))).unwrap();
        let twice = runtime.block_on(backup::run(safe.stopped("a", folder(data))));
        assert!(matches!(twice, Err(BackupRunError::There(_))), "nothing is overwritten");
    });
    let new = tempfile::tempdir().unwrap();
    let target = new.path().join("data");
    let older = RestoreArgs { keys: safe.at("a.keys"), ..safe.restore("b", folder(&target)) };
    let refused = runtime.block_on(restore::run(older));
    assert!(matches!(refused, Err(BackupRunError::OtherKeys(_))), "{refused:?}");
    fs::write(safe.at("backup.key"), "cd".repeat(32)).unwrap();
    let refused = runtime.block_on(restore::run(safe.restore("a", folder(&target)))).unwrap_err();
    assert!(refused.to_string().contains("another backup key"), "{refused}");
    assert!(!target.exists(), "nothing was made");
    fs::write(safe.at("backup.key"), "ab".repeat(32)).unwrap();
    let mut cut = fs::read(safe.at("a.ledger")).unwrap();
    cut.truncate(cut.len() / 2);
    fs::write(safe.at("a.ledger"), cut).unwrap();
    let refused = runtime.block_on(restore::run(safe.restore("a", folder(&target)))).unwrap_err();
    assert!(refused.to_string().contains("cut off"), "{refused}");
    assert!(!target.exists());
    fs::rename(safe.at("b.ledger"), safe.at("a.ledger")).unwrap();
    let later = RestoreArgs { keys: safe.at("b.keys"), ..safe.restore("a", folder(&target)) };
    runtime.block_on(restore::run(later)).unwrap();
}
