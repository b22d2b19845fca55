//! Questions and answers as bytes: a version, then postcard. Both ends are ours, but perhaps of different releases.
//!
//! An answer fits into one message: a page that would not is cut, and says so.

use bytes::Bytes;
use promptory_events::{Position, TenantId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Answer, Ask, AskError, Changed, Reply};
use crate::shelf::Health;

/// Begins every message. Variants and fields are only ever added at the end, and then it counts one up.
const VERSION: u8 = 10;
/// The most that one answer takes: half of the servers' `max_payload`.
pub const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Asked {
    /// A question.
    Question(Box<Ask>),
    /// A tenant's position once it is beyond `after`.
    Beyond {
        /// Whose.
        tenant: TenantId,
        /// What is known already.
        after: Option<Position>,
    },
    /// How the projections stand.
    Health,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Told {
    /// To `Question`.
    Reply(Reply),
    /// To `Beyond`: beyond it, or still the same if that took too long.
    Position(Option<Position>),
    /// To `Health`.
    Health(Health),
    /// Nothing.
    Refused(AskError),
}

/// Bytes that are no message of ours, or of a release that speaks otherwise.
#[derive(Debug, thiserror::Error)]
#[error("no message that this release understands: {0}")]
pub struct WireError(String);

/// A message's bytes.
///
/// # Errors
/// It has no form in bytes: a defect.
pub fn encode(message: &impl Serialize) -> Result<Bytes, WireError> {
    let bytes = postcard::to_extend(message, vec![VERSION]).map_err(|error| WireError(error.to_string()))?;
    Ok(bytes.into())
}

/// The message in bytes.
///
/// # Errors
/// They hold none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|error| WireError(error.to_string())),
        Some((version, _)) => Err(WireError(format!("it is of version {version}"))),
        None => Err(WireError("it is empty".to_owned())),
    }
}

/// An answer's bytes, [`ANSWER_MAX_BYTES`] at most.
#[must_use]
pub fn encode_answer(mut told: Told) -> Bytes {
    loop {
        match encode(&told) {
            Ok(bytes) if bytes.len() <= ANSWER_MAX_BYTES => return bytes,
            Ok(_) if cut(&mut told) => {}
            other => {
                let error = other.map_or_else(|error| error.to_string(), |bytes| format!("{} bytes", bytes.len()));
                tracing::error!(%error, "an answer can't be sent");
                let refused = Told::Refused(AskError::Unavailable("the answer can't be sent".to_owned()));
                return encode(&refused).unwrap_or_default();
            }
        }
    }
}

/// Leaves the second half of a page out. False: there is nothing to leave out.
fn cut(told: &mut Told) -> bool {
    fn halve<T>(items: &mut Vec<T>) -> bool {
        let half = items.len().div_ceil(2);
        let shorter = half < items.len();
        items.truncate(half);
        shorter
    }
    let Told::Reply(reply) = told else { return false };
    reply.cut = true;
    match &mut reply.answer {
        Answer::List(items) => halve(items),
        Answer::Insight(insight) => insight.halve(),
        Answer::Versions(items) => halve(items),
        Answer::LabelHistory(items) => halve(items),
        Answer::Access(items) => halve(items),
        Answer::Comments(items) => halve(items),
        Answer::Forks(items) => halve(items),
        Answer::Events(answer) => {
            let shorter = halve(&mut answer.events);
            answer.next = answer.events.last().map_or(answer.next, |event| event.stamp.index + 1);
            shorter
        }
        Answer::Dependents(answer) => {
            let shorter = halve(&mut answer.items);
            answer.next = answer.items.last().map_or(answer.next, |item| Some(item.stamp.index));
            shorter
        }
        Answer::Who(answer) => halve(&mut answer.items),
        Answer::Holdings(answer) => halve(&mut answer.grants),
        Answer::Changes(answer) => {
            let shorter = halve(&mut answer.items);
            answer.next = answer.items.last().map_or(answer.next, Changed::begins);
            shorter
        }
        Answer::Audit(answer) => {
            let shorter = halve(&mut answer.records);
            answer.next = answer.records.last().map_or(answer.next, |last| answer.order.after(last.index));
            shorter
        }
        Answer::Prompt(_)
        | Answer::Status(_)
        | Answer::Quotas(_)
        | Answer::Languages(_)
        | Answer::Watch(_)
        | Answer::Diff(_)
        | Answer::Rendered(_)
        | Answer::Expanded(_)
        | Answer::AuditCount(_)
        | Answer::Analytics(_)
        | Answer::EmptySearches(_)
        | Answer::Models(_)
        | Answer::Why(_) => false,
        // A page of a search is small, and says itself where the next one goes on.
        Answer::Found(_) | Answer::Suggested(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use promptory_events::event::{Kind, Syntax};
    use promptory_events::{Incarnation, PrincipalId, Timestamp, VersionId};

    use super::*;
    use crate::ask::{AsOf, Caller, PromptRef, Question, Stamp, VersionSummary, Which};

    fn summary(number: u32, message: &str) -> VersionSummary {
        let stamp = Stamp {
            index: u64::from(number),
            command_id: promptory_events::CommandId([3; 16]),
            actor: PrincipalId([4; 16]),
            author: Some("u:1".parse().unwrap()),
            recorded_at: Timestamp::MIN,
            occurred_at: None,
            message: Some(message.to_owned()),
            grants: vec![1],
        };
        let content_id = promptory_events::ContentId([1; 32]);
        let (branch, parents) = (promptory_events::Branch::main(), Vec::new());
        let (syntax, includes) = (Syntax::Simple, Vec::new());
        VersionSummary {
            id: VersionId([2; 16]),
            number,
            branch,
            parents,
            content_id,
            bytes: 1,
            syntax,
            includes,
            stamp,
        }
    }

    #[test]
    fn what_is_asked_and_told_reads_back() {
        let _ = Kind::Text;
        let question = Question::Prompt {
            prompt: PromptRef::Key("team/greet".parse().unwrap()),
            which: Which::Label("production".parse().unwrap()),
            as_of: AsOf::Recorded(Timestamp::MIN),
        };
        let caller = Caller::Key { key: promptory_events::KeyId([7; 8]), secret_hash: [8; 32] };
        let at_least = Some(Position { incarnation: Incarnation([9; 8]), index: 41 });
        let ask = Ask { tenant: "acme".parse().unwrap(), caller, at_least, question };
        let read: Asked = decode(&encode(&Asked::Question(Box::new(ask.clone()))).unwrap()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", Asked::Question(Box::new(ask))));
        for told in [
            Told::Reply(Reply { as_of: at_least, answer: Answer::Versions(vec![summary(1, "why")]), cut: false }),
            Told::Position(None),
            Told::Refused(AskError::LabelNotFound("production".parse().unwrap())),
            Told::Refused(AskError::Busy),
        ] {
            let read: Told = decode(&encode_answer(told.clone())).unwrap();
            assert_eq!(format!("{read:?}"), format!("{told:?}"));
        }
    }

    #[test]
    fn other_releases_and_noise_are_refused() {
        let mut bytes = encode(&Asked::Health).unwrap().to_vec();
        bytes[0] += 1;
        assert!(decode::<Asked>(&bytes).unwrap_err().to_string().contains(&format!("version {}", VERSION + 1)));
        for noise in [&[][..], &[VERSION], &[VERSION, 9], &[VERSION, 0, 1]] {
            assert!(decode::<Asked>(noise).is_err(), "{noise:?}");
        }
    }

    #[test]
    fn a_page_that_is_too_large_for_a_message_is_cut_and_says_so() {
        let message = "x".repeat(promptory_events::limits::MESSAGE_MAX_BYTES);
        let all: Vec<_> = (0..200).map(|number| summary(number, &message)).collect();
        let bytes = encode_answer(Told::Reply(Reply { as_of: None, answer: Answer::Versions(all), cut: false }));
        assert!(bytes.len() <= ANSWER_MAX_BYTES);
        let Told::Reply(reply) = decode(&bytes).unwrap() else { panic!("no reply") };
        let Answer::Versions(items) = reply.answer else { panic!("no versions") };
        assert!(reply.cut && items.len() == 50, "{}", items.len());
        assert!(items.iter().zip(0..).all(|(item, number)| item.number == number), "the first of them");
    }
}
