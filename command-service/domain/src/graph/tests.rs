//! The latest common version, against the plainest search for it.

use std::collections::BTreeSet;

use promptory_events::event::{Event, Kind, PromptCreated, Syntax, VersionAdded, VersionRef};
use promptory_events::{Branch, Content, ContentBody, PrincipalId, PromptId, VersionId};

use super::*;
use crate::testing::material;

/// A tenant with prompts of versions whose parents are given, by the places of all versions in order.
fn tenant(versions: &[(u8, &[usize])]) -> (Tenant, Vec<At>) {
    let mut tenant = Tenant::new("acme".parse().unwrap());
    let (mut all, mut numbers) = (Vec::<At>::new(), [0; 4]);
    for (n, (prompt, parents)) in versions.iter().enumerate() {
        let (id, number) = (PromptId([*prompt; 16]), &mut numbers[usize::from(*prompt)]);
        let mut evolve = |event: &Event| tenant.evolve(tenant.next_index(), PrincipalId::SYSTEM, event).unwrap();
        if *number == 0 {
            let key = format!("p{prompt}").parse().unwrap();
            evolve(&Event::PromptCreated(PromptCreated { prompt: id, key, kind: Kind::Text }));
        }
        *number += 1;
        let version = |n: usize| VersionId([u8::try_from(n).unwrap(); 16]);
        let parent = |at: &usize| VersionRef { prompt: all[*at].0, number: all[*at].1, version: version(*at) };
        let text = material("x");
        evolve(&Event::VersionAdded(VersionAdded {
            prompt: id,
            version: version(n),
            number: *number,
            branch: Branch::main(),
            parents: parents.iter().map(parent).collect(),
            before: None,
            content: Content { id: text.id, bytes: 1, body: ContentBody::Inline(text.sealed) },
            config: None,
            syntax: Syntax::Simple,
            variables: None,
            includes: vec![],
        }));
        all.push((id, *number));
    }
    (tenant, all)
}

fn expect(versions: &[(u8, &[usize])], one: usize, other: usize, wanted: Option<usize>) {
    let (tenant, all) = tenant(versions);
    for (one, other) in [(one, other), (other, one)] {
        assert_eq!(common(&tenant, all[one], all[other]), wanted.map(|at| all[at]), "{one} and {other}");
    }
}

#[test]
fn the_fork_of_two_lines_a_version_itself_and_nothing() {
    expect(&[(0, &[]), (0, &[0]), (0, &[0])], 1, 2, Some(0));
    expect(&[(0, &[]), (0, &[0]), (0, &[1])], 2, 1, Some(1));
    expect(&[(0, &[]), (0, &[0])], 1, 1, Some(1));
    expect(&[(0, &[]), (1, &[])], 0, 1, None);
}

#[test]
fn what_was_merged_before_is_not_merged_again() {
    // 0 - 1 - 3 (merge of 1 and 2) - 5; 0 - 2 - 4: what both have is 2 by now.
    expect(&[(0, &[]), (0, &[0]), (0, &[0]), (0, &[1, 2]), (0, &[2]), (0, &[3])], 5, 4, Some(2));
}

#[test]
fn a_fork_and_its_origin_meet_where_the_fork_began() {
    expect(&[(0, &[]), (0, &[0]), (1, &[0]), (1, &[2]), (0, &[1])], 4, 3, Some(0));
    // And after the fork took over what its origin had done.
    expect(&[(0, &[]), (0, &[0]), (1, &[0]), (1, &[2, 1]), (0, &[1])], 4, 3, Some(1));
}

/// All versions that one comes from, itself too.
fn ancestors(versions: &[(u8, Vec<usize>)], at: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::from([at]);
    versions[at].1.iter().for_each(|parent| all.extend(ancestors(versions, *parent)));
    all
}

#[test]
fn random_graphs_are_searched_as_the_plainest_search_does() {
    let mut random = 12_345_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for _ in 0..200 {
        let mut versions: Vec<(u8, Vec<usize>)> = Vec::new();
        for n in 0..14 {
            let prompt = u8::try_from(next(3)).unwrap();
            let first = !versions.iter().any(|(p, _)| *p == prompt);
            let count = if n == 0 { 0 } else { next(if first { 2 } else { 3 }) };
            versions.push((prompt, (0..count).map(|_| next(n)).collect()));
        }
        let borrowed: Vec<(u8, &[usize])> = versions.iter().map(|(p, parents)| (*p, parents.as_slice())).collect();
        let (tenant, all) = tenant(&borrowed);
        for (one, other) in (0..14).flat_map(|one| (0..14).map(move |other| (one, other))) {
            let (ours, theirs) = (ancestors(&versions, one), ancestors(&versions, other));
            let latest = ours.intersection(&theirs).max().map(|at| all[*at]);
            assert_eq!(common(&tenant, all[one], all[other]), latest, "{versions:?}: {one} and {other}");
        }
    }
}
