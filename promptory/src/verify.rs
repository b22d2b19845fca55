//! `verify`: whether a ledger or a backup holds, tenant by tenant, and the digests of each.
//!
//! Two walks. The first looks at every batch where it lies: indexes dense, `prev` holds, times never go back, commits
//! and events readable. The second folds each tenant and so finds events that can't follow on those before them. With
//! `--against` both are compared with a backup, at the ends that the backup has. With `--rights` a third one checks every
//! event against the rights at its index (`rights`).

mod fold;
pub mod models;
mod rights;
mod walk;

use std::path::{Path, PathBuf};

use clap::Args;
use promptory_events::{Incarnation, TenantId};
use promptory_ledger::backup::keys::KeysFile;
use promptory_ledger::backup::{Archive, BackupKey, Contents, Summary};
use promptory_ledger::{KeyStore, Ledger};
use redb::backends::InMemoryBackend;
use serde::Serialize;
use serde_json::{Value, json};

use crate::backup::{BackupRunError, LedgerArgs, belong, read_keys};
use fold::Said;
use rights::Checked;

/// Whether a ledger or a backup holds. Fails if anything does not, and says where.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// A ledger: in a data folder that no server holds, or on NATS servers.
    #[command(flatten)]
    pub place: LedgerArgs,
    /// Or the ledger's file of a backup.
    #[arg(long, conflicts_with_all = ["data", "servers", "against"])]
    pub backup: Option<PathBuf>,
    /// The ledger's file of a backup to compare with.
    #[arg(long)]
    pub against: Option<PathBuf>,
    /// The keys' file of the backup: without it the backup has no history digest.
    #[arg(long, requires = "backup_key")]
    pub keys: Option<PathBuf>,
    /// The key that it was encrypted with.
    #[arg(long, requires = "keys")]
    pub backup_key: Option<PathBuf>,
    /// Also checks each event against grants and recorded evidence at its index: whoever made it had the right to.
    #[arg(long, conflicts_with = "against")]
    pub rights: bool,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whose ledger; `?` if that can't be read.
    pub tenant: String,
    /// The event at which it does not.
    pub index: u64,
    /// What is wrong.
    pub why: String,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    incarnation: Incarnation,
    tenants: Vec<(Summary, Option<Said>)>,
    problems: Vec<Problem>,
    /// What it was compared with, and the tenants that differ.
    against: Option<(Contents, Vec<Problem>)>,
    /// Whose rights were checked, and what was found.
    rights: Option<Vec<Checked>>,
}

impl Report {
    /// Whether everything holds, and is what it was compared with.
    #[must_use]
    pub fn holds(&self) -> bool {
        let lawful = |rights: &Vec<Checked>| rights.iter().all(|checked| checked.violations == 0);
        self.problems.is_empty()
            && self.against.as_ref().is_none_or(|(_, differences)| differences.is_empty())
            && self.rights.as_ref().is_none_or(lawful)
    }

    /// The report.
    #[must_use]
    pub fn json(&self) -> Value {
        let tenants = self.tenants.iter().map(|(summary, said)| {
            json!({
                "tenant": summary.tenant,
                "batches": summary.batches,
                "events": summary.events,
                "recorded_at": summary.recorded_at,
                "ledger_digest": summary.digest,
                "model_digest": said.as_ref().map(|said| &said.model_digest),
                "history_digest": said.as_ref().and_then(|said| said.history_digest.as_ref()),
            })
        });
        json!({
            "holds": self.holds(),
            "incarnation": self.incarnation,
            "tenants": tenants.collect::<Vec<_>>(),
            "problems": self.problems,
            "rights": self.rights.as_ref().map(|rights| rights.iter().map(|checked| json!({
                "tenant": checked.tenant,
                "events": checked.events,
                "violations": checked.violations,
                "first_violations": checked.told,
            })).collect::<Vec<_>>()),
            "against": self.against.as_ref().map(|(contents, differences)| json!({
                "backup": contents.header.backup,
                "incarnation": contents.header.incarnation,
                "taken_at": contents.header.taken_at,
                "equal": differences.is_empty(),
                "differences": differences,
            })),
        })
    }
}

/// Verifies; gives what was found.
///
/// # Errors
/// The ledger or a file can't be read at all. What does not hold is in the report.
pub async fn run(args: VerifyArgs) -> Result<Report, BackupRunError> {
    match (&args.backup, args.place.is_given()) {
        (Some(file), false) => backup(file, &args).await,
        (None, true) => {
            let (ledger, keys) = args.place.place()?.open().await?;
            match &args.against {
                Some(file) => against(&ledger, keys, file, &args).await,
                None => alone(&ledger, keys, args.rights).await,
            }
        }
        _ => Err(BackupRunError::Usage("what? --data FOLDER, --ledger nats://… or --backup FILE")),
    }
}

async fn alone(ledger: &Ledger, keys: Option<KeyStore>, rights: bool) -> Result<Report, BackupRunError> {
    let walked = walk::ledger(ledger, None).await?;
    let mut problems = walked.problems;
    let mut tenants = Vec::new();
    for summary in walked.tenants {
        let said = fold::ledger(ledger, keys.clone(), &summary).await;
        tenants.push((summary, kept(said, &mut problems)));
    }
    let rights = if rights { Some(rights::ledger(ledger, names(&tenants)).await?) } else { None };
    Ok(Report { incarnation: ledger.incarnation(), tenants, problems, against: None, rights })
}

/// The tenants whose ledgers hold so far: of the others the rights can't be checked.
fn names(tenants: &[(Summary, Option<Said>)]) -> Vec<TenantId> {
    tenants.iter().map(|(summary, _)| summary.tenant.clone()).collect()
}

fn kept(said: Result<Said, Problem>, problems: &mut Vec<Problem>) -> Option<Said> {
    said.map_err(|problem| problems.push(problem)).ok()
}

async fn backup(file: &Path, args: &VerifyArgs) -> Result<Report, BackupRunError> {
    let (contents, keys) = archive(file, args).await?;
    let walked = walk::archive(file).await?;
    let mut problems = walked.problems;
    let mut tenants = Vec::new();
    for (summary, said) in fold::archive(file, &contents, keys).await? {
        tenants.push((summary, kept(said, &mut problems)));
    }
    let rights = if args.rights { Some(rights::archive(file, names(&tenants)).await?) } else { None };
    Ok(Report { incarnation: contents.header.incarnation, tenants, problems, against: None, rights })
}

/// A backup's file, checked, and its keys in memory if they were given.
async fn archive(file: &Path, args: &VerifyArgs) -> Result<(Contents, Option<KeyStore>), BackupRunError> {
    let (file, args) = (file.to_owned(), args.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let contents = Archive::check(&file)?;
        let (Some(keys), Some(key)) = (&args.keys, &args.backup_key) else { return Ok((contents, None)) };
        let key = BackupKey::read(key)?;
        belong(&contents, &read_keys(keys, &key)?)?;
        // Nothing of it gets to a disk.
        let store = KeyStore::with_backend(InMemoryBackend::new());
        let store = store.map_err(|error| BackupRunError::Store("the key store", error))?;
        KeysFile::import(keys, &key, &store)?;
        Ok((contents, Some(store)))
    });
    opening.await.map_err(|error| BackupRunError::interrupted(&error))?
}

async fn against(
    ledger: &Ledger,
    keys: Option<KeyStore>,
    file: &Path,
    args: &VerifyArgs,
) -> Result<Report, BackupRunError> {
    let (contents, backup_keys) = archive(file, args).await?;
    let walked = walk::ledger(ledger, Some(&contents)).await?;
    let mut problems = walked.problems;
    let (mut tenants, mut differences) = (Vec::new(), Vec::new());
    for (there, said) in fold::archive(file, &contents, backup_keys).await? {
        let Some(here) = walked.at_the_ends.iter().find(|summary| summary.tenant == there.tenant) else {
            differences.push(differs(&there.tenant, &there, "the ledger does not reach this far".to_owned()));
            continue;
        };
        let folded = kept(fold::ledger(ledger, keys.clone(), here).await, &mut problems);
        let said = kept(said, &mut problems);
        if let (Some(here_said), Some(there_said)) = (&folded, &said) {
            let found = compare(&(here, here_said), &(&there, there_said));
            differences.extend(found.map(|why| differs(&there.tenant, &there, why)));
        }
        tenants.push((here.clone(), folded));
    }
    let against = Some((contents, differences));
    Ok(Report { incarnation: ledger.incarnation(), tenants, problems, against, rights: None })
}

fn differs(tenant: &TenantId, there: &Summary, why: String) -> Problem {
    Problem { tenant: tenant.to_string(), index: there.events.saturating_sub(1), why }
}

/// What is not equal of a tenant here and there. A history digest that only one side has can't be compared.
fn compare(here: &(&Summary, &Said), there: &(&Summary, &Said)) -> Option<String> {
    let both = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    if here.0.digest != there.0.digest {
        return Some(format!("ledger digest {} here, {} in the backup", here.0.digest, there.0.digest));
    }
    if here.1.model_digest != there.1.model_digest {
        return Some(format!("model digest {} here, {} in the backup", here.1.model_digest, there.1.model_digest));
    }
    if both(&here.1.history_digest, &there.1.history_digest) {
        return Some("history digests differ".to_owned());
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
