//! What the system says of versions: what `decide` lets it say is lawful, and what it must not say is found.

use promptory_events::event::{VersionDegraded, WatchConfigured};
use promptory_events::guard::{Figures, Measure, Sample};

use super::*;

fn degraded(acme: &Book) -> VersionDegraded {
    let (prompt, _) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let figures = Figures {
        version: Sample { samples: 300, value: 400_000, end: 300_000 },
        control: Some(Sample { samples: 3_000, value: 20_000, end: 30_000 }),
        limit: 40_000,
    };
    VersionDegraded { prompt, version: 1, measure: Measure::ErrorRate, day: acme.now, figures }
}

#[test]
fn a_version_that_became_worse_is_lawful_once_and_while_it_is_watched() {
    let World { system, mut acme, owner, editor, editor_id, editor_grant, .. } = world();
    let right = degraded(&acme);
    acme.by(&Presented::System, Change::Attest(Attestation::Degraded(right.clone())));
    acme.by(&owner, Change::ConfigureWatch { enabled: false });
    acme.by(&owner, Change::ConfigureWatch { enabled: true });
    assert_eq!(violations(&system, &acme), []);
    let by_system = || header(PrincipalId::SYSTEM, Evidence { credential: Credential::System, grants: vec![] });
    let found_in = |acme: &Book, said: VersionDegraded, what: &str| {
        let mut copy = acme.clone();
        let index = copy.write(by_system(), vec![Event::VersionDegraded(said)]);
        found(&system, &copy, index, what);
    };
    found_in(&acme, right.clone(), "in the same week");
    let slow = VersionDegraded { measure: Measure::Latency { percent: 95 }, ..right };
    found_in(&acme, slow.clone(), "of no degradation");
    let slow = VersionDegraded { figures: Figures { limit: 36_000, ..slow.figures }, ..slow };
    found_in(&acme, VersionDegraded { version: 9, ..slow.clone() }, "no version 9");
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![Event::VersionDegraded(slow.clone())]);
    found(&system, &copy, index, "only the system writes this");
    let off = Event::WatchConfigured(WatchConfigured { before: true, after: false });
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![off]);
    found(&system, &copy, index, "`manage-settings`");
    acme.by(&owner, Change::ConfigureWatch { enabled: false });
    found_in(&acme, slow, "were not watched");
}
