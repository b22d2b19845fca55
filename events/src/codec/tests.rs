//! Round trips, golden bytes, and every way in which bytes can be wrong.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::event::*;
use crate::guard::{Bound, Figures, Guard, Measure, Sample, Then};
use crate::id::*;
use crate::rollout::{Run, Table, Weights};
use crate::sealed::{Content, ContentBody, Sealed};
use crate::{Author, Credential, Evidence, Label, Prefix, TraceContext};

fn sealed() -> Sealed {
    Sealed { kid: DataKeyId([1; 16]), nonce: [2; 12], ct: vec![3; 5], commitment: [4; 32] }
}

fn content(body: ContentBody) -> Content {
    Content { id: ContentId([5; 32]), bytes: 9, body }
}

/// One of every variant, fully filled, by name.
fn one_of_each() -> Vec<Event> {
    let (prompt, version) = (PromptId([6; 16]), VersionId([7; 16]));
    let (principal, key) = (PrincipalId([8; 16]), KeyId([9; 8]));
    let tenant: TenantId = "acme".parse().unwrap();
    let path = |text: &str| text.parse().unwrap();
    let path_of = |text: &str| text.parse::<Written>().unwrap();
    let path_to = |text: &str| text.parse::<Prefix>().unwrap();
    let group = GroupId([19; 16]);
    vec![
        Event::LedgerOpened(LedgerOpened { incarnation: Incarnation([1; 8]) }),
        Event::TenantCreated(TenantCreated { tenant: tenant.clone(), title: Some(sealed()) }),
        Event::TenantSuspended(TenantSuspended { tenant: tenant.clone() }),
        Event::TenantResumed(TenantResumed { tenant }),
        Event::PrincipalAdded(PrincipalAdded { principal, name: Some(sealed()) }),
        Event::RoleGranted(RoleGranted {
            to: Subject::Group(GroupId([19; 16])),
            role: AnyRole::BuiltIn(Role::Importer),
            prefix: path_to("team/area/"),
            expires_at: Some(Timestamp::from_micros(1_800_000_000_000_001)),
        }),
        Event::RoleRevoked(RoleRevoked {
            from: Subject::Principal(principal),
            role: AnyRole::Custom("release-manager".parse().unwrap()),
            prefix: path_to(""),
            grant: 300,
        }),
        Event::KeyIssued(KeyIssued {
            key,
            principal,
            secret_hash: [10; 32],
            scope: Some(KeyScope { role: AnyRole::BuiltIn(Role::Service), prefix: path_to("team/") }),
            expires_at: Some(Timestamp::from_micros(1_800_000_000_000_001)),
            replaces: Some(KeyId([20; 8])),
        }),
        Event::KeyRevoked(KeyRevoked { key, from: Some(Timestamp::from_micros(1_800_000_000_000_000)) }),
        Event::PromptCreated(PromptCreated { prompt, key: path("team/greet"), kind: Kind::Chat }),
        Event::VersionAdded(VersionAdded {
            prompt,
            version,
            number: 300,
            branch: "try".parse().unwrap(),
            parents: vec![
                VersionRef { prompt, number: 299, version: VersionId([11; 16]) },
                VersionRef { prompt: PromptId([18; 16]), number: 1, version: VersionId([19; 16]) },
            ],
            before: Some(ContentId([12; 32])),
            content: content(ContentBody::Inline(sealed())),
            config: Some(Box::new(content(ContentBody::At(77)))),
            syntax: Syntax::Jinja,
            variables: Some(Box::new(content(ContentBody::Inline(sealed())))),
            includes: vec![
                Include { written: path_of("team/footer@300"), prompt: PromptId([23; 16]) },
                Include { written: path_of("team/tone@production"), prompt: PromptId([24; 16]) },
            ],
        }),
        Event::PromptRenamed(PromptRenamed { prompt, before: path("a"), after: path("b") }),
        Event::TagsSet(TagsSet { prompt, before: vec![], after: vec!["x".parse().unwrap()] }),
        Event::MetadataSet(MetadataSet { prompt, before: None, after: content(ContentBody::Inline(sealed())) }),
        Event::PromptArchived(PromptArchived { prompt, key: path("b") }),
        Event::PromptRestored(PromptRestored { prompt, key: path("c") }),
        Event::LabelSet(LabelSet { prompt, label: "production".parse().unwrap(), before: Some(1), after: 2 }),
        Event::LabelRemoved(LabelRemoved { prompt, label: "production".parse().unwrap(), before: 2 }),
        Event::CommandUnchanged,
        Event::BackupStarted(BackupStarted { backup: BackupId([18; 16]), part: BackupPart::Keys }),
        Event::LedgerRestored(LedgerRestored {
            backup: BackupId([18; 16]),
            taken_at: Timestamp::from_micros(1_700_000_000_000_001),
            from: Incarnation([1; 8]),
            into: Incarnation([2; 8]),
            heads: vec![RestoredHead { tenant: "acme".parse().unwrap(), index: 300 }],
        }),
        Event::BranchCreated(BranchCreated { prompt, branch: "try".parse().unwrap(), head: 299 }),
        Event::BranchClosed(BranchClosed { prompt, branch: "try".parse().unwrap(), head: 300 }),
        Event::RoleDefined(RoleDefined {
            role: "release-manager".parse().unwrap(),
            before: None,
            after: vec![Action::Read, Action::OverrideFreeze],
        }),
        Event::GroupCreated(GroupCreated { group, name: Some(sealed()) }),
        Event::MemberAdded(MemberAdded { group, principal }),
        Event::MemberRemoved(MemberRemoved { group, principal }),
    ]
    .into_iter()
    .chain(of_releases())
    .chain(attestations())
    .chain(of_rollouts())
    .chain(of_watch())
    .chain(of_identity())
    .chain(of_the_directory())
    .collect()
}

fn of_identity() -> Vec<Event> {
    let (issuer, claim) = (IssuerId([24; 16]), ClaimId([25; 16]));
    let time = |micros: i64| Timestamp::from_micros(1_800_000_000_000_000 + micros);
    let (before, after) = (GroupId([20; 16]), GroupId([26; 16]));
    vec![
        Event::IssuerTrusted(IssuerTrusted {
            issuer,
            url: "https://id.example/realms/acme".parse().unwrap(),
            audience: "api://promptory".parse().unwrap(),
            groups_claim: "groups".parse().unwrap(),
        }),
        Event::IssuerDistrusted(IssuerDistrusted { issuer }),
        Event::ClaimMapped(ClaimMapped { issuer, claim, value: sealed(), before: Some(before), after }),
        Event::ClaimUnmapped(ClaimUnmapped { issuer, claim, before }),
        Event::SessionRevoked(SessionRevoked {
            session: Session::Before { principal: PrincipalId([8; 16]), time: time(0) },
            until: time(1),
        }),
    ]
}

fn of_the_directory() -> Vec<Event> {
    let (user, group) = (PrincipalId([8; 16]), GroupId([20; 16]));
    let (name, external) = (NameId([27; 16]), Some(NameId([28; 16])));
    let time = |micros: i64| Timestamp::from_micros(1_800_000_000_000_000 + micros);
    let (created_at, changed_at) = (time(0), time(1));
    vec![
        Event::UserSet(UserSet { user, name, external, active: true, profile: sealed(), created_at, changed_at }),
        Event::UserRemoved(UserRemoved { user }),
        Event::GroupSet(GroupSet { group, name, external: None, profile: sealed(), created_at, changed_at }),
        Event::GroupRemoved(GroupRemoved { group }),
        Event::IssuerLinked(IssuerLinked {
            issuer: IssuerId([24; 16]),
            claim: "oid".parse().unwrap(),
            attribute: UserAttribute::ExternalId,
        }),
    ]
}

fn of_releases() -> Vec<Event> {
    let (prompt, request, freeze) = (PromptId([6; 16]), RequestId([21; 16]), FreezeId([22; 16]));
    let (prefix, label): (Prefix, Label) = ("team/".parse().unwrap(), "production".parse().unwrap());
    let time = |micros: i64| Timestamp::from_micros(1_800_000_000_000_000 + micros);
    vec![
        Event::LabelProtected(LabelProtected {
            prefix: prefix.clone(),
            label: label.clone(),
            before: Some(1),
            after: 2,
        }),
        Event::LabelUnprotected(LabelUnprotected { prefix: prefix.clone(), label: label.clone(), before: 2 }),
        Event::FreezeSet(FreezeSet { freeze, prefix: prefix.clone(), from: time(0), until: time(1) }),
        Event::FreezeLifted(FreezeLifted { freeze, prefix }),
        Event::FreezeOverridden(FreezeOverridden { freeze, prompt }),
        Event::ReleaseRequested(ReleaseRequested {
            request,
            prompt,
            label: label.clone(),
            before: Some(1),
            after: Some(300),
            split: Some(Split { rollout: Some(RolloutId([24; 16])), weights: weights(), guards: guards() }),
            expires_at: Some(time(2)),
        }),
        Event::ReleaseApproved(ReleaseApproved { request, prompt, approvals: 1, needed: 2 }),
        Event::ReleaseRejected(ReleaseRejected { request, prompt }),
        Event::ReleaseWithdrawn(ReleaseWithdrawn { request, prompt }),
        Event::ReleaseExecuted(ReleaseExecuted { request, prompt, label: label.clone() }),
        Event::LabelRolledBack(LabelRolledBack { prompt, label, before: 300, after: 1 }),
        Event::CommentAdded(CommentAdded {
            comment: CommentId([23; 16]),
            prompt,
            on: CommentOn::Request(request),
            text: sealed(),
        }),
    ]
}

/// One of every attestation.
fn attestations() -> Vec<Event> {
    let (principal, key) = (PrincipalId([8; 16]), KeyId([9; 8]));
    let attempt = Attempt { principal, action: Action::WritePrompts, target: "team/".parse().unwrap() };
    vec![
        Event::AttemptDenied(AttemptDenied {
            attempt: attempt.clone(),
            credential: Credential::ApiKey { tenant: "acme".parse().unwrap(), key },
            door: Door::Question,
            minute: Timestamp::from_micros(1_800_000_000_000_000),
        }),
        Event::AttemptsCounted(AttemptsCounted {
            minute: Timestamp::from_micros(1_800_000_000_000_000),
            again: vec![AttemptAgain { attempt, times: 300 }],
            others: 70_000,
        }),
        Event::UnauthenticatedCounted(UnauthenticatedCounted {
            minute: Timestamp::from_micros(1_800_000_000_000_000),
            times: 300,
        }),
        Event::SearchConfigured(SearchConfigured {
            before: Languages::default(),
            after: Languages::of(&[Language::German, Language::French]),
        }),
        Event::QuotaSet(QuotaSet { quota: Quota::StoredBytes, before: Some(300), after: None }),
        Event::AuditRead(audit_read(AuditForm::List, None)),
        Event::AuditExported(audit_read(AuditForm::Ocsf, Some("{\"outcome\":\"denied\"}"))),
    ]
}

fn audit_read(form: AuditForm, filter: Option<&str>) -> AuditRead {
    AuditRead {
        reading: Reading { principal: PrincipalId([8; 16]), form, filter: filter.map(str::to_owned) },
        credential: Credential::ApiKey { tenant: "acme".parse().unwrap(), key: KeyId([9; 8]) },
        minute: Timestamp::from_micros(1_800_000_000_000_000),
    }
}

fn weights() -> Weights {
    Weights::new([(1, 9000), (300, 1000)].into()).unwrap()
}

fn guards() -> Vec<Guard> {
    let score = Measure::Score { name: "helpful".parse().unwrap(), lowest: 0, highest: 1_000_000 };
    [
        (Measure::Latency { percent: 95 }, Bound::Limit(2_000_000), Then::Pause),
        (Measure::ErrorRate, Bound::Control(10_000), Then::RollBack),
        (score, Bound::Limit(700_000), Then::Pause),
    ]
    .map(|(measure, bound, then)| Guard::new(measure, bound, 100, 10_000, then).unwrap())
    .into()
}

fn of_rollouts() -> Vec<Event> {
    let (prompt, rollout) = (PromptId([6; 16]), RolloutId([24; 16]));
    let label = || "production".parse::<Label>().unwrap();
    let runs = |runs: [(u32, u16); 2]| Table::new(runs.map(|(version, buckets)| Run { version, buckets }).into());
    let (before, after) = (runs([(1, 9000), (300, 1000)]).unwrap(), runs([(1, 5000), (300, 5000)]).unwrap());
    vec![
        Event::RolloutStarted(RolloutStarted {
            rollout,
            prompt,
            label: label(),
            control: 1,
            after: before.clone(),
            request: Some(RequestId([21; 16])),
            guards: guards(),
            since: Timestamp::from_micros(1_800_000_000_000_000),
        }),
        Event::RolloutAdvanced(RolloutAdvanced {
            rollout,
            prompt,
            label: label(),
            before: before.clone(),
            after,
            request: Some(RequestId([21; 16])),
        }),
        Event::RolloutPaused(RolloutPaused { rollout, prompt, label: label() }),
        Event::RolloutResumed(RolloutResumed { rollout, prompt, label: label() }),
        Event::RolloutRolledBack(RolloutRolledBack { rollout, prompt, label: label(), before: before.clone() }),
        Event::RolloutCompleted(RolloutCompleted { rollout, prompt, label: label(), before, version: 300 }),
        Event::RolloutBreached(RolloutBreached {
            rollout,
            prompt,
            label: label(),
            place: 1,
            guard: guards()[1].clone(),
            version: 300,
            figures: Figures {
                version: Sample { samples: 400, value: 250_000, end: 190_000 },
                control: Some(Sample { samples: 3600, value: 20_000, end: 31_000 }),
                limit: 41_000,
            },
        }),
    ]
}

fn of_watch() -> Vec<Event> {
    let figures = Figures {
        version: Sample { samples: 400, value: 250_000, end: 190_000 },
        control: Some(Sample { samples: 3600, value: 20_000, end: 31_000 }),
        limit: 41_000,
    };
    let day = Timestamp::from_micros(1_800_000_000_000_000);
    vec![
        Event::WatchConfigured(WatchConfigured { before: true, after: false }),
        Event::VersionDegraded(VersionDegraded {
            prompt: PromptId([6; 16]),
            version: 300,
            measure: Measure::ErrorRate,
            day,
            figures,
        }),
    ]
}

fn commit_header() -> CommitHeader {
    CommitHeader {
        command_id: CommandId([13; 16]),
        command_hash: CommandHash([14; 16]),
        actor: PrincipalId([8; 16]),
        evidence: Evidence {
            credential: Credential::ApiKey { tenant: "acme".parse().unwrap(), key: KeyId([9; 8]) },
            grants: vec![1, 300],
        },
        occurred_at: Some(Timestamp::from_micros(1_670_978_690_000_000)),
        author: Some("0507fc8c4eba".parse::<Author>().unwrap()),
        message: Some(sealed()),
        trace: Some(TraceContext { trace_id: [15; 16], span_id: [16; 8], flags: 1 }),
    }
}

fn batch_of(events: Vec<Event>) -> Bytes {
    let count = u32::try_from(events.len()).unwrap();
    let commit = Commit { header: commit_header(), events }.encode().unwrap();
    let header = BatchHeader {
        batch_id: BatchId([17; 16]),
        tenant: "acme".parse().unwrap(),
        incarnation: Incarnation([1; 8]),
        first_index: 42,
        events: count,
        recorded_at: Timestamp::from_micros(1_700_000_000_000_001),
        prev: 9,
        writer: String::new(),
    };
    Batch::encode(&header, &[commit]).unwrap()
}

/// Compares with `golden/<name>.hex`. A file that is missing is written, which the check on a clean tree then shows.
fn check_golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.hex"));
    let hex = data_encoding::HEXLOWER.encode(bytes);
    match std::fs::read_to_string(&path) {
        Ok(golden) => assert_eq!(hex, golden.trim(), "the bytes of {name} changed: that is a new variant, not an edit"),
        Err(_) if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() => std::fs::write(&path, hex + "\n").unwrap(),
        Err(error) => panic!("no golden bytes for {name} ({error}); PROMPTORY_WRITE_GOLDEN=1 writes them"),
    }
}

#[test]
fn every_variant_has_golden_bytes_and_reads_back() {
    for event in one_of_each() {
        let bytes = event.encode().unwrap();
        check_golden(event.name(), &bytes);
        assert_eq!(Event::decode(&bytes).unwrap(), event);
    }
}

#[test]
fn every_golden_file_still_reads() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = data_encoding::HEXLOWER.decode(std::fs::read_to_string(&path).unwrap().trim().as_bytes()).unwrap();
        if path.file_stem().unwrap() == "batch" {
            Batch::parse(bytes.into()).unwrap();
        } else {
            Event::decode(&bytes).unwrap();
        }
        read += 1;
    }
    assert_eq!(read, one_of_each().len() + 1, "one file a variant, and one batch");
}

#[test]
fn a_batch_has_golden_bytes_and_reads_back() {
    // The first eighteen, whatever is added later: these bytes never change.
    let events: Vec<Event> = one_of_each().into_iter().take(18).collect();
    let bytes = batch_of(events.clone());
    check_golden("batch", &bytes);
    let batch = Batch::parse(bytes.clone()).unwrap();
    assert_eq!(batch.header, Batch::peek(bytes).unwrap());
    assert_eq!(batch.header.last_index(), 42 + 17);
    assert_eq!(batch.commits[0].header, commit_header());
    assert_eq!(batch.commits[0].decode_events().unwrap(), events);
}

#[test]
fn another_header_leaves_every_byte_of_the_commits_as_it_was() {
    let before = batch_of(one_of_each());
    let after = Batch::with_header(before.clone(), |header| {
        (header.incarnation, header.prev) = (Incarnation([9; 8]), u64::MAX);
        header.writer = "elsewhere:1".to_owned();
    })
    .unwrap();
    let header = Batch::peek(after.clone()).unwrap();
    assert_eq!((header.incarnation, header.prev, header.first_index), (Incarnation([9; 8]), u64::MAX, 42));
    assert_eq!(Batch::body(before.clone()).unwrap(), Batch::body(after.clone()).unwrap());
    let back = Batch::with_header(after, |header| *header = Batch::peek(before.clone()).unwrap()).unwrap();
    assert_eq!(back, before);
}

#[test]
fn the_schema_of_every_event_is_checked_in() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schema/events.json");
    let now = serde_json::to_string_pretty(&schemars::schema_for!(Event)).unwrap() + "\n";
    if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), now, "an event's shape changed");
}

#[test]
fn a_wrong_count_a_later_schema_and_left_over_bytes_are_refused() {
    let good = batch_of(one_of_each());
    let mut later = good.to_vec();
    later[0] = 2;
    assert_eq!(Batch::parse(later.into()).unwrap_err(), CodecError::Schema(2));
    let mut longer = good.to_vec();
    longer.push(0);
    assert_eq!(Batch::parse(longer.into()).unwrap_err(), CodecError::TrailingBytes(1));
    assert!(matches!(Batch::parse(batch_of(vec![])).unwrap_err(), CodecError::EventCount { said: 0, held: 0 }));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Event::decode(&bytes);
        let _ = Batch::parse(bytes.into());
    }

    #[test]
    fn a_cut_or_a_flipped_bit_is_an_error_or_another_batch_never_a_panic(cut in 0usize..2000, bit in 0usize..16000) {
        let good = batch_of(one_of_each());
        if cut < good.len() {
            prop_assert!(Batch::parse(good.slice(..cut)).is_err());
        }
        let mut flipped = good.to_vec();
        let at = (bit / 8) % flipped.len();
        flipped[at] ^= 1 << (bit % 8);
        if let Ok(batch) = Batch::parse(flipped.into()) {
            for commit in &batch.commits {
                let _ = commit.decode_events();
            }
        }
    }
}
