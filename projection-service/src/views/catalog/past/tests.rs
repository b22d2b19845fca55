//! Any past state of access and releases is the state that was there at that time.

use promptory_domain::access::Rights;
use promptory_events::event::*;
use promptory_events::{
    ClaimId, FreezeId, GroupId, Incarnation, IssuerId, KeyId, Prefix, PrincipalId, Sealed, Timestamp, TokenHash,
};
use proptest::prelude::*;

use super::*;
use crate::store::rows::Memory;
use crate::testing::Scribe;
use crate::views::catalog::{Source, fold_until};

/// An event that may follow or not, out of few names so that they meet.
fn event() -> impl Strategy<Value = Event> {
    let id = || 0u8..4;
    let principal = |n: u8| PrincipalId([n; 16]);
    let group = |n: u8| GroupId([n; 16]);
    let prefix = |n: u8| ["", "a/", "a/b/", "c/"][usize::from(n)].parse::<Prefix>().unwrap();
    let role = |n: u8| match n {
        0 => AnyRole::BuiltIn(Role::Owner),
        1 => AnyRole::BuiltIn(Role::Auditor),
        _ => AnyRole::Custom(format!("r{n}").parse().unwrap()),
    };
    let to = move |n: u8, m: u8| {
        if m.is_multiple_of(2) { Subject::Principal(principal(n)) } else { Subject::Group(group(n)) }
    };
    let sealed =
        || Sealed { kid: promptory_events::DataKeyId([4; 16]), nonce: [5; 12], ct: vec![1], commitment: [6; 32] };
    let issuer = |n: u8| IssuerId([n % 2; 16]);
    let claim = |n: u8| ClaimId([n; 16]);
    let time = |n: u8| Timestamp::from_micros(i64::from(n) * 1_000_000);
    (0u8..18, id(), id(), id()).prop_map(move |(what, a, b, c)| match what {
        0 | 1 => Event::PrincipalAdded(PrincipalAdded { principal: principal(a), name: None }),
        2 => Event::GroupCreated(GroupCreated { group: group(a), name: None }),
        3..=5 => {
            let expires_at = (c == 3).then(|| time(a));
            Event::RoleGranted(RoleGranted { to: to(a, b), role: role(c), prefix: prefix(b), expires_at })
        }
        6 => Event::RoleRevoked(RoleRevoked { from: to(a, b), role: role(c), prefix: prefix(b), grant: 0 }),
        7 => {
            let after = if b == 0 { vec![] } else { vec![Action::Read, Action::ReadAccess] };
            Event::RoleDefined(RoleDefined { role: format!("r{a}").parse().unwrap(), before: None, after })
        }
        8 | 9 => Event::MemberAdded(MemberAdded { group: group(a), principal: principal(b) }),
        10 => Event::MemberRemoved(MemberRemoved { group: group(a), principal: principal(b) }),
        11 => Event::KeyIssued(KeyIssued {
            key: KeyId([a * 4 + b; 8]),
            principal: principal(b),
            secret_hash: [0; 32],
            scope: (c == 0).then(|| KeyScope { role: role(a), prefix: prefix(c) }),
            expires_at: None,
            replaces: None,
        }),
        12 => Event::KeyRevoked(KeyRevoked { key: KeyId([a * 4 + b; 8]), from: (c == 0).then(|| time(b)) }),
        13 => {
            let (url, audience) = ("https://id.example.com".parse().unwrap(), "a".parse().unwrap());
            let groups_claim = "groups".parse().unwrap();
            Event::IssuerTrusted(IssuerTrusted { issuer: issuer(a), url, audience, groups_claim })
        }
        14 => Event::ClaimMapped(ClaimMapped {
            issuer: issuer(a),
            claim: claim(b),
            value: sealed(),
            before: None,
            after: group(c),
        }),
        15 if c == 0 => Event::IssuerDistrusted(IssuerDistrusted { issuer: issuer(a) }),
        15 => {
            let session = if a == 0 {
                Session::Token(TokenHash([b; 32]))
            } else {
                Session::Before { principal: principal(b), time: time(c) }
            };
            Event::SessionRevoked(SessionRevoked { session, until: time(c).plus_ms(3_600_000) })
        }
        16 => Event::LabelProtected(LabelProtected {
            prefix: prefix(a),
            label: "production".parse().unwrap(),
            before: None,
            after: u16::from(b) + 1,
        }),
        _ => Event::FreezeSet(FreezeSet {
            freeze: FreezeId([a * 16 + b * 4 + c; 16]),
            prefix: prefix(a),
            from: time(b),
            until: time(b + 1),
        }),
    })
}

/// Whether it may follow: the domain is the judge of what is about access.
fn follows(rights: &mut Rights, index: u64, event: &Event) -> bool {
    if matches!(event, Event::LabelProtected(_) | Event::FreezeSet(_)) {
        return true;
    }
    let mut next = rights.clone();
    let fits = next.evolve(index, event);
    if fits {
        *rights = next;
    }
    fits
}

/// The history in memory up to an event.
fn folded(scribe: &Scribe, last: u64) -> (Hot, Memory) {
    let source = Source { tenant: scribe.tenant.clone(), incarnation: scribe.incarnation };
    let (mut hot, mut staged, mut rows) = (Hot::default(), Staged::default(), Memory::default());
    for (number, bytes) in scribe.batches.iter().enumerate() {
        let batch = promptory_events::Batch::parse(bytes.clone()).unwrap();
        if batch.header.first_index <= last {
            fold_until(&mut hot, &mut staged, &source, scribe.cursor(number), &batch, last).unwrap();
            rows.extend(staged.drain());
        }
    }
    (hot, rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_past_state_is_the_state_that_was_there(
        events in proptest::collection::vec((event(), 0u8..3), 1..80),
        points in proptest::collection::vec(any::<proptest::sample::Index>(), 6),
    ) {
        let mut scribe = Scribe::new("acme", Incarnation([7; 8]), None);
        let (mut rights, mut commit, mut index) = (Rights::default(), Vec::new(), 0);
        scribe.create("team/greet", "hello");
        scribe.batch();
        index += 2;
        for (event, ends) in events {
            if follows(&mut rights, index, &event) {
                commit.push(event);
                index += 1;
            }
            if ends == 0 && !commit.is_empty() {
                scribe.commit(None, std::mem::take(&mut commit));
                scribe.batch();
                scribe.now = scribe.now.plus_ms(1000);
            }
        }
        if !commit.is_empty() {
            scribe.commit(None, commit);
            scribe.batch();
        }
        let (hot, rows) = folded(&scribe, u64::MAX);
        let (model, cache) = (Model { rows: &rows, hot: &hot }, PastCache::default());
        for point in points {
            let at = point.index(usize::try_from(index).unwrap()) as u64;
            let was = folded(&scribe, at).0;
            for _ in 0..2 {
                let past = model.past(Area::Access, Some(at), Some((&cache, 1))).unwrap();
                prop_assert_eq!(&past.access.rights, &was.access.rights);
                prop_assert_eq!(&past.access.grants, &was.access.grants);
                prop_assert_eq!(&past.access.keys, &was.access.keys);
                prop_assert_eq!(&past.access.members, &was.access.members);
                prop_assert_eq!(&past.access.claims, &was.access.claims);
                prop_assert_eq!(&past.access.issuers, &was.access.issuers);
                prop_assert_eq!(&past.access.roles, &was.access.roles);
                let past = model.past(Area::Releases, Some(at), Some((&cache, 1))).unwrap();
                prop_assert_eq!(&past.releases.protections, &was.releases.protections);
                prop_assert_eq!(&past.releases.freezes, &was.releases.freezes);
            }
        }
        let before = model.past(Area::Access, None, None).unwrap();
        prop_assert_eq!(&before.access.rights, &Rights::default());
    }
}
