//! Usage records: the caller is let in as for a command, each record's right is looked up on its prompt, and they are durable
//! before they are answered. They are no commands: nothing is decided, and the ledger does not hold them.

use promptory_domain::access::{Action, Caller};
use promptory_domain::{Presented, PromptRef, Rejection, Tenant};
use promptory_events::event::{Attempt, AttemptDenied, Door};
use promptory_events::{Credential, Prefix, PromptId, TenantId, Timestamp, limits};
use promptory_ledger::{AppendError, UsageLog};
use promptory_platform::apikey::Presented as Shown;
use promptory_platform::{GiveWay, Problem, ProblemType};
use promptory_usage::{Batch, Execution, Flaw, OutcomeRecord, Record};
use serde_json::json;

use super::admit::Admitted;
use super::execute::{GATHER_INLINE_BYTES, gathering};
use super::{Service, refresh};
use crate::failure::Failure;

/// Flaws that are named in one answer.
const FLAWS_MAX: usize = 20;

/// A record whose prompt is not looked up yet.
#[derive(Clone, Debug)]
pub enum Unplaced {
    /// An execution, of this prompt.
    Execution(PromptRef, Execution),
    /// An outcome, of an execution of this prompt, if it says one.
    Outcome(Option<PromptRef>, OutcomeRecord),
}

/// A record that can't be taken.
#[derive(Clone, Debug)]
pub struct Bad {
    /// Its place among those that came together.
    pub index: usize,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What became of records that are taken one by one.
#[derive(Clone, Debug)]
pub struct Taken {
    /// How many are durable.
    pub records: usize,
    /// Those that are not taken, in no order.
    pub refused: Vec<Bad>,
}

/// Is shown what came, record by record, each with its place among all: what it says, or why it can't be read.
pub type Take<'t> = dyn FnMut(usize, Result<Unplaced, Flaw>) + 't;

/// What a look at the records came to.
#[derive(Default)]
struct Looked {
    /// Those that can be taken.
    good: Vec<(usize, Record)>,
    /// Those that can't, whatever the tenant has.
    bad: Vec<Bad>,
    /// Those that can't as the tenant is.
    refused: Vec<(usize, Unplaced, Refused)>,
}

impl Looked {
    /// Looks at one record.
    fn place(&mut self, state: &Tenant, rights: &Caller<'_>, now: Timestamp, index: usize, record: Unplaced) {
        match placed(state, rights, &record) {
            Ok(prompt) => {
                let record = record.of(prompt);
                match record.check(now) {
                    Ok(()) => self.good.push((index, record)),
                    Err(flaw) => self.bad.push(Bad { index, flaw }),
                }
            }
            Err(why) => self.refused.push((index, record, why)),
        }
    }

    /// Those that can be taken, as they came; those that can't; those that the caller may not record, and on what.
    fn parts(self) -> (Vec<Record>, Vec<Bad>, Vec<(usize, Prefix)>) {
        let (mut bad, mut denied) = (self.bad, Vec::new());
        for (index, _, why) in self.refused {
            match why {
                Refused::Flaw(flaw) => bad.push(Bad { index, flaw }),
                Refused::Denied(on) => denied.push((index, on)),
            }
        }
        (self.good.into_iter().map(|(_, record)| record).collect(), bad, denied)
    }
}

impl Service {
    /// The same service with a log for usage records. Without one it takes none.
    #[must_use]
    pub fn with_usage(mut self, log: UsageLog) -> Self {
        self.usage = Some(log);
        self
    }

    /// Takes records of one caller: all of them, durable when this returns, or none. What came, `bytes` of it, is read when the
    /// caller was let in.
    ///
    /// # Errors
    /// The caller is not let in, or may not; a record can't be taken, or what came can't be read; the log is not available.
    pub async fn record(
        &self,
        shown: &Shown,
        bytes: usize,
        read: impl FnOnce(Timestamp, &mut Take<'_>) -> Result<(), Problem> + Send + 'static,
    ) -> Result<usize, Failure> {
        let caller = self.admit(shown).await?;
        let Some(log) = &self.usage else { return Err(no_log()) };
        let now = self.clock.now();
        let (looked, ()) = looked_twice(&caller, now, bytes, read).await?;
        let (good, bad, denied) = looked.parts();
        if let Some((index, on)) = denied.into_iter().next() {
            return Err(self.not_recorded(&caller, shown.tenant(), index, on).await);
        }
        if !bad.is_empty() {
            return Err(flawed(bad));
        }
        let count = good.len();
        append(log, shown.tenant(), now, good).await?;
        Ok(count)
    }

    /// Takes records of one caller, each for itself: those that can be taken are durable when this returns, in entries of
    /// [`limits::USAGE_RECORDS_MAX`]. What came, `bytes` of it, is read when the caller was let in; gives what reading gave, too.
    ///
    /// # Errors
    /// The caller is not let in; what came can't be read; the log is not available, and then some may have been taken.
    pub async fn record_each<T: Send + 'static>(
        &self,
        shown: &Shown,
        bytes: usize,
        read: impl FnOnce(Timestamp, &mut Take<'_>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(Taken, T), Failure> {
        let caller = self.admit(shown).await?;
        let Some(log) = &self.usage else { return Err(no_log()) };
        let now = self.clock.now();
        let (looked, told) = looked_twice(&caller, now, bytes, read).await?;
        let (mut good, mut refused, denied) = looked.parts();
        if let Some((index, on)) = denied.first() {
            // One attempt, whatever came with it.
            self.not_recorded(&caller, shown.tenant(), *index, on.clone()).await;
            refused.extend(denied.iter().map(|(index, on)| {
                let whole = if on.is_tenant() { "the whole tenant".to_owned() } else { format!("`{on}`") };
                let why = format!("needs the right `{}` on {whole}", Action::RecordUsage.name());
                Bad { index: *index, flaw: Flaw { field: "/prompt".to_owned(), why } }
            }));
        }
        let records = good.len();
        while !good.is_empty() {
            let rest = good.split_off(good.len().min(limits::USAGE_RECORDS_MAX));
            append(log, shown.tenant(), now, good).await?;
            good = rest;
        }
        Ok((Taken { records, refused }, told))
    }

    /// Records that somebody tried what he may not, and says so.
    async fn not_recorded(&self, caller: &Admitted, tenant: &TenantId, index: usize, target: Prefix) -> Failure {
        let credential = match &caller.presented {
            Presented::ApiKey { key, .. } => Some(Credential::ApiKey { tenant: tenant.clone(), key: *key }),
            Presented::Token(token) => Some(Credential::Token(token.evidence(Vec::new()))),
            _ => None,
        };
        if let Some(credential) = credential {
            let attempt = Attempt { principal: caller.principal, action: Action::RecordUsage, target };
            let minute = self.clock.now().minute();
            let denied = AttemptDenied { attempt, credential, door: Door::Command, minute };
            self.attestor().denied(tenant, denied).await;
        }
        let refused = Problem::from(Failure::from(Rejection::Forbidden(Action::RecordUsage)));
        refused.with("index", index).into()
    }
}

/// Reads what came and looks at each record; once more at those that can't be taken: another replica may have made the prompt or
/// the version a moment ago, or granted the right.
async fn looked_twice<T: Send + 'static>(
    caller: &Admitted,
    now: Timestamp,
    bytes: usize,
    read: impl FnOnce(Timestamp, &mut Take<'_>) -> Result<T, Problem> + Send + 'static,
) -> Result<(Looked, T), Failure> {
    let (mut looked, told) = looked(caller, now, bytes, read).await?;
    if !looked.refused.is_empty() {
        refresh(&caller.writer).await;
        let refused = std::mem::take(&mut looked.refused);
        let again = move |_, take: &mut Take<'_>| {
            refused.into_iter().for_each(|(index, record, _)| take(index, Ok(record)));
            Ok(())
        };
        let (again, ()) = self::looked(caller, now, bytes, again).await?;
        looked.good.extend(again.good);
        looked.good.sort_unstable_by_key(|(index, _)| *index);
        looked.bad.extend(again.bad);
        looked.refused = again.refused;
    }
    Ok((looked, told))
}

/// Reads what came and looks at each record as the tenant is now; much of it on a thread that may block.
async fn looked<T: Send + 'static>(
    caller: &Admitted,
    now: Timestamp,
    bytes: usize,
    read: impl FnOnce(Timestamp, &mut Take<'_>) -> Result<T, Problem> + Send + 'static,
) -> Result<(Looked, T), Failure> {
    let (known, principal, presented) =
        (caller.writer.published.load_full(), caller.principal, caller.presented.clone());
    let looking = move || {
        let (mut looked, mut give_way) = (Looked::default(), GiveWay::default());
        let rights = match &presented {
            Presented::ApiKey { key, .. } => known.state.rights().caller(principal, Some(*key), now),
            Presented::Token(token) => known.state.rights().token_caller(token, now),
            _ => known.state.rights().caller(principal, None, now),
        };
        let told = read(now, &mut |index, record| {
            match record {
                Ok(record) => looked.place(&known.state, &rights, now, index, record),
                Err(flaw) => looked.bad.push(Bad { index, flaw }),
            }
            give_way.after_a_piece();
        })?;
        Ok::<_, Problem>((looked, told))
    };
    Ok(gathering(bytes > GATHER_INLINE_BYTES, looking).await??)
}

/// Makes records durable, as one entry.
async fn append(log: &UsageLog, tenant: &TenantId, now: Timestamp, records: Vec<Record>) -> Result<(), Failure> {
    let count = records.len();
    if count > 0 {
        let entry = Batch { received_at: now, records }.encode().into();
        log.append(tenant, now, entry).await.map_err(failure)?;
        metrics::counter!("promptory_usage_records_total").increment(count as u64);
    }
    Ok(())
}

fn no_log() -> Failure {
    Failure::Unavailable("there is no usage log".into())
}

enum Refused {
    Flaw(Flaw),
    Denied(Prefix),
}

impl Unplaced {
    /// With the prompt that it says, if it says one.
    fn of(self, prompt: Option<PromptId>) -> Record {
        match self {
            Self::Execution(_, execution) => {
                Record::Execution(Execution { prompt: prompt.unwrap_or(execution.prompt), ..execution })
            }
            Self::Outcome(_, outcome) => Record::Outcome(OutcomeRecord { prompt, ..outcome }),
        }
    }
}

/// The prompt that a record says, if it says one and may.
fn placed(state: &Tenant, rights: &Caller<'_>, record: &Unplaced) -> Result<Option<PromptId>, Refused> {
    match record {
        Unplaced::Execution(which, execution) => {
            let (prompt, newest) = found(state, rights, which)?;
            if !(1..=newest).contains(&execution.version) {
                return Err(flaw("/version", format!("the prompt has no version {}", execution.version)));
            }
            Ok(Some(prompt))
        }
        Unplaced::Outcome(Some(which), _) => Ok(Some(found(state, rights, which)?.0)),
        // It may be about any prompt.
        Unplaced::Outcome(None, _) => allowed(rights, "").map(|()| None),
    }
}

/// The prompt, archived or not, and its newest version. By a key the right is looked up before the prompt is; by an id, what
/// the caller may not even read is not told apart from what is not there.
fn found(state: &Tenant, rights: &Caller<'_>, which: &PromptRef) -> Result<(PromptId, u32), Refused> {
    if let PromptRef::Key(key) = which {
        allowed(rights, key.as_str())?;
    }
    let there = state.prompt(which).filter(|(_, prompt)| {
        let key = prompt.key.as_str();
        rights.grant(Action::RecordUsage, key).is_some() || rights.grant(Action::Read, key).is_some()
    });
    let Some((id, prompt)) = there else { return Err(flaw("/prompt", "there is no such prompt".to_owned())) };
    allowed(rights, prompt.key.as_str())?;
    Ok((id, prompt.newest()))
}

fn allowed(rights: &Caller<'_>, path: &str) -> Result<(), Refused> {
    match rights.grant(Action::RecordUsage, path) {
        Some(_) => Ok(()),
        None => Err(Refused::Denied(Prefix::of(path))),
    }
}

fn flaw(field: &str, why: String) -> Refused {
    Refused::Flaw(Flaw { field: field.to_owned(), why })
}

/// Which records can't be taken, and why. Nothing was written.
fn flawed(mut bad: Vec<Bad>) -> Failure {
    bad.sort_unstable_by_key(|one| one.index);
    let named = bad.iter().take(FLAWS_MAX);
    let named: Vec<_> =
        named.map(|Bad { index, flaw }| json!({ "index": index, "field": flaw.field, "detail": flaw.why })).collect();
    let detail = format!("{} of the records can't be taken; nothing was written", bad.len());
    Problem::new(ProblemType::RECORDS_INVALID, detail).with("count", bad.len()).with("records", named).into()
}

fn failure(error: AppendError) -> Failure {
    match error {
        AppendError::Busy => Failure::Overloaded,
        AppendError::Unknown(_) | AppendError::Conflict => Failure::OutcomeUnknown,
        AppendError::Invalid(why) => Failure::Internal(why),
    }
}
