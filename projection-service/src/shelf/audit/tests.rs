//! Who may read the audit, what he sees of it, and that it stands and falls alone.

use promptory_events::event::*;
use promptory_events::{Batch, KeyId, PrincipalId};

use crate::ask::*;
use crate::store::{Store, Use};
use crate::testing::world::{World, ask};
use crate::testing::{Scribe, granted};
use crate::views::audit::key::Key;
use crate::views::audit::{Audit, chunk};
use crate::views::fold::fold;
use crate::views::stage::Staged;

fn listing(filter: AuditFilter) -> Question {
    Question::Audit {
        filter: Box::new(filter),
        end: None,
        from: None,
        order: Order::OldestFirst,
        limit: 100,
        form: AuditForm::List,
    }
}

fn records(reply: Reply) -> Vec<AuditRecord> {
    match reply.answer {
        Answer::Audit(page) => page.records,
        other => panic!("{other:?}"),
    }
}

fn caller(number: u8) -> Caller {
    Caller::Key { key: KeyId([number; 8]), secret_hash: [number; 32] }
}

async fn whole(world: &World, tenant: &str) -> Vec<AuditRecord> {
    records(world.ask(tenant, listing(AuditFilter::default())).await.unwrap())
}

#[tokio::test]
async fn a_record_says_who_did_what_to_what_by_which_right_and_why() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme"); // 0, 1, 2
    let prompt = scribe.create("team/a", "text"); // 3, 4
    let (before, after) = ("team/a".parse().unwrap(), "team/b".parse().unwrap());
    let renamed = Event::PromptRenamed(PromptRenamed { prompt, before, after });
    scribe.commit_with(None, Some("a better name"), vec![renamed]); // 5
    scribe.append(&world.ledger).await;
    let records = whole(&world, "acme").await;
    assert_eq!(records.iter().map(|record| record.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    let last = &records[5];
    assert_eq!((last.action.as_str(), last.outcome), ("prompt.renamed", Outcome::Done));
    assert_eq!((last.actor, last.targets.as_slice()), (crate::testing::ACTOR, &[prompt.to_string()][..]));
    assert_eq!(last.key.as_ref().map(|key| key.as_str()), Some("team/b"));
    assert_eq!(last.key_before.as_ref().map(|key| key.as_str()), Some("team/a"));
    assert_eq!((last.message.as_deref(), &last.roles[..]), (Some("a better name"), &[Role::Auditor.into()][..]));
    assert_eq!(records[4].message.as_deref(), Some("first"), "said once for the whole commit");
    assert_eq!(records[4].key.as_ref().map(|key| key.as_str()), Some("team/a"), "as it was called then");
}

#[tokio::test]
async fn a_reader_sees_the_records_of_what_it_may_read_access_on_and_no_other() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme"); // 0, 1, 2
    for number in [2, 3] {
        scribe.let_in(number, number, None); // 3, 4; 5, 6
    }
    let subject = |number| Subject::Principal(PrincipalId([number; 16]));
    scribe.commit(None, vec![granted(subject(2), Role::Auditor, "team/")]); // 7
    scribe.commit(None, vec![granted(subject(3), Role::Owner, "secret/")]); // 8
    scribe.create("team/a", "text"); // 9, 10
    let moved = scribe.create("team/b", "text"); // 11, 12
    scribe.create("secret/a", "text"); // 13, 14
    let (before, after) = ("team/b".parse().unwrap(), "secret/b".parse().unwrap());
    scribe.commit(None, vec![Event::PromptRenamed(PromptRenamed { prompt: moved, before, after })]); // 15
    scribe.append(&world.ledger).await;
    let seen = async |number, filter| {
        let asked = Ask { caller: caller(number), ..ask("acme", listing(filter)) };
        let count = Question::AuditCount { filter: Box::new(AuditFilter::default()), end: None, from: None };
        let counted = world.shelf.answer(Ask { caller: caller(number), ..ask("acme", count) }).await.unwrap();
        let seen = records(world.shelf.answer(asked).await.unwrap());
        (seen.iter().map(|record| record.index).collect::<Vec<_>>(), counted.answer)
    };
    let (below_team, count) = seen(2, AuditFilter::default()).await;
    assert_eq!(below_team, [7, 9, 10], "its own grant, and the prompt that is still there");
    assert!(matches!(count, Answer::AuditCount(AuditCounted { count: 3, next: None })), "{count:?}");
    assert_eq!(seen(3, AuditFilter::default()).await.0, [8, 11, 12, 13, 14, 15]);
    let below = |prefix: &str| AuditFilter { prefix: Some(prefix.to_owned()), ..AuditFilter::default() };
    assert_eq!(seen(3, below("team/")).await.0, [11, 12, 15], "it was below it, and left it");

    scribe.let_in(4, 4, Some(Role::Editor));
    scribe.append(&world.ledger).await;
    world.shelf.catalog().catch_up(&scribe.tenant).await.unwrap();
    let refused = world.shelf.answer(Ask { caller: caller(4), ..ask("acme", listing(AuditFilter::default())) }).await;
    assert_eq!(
        refused.unwrap_err(),
        AskError::AccessHidden(promptory_events::Prefix::tenant()),
        "who only writes prompts reads no audit"
    );
}

#[tokio::test]
async fn tenants_with_equal_keys_see_their_own_records_only() {
    let world = World::new(2);
    for tenant in ["one", "two", "three"] {
        let mut scribe = world.scribe(tenant);
        scribe.create("same/key", "text");
        let (group, name) = (promptory_events::GroupId([7; 16]), None);
        scribe.commit_with(None, Some(tenant), vec![Event::GroupCreated(GroupCreated { group, name })]);
        scribe.append(&world.ledger).await;
    }
    for _ in 0..2 {
        for tenant in ["one", "two", "three"] {
            let records = whole(&world, tenant).await;
            assert_eq!(records.len(), 6);
            assert_eq!(records[5].message.as_deref(), Some(tenant));
        }
    }
    let open = world.shelf.audit().slots().iter().filter(|slot| slot.open.load().is_some()).count();
    assert!(open <= 2, "as many as may be, of each view");
    assert!(world.shelf.health().open <= 2 + 1, "two, and `_system`");
}

#[tokio::test]
async fn an_audit_view_that_stops_stops_alone_and_says_so() {
    let mut world = World::new(4);
    let (mut bad, mut good) = (world.scribe("bad"), world.scribe("good"));
    for scribe in [&mut bad, &mut good] {
        scribe.create("a", "text");
        scribe.append(&world.ledger).await;
    }
    assert_eq!(whole(&world, "bad").await.len(), 5);
    let path = world.shelf.audit().folder(&bad.tenant).current();
    world.restart().await;
    // What no ledger holds: the view is ahead of it.
    let (store, mut audit) = Store::<Audit>::open(&path, Use::Serving).unwrap();
    let mut ahead = Scribe::new("bad", world.ledger.incarnation(), Some(world.keys.clone()));
    ahead.let_in(1, 1, None);
    ahead.batch();
    ahead.create("unknown to the ledger", "text");
    let mut batch = Batch::parse(ahead.batch().unwrap()).unwrap();
    batch.header.first_index = 5;
    let (mut staged, source) = (Staged::default(), world.shelf.audit().source(&bad.tenant));
    fold(&mut audit, &mut staged, &source, ahead.cursor(1), &batch).unwrap();
    store.commit(&mut staged).unwrap();
    drop(store);

    let refused = world.ask("bad", listing(AuditFilter::default())).await.unwrap_err();
    assert!(matches!(refused, AskError::Unavailable(ref why) if why.contains("ends before")), "{refused}");
    let stopped = world.shelf.health().stopped;
    assert_eq!(stopped.iter().map(|s| (s.tenant.as_str(), s.view.as_str())).collect::<Vec<_>>(), [("bad", "audit")]);
    assert_eq!(world.text("bad", "a").await.unwrap(), "text", "its catalog goes on");
    bad.create("b", "later");
    bad.append(&world.ledger).await;
    world.shelf.catalog().catch_up(&bad.tenant).await.unwrap();
    assert_eq!(world.text("bad", "b").await.unwrap(), "later");
    assert_eq!(whole(&world, "good").await.len(), 5);
}

#[tokio::test]
async fn damage_of_the_audit_view_is_repaired_and_the_question_answered() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    for n in 0..chunk::LEN {
        scribe.create(&format!("a{n}"), "text");
    }
    scribe.append(&world.ledger).await;
    let before = whole(&world, "acme").await;
    let open = world.shelf.audit().slot(&scribe.tenant).open.load_full().unwrap();
    open.store.spoil(&Key::Records(1));
    drop(open);
    assert_eq!(whole(&world, "acme").await, before);
}
