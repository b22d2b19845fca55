//! Commands on their way from a replica that loses its races to the one that wins them.
//!
//! What travels is gathered: no plaintext, no secret of a key. The winner decides it as its own, authorization included,
//! and whoever may publish to a replica's subject could append to the ledger as well.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use promptory_domain::Presented;
use promptory_events::TenantId;
use promptory_platform::between::{self, Answering, ListenError, NoAnswer, Place};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::attest;
use crate::failure::Failure;
use crate::gather::Gathered;
use crate::outcome::Outcome;
use crate::service::Service;
use crate::writer::Answers;

/// Begins every message; counts up with every change of what travels.
const VERSION: u8 = 6;
/// Requests of other replicas that one replica answers at once; each is at most [`FORWARDED_MAX_BYTES`] and one command.
const AT_ONCE: usize = 32;
/// Commands of one request.
pub(crate) const FORWARDED_MAX: usize = 512;
/// Bytes of one request, as far as they are known before it is encoded.
pub(crate) const FORWARDED_MAX_BYTES: usize = 2 * 1024 * 1024;
/// How long the winner's answer is waited for, if it does not die meanwhile. Then the command is looked for, and decided here.
const WAIT: Duration = Duration::from_secs(5);
const SUBJECT: &str = "command.";

/// The way to other replicas, and where they reach this one.
#[derive(Clone)]
pub struct Exchange {
    client: Client,
    address: Arc<str>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({})", self.address)
    }
}

/// What is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Forwarded {
    /// Whose ledger.
    pub tenant: TenantId,
    /// Who sends it.
    pub from: String,
    /// The commands, in order.
    pub items: Vec<Gathered>,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
enum Answered {
    /// What came of each command, in order.
    All(Vec<Result<Outcome, Failure>>),
    /// None of them was looked at.
    NotTaken(String),
}

impl Exchange {
    /// Over this connection, under a new random address.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(client: Client) -> Result<Self, getrandom::Error> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let address = id.iter().fold(SUBJECT.to_owned(), |text, byte| format!("{text}{byte:02x}")).into();
        Ok(Self { client, address })
    }

    /// Where this replica is reached: in the header of each of its batches.
    #[must_use]
    pub fn address(&self) -> Arc<str> {
        self.address.clone()
    }

    /// Whether a batch's writer is another replica that can be reached.
    pub(crate) fn is_another(&self, address: &str) -> bool {
        let id = address.strip_prefix(SUBJECT).unwrap_or_default();
        let form = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        form && address != &*self.address
    }

    /// Sends commands to another replica and waits for what comes of them.
    ///
    /// # Errors
    /// It did not take them, or did not answer: then it may have done them.
    pub(crate) async fn send(&self, to: &str, forwarded: &Forwarded) -> Result<Answers, String> {
        let request = encode(forwarded)?;
        let answer = between::ask_one(&self.client, to.to_owned(), request, WAIT).await;
        match decode(&answer.map_err(|error: NoAnswer| error.to_string())?)? {
            Answered::All(answers) if answers.len() == forwarded.items.len() => Ok(answers),
            Answered::All(_) => Err("another number of answers than commands".to_owned()),
            Answered::NotTaken(why) => Err(why),
        }
    }

    /// Begins to take commands that others forward to this replica.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn listen(&self, service: Service) -> Result<Answering, ListenError> {
        let description = "Takes commands that other replicas forward";
        let answering = Answering::start(self.client.clone(), "promptory-command", description).await?;
        let place = Place {
            subject: self.address.to_string(),
            queue: self.address.to_string(), // nobody else has it
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            busy: answer(Answered::NotTaken("as many are taken as may be".to_owned())),
        };
        let attesting = service.clone();
        answering.listen(place, move |request| take(service.clone(), request)).await?;
        attest::listen(&answering, attesting).await?;
        Ok(answering)
    }
}

async fn take(service: Service, request: Bytes) -> Bytes {
    let answered = match decode::<Forwarded>(&request) {
        Err(error) => Answered::NotTaken(error),
        // The system itself acts in its own process only.
        Ok(forwarded) if forwarded.items.iter().any(|item| item.presented == Presented::System) => {
            Answered::NotTaken("not from outside".to_owned())
        }
        Ok(forwarded) if forwarded.items.iter().any(|item| item.since.is_none()) => {
            Answered::NotTaken("it does not say since when it may be there".to_owned())
        }
        Ok(Forwarded { tenant, from, items }) => match service.take_forwarded(&tenant, &from, items).await {
            Ok(answers) => Answered::All(answers),
            Err(failure) => Answered::NotTaken(failure.to_string()),
        },
    };
    answer(answered)
}

fn answer(answered: Answered) -> Bytes {
    encode(&answered).or_else(|error| encode(&Answered::NotTaken(error))).unwrap_or_default()
}

pub(crate) fn encode(message: &impl Serialize) -> Result<Bytes, String> {
    postcard::to_extend(message, vec![VERSION]).map(Bytes::from).map_err(|error| error.to_string())
}

pub(crate) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|error| error.to_string()),
        _ => Err("it is of another release".to_owned()),
    }
}

#[cfg(test)]
mod tests;
