//! Batches go to the server strictly in order: a command is sent again until its answer is final, and nothing that comes
//! after it in a later request overtakes it.

mod http;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::acks::AckLog;
use super::edit::Place;
use super::progress::Progress;
use super::report::Report;
use http::{Answer, Line};
pub use http::{Client, ClientError};

/// A command, ready to be sent as often as needed.
#[derive(Debug)]
pub struct Command {
    /// Where it was read.
    pub place: Place,
    /// It as JSON.
    pub json: Vec<u8>,
    /// What the server has said about it already, in an answer in which an earlier command has to be sent again:
    /// whether it was a repeat.
    pub known: Option<Known>,
}

/// A success that is logged already and only waits for its turn to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    replayed: bool,
}

/// The import can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server lets nobody in with this key, or does not know the path.
    #[error("the server refused: {0}")]
    Refused(String),
    /// It was tried for long enough.
    #[error("gave up after {} s: {why}", .patience.as_secs())]
    Patience {
        /// How long it was tried.
        patience: Duration,
        /// What the last try met.
        why: String,
    },
    /// The answer is not one of this API.
    #[error("the answer makes no sense: {0}")]
    Answer(String),
    /// The log of what was acknowledged.
    #[error("the log of acknowledgements")]
    AckLog(#[source] io::Error),
}

/// Sends commands and keeps count of what became of them.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    ack_log: Option<AckLog>,
    patience: Duration,
    first_pause: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A server that names a longer pause is not believed.
const LONGEST_WISH: Duration = Duration::from_secs(30);

impl Sender {
    /// A sender that tries for `patience` without any progress before it gives up.
    pub fn new(client: Client, ack_log: Option<AckLog>, patience: Duration) -> Self {
        Self { client, ack_log, patience, first_pause: FIRST_PAUSE }
    }

    /// Sends commands until each has a final answer.
    ///
    /// # Errors
    /// Why it can't go on. What was settled until then is in the report.
    pub fn send(&mut self, commands: Vec<Command>, report: &mut Report, shown: &Progress) -> Result<(), SendError> {
        let mut waiting = VecDeque::from(commands);
        let mut at_once = waiting.len();
        let mut stall = Stall::new(self.first_pause);
        while !waiting.is_empty() {
            let part = waiting.iter().take(at_once.max(1));
            match self.client.post(part.map(|command| command.json.as_slice())) {
                Answer::Lines(lines) => {
                    let settled = self.settle(&mut waiting, lines, report, shown)?;
                    if settled.count > 0 {
                        stall = Stall::new(self.first_pause);
                    }
                    if let Some(why) = settled.again {
                        stall.wait(self.patience, &why, None, shown)?;
                    }
                }
                Answer::TooLarge(why) if at_once.min(waiting.len()) <= 1 => {
                    refuse(waiting.pop_front(), &why, report, shown);
                }
                Answer::TooLarge(_) => at_once = at_once.min(waiting.len()) / 2,
                Answer::Later { why, pause } => stall.wait(self.patience, &why, pause, shown)?,
                Answer::Never(why) => return Err(SendError::Refused(why)),
                Answer::Senseless(why) => return Err(SendError::Answer(why)),
            }
        }
        Ok(())
    }

    /// Takes in an answer: what was done is logged at once, and counted and dropped up to the first command that must be
    /// sent again. The ones behind it go with it, so that the order holds; the server knows those that it has done.
    fn settle(
        &mut self,
        waiting: &mut VecDeque<Command>,
        lines: Vec<Line>,
        report: &mut Report,
        shown: &Progress,
    ) -> Result<Settled, SendError> {
        self.log(waiting, &lines)?;
        let mut settled = Settled { count: 0, again: None };
        for line in lines {
            match line {
                Line::Done { replayed, .. } => {
                    let known = waiting.pop_front().and_then(|command| command.known);
                    report.add(known.map_or(replayed, |known| known.replayed));
                }
                Line::Refused(why) => refuse(waiting.pop_front(), &why, report, shown),
                Line::Never(why) => return Err(SendError::Refused(why)),
                Line::Later(why) => {
                    settled.again = Some(why);
                    break;
                }
            }
            settled.count += 1;
        }
        Ok(settled)
    }

    fn log(&mut self, waiting: &mut VecDeque<Command>, lines: &[Line]) -> Result<(), SendError> {
        for (command, line) in waiting.iter_mut().zip(lines) {
            let Line::Done { command_id, position, replayed } = line else { continue };
            if command.known.is_none() {
                command.known = Some(Known { replayed: *replayed });
                if let Some(log) = &mut self.ack_log {
                    log.add(&command.place, command_id, position.as_deref());
                }
            }
        }
        self.ack_log.as_mut().map_or(Ok(()), AckLog::flush).map_err(SendError::AckLog)
    }
}

/// How far an answer settled things.
struct Settled {
    count: usize,
    again: Option<String>,
}

fn refuse(command: Option<Command>, why: &str, report: &mut Report, shown: &Progress) {
    if let Some(command) = command {
        shown.say(&report.fail(&command.place, why));
    }
}

/// A time without progress.
#[derive(Debug)]
struct Stall {
    since: Option<Instant>,
    pause: Duration,
}

impl Stall {
    fn new(pause: Duration) -> Self {
        Self { since: None, pause }
    }

    fn wait(
        &mut self,
        patience: Duration,
        why: &str,
        wish: Option<Duration>,
        shown: &Progress,
    ) -> Result<(), SendError> {
        let since = *self.since.get_or_insert_with(|| {
            shown.say(&format!("{why}; trying again for up to {} s", patience.as_secs()));
            Instant::now()
        });
        let left = patience.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(SendError::Patience { patience, why: why.to_owned() });
        }
        let pause = self.pause.max(wish.unwrap_or_default().min(LONGEST_WISH));
        std::thread::sleep(jittered(pause).min(left));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// Between the pause and half as much again: many importers must not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let share = getrandom::u32().unwrap_or_default() % 50;
    pause + pause * share / 100
}

#[cfg(test)]
mod tests;
