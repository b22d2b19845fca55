//! `promptory serve` as a process of its own: started by role, told to stop, killed. It ends with its handle, and with
//! the process that started it however that ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use promptory_ledger::RootKey;
use promptory_ledger::jetstream::{self, Options, Shape};
use promptory_test_nats::{Cluster, Server};
use promptory_tests::Client;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::site::{PARTITIONS, until};

/// The program: the one that `PROMPTORY_BINARY` names, as `./test` does, which has just built it with the same features as
/// all the rest; otherwise it is built, in the profile that this test was built in.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(built) = std::env::var_os("PROMPTORY_BINARY") {
            return built.into();
        }
        let target = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "promptory", "--bin", "promptory"]);
        if target.file_name().is_some_and(|profile| profile == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the program can't be built");
        target.join("promptory")
    })
}

/// NATS servers with a ledger and a key store on them, and a folder.
pub struct Ground {
    pub folder: TempDir,
    url: String,
    user: String,
    _servers: Servers,
}

enum Servers {
    One(#[allow(dead_code, reason = "it ends with its handle")] Box<Server>),
    Three(#[allow(dead_code, reason = "they end with their handle")] Cluster),
}

impl Ground {
    /// On one server.
    pub fn one() -> Self {
        let server = Server::start();
        let (url, user) = (server.url(), server.user().name);
        Self::on(url, user, 1, Servers::One(Box::new(server)))
    }

    /// On three, each with a copy of everything.
    pub fn three() -> Self {
        let cluster = Cluster::start();
        let (url, user) = (cluster.url(), cluster.user().name);
        Self::on(url, user, 3, Servers::Three(cluster))
    }

    fn on(url: String, user: String, replicas: usize, servers: Servers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), &user).unwrap();
        RootKey::create(&folder.path().join("root.key")).unwrap();
        let options = Options::new(&url).unwrap().password(&user, &user);
        let shape = Shape { replicas, partitions: PARTITIONS };
        Runtime::new().unwrap().block_on(jetstream::init(&options, shape)).unwrap();
        Self { folder, url, user, _servers: servers }
    }

    /// Starts a process with these roles on a folder of this name; returns when it answers.
    pub fn start(&self, name: &str, roles: &str, more: &[&str]) -> Process {
        let data = self.folder.path().join(name);
        fs::create_dir_all(&data).unwrap();
        let (address, log) = (data.join("address"), fs::File::create(data.join("log")).unwrap());
        let _ = fs::remove_file(&address);
        // The shell ends the program when its input ends, which is with us.
        let script =
            r#"exec 3<&0; "$@" </dev/null & echo $! >"$0"; (cat <&3 >/dev/null; kill -9 $!) 2>/dev/null & wait $!"#;
        let script = script.replacen("kill -9 $!", "kill -9 $(cat \"$0\")", 1);
        let script = script.replacen("wait $!", "wait $(cat \"$0\")", 1);
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(data.join("pid")).arg(binary()).arg("serve");
        command.arg("--data").arg(&data).args(["--listen", "127.0.0.1:0", "--tenant", "acme", "--roles", roles]);
        command.args(["--ledger", &self.url, "--nats-user", &self.user]);
        command.arg("--nats-password-file").arg(self.folder.path().join("password"));
        if roles != "query" {
            command.arg("--root-key").arg(self.folder.path().join("root.key"));
        }
        command.arg("--address-file").arg(&address).args(more);
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let shell = command.spawn().unwrap();
        let said = || fs::read_to_string(data.join("log")).unwrap_or_default();
        let since = Instant::now();
        while !address.exists() {
            assert!(since.elapsed() < Duration::from_secs(40), "{name} does not start: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = fs::read_to_string(data.join("pid")).unwrap().trim().to_owned();
        Process { shell, pid, url: fs::read_to_string(&address).unwrap() }
    }

    /// The owner of `acme`, which the process of this name made, at a process.
    pub fn owner(&self, maker: &str, at: &Process) -> Client {
        let file = self.folder.path().join(maker).join("keys/acme-owner.key");
        Client::new(&at.url, fs::read_to_string(file).unwrap().trim())
    }
}

/// A running process.
pub struct Process {
    shell: Child,
    pid: String,
    pub url: String,
}

impl Process {
    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.pid]).stderr(Stdio::null()).status();
    }

    /// Kills it and waits until it is gone.
    pub fn kill(mut self) {
        self.signal("-9");
        let _ = self.shell.wait();
    }

    /// Tells it to stop; its exit code and how long it took.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let since = Instant::now();
        let held = self.shell.stdin.take(); // waiting would close it, and that kills
        self.signal("-TERM");
        let code = self.shell.wait().unwrap().code();
        drop(held);
        (code, since.elapsed())
    }

    pub fn at(&self, client: &Client) -> Client {
        Client::new(&self.url, &client.key)
    }

    pub fn wait_ready(&self) {
        until("the process is ready", || Client::new(&self.url, "none").get("/readyz").status == 200);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("-9");
        let _ = self.shell.wait();
    }
}
