//! Usage records: the caller is let in as for a command, each record's right is looked up on its prompt, and they are durable
//! before they are answered. They are no commands: nothing is decided, and the ledger does not hold them.

use promptory_domain::access::{Action, Caller};
use promptory_domain::{Presented, PromptRef, Rejection, Tenant};
use promptory_events::event::{Attempt, AttemptDenied, Door};
use promptory_events::{Credential, Prefix, PromptId, TenantId, Timestamp, limits};
use promptory_ledger::{AppendError, UsageLog};
use promptory_platform::apikey::Presented as Shown;
use promptory_platform::{Problem, ProblemType};
use promptory_usage::{Batch, Execution, Flaw, OutcomeRecord, Record};
use serde_json::json;

use super::admit::Admitted;
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

/// What a look at the records came to.
#[derive(Default)]
struct Looked {
    /// Those that can be taken.
    good: Vec<Record>,
    /// Those that can't.
    bad: Vec<Bad>,
    /// Those that the caller may not record, and on what.
    denied: Vec<(usize, Prefix)>,
}

impl Service {
    /// The same service with a log for usage records. Without one it takes none.
    #[must_use]
    pub fn with_usage(mut self, log: UsageLog) -> Self {
        self.usage = Some(log);
        self
    }

    /// Takes records of one caller, each with its place among those that came: all of them, durable when this returns, or
    /// none. `bad` are those that can't be read.
    ///
    /// # Errors
    /// The caller is not let in, or may not; a record can't be taken; the log is not available.
    pub async fn record(
        &self,
        shown: &Shown,
        records: Vec<(usize, Unplaced)>,
        bad: Vec<Bad>,
    ) -> Result<usize, Failure> {
        let caller = self.admit(shown).await?;
        let Some(log) = &self.usage else { return Err(no_log()) };
        let now = self.clock.now();
        let looked = look_twice(&caller, &records, now).await;
        if let Some((index, on)) = looked.denied.into_iter().next() {
            return Err(self.not_recorded(&caller, shown.tenant(), index, on).await);
        }
        let bad = [bad, looked.bad].concat();
        if !bad.is_empty() {
            return Err(flawed(bad));
        }
        let count = looked.good.len();
        append(log, shown.tenant(), now, looked.good).await?;
        Ok(count)
    }

    /// Takes records of one caller, each for itself: those that can be taken are durable when this returns, in entries of
    /// [`limits::USAGE_RECORDS_MAX`]. What came is read when the caller was let in.
    ///
    /// # Errors
    /// The caller is not let in; what came can't be read; the log is not available, and then some may have been taken.
    pub async fn record_each(
        &self,
        shown: &Shown,
        read: impl FnOnce(Timestamp) -> Result<Vec<(usize, Result<Unplaced, Flaw>)>, Problem> + Send,
    ) -> Result<Taken, Failure> {
        let caller = self.admit(shown).await?;
        let Some(log) = &self.usage else { return Err(no_log()) };
        let now = self.clock.now();
        let (mut records, mut refused) = (Vec::new(), Vec::new());
        for (index, one) in read(now)? {
            match one {
                Ok(record) => records.push((index, record)),
                Err(flaw) => refused.push(Bad { index, flaw }),
            }
        }
        let Looked { mut good, bad, denied } = look_twice(&caller, &records, now).await;
        refused.extend(bad);
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
        Ok(Taken { records, refused })
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

/// Looks at all records in one state, and once more where one can't be taken: another replica may have made the prompt or the
/// version a moment ago, or granted the right.
async fn look_twice(caller: &Admitted, records: &[(usize, Unplaced)], now: Timestamp) -> Looked {
    let looked = look(caller, records, now);
    if looked.bad.is_empty() && looked.denied.is_empty() {
        return looked;
    }
    refresh(&caller.writer).await;
    look(caller, records, now)
}

fn look(caller: &Admitted, records: &[(usize, Unplaced)], now: Timestamp) -> Looked {
    let known = caller.writer.published.load_full();
    let rights = match &caller.presented {
        Presented::ApiKey { key, .. } => known.state.rights().caller(caller.principal, Some(*key), now),
        Presented::Token(token) => known.state.rights().token_caller(token, now),
        _ => known.state.rights().caller(caller.principal, None, now),
    };
    let mut looked = Looked::default();
    for (index, record) in records {
        let index = *index;
        match placed(&known.state, &rights, record) {
            Ok(record) => match record.check(now) {
                Ok(()) => looked.good.push(record),
                Err(flaw) => looked.bad.push(Bad { index, flaw }),
            },
            Err(Refused::Flaw(flaw)) => looked.bad.push(Bad { index, flaw }),
            Err(Refused::Denied(on)) => looked.denied.push((index, on)),
        }
    }
    looked
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

fn placed(state: &Tenant, rights: &Caller<'_>, record: &Unplaced) -> Result<Record, Refused> {
    match record {
        Unplaced::Execution(which, execution) => {
            let (prompt, newest) = found(state, rights, which)?;
            if !(1..=newest).contains(&execution.version) {
                return Err(flaw("/version", format!("the prompt has no version {}", execution.version)));
            }
            Ok(Record::Execution(Execution { prompt, ..execution.clone() }))
        }
        Unplaced::Outcome(Some(which), outcome) => {
            let (prompt, _) = found(state, rights, which)?;
            Ok(Record::Outcome(OutcomeRecord { prompt: Some(prompt), ..outcome.clone() }))
        }
        Unplaced::Outcome(None, outcome) => {
            // It may be about any prompt.
            allowed(rights, "")?;
            Ok(Record::Outcome(outcome.clone()))
        }
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
