//! The audit view against a filter over the told history, and that how it is fed makes no difference.

use promptory_events::event::*;
use promptory_events::{Batch, Credential, Incarnation, KeyId, PrincipalId, PromptKey, Timestamp};
use promptory_ledger::KeyStore;
use promptory_ledger::storage::fault::FaultBackend;
use proptest::option::weighted as some;
use proptest::prelude::*;

use super::*;
use crate::ask::{AuditFilter, Order, Outcome};
use crate::store::rows::Memory;
use crate::store::{Store, Use};
use crate::testing::{Scribe, granted};
use crate::views::fold::{Source, fold};

/// A wish. What is not possible is left out.
#[derive(Clone, Debug)]
struct Step {
    what: u8,
    who: u8,
    key: u8,
    other: u8,
    message: Option<&'static str>,
    claimed: bool,
    pause: u8,
    new_batch: bool,
}

/// What is known of an event without the view: who, what, where, by which role, with which words.
#[derive(Clone, Debug)]
struct Known {
    index: u64,
    recorded_at: Timestamp,
    actor: PrincipalId,
    claimed: bool,
    action: &'static str,
    denied: bool,
    role: Option<AnyRole>,
    targets: Vec<String>,
    below: Vec<String>,
    message: Option<&'static str>,
}

const MESSAGES: [&str; 3] = ["fix the greeting", "FIX it again", "下棋"];

fn steps(len: usize) -> impl Strategy<Value = Vec<Step>> {
    let message = proptest::option::of((0..MESSAGES.len()).prop_map(|n| MESSAGES[n]));
    let step = (0u8..8, 0u8..3, 0u8..4, 0u8..4, message, any::<bool>(), 0u8..3, any::<bool>());
    let step = step.prop_map(|(what, who, key, other, message, claimed, pause, new_batch)| Step {
        what,
        who,
        key,
        other,
        message,
        claimed,
        pause,
        new_batch,
    });
    proptest::collection::vec(step, 1..len)
}

fn key(number: u8) -> PromptKey {
    ["team/a", "team/b", "te", "other/a"][usize::from(number)].parse().unwrap()
}

fn principal(number: u8) -> PrincipalId {
    PrincipalId([0x10 + number; 16])
}

/// Tells the steps, after some events that fill blocks, and says what is known of every event.
fn tell(scribe: &mut Scribe, before: usize, steps: &[Step]) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    let mut held: std::collections::BTreeMap<PromptKey, promptory_events::PromptId> = Default::default();
    // Three principals, each with a role of its own that later commits name.
    let roles = [Role::Owner, Role::Editor, Role::Admin];
    for (number, role) in (0..).zip(roles) {
        let principal = principal(number);
        scribe.actor = PrincipalId::SYSTEM;
        scribe.grants = vec![];
        let to = Subject::Principal(principal);
        let events = vec![Event::PrincipalAdded(PrincipalAdded { principal, name: None }), granted(to, role, "team/")];
        let said = |action, below: &str, index| Known {
            index,
            recorded_at: scribe.now,
            actor: PrincipalId::SYSTEM,
            claimed: false,
            action,
            denied: false,
            role: None,
            targets: vec![principal.to_string()],
            below: vec![below.to_owned()],
            message: None,
        };
        let first = 2 * u64::from(number);
        known.extend([said("principal.added", "", first), said("role.granted", "team/", first + 1)]);
        scribe.commit(None, events);
    }
    let filler = promptory_events::PromptId([9; 16]);
    for _ in 0..before {
        let index = known.len() as u64;
        let tags = TagsSet { prompt: filler, before: vec![], after: vec![] };
        known.push(Known {
            index,
            recorded_at: scribe.now,
            actor: PrincipalId::SYSTEM,
            claimed: false,
            action: "tags.set",
            denied: false,
            role: None,
            targets: vec![filler.to_string()],
            below: vec![],
            message: None,
        });
        scribe.grants = vec![];
        scribe.commit(None, vec![Event::TagsSet(tags)]);
    }
    for step in steps {
        if step.new_batch {
            scribe.batch();
            scribe.now = scribe.now.plus_ms(i64::from(step.pause) * 1000);
        }
        (scribe.actor, scribe.grants) = (principal(step.who), vec![2 * u64::from(step.who) + 1]);
        let prompt = held.get(&key(step.key)).copied();
        let free = !held.contains_key(&key(step.other));
        let id = |prompt: promptory_events::PromptId| vec![prompt.to_string()];
        let one = |key: &PromptKey| vec![key.to_string()];
        let events: Vec<(Event, Vec<String>, Vec<String>)> = match (step.what, prompt) {
            (0 | 1, None) => {
                let (prompt, key) = (scribe.command().prompt(), key(step.key));
                held.insert(key.clone(), prompt);
                let created = PromptCreated { prompt, key: key.clone(), kind: Kind::Text };
                let version = scribe.version(prompt, 1, "text");
                vec![(Event::PromptCreated(created), id(prompt), one(&key)), (version, id(prompt), one(&key))]
            }
            (2, Some(prompt)) if free => {
                let (before, after) = (key(step.key), key(step.other));
                held.remove(&before);
                held.insert(after.clone(), prompt);
                let below = vec![after.to_string(), before.to_string()];
                vec![(Event::PromptRenamed(PromptRenamed { prompt, before, after }), id(prompt), below)]
            }
            (3, Some(prompt)) => {
                let tags = TagsSet { prompt, before: vec![], after: vec!["t".parse().unwrap()] };
                vec![(Event::TagsSet(tags), id(prompt), one(&key(step.key)))]
            }
            (4, Some(prompt)) => {
                let label: promptory_events::Label = "production".parse().unwrap();
                let targets = vec![prompt.to_string(), "label:production".to_owned()];
                let set = LabelSet { prompt, label, before: None, after: 1 };
                vec![(Event::LabelSet(set), targets, one(&key(step.key)))]
            }
            (5, _) => {
                let target: promptory_events::Prefix =
                    ["team/", "other/"][usize::from(step.other % 2)].parse().unwrap();
                let attempt =
                    Attempt { principal: principal(step.other % 3), action: Action::Read, target: target.clone() };
                let credential = Credential::System;
                let denied = AttemptDenied { attempt, credential, door: Door::Question, minute: scribe.now.minute() };
                (scribe.actor, scribe.grants) = (PrincipalId::SYSTEM, vec![]);
                vec![(Event::AttemptDenied(denied), vec![], vec![target.as_str().to_owned()])]
            }
            (6, _) => {
                let principal = principal(step.other % 3);
                let attempt = Attempt { principal, action: Action::Read, target: "team/".parse().unwrap() };
                let again = vec![AttemptAgain { attempt, times: 3 }];
                let counted = AttemptsCounted { minute: scribe.now.minute(), again, others: 0 };
                (scribe.actor, scribe.grants) = (PrincipalId::SYSTEM, vec![]);
                vec![(Event::AttemptsCounted(counted), vec![principal.to_string()], vec![String::new()])]
            }
            _ => vec![],
        };
        if events.is_empty() {
            continue;
        }
        let role = (scribe.actor != PrincipalId::SYSTEM).then(|| roles[usize::from(step.who)].into());
        let first = known.len() as u64;
        for (index, (event, targets, below)) in (first..).zip(&events) {
            let actor = match event {
                Event::AttemptDenied(denied) => denied.attempt.principal,
                _ => scribe.actor,
            };
            known.push(Known {
                index,
                recorded_at: scribe.now,
                actor,
                claimed: step.claimed,
                action: event.name(),
                denied: matches!(event, Event::AttemptDenied(_) | Event::AttemptsCounted(_)),
                role: role.clone(),
                targets: targets.clone(),
                below: below.clone(),
                message: step.message,
            });
        }
        let occurred_at = step.claimed.then(|| scribe.now.plus_ms(-5000));
        scribe.commit_with(occurred_at, step.message, events.into_iter().map(|(event, ..)| event).collect());
    }
    scribe.batch();
    // A batch is recorded when it ends, which is the time that its last commit was told at.
    known
}

fn filters(known: &[Known]) -> impl Strategy<Value = AuditFilter> + use<> {
    let (times, indexes): (Vec<_>, Vec<_>) = known.iter().map(|known| (known.recorded_at, known.index)).unzip();
    let actions: Vec<_> = known.iter().map(|known| known.action).chain(["prompt.erased"]).collect();
    let targets: Vec<_> = known.iter().flat_map(|known| known.targets.clone()).chain(["x".to_owned()]).collect();
    let prefixes = vec!["team/", "te", "team/a", "other/", "x"];
    let roles: Vec<AnyRole> = vec![Role::Owner.into(), Role::Editor.into(), "poet".parse().unwrap()];
    let words = vec!["fix", "FIX greeting", "棋", "nothing"];
    let time = || some(0.3, proptest::sample::select(times.clone()));
    let index = || some(0.3, proptest::sample::select(indexes.clone()));
    let when = (time(), time(), index(), index());
    let what = (
        some(0.3, (0u8..3).prop_map(principal)),
        some(0.2, Just("somebody".parse::<promptory_events::Author>().unwrap())),
        some(0.3, proptest::sample::select(actions).prop_map(str::to_owned)),
        some(0.3, proptest::sample::select(targets)),
        some(0.3, proptest::sample::select(prefixes).prop_map(str::to_owned)),
        some(0.2, proptest::sample::select(roles)),
        some(0.2, prop_oneof![Just(Outcome::Done), Just(Outcome::Denied)]),
        some(0.2, proptest::sample::select(words).prop_map(str::to_owned)),
    );
    (when, what).prop_map(
        |((since, until, from, to), (actor, author, action, target, prefix, role, outcome, words))| AuditFilter {
            since,
            until,
            from,
            to,
            actor,
            author,
            action,
            target,
            prefix,
            role,
            outcome,
            words,
        },
    )
}

/// The filter, as plainly as it can be said.
fn is_meant(filter: &AuditFilter, known: &Known) -> bool {
    let outcome = if known.denied { Outcome::Denied } else { Outcome::Done };
    let message = known.message.unwrap_or_default().to_lowercase();
    filter.since.is_none_or(|since| known.recorded_at >= since)
        && filter.until.is_none_or(|until| known.recorded_at < until)
        && filter.from.is_none_or(|from| known.index >= from)
        && filter.to.is_none_or(|to| known.index <= to)
        && filter.actor.is_none_or(|actor| known.actor == actor)
        && filter.author.as_ref().is_none_or(|_| known.claimed)
        && filter.action.as_ref().is_none_or(|action| known.action == action)
        && filter.target.as_ref().is_none_or(|target| known.targets.contains(target))
        && filter.prefix.as_ref().is_none_or(|prefix| known.below.iter().any(|key| key.starts_with(prefix.as_str())))
        && filter.role.as_ref().is_none_or(|role| known.role.as_ref() == Some(role))
        && filter.outcome.is_none_or(|wanted| outcome == wanted)
        && filter.words.as_ref().is_none_or(|words| words.to_lowercase().split(' ').all(|word| message.contains(word)))
}

fn source(scribe: &Scribe) -> Source {
    Source { tenant: scribe.tenant.clone(), incarnation: scribe.incarnation }
}

fn fold_all(scribe: &Scribe, audit: &mut Audit, staged: &mut Staged<Chunk>, mut each: impl FnMut(&mut Staged<Chunk>)) {
    for (number, bytes) in scribe.batches.iter().enumerate() {
        let batch = Batch::parse(bytes.clone()).unwrap();
        fold(audit, staged, &source(scribe), scribe.cursor(number), &batch).unwrap();
        each(staged);
    }
}

fn in_memory(scribe: &Scribe) -> (Audit, Memory) {
    let (mut audit, mut rows) = (Audit::default(), Memory::default());
    fold_all(scribe, &mut audit, &mut Staged::default(), |staged| rows.extend(staged.drain()));
    (audit, rows)
}

fn scribe(keys: Option<KeyStore>) -> Scribe {
    Scribe::new("acme", Incarnation([7; 8]), keys)
}

/// All pages of a listing, and the count.
fn asked(desk: &answer::AuditDesk<'_, Memory>, filter: &AuditFilter, order: Order, limit: usize) -> (Vec<u64>, u64) {
    use crate::ask::{Answer, Question};
    let (mut found, mut from, mut end) = (vec![], None, None);
    loop {
        let question =
            Question::Audit { filter: Box::new(filter.clone()), end, from, order, limit, form: AuditForm::List };
        let reply = desk.answer(&question).unwrap();
        end = reply.as_of.map(|position| position.index);
        let Answer::Audit(page) = reply.answer else { panic!() };
        found.extend(page.records.iter().map(|record| record.index));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let question = Question::AuditCount { filter: Box::new(filter.clone()), end, from: None };
    let Answer::AuditCount(counted) = desk.answer(&question).unwrap().answer else { panic!() };
    assert_eq!(counted.next, None);
    (found, counted.count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_and_a_count_are_what_a_filter_over_the_whole_history_says(
        (before, steps, filters, known_of) in (0usize..280, steps(40)).prop_flat_map(|(before, steps)| {
            let known = tell(&mut scribe(None), before, &steps);
            let filters = proptest::collection::vec(filters(&known), 12);
            (Just(before), Just(steps), filters, Just(known))
        })
    ) {
        let keys = KeyStore::with_backend(FaultBackend::new()).unwrap();
        let mut scribe = scribe(Some(keys.clone()));
        let known = tell(&mut scribe, before, &steps);
        let limit = 2 + before / 8;
        prop_assert_eq!(known.len(), known_of.len());
        let (audit, rows) = in_memory(&scribe);
        let mut catalog = crate::hot::Hot::default();
        // Somebody who may read everything; the histories let nobody in.
        let reader = let_in(&mut catalog);
        let reach = || answer::Reach::new(&catalog, &reader).unwrap();
        for filter in filters.iter().chain([&AuditFilter::default()]) {
            let expected: Vec<u64> = known.iter().filter(|known| is_meant(filter, known)).map(|known| known.index).collect();
            let desk = answer::AuditDesk { tenant: &scribe.tenant, audit: &audit, rows: &rows, keys: &keys, reach: reach() };
            let (found, count) = asked(&desk, filter, Order::OldestFirst, limit);
            prop_assert_eq!(&found, &expected, "{:?}", filter);
            prop_assert_eq!(count, expected.len() as u64, "{:?}", filter);
            let (mut found, _) = asked(&desk, filter, Order::NewestFirst, limit);
            found.reverse();
            prop_assert_eq!(&found, &expected, "newest first {:?}", filter);
        }
    }
}

/// Lets somebody in who may read all access.
fn let_in(catalog: &mut crate::hot::Hot) -> crate::hot::access::Reader {
    let principal = PrincipalId([1; 16]);
    let rights = &mut catalog.access.rights;
    assert!(rights.evolve(0, &Event::PrincipalAdded(PrincipalAdded { principal, name: None })));
    assert!(rights.evolve(1, &granted(Subject::Principal(principal), Role::Auditor, "")));
    crate::hot::access::Reader { principal, shown: crate::hot::access::Shown::Key(KeyId([1; 8])), now: Timestamp::MIN }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn one_by_one_in_one_go_in_memory_and_reopened_are_the_same_view(before in 0usize..280, steps in steps(60)) {
        let mut scribe = scribe(None);
        tell(&mut scribe, before, &steps);
        let (expected, rows) = in_memory(&scribe);
        let dir = tempfile::tempdir().unwrap();

        let (each, mut audit) = Store::<Audit>::open(&dir.path().join("each"), Use::Serving).unwrap();
        fold_all(&scribe, &mut audit, &mut Staged::default(), |staged| each.commit(staged).unwrap());
        prop_assert_eq!(audit.digest(), expected.digest());

        let (once, mut audit) = Store::<Audit>::open(&dir.path().join("once"), Use::Serving).unwrap();
        let mut staged = Staged::default();
        fold_all(&scribe, &mut audit, &mut staged, |_| {});
        once.commit(&mut staged).unwrap();
        once.sync().unwrap();
        drop(once);
        let (_, again) = Store::<Audit>::open(&dir.path().join("once"), Use::Serving).unwrap();
        prop_assert_eq!(again.head(), expected.head());
        prop_assert_eq!(&again.keys, &expected.keys);
        prop_assert_eq!(&again.roles, &expected.roles);
        prop_assert_eq!((&again.block, &again.recent), (&expected.block, &expected.recent));

        // The sum that was kept is the sum over the rows that are there.
        let mut sum = Sum::default();
        rows.iter().for_each(|(key, value)| Audit::sum_of(key, value, &mut sum).unwrap());
        Audit::sum_of_kept(&expected.recent, expected.next() - 1, &mut sum);
        prop_assert_eq!(sum, expected.head().sum);
    }
}

#[test]
fn a_change_of_the_rows_needs_another_format_number() {
    let mut scribe = scribe(None);
    scribe.let_in(1, 1, Some(Role::Owner));
    let prompt = scribe.create("team/greet", "hello");
    scribe.batch();
    scribe.now = scribe.now.plus_ms(1000);
    let (before, after) = ("team/greet".parse().unwrap(), "team/hello".parse().unwrap());
    let renamed = Event::PromptRenamed(PromptRenamed { prompt, before, after });
    scribe.commit(Some(Timestamp::from_micros(crate::testing::BEGIN_MICROS - 1)), vec![renamed]);
    for _ in 0..block::LEN {
        scribe.commit(None, vec![Event::TagsSet(TagsSet { prompt, before: vec![], after: vec![] })]);
    }
    scribe.batch();
    let (audit, _) = in_memory(&scribe);
    assert_eq!((FORMAT, audit.digest().as_str()), (3, GOLDEN), "the rows changed: raise FORMAT, then the digest here");
}

const GOLDEN: &str = "87e52f0e8625a0e3aa610edc3ca964644296903b1263bf5b82d7cc9c8ebbd5de";
