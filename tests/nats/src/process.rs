//! The server's process and its folder. Nothing outlives the test: a janitor waits on a pipe that ends with the process
//! that started it, ends the server and removes the folder.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Config;

/// Where the server's program is: `PROMPTORY_NATS_SERVER`, else where `./test` puts it.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("PROMPTORY_NATS_SERVER") {
        return path.into();
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let path = top.join("target/tools/nats/bin/nats-server");
    assert!(
        path.is_file(),
        "there is no NATS server: run `./test --only nats-server`, or name one with PROMPTORY_NATS_SERVER"
    );
    path
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(folder: &Path, config: &Config) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("nats.log")).unwrap();
        let mut command = Command::new(binary());
        command.arg("-c").arg(&config.file).arg("-P").arg(folder.join("pid")).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).current_dir(folder).envs(config.env.iter().cloned());
        // A group of its own: a signal from the terminal is for the test, and the janitor does the rest.
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{}: {error}", binary().display()));
        Self { child }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success(), "the server could not be signalled");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// Waits for the end of its input; then ends the server whose configuration lies in the folder, takes off a disk that is
/// left over, and removes the folder.
const SCRIPT: &str = r#"cat >/dev/null
pid=$(cat "$1/pid" 2>/dev/null)
if [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$1/pid"; then
    kill -9 "$pid" && sleep 0.3
fi
umount -l "$1/store" 2>/dev/null
rm -rf "$1""#;

/// A temporary folder with somebody who cleans up.
#[derive(Debug)]
pub(crate) struct Janitor {
    folder: PathBuf,
    child: Child,
}

impl Janitor {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("promptory-nats-").tempdir().unwrap().keep();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(&folder).stdin(Stdio::piped());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        Self { folder, child }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder); // gone already, if the janitor did its work
    }
}
