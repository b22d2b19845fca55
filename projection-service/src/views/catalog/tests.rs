//! The fold against the plainest model, at every index and many times; and that how it is fed makes no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use promptory_events::{Batch, Incarnation, Prefix, PromptId, PromptKey, Timestamp, VersionId};
use proptest::prelude::*;

use super::point::{Model, Point};
use super::row;
use super::sight::Sight;
use super::stage::Staged;
use super::*;
use crate::ask::{AsOf, PromptRef};
use crate::store::key::Key;
use crate::store::rows::{Memory, Rows};
use crate::store::{Store, Use};
use crate::testing::ops::{histories, key, tell};
use crate::testing::{Scribe, Told, plain};

fn scribe() -> Scribe {
    Scribe::new("acme", Incarnation([7; 8]), None)
}

fn source(scribe: &Scribe) -> Source {
    Source { tenant: scribe.tenant.clone(), incarnation: scribe.incarnation }
}

fn fold_all(scribe: &Scribe, hot: &mut Hot, staged: &mut Staged, mut each: impl FnMut(&mut Staged)) {
    for (number, bytes) in scribe.batches.iter().enumerate() {
        let batch = Batch::parse(bytes.clone()).unwrap();
        fold(hot, staged, &source(scribe), scribe.cursor(number), &batch).unwrap();
        each(staged);
    }
}

fn in_memory(scribe: &Scribe) -> (Hot, Memory) {
    let (mut hot, mut rows) = (Hot::default(), Memory::default());
    fold_all(scribe, &mut hot, &mut Staged::default(), |staged| rows.extend(staged.drain()));
    (hot, rows)
}

fn versions(model: &Model<'_, impl Rows>, row: &Arc<row::PromptRow>) -> Vec<VersionId> {
    let version = |number| {
        let index = model.version(row, number).unwrap().changed_index;
        match row::EventRow::decode(&model.rows.get(&Key::Event(index)).unwrap().unwrap()).unwrap().event {
            promptory_events::Event::VersionAdded(event) => event.version,
            other => panic!("{other:?}"),
        }
    };
    (1..=row.versions).map(version).collect()
}

/// Everything that can be asked about a point, against the plain model.
fn check(model: &Model<'_, impl Rows>, told: &[Told], ids: &BTreeSet<PromptId>, point: Point) {
    let expected = plain::prompts(told, point);
    let seen = |row: &Arc<row::PromptRow>| plain::plain(row, versions(model, row));
    for id in ids {
        let found = model.prompt(*id, point).unwrap();
        assert_eq!(found.map(|row| seen(&row)).as_ref(), expected.get(id), "{id} at {point:?}");
    }
    let holders = plain::holders(&expected);
    let whole = &Sight::within(model.hot, vec![Prefix::tenant()]);
    for key in (0..5).map(key) {
        let found = model.find(&PromptRef::Key(key.clone()), Some(point), whole).ok();
        assert_eq!(found.map(|row| seen(&row)).as_ref(), holders.get(&key), "{key} at {point:?}");
    }
    let (mut listed, mut after) = (vec![], None);
    loop {
        let page = model.holders("", after.as_ref(), 2, point, whole).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        listed.extend(page.iter().map(seen));
    }
    assert_eq!(listed, holders.values().cloned().collect::<Vec<_>>(), "the list at {point:?}");
    let below_a = model.holders("a/", None, 10, point, whole).unwrap();
    let expected: Vec<_> = holders.keys().filter(|key| key.as_str().starts_with("a/")).collect();
    assert_eq!(below_a.iter().map(|row| &row.key).collect::<Vec<_>>(), expected);
    if ids.len() > 1 {
        check_narrow(model, &holders, point);
    }
}

/// Whoever may read below a prefix sees what is there now, whatever it was called then, and no more.
fn check_narrow(model: &Model<'_, impl Rows>, holders: &BTreeMap<PromptKey, plain::Plain>, point: Point) {
    let narrow = &Sight::within(model.hot, vec!["a/".parse().unwrap()]);
    let now_below = |id| model.hot.prompt(id).is_some_and(|row| row.key.as_str().starts_with("a/"));
    for (key, holder) in holders {
        let found = model.find(&PromptRef::Key(key.clone()), Some(point), narrow);
        assert_eq!(found.is_ok(), now_below(holder.id), "{key} at {point:?}");
    }
    let expected: Vec<_> = holders.iter().filter(|(_, p)| now_below(p.id)).map(|(key, _)| key.clone()).collect();
    let (mut listed, mut after): (Vec<PromptKey>, _) = (vec![], None);
    loop {
        let page = model.holders("", after.as_ref(), 1, point, narrow).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        listed.extend(page.iter().map(|row| row.key.clone()));
    }
    assert_eq!(listed, expected, "the list of who may read a/ at {point:?}");
    let now = model.hot.index.map(|index| Point { index, time: None });
    if Some(point) == now {
        assert_eq!(narrow.count(), expected.len(), "what is hidden is not counted");
    }
}

fn check_all(model: &Model<'_, impl Rows>, told: &[Told]) {
    let ids: BTreeSet<PromptId> = told.iter().filter_map(|told| told.event.prompt()).collect();
    let end = told.last().unwrap().index;
    for point in told.iter().map(|told| Point { index: told.index, time: None }) {
        check(model, told, &ids, point);
    }
    let said = told.iter().flat_map(|told| told.occurred_at.into_iter().chain([told.recorded_at]));
    for time in said.flat_map(|time| [time, time.plus_ms(-1)]).collect::<BTreeSet<_>>() {
        check(model, told, &ids, Point { index: end, time: Some(time) });
        check(model, told, &ids, Point { index: end / 2, time: Some(time) });
        let by_then = told.iter().take_while(|told| told.recorded_at <= time).last();
        let resolved = model.resolve(AsOf::Recorded(time)).unwrap();
        assert_eq!(resolved.map(|point| point.index), by_then.map(|told| told.index), "recorded by {time}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_past_state_is_what_the_plainest_model_says(ops in histories(40)) {
        let mut scribe = scribe();
        tell(&mut scribe, &ops);
        prop_assume!(!scribe.told.is_empty());
        let (hot, rows) = in_memory(&scribe);
        check_all(&Model { rows: &rows, hot: &hot }, &scribe.told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn one_by_one_in_one_go_in_memory_and_reopened_are_the_same_model(ops in histories(60)) {
        let mut scribe = scribe();
        tell(&mut scribe, &ops);
        prop_assume!(!scribe.told.is_empty());
        let (expected, rows) = in_memory(&scribe);
        let dir = tempfile::tempdir().unwrap();

        let (each, mut hot) = Store::<Hot>::open(&dir.path().join("each"), Use::Serving).unwrap();
        fold_all(&scribe, &mut hot, &mut Staged::default(), |staged| each.commit(staged).unwrap());
        prop_assert_eq!(hot.sum, expected.sum);

        let (once, mut hot) = Store::<Hot>::open(&dir.path().join("once"), Use::Serving).unwrap();
        let mut staged = Staged::default();
        fold_all(&scribe, &mut hot, &mut staged, |_| {});
        once.commit(&mut staged).unwrap();
        prop_assert_eq!(hot.sum, expected.sum);

        once.sync().unwrap();
        drop(once);
        let (again, hot) = Store::<Hot>::open(&dir.path().join("once"), Use::Serving).unwrap();
        prop_assert_eq!((hot.sum, hot.index, hot.cursor, hot.live()), (expected.sum, expected.index, expected.cursor, expected.live()));
        check_all(&Model { rows: again.rows(), hot: &hot }, &scribe.told);

        // The sum that was kept is the sum over the rows that are there.
        let mut sum = crate::digest::Sum::default();
        rows.iter().for_each(|(key, value)| sum.add(key, value));
        prop_assert_eq!(sum, expected.sum);
    }
}

#[test]
fn a_prompt_that_is_not_whole_yet_does_not_hide_the_one_that_held_its_key() {
    let mut scribe = scribe();
    let first = scribe.create("b", "text");
    let archived = promptory_events::event::PromptArchived { prompt: first, key: key(3) };
    scribe.batch();
    scribe.now = scribe.now.plus_ms(5_000);
    scribe.commit(None, vec![promptory_events::Event::PromptArchived(archived)]);
    let second = scribe.command().prompt();
    let kind = promptory_events::event::Kind::Text;
    let created = promptory_events::event::PromptCreated { prompt: second, key: key(3), kind };
    let version = scribe.version(second, 1, "text");
    let early = Some(scribe.now.plus_ms(-5_000));
    scribe.commit(early, vec![promptory_events::Event::PromptCreated(created), version]);
    scribe.batch();
    let (hot, rows) = in_memory(&scribe);
    let model = Model { rows: &rows, hot: &hot };
    let held_by = |index| {
        let point = Some(Point { index, time: early });
        model
            .find(&PromptRef::Key(key(3)), point, &Sight::within(model.hot, vec![Prefix::tenant()]))
            .map(|row| row.id)
            .ok()
    };
    // At that time both held the key; the second counts once its first version is there.
    assert_eq!((held_by(2), held_by(3), held_by(4)), (Some(first), Some(first), Some(second)));
    check_all(&model, &scribe.told);
}

#[test]
fn a_change_of_the_rows_needs_another_format_number() {
    let mut scribe = scribe();
    scribe.let_in(1, 1, Some(promptory_events::event::Role::Owner));
    let id = scribe.create("team/greet", "hello");
    scribe.batch();
    scribe.now = scribe.now.plus_ms(1000);
    let event = scribe.version(id, 2, "hello again");
    scribe.commit(Some(Timestamp::from_micros(crate::testing::BEGIN_MICROS - 1)), vec![event]);
    scribe.batch();
    let (hot, _) = in_memory(&scribe);
    let digest = hot.sum.model_digest(VIEW, hot.index.unwrap());
    assert_eq!((FORMAT, digest.as_str()), (9, GOLDEN), "the rows changed: raise FORMAT, then the digest here");
}

const GOLDEN: &str = "e26f67aeb2cc2df894c118eeee67106f2868b506ab4600769f6f1c2027b7dd10";

#[test]
fn what_does_not_follow_is_refused_and_leaves_no_trace() {
    let mut scribe = scribe();
    for text in ["one", "two", "three"] {
        scribe.create(text, text);
        scribe.batch();
        scribe.now = scribe.now.plus_ms(1000);
    }
    let batches: Vec<_> = scribe.batches.iter().map(|bytes| Batch::parse(bytes.clone()).unwrap()).collect();
    let (mut hot, mut staged, source) = (Hot::default(), Staged::default(), source(&scribe));
    let mut try_fold = |number: usize, change: &dyn Fn(&mut Batch)| {
        let mut batch = batches[number].clone();
        change(&mut batch);
        fold(&mut hot, &mut staged, &source, scribe.cursor(number), &batch).map(|()| staged.len())
    };
    assert!(try_fold(0, &|_| {}).is_ok());
    assert_eq!(try_fold(2, &|_| {}), Err(Broken::Gap { expected: 2, found: 4 }));
    assert_eq!(try_fold(1, &|b| b.header.prev = 9), Err(Broken::Chain { expected: 1, found: 9 }));
    assert_eq!(try_fold(1, &|b| b.header.incarnation = Incarnation([0; 8])), Err(Broken::OtherLedger));
    assert!(matches!(try_fold(1, &|b| b.header.recorded_at = Timestamp::MIN), Err(Broken::Time { .. })));
    let rows = try_fold(0, &|_| {}).unwrap();
    let unread = |b: &mut Batch| b.commits[0].events[1] = vec![0x7f].into();
    assert!(matches!(try_fold(1, &unread), Err(Broken::Codec(_))), "an event that can't be read");
    let twice = |b: &mut Batch| b.commits[0].events[1] = b.commits[0].events[0].clone();
    assert!(matches!(try_fold(1, &twice), Err(Broken::Event { index: 3, .. })), "a prompt that is there already");
    assert_eq!(try_fold(0, &|_| {}), Ok(rows), "known batches are skipped, refused ones leave nothing");
    assert!(try_fold(1, &|_| {}).is_ok());
}
