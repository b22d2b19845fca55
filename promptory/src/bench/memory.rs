//! Peak memory of a serving process after it has taken real histories in and answered a mixed load.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use promptory_events::TenantId;

use super::client::{Connection, Request, authorization, prompt, uri};
use super::limits::version_body;
use super::load::Make;
use super::machine;
use super::report::{Bar, Figures};
use super::resolve::{random, requests};
use super::world::{Tenant, address, fill};
use super::{Bench, BenchError, Figure};
use crate::keys;

/// Peak resident memory.
const PEAK_MIB: f64 = 300.0;
/// Clients of the mixed load.
const CLIENTS: usize = 16;
/// A process that says nothing for so long will not.
const START: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let mut figures = Figures::of("memory");
    for round in 0..bench.args.rounds {
        let folder = bench.folder(&format!("memory-{round}"));
        let server = Server::start(&folder).await?;
        let tenant = server.tenant()?;
        let mut commands = bench.history.repeated(true);
        let all = bench.scaled(bench.history.len(), 100);
        fill(server.address, &tenant.authorization, &mut commands, |_, commands| commands.sent() >= all).await?;
        let (imported, _) = machine::resident(server.child.id())?;
        let keys: Vec<String> = commands.alive.into_iter().collect();
        let make = mixed(&tenant, &keys, bench.args.seed)?;
        let mut clients = bench.load.connect(server.address, CLIENTS).await?;
        let mixed = clients.closed(bench.time(), &make).await?;
        let (peak, now) = machine::resident(server.child.id())?;
        figures.sample("peak after the import", "MiB", imported);
        figures.held("peak after the mixed load", "MiB", peak, Bar::AtMost(PEAK_MIB));
        figures.sample("resident at the end", "MiB", now);
        figures.sample("mixed load", "/s", mixed.rate());
    }
    Ok(figures.done())
}

/// Of a hundred requests: 70 resolves, 10 past states, 5 each of listings, version lists, events and new versions.
fn mixed(tenant: &Tenant, keys: &[String], seed: u64) -> Result<Make, BenchError> {
    let (resolves, get) = (requests(tenant, keys)?, |target| Request::get(target, &tenant.authorization));
    let under = |rest: &str| keys.iter().map(|key| Ok(get(prompt(key, rest)?))).collect::<Result<Vec<_>, BenchError>>();
    // As of now on the recorded clock: every prompt is there, and it is looked up in the rows.
    let now = promptory_platform::Clock::System.now();
    let (past, versions) = (under(&format!("?clock=recorded&as_of={now}"))?, under("/versions?limit=20")?);
    let (list, events) = (get(uri("/v1/prompts?limit=100")?), get(uri("/v1/events?from=0&limit=100")?));
    let writes =
        keys.iter().map(|key| Ok(Request::post(prompt(key, "/versions")?, &tenant.authorization, Bytes::new())));
    let writes = writes.collect::<Result<Vec<_>, BenchError>>()?;
    Ok(Arc::new(move |client, number| {
        let draw = random(seed ^ ((client as u64) << 48) ^ number);
        let at = usize::try_from(draw >> 32).unwrap_or_default() % resolves.len().max(1);
        match draw % 100 {
            0..70 => resolves[at].clone(),
            70..80 => past[at].clone(),
            80..85 => list.clone(),
            85..90 => versions[at].clone(),
            90..95 => events.clone(),
            _ => Request { body: version_body(client, number).into(), ..writes[at].clone() },
        }
    }))
}

/// `promptory serve` in a process of its own, killed when it is dropped.
struct Server {
    child: Child,
    data: PathBuf,
    address: SocketAddr,
}

const TENANT: &str = "bench";

impl Server {
    async fn start(folder: &Path) -> Result<Self, BenchError> {
        fs::create_dir_all(folder)?;
        let (data, address_file) = (folder.join("data"), folder.join("address"));
        let log = File::create(folder.join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--tenant", TENANT]);
        command.arg("--data").arg(&data).arg("--address-file").arg(&address_file);
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

    fn tenant(&self) -> Result<Tenant, BenchError> {
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
