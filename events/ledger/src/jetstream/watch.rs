//! A server that is cut off from the others keeps its connections, and nothing that they ask for is ever done. The
//! connection itself shows nothing of it, so each is looked after: one that reaches no stream's leader moves to a server
//! from which the leader is reached, if there is one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, ReconnectToServer, ServerAddr};
use tokio::task::JoinHandle;

use super::fetch::{self, InfoError, leads};
use super::layout::stream_name;
use super::link::Link;
use super::options::Options;

const EVERY: Duration = Duration::from_secs(1);
/// A connection that reaches no leader for so long is better elsewhere. Longer than an answer takes to come late.
const LOST_FOR: Duration = Duration::from_secs(3);
/// How long any one server is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a connection is to go next; nowhere in particular if it is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Next(Arc<Mutex<Option<ServerAddr>>>);

impl Next {
    fn set(&self, server: ServerAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    fn take(&self) -> Option<ServerAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A connection made with these goes there.
    pub(super) fn heeded(&self, options: ConnectOptions) -> ConnectOptions {
        let next = self.clone();
        options.reconnect_to_server_callback(move |_, _| {
            let to = next.take().map(|addr| ReconnectToServer { addr, delay: Some(Duration::ZERO) });
            std::future::ready(to)
        })
    }
}

/// Somebody who looks after a connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a connection reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// The leader of the stream, and a majority behind it.
    Leader,
    /// There is no such stream.
    NoStream,
    Nobody,
}

/// Begins to look after a connection.
pub(super) fn watch(options: Options, client: Client, next: Next) -> Watch {
    Watch(tokio::spawn(async move {
        let (mut partition, mut lost) = (0, None);
        loop {
            tokio::time::sleep(EVERY).await;
            if client.connection_state() != State::Connected {
                lost = None; // it is on its way to another server
                continue;
            }
            match reached(&client, partition).await {
                Reached::Leader => (partition, lost) = (partition + 1, None),
                Reached::NoStream => (partition, lost) = (0, None),
                Reached::Nobody => {
                    let since = *lost.get_or_insert_with(Instant::now);
                    if since.elapsed() < LOST_FOR {
                        continue;
                    }
                    let Some(server) = elsewhere(&options, &client, partition).await else { continue };
                    let stream = stream_name(partition);
                    tracing::warn!(stream, "the leader is not reached through this server; going to another");
                    next.set(server);
                    lost = None;
                    if client.force_reconnect().await.is_err() {
                        return; // the connection has ended
                    }
                }
            }
        }
    }))
}

async fn reached(client: &Client, partition: u16) -> Reached {
    let link = Link::over(client.clone(), PATIENCE);
    match fetch::info(&link, &stream_name(partition)).await {
        Ok(info) if leads(&info) => Reached::Leader,
        Err(InfoError::NotFound) => Reached::NoStream,
        Ok(_) | Err(InfoError::Unavailable(_)) => Reached::Nobody,
    }
}

/// Another server through which the leader of a stream is reached, or, of one that is not there, whoever knows that.
async fn elsewhere(options: &Options, client: &Client, partition: u16) -> Option<ServerAddr> {
    let here = client.server_info().server_name;
    for server in &options.servers {
        let connect = options.connect_options("promptory: looks for a leader").await.ok()?;
        let connecting = connect.connection_timeout(PATIENCE).connect(server.clone());
        let Ok(Ok(there)) = tokio::time::timeout(PATIENCE, connecting).await else { continue };
        if there.server_info().server_name != here && reached(&there, partition).await != Reached::Nobody {
            return Some(server.clone());
        }
    }
    None
}
