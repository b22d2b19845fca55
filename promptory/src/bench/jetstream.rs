//! The ledger on NATS JetStream, with commands, reads and starts, beside JetStream alone on the same servers.
//!
//! Needs an account that holds nothing, and a user who may do everything in it: the bench makes streams in it and removes
//! them at the end. It never touches a stream that it has not made.
//!
//! | module | what it holds |
//! |---|---|
//! | [`account`] | the account, and what the bench has made in it |
//! | [`raw`] | guarded publishes into streams like the ledger's, by nothing but the client library |
//! | [`durable`] | commands over HTTP, on that ledger and on the embedded one |
//! | [`apart`] | acknowledged to readable, with the roles in processes of their own |
//! | [`cold`] | the first command and the first read of one tenant among many |

mod account;
mod apart;
mod cold;
mod durable;
mod raw;

use super::report::Figures;
use super::{Bench, BenchError, Figure, say};
use account::Account;

/// Measures, and removes what it has made even if something breaks.
///
/// # Errors
/// The account is not empty, or something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let account = Account::open(bench).await?;
    let mut figures = Figures::of("jetstream");
    let measured = measured(bench, &account, &mut figures).await;
    let cleared = account.clear().await;
    measured.and(cleared)?;
    Ok(figures.done())
}

/// Each part on a ledger of its own: what one has written is not what the next one's read models begin with.
async fn measured(bench: &Bench, account: &Account, figures: &mut Figures) -> Result<(), BenchError> {
    account.make_ledger().await?;
    Box::pin(durable::run(bench, account, figures)).await?;
    account.clear().await?;
    say("JetStream, roles apart …")?;
    account.make_ledger().await?;
    Box::pin(apart::run(bench, account, figures)).await?;
    account.clear().await?;
    say("JetStream, one tenant among many …")?;
    account.make_ledger().await?;
    Box::pin(cold::run(bench, account, figures)).await
}
