//! Acknowledged to readable when commands, read models and reads are in processes of their own.

use std::ffi::OsString;

use promptory_ledger::Ledger;

use super::super::commands::{SPREAD_PROMPTS, Targets};
use super::super::report::Figures;
use super::super::server::Server;
use super::super::visible::{Ends, Watched};
use super::super::world::settle;
use super::super::{Bench, BenchError};
use super::account::Account;
use crate::stores::open_ledger;

/// p99 from the command's answer to the answer of a read that shows it.
const VISIBLE_MS: f64 = 50.0;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench, account: &Account, figures: &mut Figures) -> Result<(), BenchError> {
    let start = async |role: &str| Server::start(&bench.folder(role), arguments(account, role)).await;
    let command = start("command").await?;
    let _projection = start("projection").await?;
    let query = start("query").await?; // ready when the read models answer it
    let ledger: Ledger = open_ledger(&account.config(bench.folder("looking-on"))).await?;
    let targets =
        Targets::at(command.address, "one tenant", vec![command.tenant()?], bench.scaled(SPREAD_PROMPTS, 10)).await?;
    settle(&ledger, query.address, &targets.tenants).await?;
    let ends = Ends { write: command.address, read: query.address };
    let watched = Watched { ends, ledger: &ledger, targets, called: "roles apart: ", most_ms: VISIBLE_MS };
    for _ in 0..bench.args.rounds {
        watched.round(bench, figures).await?;
    }
    Ok(())
}

fn arguments(account: &Account, role: &str) -> Vec<OsString> {
    let mut arguments = account.nats.arguments();
    arguments.extend(["--roles".into(), role.into()]);
    if role != "query" {
        arguments.extend(["--root-key".into(), account.root_key.clone().into()]);
    }
    arguments
}
