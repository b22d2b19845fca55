//! What is attested is written by the system itself: of this process, or of another one that asks over NATS.
//!
//! Whoever may publish to the subject could append to the ledger as well.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use promptory_domain::{Attestation, Change, Command, Presented};
use promptory_events::{CommandHash, CommandId, TenantId};
use promptory_platform::Attestor;
use promptory_platform::attest::Attested;
use promptory_platform::between::{self, Answering, ListenError, Place};
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::forward::{decode, encode};
use crate::gather::Gathered;
use crate::service::Service;

/// One of the processes that take commands gets each.
const SUBJECT: &str = "command.attest";
/// Attestations of other processes that one process writes at once.
const AT_ONCE: usize = 256;
const WAIT: Duration = Duration::from_secs(2);

impl Service {
    /// Lets what this service denies be counted at a port. To be called before it is used.
    #[must_use]
    pub fn with_attestor(mut self, attestor: Attestor) -> Self {
        self.attest_to(attestor);
        self
    }

    /// Writes what is attested. When this returns it is durable; an attempt that gets no event is counted.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn attest(&self, attested: Attested) -> Result<(), Failure> {
        let (tenant, attestation) = match attested {
            Attested::Denied(tenant, denied) => (tenant, Attestation::Denied(denied)),
            Attested::Counted(tenant, counted) => (tenant, Attestation::Counted(counted)),
            Attested::Unauthenticated(counted) => (TenantId::system(), Attestation::Unauthenticated(counted)),
            Attested::Read(tenant, read) => (tenant, Attestation::Read(read)),
            Attested::Breached(tenant, breach) => (tenant, Attestation::Breached(breach)),
            Attested::Degraded(tenant, found) => (tenant, Attestation::Degraded(found)),
        };
        let attempt = match &attestation {
            Attestation::Denied(denied) => Some(denied.attempt.clone()),
            _ => None,
        };
        let id = id_of(&attestation).map_err(|error| Failure::Internal(error.to_string()))?;
        let outcome = self.submit_one(&tenant, by_system(id, attestation)).await?;
        if let Some(attempt) = attempt.filter(|_| outcome.events.is_empty()) {
            self.attestor().again(&tenant, &attempt, 1);
        }
        Ok(())
    }
}

/// That a guard was breached, or that a version became worse, is one command, whoever finds it, however often; the others are what they are once.
fn id_of(attestation: &Attestation) -> Result<CommandId, getrandom::Error> {
    match attestation {
        Attestation::Breached(breach) => return Ok(CommandId::of_breach(breach.rollout, breach.place)),
        Attestation::Degraded(found) => {
            let (measure, day) = (found.measure.name(), found.day.micros());
            return Ok(CommandId::of_degradation(found.prompt, found.version, &measure, day));
        }
        _ => {}
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(CommandId(id))
}

/// A command of the system itself.
fn by_system(command_id: CommandId, attestation: Attestation) -> Gathered {
    Gathered {
        command_id,
        command_hash: CommandHash::NONE,
        may_repeat: false,
        presented: Presented::System,
        command: command(attestation),
        trace: None,
        since: None,
        tied: false,
        secret: None,
        bytes: 1024,
    }
}

pub(crate) fn command(attestation: Attestation) -> Command {
    // Whoever named a guard wanted it to act whenever it must; the commit says that it overrode a freeze.
    let override_freeze = matches!(attestation, Attestation::Breached(_));
    let change = Change::Attest(attestation);
    Command { change, occurred_at: None, author: None, message: None, override_freeze }
}

/// Lets a process that takes commands write what is attested.
///
/// # Errors
/// None does, or it could not.
pub async fn ask(client: &Client, attested: &Attested) -> Result<(), String> {
    let answer = between::ask(client, SUBJECT.to_owned(), encode(attested)?, WAIT).await;
    decode::<Result<(), String>>(&answer.map_err(|error| error.to_string())?)?
}

/// Begins to write what other processes attest.
pub(crate) async fn listen(answering: &Answering, service: Service) -> Result<(), ListenError> {
    let place = Place {
        subject: SUBJECT.to_owned(),
        queue: SUBJECT.to_owned(),
        at_once: Arc::new(Semaphore::new(AT_ONCE)),
        busy: answer(&Err("as many are written as may be".to_owned())),
    };
    answering.listen(place, move |request| take(service.clone(), request)).await
}

async fn take(service: Service, request: Bytes) -> Bytes {
    let written = match decode::<Attested>(&request) {
        Ok(attested) => service.attest(attested).await.map_err(|failure| failure.to_string()),
        Err(error) => Err(error),
    };
    answer(&written)
}

fn answer(written: &Result<(), String>) -> Bytes {
    encode(written).unwrap_or_default()
}
