//! Given, when, then: versions that became worse.

use promptory_events::event::Role;
use promptory_events::guard::{Figures, Sample};

use super::*;
use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

const DAY_MS: i64 = 24 * 3600 * 1000;

fn given() -> Story {
    let mut acme = Story::of_acme();
    acme.accept(create("team/greet", "one"));
    acme
}

fn found(acme: &Story, day: Timestamp) -> VersionDegraded {
    let (prompt, _) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let figures = Figures {
        version: Sample { samples: 300, value: 400_000, end: 300_000 },
        control: Some(Sample { samples: 3_000, value: 20_000, end: 30_000 }),
        limit: 40_000,
    };
    VersionDegraded { prompt, version: 1, measure: Measure::ErrorRate, day, figures }
}

fn said(acme: &mut Story, found: VersionDegraded) -> usize {
    acme.accept_by(&Presented::System, Change::Attest(Attestation::Degraded(found))).len()
}

#[test]
fn it_is_said_once_for_each_episode() {
    let mut acme = given();
    let day = acme.later_ms(0);
    let first = found(&acme, day);
    assert_eq!(said(&mut acme, first.clone()), 1);
    assert_eq!(said(&mut acme, first.clone()), 0, "again");
    acme.later_ms(8 * DAY_MS);
    let later = |days: i64| VersionDegraded { day: day.plus_ms(days * DAY_MS), ..first.clone() };
    assert_eq!(said(&mut acme, later(6)), 0, "the same episode");
    let slower = VersionDegraded { measure: Measure::Latency { percent: 95 }, ..later(6) };
    let beyond = Figures { limit: 36_000, ..slower.figures };
    assert_eq!(said(&mut acme, slower.clone()), 0, "another measure has another margin");
    assert_eq!(said(&mut acme, VersionDegraded { figures: beyond, ..slower }), 1);
    assert_eq!(said(&mut acme, later(7)), 1, "another one");
    let (_, prompt) = acme.tenant.prompt(&at("team/greet")).unwrap();
    assert_eq!(prompt.degraded.len(), 2);
}

#[test]
fn nothing_follows_from_what_is_not_so_or_not_wanted() {
    let mut acme = given();
    let day = acme.later_ms(0);
    let right = found(&acme, day);
    let few = Figures { control: Some(Sample { samples: 99, value: 20_000, end: 30_000 }), ..right.figures };
    for wrong in [
        VersionDegraded { version: 2, ..right.clone() },
        VersionDegraded { day: day.plus_ms(DAY_MS), ..right.clone() },
        VersionDegraded { figures: Figures { limit: 400_000, ..right.figures }, ..right.clone() },
        VersionDegraded { figures: few, ..right.clone() },
        VersionDegraded { figures: Figures { control: None, ..right.figures }, ..right.clone() },
    ] {
        assert_eq!(said(&mut acme, wrong), 0);
    }
    assert_eq!(names(&acme.accept(Change::ConfigureWatch { enabled: false })), ["watch.configured"]);
    assert_eq!(acme.try_change(Change::ConfigureWatch { enabled: false }), Ok(vec![]));
    assert_eq!(said(&mut acme, right.clone()), 0, "not watched");
    acme.accept(Change::ConfigureWatch { enabled: true });
    assert_eq!(said(&mut acme, right.clone()), 1);
    let by_owner = acme.try_change(Change::Attest(Attestation::Degraded(right)));
    assert!(matches!(by_owner, Err(Rejection::Forbidden(_))));
    let (viewer, _) = acme.key_for(Role::Viewer);
    let by_viewer = acme.by(viewer).try_change(Change::ConfigureWatch { enabled: false });
    assert_eq!(by_viewer, Err(Rejection::Forbidden(promptory_events::event::Action::ManageSettings)));
}
