//! `promptory serve` as processes of their own on a ledger on NATS servers: started by role, told to stop, paused, killed.
//! Each ends with its handle, and with the process that started it however that ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use promptory_ledger::RootKey;
use promptory_ledger::jetstream::{self, Options, Shape};
use promptory_test_nats::User;
use tempfile::TempDir;

use crate::Client;

/// How long a process may take until it answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);
/// How long servers that have just come up may take to make a ledger's streams.
const MADE_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// Runs the program that its arguments are, and ends it when its input ends, which is with us. The file that `$0` names gets
/// the program's process id.
const SCRIPT: &str = r#"ulimit -c 0
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
echo $pid >"$0.part" && mv "$0.part" "$0"
(cat <&3 >/dev/null; kill -9 $pid) 2>/dev/null &
wait $pid"#;

/// The program: the one that `PROMPTORY_BINARY` names, as `./test` does, which has just built it with the same features as
/// all the rest. Else the one beside this program; beside a test, it is built first, in the test's profile.
///
/// # Panics
/// There is none.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(named) = std::env::var_os("PROMPTORY_BINARY") {
            return named.into();
        }
        let mut target = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        if target.file_name().is_some_and(|folder| folder == "deps") {
            target.pop();
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--quiet", "--package", "promptory", "--bin", "promptory"]);
            if target.file_name().is_some_and(|profile| profile == "release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "the program can't be built");
        }
        let program = target.join("promptory");
        assert!(program.is_file(), "there is no {}: build it, or name one with PROMPTORY_BINARY", program.display());
        program
    })
}

/// A ledger and a key store on NATS servers, and a folder for the processes' folders.
#[derive(Debug)]
pub struct Deployment {
    folder: TempDir,
    url: String,
    user: String,
    options: Options,
}

impl Deployment {
    /// Makes the streams, for a user who has none yet.
    ///
    /// # Panics
    /// It can't be done.
    pub async fn new(url: &str, user: &User, shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), &user.name).unwrap();
        RootKey::create(&folder.path().join("root.key")).unwrap();
        let options = Options::new(url).unwrap().password(&user.name, &user.name);
        jetstream::init(&options.clone().patience(MADE_WITHIN), shape).await.unwrap();
        Self { folder, url: url.to_owned(), user: user.name.clone(), options }
    }

    /// How its ledger is reached.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    fn command(&self, program: &[PathBuf], needs_keys: bool) -> Vec<PathBuf> {
        let mut line = program.to_vec();
        line.extend(["--ledger".into(), self.url.clone().into()]);
        let password = self.folder.path().join("password");
        line.extend(["--nats-user".into(), self.user.clone().into(), "--nats-password-file".into(), password]);
        if needs_keys {
            line.extend(["--root-key".into(), self.folder.path().join("root.key")]);
        }
        line
    }

    /// Runs another command of the program on the ledger, to its end.
    ///
    /// # Panics
    /// It can't be started.
    #[must_use]
    pub fn run(&self, command: &str, more: &[&str]) -> Output {
        let line = self.command(&[program().into(), command.into()], true);
        Command::new(&line[0]).args(&line[1..]).args(more).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts a process with these roles on the folder of this name; returns when it answers.
    ///
    /// # Panics
    /// It does not.
    #[must_use]
    pub fn start(&self, name: &str, roles: &str, more: &[&str]) -> Process {
        let started = self.start_as(&[program().into(), "serve".into()], name, roles, more);
        started.unwrap_or_else(|| panic!("{name} does not start: {}", self.log(name)))
    }

    /// The same with a program that takes what `serve` does, given with what comes first; `None` if it ends before it
    /// answers.
    ///
    /// # Panics
    /// It does neither.
    #[must_use]
    pub fn start_as(&self, program: &[PathBuf], name: &str, roles: &str, more: &[&str]) -> Option<Process> {
        let data = self.folder.path().join(name);
        fs::create_dir_all(&data).unwrap();
        let log = fs::File::options().create(true).append(true).open(data.join("log")).unwrap();
        let (address, pid) = (data.join("address"), data.join("pid"));
        let _ = (fs::remove_file(&address), fs::remove_file(&pid)); // there if it ran before
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg(&pid).args(self.command(program, roles != "query"));
        command.arg("--data").arg(&data).args(["--listen", "127.0.0.1:0", "--tenant", "acme", "--roles", roles]);
        command.arg("--address-file").arg(&address).args(more);
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut shell = command.spawn().unwrap();
        let since = Instant::now();
        while !(address.exists() && pid.exists()) {
            if shell.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(since.elapsed() < ANSWERS_WITHIN, "{name} does not start: {}", self.log(name));
            std::thread::sleep(LOOK);
        }
        let read = |file| fs::read_to_string(file).unwrap().trim().to_owned();
        Some(Process { shell, pid: read(&pid), url: read(&address), log: data.join("log") })
    }

    /// What the processes of this name have said so far.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name).join("log")).unwrap_or_default()
    }

    /// Removes the folder of this name, whose process has ended.
    ///
    /// # Panics
    /// It can't be removed.
    pub fn forget(&self, name: &str) {
        fs::remove_dir_all(self.folder.path().join(name)).unwrap();
    }

    /// The text of a key that the process of this name has written.
    ///
    /// # Panics
    /// It has not.
    #[must_use]
    pub fn key(&self, maker: &str, file: &str) -> String {
        let file = self.folder.path().join(maker).join("keys").join(file);
        fs::read_to_string(file).unwrap().trim().to_owned()
    }
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    shell: Child,
    pid: String,
    log: PathBuf,
    /// Where it is reached.
    pub url: String,
}

impl Process {
    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.pid]).stderr(Stdio::null()).status();
    }

    /// Kills it (-9) and waits until it is gone.
    ///
    /// # Panics
    /// Never.
    pub fn kill(self) {
        drop(self);
    }

    /// Stops it where it is (SIGSTOP).
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Tells it to stop; its exit code and how long it took.
    ///
    /// # Panics
    /// It can't be waited for.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let since = Instant::now();
        let held = self.shell.stdin.take(); // waiting would close it, and that kills
        self.signal("-TERM");
        let code = self.shell.wait().unwrap().code();
        drop(held);
        (code, since.elapsed())
    }

    /// The same caller at this process.
    #[must_use]
    pub fn at(&self, client: &Client) -> Client {
        client.at(&self.url)
    }

    /// Whether it says that it should get requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let said = Client::with_patience(&self.url, "none", Some(ANSWERS_WITHIN)).try_send("GET", "/readyz", &[], None);
        said.is_ok_and(|said| said.status == 200)
    }

    /// What it has said on its way.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has ended by itself.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.shell.try_wait().unwrap().is_some()
    }
}

/// A counter with labels of the metrics of the process at an address, all of its labels together.
#[must_use]
pub fn counters(url: &str, name: &str) -> u64 {
    let text = Client::new(url, "none").text("/metrics");
    let values = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

/// A counter of the metrics of the process at an address; 0 if it has not counted yet.
#[must_use]
pub fn counter(url: &str, name: &str) -> u64 {
    let text = Client::new(url, "none").text("/metrics");
    let mut value = text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.next_back().unwrap_or_default()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("-9");
        let _ = self.shell.wait();
    }
}
