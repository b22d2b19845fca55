//! `promptory serve` in a process of its own: the running program once more, with some roles or all of them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use promptory_events::TenantId;

use super::BenchError;
use super::client::{Connection, Request, authorization, uri};
use super::world::{Tenant, address};
use crate::keys;

/// A process that says nothing for so long will not.
const START: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The tenant that a process makes which sets the system up.
const TENANT: &str = "bench";

/// A serving process, killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    data: PathBuf,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Server {
    /// Starts it on a folder, with more arguments for `serve` if there are any. Returns when it is ready.
    ///
    /// # Errors
    /// It ended, or was not ready in time. Its log is in the folder.
    pub async fn start(folder: &Path, more: Vec<OsString>) -> Result<Self, BenchError> {
        fs::create_dir_all(folder)?;
        let (data, address_file) = (folder.join("data"), folder.join("address"));
        let log = File::create(folder.join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--tenant", TENANT]);
        command.arg("--data").arg(&data).arg("--address-file").arg(&address_file).args(more);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut server = Self { child, data, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        server.wait(&address_file).await?;
        Ok(server)
    }

    /// Until it has written its address and is ready.
    async fn wait(&mut self, address_file: &Path) -> Result<(), BenchError> {
        let until = Instant::now() + START;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Err(BenchError::Server(format!("ended with {status}")));
            }
            if let Ok(url) = fs::read_to_string(address_file) {
                self.address = address(&url)?;
                if self.ready().await.is_ok() {
                    return Ok(());
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(BenchError::Server(format!("was not ready after {} s", START.as_secs())))
    }

    async fn ready(&self) -> Result<(), BenchError> {
        let target = uri("/readyz")?;
        let request = Request { method: Method::GET, target, authorization: None, body: Bytes::new() };
        Connection::open(self.address).await?.send(request).await.map(drop)
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The tenant that it made when it set the system up, with its owner's key.
    ///
    /// # Errors
    /// Another process had set the system up, so this one has made no tenant.
    pub fn tenant(&self) -> Result<Tenant, BenchError> {
        let id: TenantId =
            TENANT.parse().map_err(|e: promptory_events::id::IdError| BenchError::Server(e.to_string()))?;
        let key = keys::read(&keys::owner_file(&self.data, &id))?;
        Ok(Tenant { id, authorization: authorization(&key)?, key })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its folder goes too, so nothing has to be closed in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
