//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use promptory::verify::models::ModelsArgs;
use promptory::{backup, bench, export, import, init, offline, rebuild, restore, scrub, serve, verify};
use promptory_platform::telemetry;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An event-sourced, multi-tenant prompt repository.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true)]
struct Cli {
    /// Logs as JSON.
    #[arg(long, global = true)]
    log_json: bool,
    /// What is logged, as tracing's directives: `info`, `promptory=debug`, …
    #[arg(long, global = true, env = "PROMPTORY_LOG", default_value = "warn")]
    log: String,
    /// Where OpenTelemetry traces go (OTLP over HTTP).
    #[arg(long, global = true, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// A server: every role in one process on a data folder, or roles apart on a ledger on NATS JetStream.
    Serve(serve::ServeArgs),
    /// A server with a real history in it.
    Demo(serve::DemoArgs),
    /// The streams of a ledger on NATS JetStream: made, or compared with what they should be.
    Init(init::InitArgs),
    /// What each replica of a ledger on NATS JetStream holds, compared.
    Scrub(scrub::ScrubArgs),
    /// A history in, over HTTP.
    Import(import::ImportArgs),
    /// A tenant out, over HTTP.
    Export(export::ExportArgs),
    /// What a tenant's ledger says, folded from the ledger alone.
    Replay(offline::ReplayArgs),
    /// A tenant's read model, built anew and compared; or the one before it put back.
    Rebuild(rebuild::RebuildArgs),
    /// A ledger and its keys as two files, also from a running server.
    Backup(backup::BackupArgs),
    /// A backup into an empty ledger of either form.
    Restore(restore::RestoreArgs),
    /// Whether a ledger or a backup holds, and the digests of its tenants.
    Verify {
        #[command(flatten)]
        ledger: verify::VerifyArgs,
        #[command(flatten)]
        models: verify::models::ModelsArgs,
    },
    /// The load driver.
    Bench(bench::BenchArgs),
    /// The OpenAPI document of the HTTP API.
    Openapi {
        /// A file to write it to; the terminal if not given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let config =
            telemetry::Config { json: cli.log_json, otlp_endpoint: cli.otlp_endpoint.clone(), filter: cli.log.clone() };
        let guard = match telemetry::init(config) {
            Ok(guard) => guard,
            Err(error) => return failed(&error),
        };
        let code = Box::pin(run(cli.command)).await;
        drop(guard);
        code
    })
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve(args) => done(serve::serve(args).await),
        Command::Demo(args) => done(serve::demo(args).await),
        Command::Init(args) => match init::run(args).await {
            Ok(report) => {
                say(&report.to_string());
                if report.drift.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => failed(&error),
        },
        Command::Scrub(args) => match scrub::run(args).await {
            Ok(found) => {
                say(&found.to_string());
                if found.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => failed(&error),
        },
        Command::Import(args) => match tokio::task::spawn_blocking(move || import::run(args)).await {
            Ok(Ok(report)) => {
                say(&report.to_string());
                if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        },
        Command::Export(args) => match tokio::task::spawn_blocking(move || export::run(&args)).await {
            Ok(Ok(report)) => {
                tell(&report.to_string());
                ExitCode::SUCCESS
            }
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        },
        Command::Replay(args) => done(offline::replay(args).await),
        Command::Rebuild(args) => done(rebuild::run(args).await),
        Command::Backup(args) => reported(backup::run(args).await),
        Command::Restore(args) => reported(restore::run(args).await),
        Command::Verify { models: ModelsArgs { models: Some(url), key_file: Some(key_file) }, .. } => {
            match verify::models::run(url, key_file).await {
                Ok(models) => {
                    say(&format!("{:#}", models.json()));
                    if models.hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
                }
                Err(error) => failed(&error),
            }
        }
        Command::Verify { ledger, .. } => match verify::run(ledger).await {
            Ok(report) => {
                say(&format!("{:#}", report.json()));
                if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => failed(&error),
        },
        Command::Bench(args) => done(Box::pin(bench::run(args)).await.map(drop)),
        Command::Openapi { out } => done(offline::openapi(out)),
    }
}

fn done<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn reported<E: std::error::Error>(result: Result<serde_json::Value, E>) -> ExitCode {
    done(result.map(|report| say(&format!("{report:#}"))))
}

#[allow(clippy::print_stderr, reason = "this is the command line")]
fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprint!("promptory: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
    ExitCode::FAILURE
}

#[allow(clippy::print_stdout, reason = "this is the command line")]
fn say(text: &str) {
    println!("{text}");
}

/// What is no result: standard output may be what was asked for.
#[allow(clippy::print_stderr, reason = "this is the command line")]
fn tell(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split(' ')).is_ok()
    }

    #[test]
    fn a_server_needs_nothing_and_what_is_about_nats_needs_its_servers() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        assert!(
            parses("promptory verify --models http://a:1 --key-file k")
                && !parses("promptory verify --models http://a:1")
        );
        assert!(!parses("promptory verify --models http://a:1 --key-file k --data d"));
        for line in ["serve", "serve --data d", "replay --tenant acme", "rebuild --tenant acme", "demo"] {
            assert!(parses(&format!("promptory {line}")), "{line}");
        }
        let there = "rebuild --url http://a:1 --key-file k";
        for line in [there, "rebuild --tenant acme --rollback", &format!("{there} --share 0.2 --rollback")] {
            assert!(parses(&format!("promptory {line}")), "{line}");
        }
        for line in ["rebuild", "rebuild --url http://a:1", "rebuild --tenant acme --share 0.2"] {
            assert!(!parses(&format!("promptory {line}")), "{line}");
        }
        assert!(!parses(&format!("promptory {there} --data d")) && !parses(&format!("promptory {there} --tenant a")));
        let user = "--nats-user u --nats-password-file p";
        for line in [user, "--nats-ca ca.pem", "--root-key k", "--roles nobody", "--partitions x"] {
            assert!(!parses(&format!("promptory serve {line}")), "{line}");
        }
        let all =
            format!("--ledger nats://a:1 {user} --nats-ca ca.pem --root-key k --roles projection --partitions 0,2-3");
        assert!(parses(&format!("promptory serve {all}")));
    }

    #[test]
    fn the_compose_files_give_arguments_that_are_taken() {
        for file in [include_str!("../../deploy/compose.yaml"), include_str!("../../deploy/cluster/compose.yaml")] {
            let commands: Vec<_> = file.lines().filter_map(|line| line.trim().strip_prefix("command: ")).collect();
            assert!(!commands.is_empty());
            for command in commands {
                // A flow sequence of double-quoted strings is JSON as well.
                let arguments: Vec<String> = serde_json::from_str(command).unwrap();
                let parsed = Cli::try_parse_from(std::iter::once("promptory".to_owned()).chain(arguments));
                assert!(parsed.is_ok(), "{command}: {parsed:?}");
            }
        }
    }
}
