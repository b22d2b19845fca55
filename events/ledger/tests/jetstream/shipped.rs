//! The configuration in deploy/nats as it is shipped: TLS, accounts, least privilege. What each credential is for, it can
//! do; what it is not for, it can't.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::{self, Context, stream};
use futures::StreamExt;
use promptory_ledger::KeyStore;
use promptory_ledger::jetstream::{JetStream, OpenError, Options, Shape, init, scrub};
use promptory_test_nats::{Cluster, Config, Place, Server};
use tempfile::TempDir;

use crate::support::tenant;
use crate::{fill, forms, read_all};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("deploy/nats")
}

/// Certificates and passwords, made by the script that is shipped.
struct Secrets(TempDir);

impl Secrets {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(deploy().join("dev-certs.sh")).arg(folder.path()).status().unwrap();
        assert!(status.success());
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn password(&self, user: &str) -> String {
        std::fs::read_to_string(self.file(&format!("{user}.password"))).unwrap().trim().to_owned()
    }

    fn config(&self, name: &str, folder: &Path, place: &Place) -> Config {
        let local = |port: &u16| format!("127.0.0.1:{port}");
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let routes: Vec<_> = place.others.iter().map(|port| format!("\"nats://{}\"", local(port))).collect();
        let env = [
            ("NAME", place.name.clone()),
            ("LISTEN", local(&place.port)),
            ("HTTP", local(&place.http)),
            ("STORE", path(&folder.join("store"))),
            ("CERT", path(&self.file("server.pem"))),
            ("KEY", path(&self.file("server.key"))),
            ("CA", path(&self.file("ca.pem"))),
            ("SERVICE_PASSWORD", format!("{:?}", self.password("service"))),
            ("OPERATOR_PASSWORD", format!("{:?}", self.password("operator"))),
            ("CLUSTER_LISTEN", local(&place.route)),
            ("ROUTES", format!("[{}]", routes.join(", "))),
        ];
        let env = env.map(|(name, value)| (format!("PROMPTORY_NATS_{name}"), value));
        Config { file: deploy().join(name), env: env.into() }
    }

    fn options(&self, servers: &str, user: &str, password: &str) -> Options {
        let options = Options::new(servers).unwrap().root_ca(self.file("ca.pem"));
        options.password(user, password).patience(Duration::from_secs(20))
    }

    fn service(&self, servers: &str) -> Options {
        self.options(servers, "promptory", &self.password("service"))
    }

    fn operator(&self, servers: &str) -> Options {
        self.options(servers, "operator", &self.password("operator"))
    }

    /// The service's credential in the hands of somebody who uses the client directly.
    async fn misused(&self, servers: &str) -> Context {
        let password = self.password("service");
        let options = async_nats::ConnectOptions::with_user_and_password("promptory".into(), password);
        let options = options.custom_inbox_prefix("_INBOX_promptory").add_root_certificates(self.file("ca.pem"));
        let client = options.require_tls(true).connect(servers.split(',').collect::<Vec<_>>()).await.unwrap();
        let mut context = jetstream::new(client);
        // A request that is not allowed has no answer.
        context.set_timeout(Duration::from_millis(300));
        context
    }
}

/// Init by the operator, work by the service, and everything else refused.
async fn each_credential_does_its_work_and_no_other(secrets: &Secrets, servers: &str, replicas: usize) {
    let shape = Shape { replicas, partitions: 2 };
    let made = init(&secrets.operator(servers), shape).await.unwrap();
    assert_eq!(
        (made.created.len(), made.found.len(), made.drift.len()),
        (5, 0, 0),
        "two partitions, KEYS, USAGE and ROLLUP"
    );
    let again = init(&secrets.operator(servers), shape).await.unwrap();
    assert_eq!((again.created.len(), again.found.len(), again.drift.len()), (0, 5, 0), "{again}");
    assert_eq!(again.incarnation, made.incarnation);

    let ledger = JetStream::open(&secrets.service(servers)).await.unwrap();
    let acme = tenant("acme");
    let filled = fill(&ledger, &acme, 5).await;
    assert_eq!(read_all(&ledger, &acme).await.len(), 5);
    assert_eq!(ledger.get(&acme, 2).await.unwrap().unwrap().cursor, filled[2].1);
    let partition = promptory_events::partition::of(&acme, 2);
    let mut tail = ledger.tail(partition, Some(filled[0].1)).await.unwrap();
    assert_eq!(tail.next().await.unwrap()[0].cursor, filled[1].1);

    let report = scrub(&secrets.service(servers)).await.unwrap();
    assert!(report.is_whole(), "what the service may do is enough to look at every replica: {report}");
    assert!(report.streams.iter().all(|stream| stream.replicas.len() == replicas), "{report}");

    let root = forms::root_key();
    let keys = KeyStore::on_jetstream(&secrets.service(servers), &root).await.unwrap();
    keys.ensure_tenant(&acme).unwrap();
    let kid = keys.take(&acme).unwrap().kid;

    processes_ask_and_answer(secrets, servers).await;
    for stream in [format!("LEDGER-{partition}"), "KEYS".to_owned()] {
        refused(&secrets.misused(servers).await, &stream).await;
    }
    assert_eq!(read_all(&ledger, &acme).await.len(), 5, "nothing was lost");
    let again = KeyStore::on_jetstream(&secrets.service(servers), &root).await.unwrap();
    assert_eq!(again.get(&acme, kid).unwrap().kid, kid);
    let operators = JetStream::open(&secrets.operator(servers)).await.unwrap();
    assert!(operators.head(&acme).await.is_err(), "the operator reads no batch");
    let impatient = secrets.operator(servers).patience(Duration::ZERO);
    assert!(KeyStore::on_jetstream(&impatient, &root).await.is_err(), "and no key");
}

/// Processes of the service ask and answer each other; nobody else asks them.
async fn processes_ask_and_answer(secrets: &Secrets, servers: &str) {
    let answerer = secrets.service(servers).connect("answerer").await.unwrap().client();
    let asker = secrets.service(servers).connect("asker").await.unwrap().client();
    let operator = secrets.operator(servers).connect("operator").await.unwrap().client();
    for subject in ["ask.0", "follow.1", "stand.0", "command.0123"] {
        let mut asked = answerer.queue_subscribe(subject, subject.to_owned()).await.unwrap();
        answerer.flush().await.unwrap();
        let request = |payload: &'static str| {
            let impatient = Some(Duration::from_millis(if payload == "refused" { 300 } else { 5000 }));
            async_nats::Request::new().payload(payload.into()).timeout(impatient)
        };
        assert!(operator.send_request(subject, request("refused")).await.is_err(), "{subject}");
        let answering = async {
            let message = asked.next().await.unwrap();
            assert_eq!(message.payload, "allowed");
            answerer.publish(message.reply.unwrap(), "answer".into()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asker.send_request(subject, request("allowed")), answering);
        assert_eq!(answer.unwrap().payload, "answer", "{subject}");
    }
}

/// What the service must not be able to do to a stream.
async fn refused(service: &Context, name: &str) {
    let mut patient = service.clone();
    patient.set_timeout(Duration::from_secs(20));
    let there = patient.get_stream(name).await.unwrap();
    let (config, stream) = (&there.cached_info().config, service.get_stream_no_info(name).await.unwrap());
    let update = stream::Config { max_age: Duration::from_secs(1), ..config.clone() };
    assert!(service.update_stream(update).await.is_err(), "update");
    assert!(stream.purge().await.is_err(), "purge");
    assert!(stream.delete_message(1).await.is_err(), "delete a message");
    assert!(service.delete_stream(name).await.is_err(), "delete");
    let other = stream::Config { name: "OTHER".into(), subjects: vec!["other".into()], ..Default::default() };
    assert!(service.create_stream(other).await.is_err(), "create");
    let restore = service.request::<_, _, serde_json::Value>(format!("STREAM.RESTORE.{name}"), &()).await;
    assert!(restore.is_err(), "restore");
    let now = patient.get_stream(name).await.unwrap();
    assert_eq!(now.cached_info().config, *config);
    assert_eq!(now.cached_info().state, there.cached_info().state);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_as_shipped() {
    let secrets = Secrets::new();
    let server = Server::with_config(|folder, place| secrets.config("single.conf", folder, place));
    let url = server.url().replace("nats://", "tls://");
    each_credential_does_its_work_and_no_other(&secrets, &url, 1).await;

    let wrong = secrets.options(&url, "promptory", "wrong");
    let error = JetStream::open(&wrong).await.unwrap_err();
    assert!(matches!(&error, OpenError::Connect(why) if !why.contains("wrong")), "{error}");
    let no_authority = Options::new(&url).unwrap().password("promptory", secrets.password("service"));
    assert!(JetStream::open(&no_authority.patience(Duration::ZERO)).await.is_err(), "an unknown certificate");
    let missing = init(&secrets.operator(&url), Shape { replicas: 1, partitions: 8 }).await.unwrap();
    assert_eq!(missing.drift.len(), 1, "the number of partitions is fixed: {missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_as_shipped() {
    let secrets = Secrets::new();
    let cluster = Cluster::with_config(|folder, place| secrets.config("cluster.conf", folder, place));
    each_credential_does_its_work_and_no_other(&secrets, &cluster.url().replace("nats://", "tls://"), 3).await;
}
