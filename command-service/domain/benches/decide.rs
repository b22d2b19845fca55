//! What a command costs where it is decided: a copy of the state, `decide`, `evolve` of what follows, and the copy dropped, as
//! the writer does it for a batch of one. With 1 to 1,000,000 prompts in the tenant. Also what a prompt takes in memory.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that can't go on ends, and says figures"
)]

use std::fs;
use std::hint::black_box;
use std::time::Duration;

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

const SIZES: [u32; 5] = [1, 1_000, 10_000, 100_000, 1_000_000];
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
        let at = PromptRef::Key(key(n.wrapping_mul(2_654_435_761) % prompts));
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
    (0..COMMANDS).map(|n| (context(n), command(change(n)))).collect()
}

/// Decides a command on a copy of the state and takes its events in.
fn done(state: &Tenant, context: &Context, command: &Command) -> u64 {
    let mut working = state.clone();
    let decision = decide(&working, context, command).unwrap();
    for event in &decision.events {
        working.evolve(working.next_index(), decision.actor, event).unwrap();
    }
    working.next_index()
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
            let mut next = commands.iter().cycle();
            criterion.bench_with_input(BenchmarkId::new(kind, size), &state, |bench, state| {
                bench.iter(|| {
                    let (context, command) = next.next().unwrap();
                    black_box(done(state, context, command))
                });
            });
        }
    }
    criterion.final_summary();
}
