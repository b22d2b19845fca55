//! A process like any other that dies at a point of its own, as from `kill -9`: nothing is dropped, flushed or said.

use std::process::abort;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use promptory::serve::{ServeArgs, serve};
use promptory_projection::points::{self, Point};

/// Where it dies, and what it is until then.
#[derive(Args, Clone, Debug)]
pub struct MortalArgs {
    /// The point.
    #[arg(long, value_parser = point)]
    at: Point,
    /// When it comes there for this time.
    #[arg(long)]
    passage: u64,
    #[command(flatten)]
    serve: ServeArgs,
}

fn point(name: &str) -> Result<Point, String> {
    let named = Point::ALL.into_iter().find(|point| format!("{point:?}") == name);
    named.ok_or_else(|| format!("there is no point {name}"))
}

/// Serves until it dies.
///
/// # Errors
/// It can't serve.
pub async fn run(args: MortalArgs) -> Result<(), String> {
    let (at, passage, passed) = (args.at, args.passage, AtomicU64::new(0));
    let watched = points::watch(move |point| {
        if point == at && passed.fetch_add(1, Ordering::Relaxed) + 1 == passage {
            abort();
        }
    });
    if !watched {
        return Err("somebody watches the points already".to_owned());
    }
    serve(args.serve).await.map_err(|error| error.to_string())
}
