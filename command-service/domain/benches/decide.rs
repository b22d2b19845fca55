//! What a command costs where it is decided, as a tenant's writer does it: a copy of the state, `decide`, `evolve` of what
//! follows, and the copy in the place of the one before, which goes. Alone in a batch, and as one of 32. With 1 to 1,000,000
//! prompts in the tenant. Also what a prompt takes in memory.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench that can't go on ends, measures time, and says figures"
)]

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use promptory_domain::command::NewTemplate;
use promptory_domain::{Change, Command, Context, Material, NewVersion, Presented, PromptRef, Tenant, decide};
use promptory_events::event::{
    Event, KeyIssued, Kind, LabelSet, PrincipalAdded, PromptCreated, Role, RoleGranted, Subject, Syntax, VersionAdded,
};
use promptory_events::{
    Branch, CommandId, Content, ContentBody, ContentId, DataKeyId, KeyId, PrincipalId, PromptId, PromptKey, Sealed,
    Timestamp, VersionId,
};
use tikv_jemallocator::Jemalloc;

/// The product's: an allocation in ten is a good part of what is measured.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Different commands, so that no prompt stays in a cache of the processor alone.
const COMMANDS: u32 = 4_096;
const PRINCIPAL: PrincipalId = PrincipalId([1; 16]);
const KEY: KeyId = KeyId([1; 8]);
const SECRET: [u8; 32] = [7; 32];
const NOW: i64 = 1_800_000_000_000_000;

/// Sixteen bytes that look random and name a number.
fn scattered(domain: u8, n: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    id[4] = domain;
    CommandId(id).prompt().0
}

fn key(n: u32) -> PromptKey {
    format!("team-{}/area/prompt-{n}", n % 1000).parse().unwrap()
}

fn material(n: u32) -> Material {
    let mut id = [0; 32];
    id[..16].copy_from_slice(&scattered(2, n));
    let sealed = Sealed { kid: DataKeyId([0; 16]), nonce: [0; 12], ct: vec![0; 400], commitment: [0; 32] };
    Material { id: ContentId(id), bytes: 400, sealed }
}

fn take(state: &mut Tenant, event: &Event) {
    let index = state.next_index();
    state.evolve(index, PRINCIPAL, event).unwrap();
}

/// A tenant with an editor and no prompts.
fn tenant() -> Tenant {
    let mut state = Tenant::new("acme".parse().unwrap());
    let (to, role, prefix) = (Subject::Principal(PRINCIPAL), Role::Editor.into(), "".parse().unwrap());
    let issued = KeyIssued {
        key: KEY,
        principal: PRINCIPAL,
        secret_hash: SECRET,
        scope: None,
        expires_at: None,
        replaces: None,
    };
    take(&mut state, &Event::PrincipalAdded(PrincipalAdded { principal: PRINCIPAL, name: None }));
    take(&mut state, &Event::RoleGranted(RoleGranted { to, role, prefix, expires_at: None }));
    take(&mut state, &Event::KeyIssued(issued));
    state
}

/// A prompt with one version and one label.
fn put(state: &mut Tenant, n: u32) {
    let prompt = PromptId(scattered(1, n));
    take(state, &Event::PromptCreated(PromptCreated { prompt, key: key(n), kind: Kind::Text }));
    let material = material(n);
    let content = Content { id: material.id, bytes: 400, body: ContentBody::Inline(material.sealed) };
    take(
        state,
        &Event::VersionAdded(VersionAdded {
            prompt,
            version: VersionId(scattered(3, n)),
            number: 1,
            branch: Branch::main(),
            parents: Vec::new(),
            before: None,
            content,
            config: None,
            syntax: Syntax::default(),
            variables: None,
            includes: Vec::new(),
        }),
    );
    let label = "production".parse().unwrap();
    take(state, &Event::LabelSet(LabelSet { prompt, label, before: None, after: 1 }));
}

fn command(change: Change) -> Command {
    Command { change, occurred_at: None, author: None, message: None, override_freeze: false }
}

/// Commands of a kind on prompts all over the tenant.
fn commands(kind: &str, prompts: u32) -> Vec<(Context, Command)> {
    let version = |n: u32| NewVersion {
        content: material(n),
        config: None,
        labels: Vec::new(),
        template: NewTemplate::default(),
    };
    let change = |n: u32| {
        let at = PromptRef::Key(key(n * (prompts / COMMANDS.min(prompts))));
        match kind {
            "create prompt" => {
                let (kind, version, tags, metadata) = (Kind::Text, version(u32::MAX - n), Vec::new(), None);
                Change::CreatePrompt { key: key(u32::MAX - n), kind, version, tags, metadata }
            }
            "add version" => {
                let (kind, version, branch) = (Kind::Text, version(u32::MAX - n), Branch::main());
                Change::AddVersion { prompt: at, kind, version, branch, if_match: None }
            }
            _ => Change::SetLabel { prompt: at, label: "staging".parse().unwrap(), version: 1, if_match: None },
        }
    };
    let context = |n: u32| Context {
        command_id: CommandId(scattered(4, n)),
        now: Timestamp::from_micros(NOW),
        presented: Presented::ApiKey { key: KEY, secret_hash: SECRET },
    };
    (0..COMMANDS.min(prompts)).map(|n| (context(n), command(change(n)))).collect()
}

/// The states that a tenant's writer has: the one that the ledger confirms, and the one that requests are let in by.
struct Writer {
    confirmed: Tenant,
    published: Arc<Tenant>,
}

impl Writer {
    fn new(state: &Tenant) -> Self {
        Self { confirmed: state.clone(), published: Arc::new(state.clone()) }
    }

    /// Decides the commands of a batch one after another, then takes what came of them for confirmed and publishes it
    /// (`command-service/src/writer/draft.rs`, `append.rs`).
    fn batch(&mut self, commands: &[(Context, Command)]) {
        let mut working = self.confirmed.clone();
        for (context, command) in commands {
            let decision = decide(&working, context, command).unwrap();
            for event in &decision.events {
                working.evolve(working.next_index(), decision.actor, event).unwrap();
            }
            black_box(decision);
        }
        self.confirmed = working.clone();
        self.published = Arc::new(self.confirmed.clone());
    }
}

/// How long so many commands take in batches of a size. Each command is done once to a state, then it begins anew, so that
/// the state grows as a writer's does and none finds its work done.
fn taken(state: &Tenant, commands: &[(Context, Command)], batch: usize, count: u64) -> Duration {
    let (mut taken, mut left) = (Duration::ZERO, usize::try_from(count).unwrap());
    while left > 0 {
        let some = &commands[..commands.len().min(left)];
        let mut writer = Writer::new(state);
        let begun = Instant::now();
        some.chunks(batch).for_each(|batch| writer.batch(batch));
        taken += begun.elapsed();
        left -= some.len();
    }
    taken
}

/// What this process has in memory, in bytes.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let (mut state, mut prompts) = (tenant(), 0);
    let (empty, estimated) = (resident(), state.size_bytes());
    for size in SIZES {
        (prompts..size).for_each(|n| put(&mut state, n));
        prompts = size;
        if size >= 10_000 {
            let real = (resident() - empty) / u64::from(size);
            let said = (state.size_bytes() - estimated) / usize::try_from(size).unwrap();
            println!("{size} prompts: {real} bytes of memory each; {said} in the estimate that bounds tenants in use");
        }
        for kind in ["create prompt", "add version", "set label"] {
            let commands = commands(kind, size);
            for batch in [1, 32] {
                let name = if batch == 1 { kind.to_owned() } else { format!("{kind}, {batch} in a batch") };
                criterion.bench_with_input(BenchmarkId::new(name, size), &state, |bench, state| {
                    bench.iter_custom(|count| taken(state, &commands, batch, count));
                });
            }
        }
    }
    criterion.final_summary();
}
