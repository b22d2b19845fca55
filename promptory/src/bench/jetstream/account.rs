//! An account on NATS servers that held nothing, and the streams that the bench has made in it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Config as Stream;
use futures::TryStreamExt;
use promptory_ledger::RootKey;
use promptory_ledger::jetstream::{self, Options, Shape};

use super::super::{Bench, BenchError};
use crate::init::NatsArgs;
use crate::node::Config;
use crate::stores::StoreError;

/// As `promptory init` has it.
const PARTITIONS: u16 = 8;

/// The account.
#[derive(Debug)]
pub struct Account {
    /// How it is reached, for another process.
    pub nats: NatsArgs,
    /// The same, for this one.
    pub options: Options,
    /// The root key's file.
    pub root_key: PathBuf,
    context: Context,
    shape: Shape,
    made: Mutex<Vec<String>>,
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Nats(error.to_string())
}

impl Account {
    /// Looks whether it is empty.
    ///
    /// # Errors
    /// It is not; the servers can't be reached.
    pub async fn open(bench: &Bench) -> Result<Self, BenchError> {
        let nats = bench.args.nats.clone();
        let options = nats.options()?;
        let client = options.connect("promptory bench").await.map_err(StoreError::from)?.client();
        let version = client.server_info().version;
        let context = async_nats::jetstream::new(client);
        if let Some(stream) = context.stream_names().try_next().await.map_err(failed)? {
            return Err(BenchError::NotEmpty(stream));
        }
        let shape = Shape { replicas: bench.args.replicas, partitions: PARTITIONS };
        let (copies, partitions) = (shape.replicas, shape.partitions);
        let said = format!("nats-server {version}; copies of each message: {copies}; partitions: {partitions}");
        let _ = bench.servers.set(said); // it runs once
        let root_key = bench.folder("root.key");
        RootKey::create(&root_key).map_err(StoreError::from)?;
        Ok(Self { nats, options, root_key, context, shape, made: Mutex::default() })
    }

    /// Makes the streams of a ledger and its key store, as `promptory init` does.
    ///
    /// # Errors
    /// They can't be made, or others were there first.
    pub async fn make_ledger(&self) -> Result<(), BenchError> {
        let report = jetstream::init(&self.options, self.shape).await.map_err(StoreError::from)?;
        self.note(report.created);
        match report.found.into_iter().next() {
            None => Ok(()),
            Some(stream) => Err(BenchError::NotEmpty(stream)),
        }
    }

    /// Makes a stream for each partition that is set like the ledger's, and takes subjects that nothing follows. Gives the
    /// first part of the subjects: `FIRST.<partition>.<anything>`.
    ///
    /// # Errors
    /// The servers refuse.
    pub async fn make_others(&self, first: &'static str) -> Result<(), BenchError> {
        for partition in 0..PARTITIONS {
            let ledger = self.context.get_stream(format!("LEDGER-{partition}")).await.map_err(failed)?;
            let like = ledger.cached_info().config.clone();
            let (name, subjects) = (format!("BENCH-{partition}"), vec![format!("{first}.{partition}.*")]);
            self.context.create_stream(Stream { name: name.clone(), subjects, ..like }).await.map_err(failed)?;
            self.note(vec![name]);
        }
        Ok(())
    }

    /// Partitions of each ledger that it makes.
    pub fn partitions(&self) -> u16 {
        PARTITIONS
    }

    /// How a node is set up on the ledger, with a folder for what is its own.
    pub fn config(&self, folder: PathBuf) -> Config {
        Config { nats: Some(self.options.clone()), root_key: Some(self.root_key.clone()), ..Config::new(folder) }
    }

    fn note(&self, streams: Vec<String>) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(streams);
    }

    /// Removes what it has made.
    ///
    /// # Errors
    /// The servers refuse.
    pub async fn clear(&self) -> Result<(), BenchError> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for stream in made {
            self.context.delete_stream(stream).await.map_err(failed)?;
        }
        Ok(())
    }
}
