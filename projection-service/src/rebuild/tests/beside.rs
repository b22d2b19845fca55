//! Asked for while the tenant is served: what goes on, what is put in place, what is kept, and how it ends.

use std::time::Duration;

use promptory_platform::Clock;
use tokio::sync::oneshot;

use super::*;
use crate::ask::{Answer, AskError, AskWork, ModelAnswer, Question, Reply, WorkAnswer, WorkStage};
use crate::rebuild::work::Kind;
use crate::store::Share;
use crate::views::audit::Audit;
use crate::worker::{self, Scope};

fn work(view: Name, kind: Kind, id: u8) -> Question {
    Question::Work(AskWork { view, kind, share: Share::percent(80).unwrap(), id: Some([id; 8]) })
}

fn of(reply: Reply, view: Name) -> ModelAnswer {
    let Answer::Models(models) = reply.answer else { panic!("{reply:?}") };
    models.into_iter().find(|model| model.view == view.as_str()).unwrap()
}

async fn begun(world: &World, question: Question) -> WorkAnswer {
    let Question::Work(asked) = &question else { panic!("{question:?}") };
    let view = asked.view;
    of(world.ask("acme", question).await.unwrap(), view).work.unwrap()
}

async fn model(world: &World, view: Name) -> ModelAnswer {
    of(world.ask("acme", Question::Models { check: false }).await.unwrap(), view)
}

/// Its last work, once it has ended.
async fn ended(world: &World, view: Name) -> (ModelAnswer, WorkAnswer) {
    loop {
        let model = model(world, view).await;
        let work = model.work.clone().unwrap();
        if matches!(work.stage, WorkStage::Done | WorkStage::Failed) {
            return (model, work);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn reached(world: &World, scribe: &Scribe) {
    let last = scribe.told.last().unwrap().index;
    for mut position in
        [world.shelf.follow(&scribe.tenant), world.shelf.audit().slot(&scribe.tenant).position.subscribe()]
    {
        position.wait_for(|at| at.is_some_and(|at| at.index >= last)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_built_anew_while_it_is_written_is_what_it_was_and_the_one_before_is_kept() {
    let world = World::new(4);
    let (mut scribe, _) = told(&world, "acme").await;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let worker = tokio::spawn(worker::run(world.shelf.clone(), Scope::whole(0), stopping));
    reached(&world, &scribe).await;
    for (round, kind) in [Kind::Rebuild, Kind::Rollback, Kind::Rebuild].into_iter().enumerate() {
        for view in Name::ALL {
            let before = model(&world, view).await;
            let id = u8::try_from(round).unwrap() + 1;
            assert_eq!(begun(&world, work(view, kind, id)).await.kind, kind);
            let mut written = 0;
            let (after, done) = loop {
                scribe.create(&format!("new/{round}/{view:?}/{written}"), "text");
                scribe.append(&world.ledger).await;
                written += 1;
                let now = model(&world, view).await;
                assert!(now.position.map(|at| at.index) >= before.position.map(|at| at.index), "it never goes back");
                let done = now.work.clone().unwrap();
                if done.stage == WorkStage::Done {
                    break (now, done);
                }
                assert_ne!(done.stage, WorkStage::Failed, "{done:?}");
            };
            assert!(done.old.is_some() && done.old == done.new, "{done:?}");
            let kept = after.previous.unwrap();
            assert_eq!(Some(&kept.digest), done.old.as_ref(), "what was replaced, as it was then");
            // A request that comes twice is done once.
            assert_eq!(begun(&world, work(view, kind, id)).await, done);
            reached(&world, &scribe).await;
            assert!(world.shelf.catalog().check(&scribe.tenant).await.unwrap().unwrap().equal);
            assert!(world.shelf.audit().check(&scribe.tenant).await.unwrap().unwrap().equal);
        }
    }
    let digest = model(&world, Name::Audit).await.digest;
    stop.send(true).unwrap();
    worker.await.unwrap();

    // The store that is in its place is the one that a restart finds.
    let mut world = world;
    world.restart().await;
    assert_eq!(model(&world, Name::Audit).await.digest, digest);
    assert_eq!(world.text("acme", "new/0/Catalog/0").await.unwrap(), "text");
}

#[tokio::test]
async fn one_goes_on_at_a_time_and_whoever_asks_again_gets_that_one() {
    let world = World::new(4);
    told(&world, "acme").await;
    // Somebody else's turn.
    let (end, ended_there) = oneshot::channel::<()>();
    let turns = world.shelf.clone();
    let other = tokio::spawn(async move {
        let wait = async { ended_there.await.map_err(|_| RebuildError::Ending) };
        turns.catalog().turns().take(wait).await
    });
    tokio::task::yield_now().await;
    let first = begun(&world, work(Name::Catalog, Kind::Rebuild, 1)).await;
    assert_eq!((first.stage, first.events), (WorkStage::Waiting, 0));
    assert_eq!(begun(&world, work(Name::Catalog, Kind::Rollback, 2)).await, first);
    end.send(()).unwrap();
    other.await.unwrap().unwrap();
    let (model, done) = ended(&world, Name::Catalog).await;
    assert_eq!((done.id, done.stage, done.total), (first.id, WorkStage::Done, done.events));
    assert_eq!(model.digest, done.new);
}

#[tokio::test]
async fn what_fails_says_so_and_leaves_what_was_there() {
    let world = World::new(4);
    let (mut scribe, _) = told(&world, "acme").await;
    let (before, audit) = (world.status("acme").await.model_digest, model(&world, Name::Audit).await.digest);
    let nothing = world.ask("acme", work(Name::Audit, Kind::Rollback, 1)).await;
    assert_eq!(nothing.unwrap_err(), AskError::NoPreviousModel);
    scribe.poison();
    scribe.append(&world.ledger).await;
    begun(&world, work(Name::Catalog, Kind::Rebuild, 2)).await;
    let (after, failed) = ended(&world, Name::Catalog).await;
    assert_eq!((failed.stage, failed.new), (WorkStage::Failed, None));
    assert!(failed.failed.unwrap().contains("could not be built"));
    assert_eq!((after.digest, after.previous), (Some(before), None));
    assert_eq!(world.text("acme", "team/renamed").await.unwrap(), "two");
    assert_eq!(model(&world, Name::Audit).await.digest, audit);
    let folder = world.shelf.catalog().folder(&scribe.tenant);
    assert_eq!(folder.free(), 2, "nothing is left of it");
}

#[tokio::test]
async fn a_store_that_was_kept_and_is_damaged_is_not_put_back() {
    let world = World::new(4);
    let (scribe, _) = told(&world, "acme").await;
    let running = model(&world, Name::Audit).await.digest;
    world.shelf.rebuild(&scribe.tenant, Name::Audit, |_, _| {}).await.unwrap();
    let folder = world.shelf.audit().folder(&scribe.tenant);
    let kept = folder.path(folder.stores().previous.unwrap().store);
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("db"), b"nonsense").unwrap();
    begun(&world, work(Name::Audit, Kind::Rollback, 1)).await;
    let (after, failed) = ended(&world, Name::Audit).await;
    assert_eq!((failed.stage, after.previous, after.digest), (WorkStage::Failed, None, running));
    assert!(failed.failed.unwrap().contains("damaged") && !kept.exists());
}

#[tokio::test]
async fn what_goes_on_when_the_process_ends_says_so() {
    let world = World::new(4);
    told(&world, "acme").await;
    let turns = world.shelf.clone();
    let other =
        tokio::spawn(async move { turns.catalog().turns().take(std::future::pending::<Result<(), _>>()).await });
    tokio::task::yield_now().await;
    begun(&world, work(Name::Audit, Kind::Rebuild, 1)).await;
    world.shelf.close().await;
    assert!(matches!(other.await.unwrap(), Err(RebuildError::Ending)));
    let (_, failed) = ended(&world, Name::Audit).await;
    assert_eq!((failed.stage, failed.events), (WorkStage::Failed, 0));
}

#[tokio::test]
async fn what_nobody_reads_any_more_is_taken_away_once_it_was_kept_for_long_enough() {
    let clock = Clock::manual(Timestamp::from_micros(crate::testing::BEGIN_MICROS + 60_000_000_000));
    let world = World::with_clock(4, clock.clone());
    let (scribe, _) = told(&world, "acme").await;
    let left = world.dir.path().join("acme/audit-1");
    std::fs::create_dir_all(left.join("1")).unwrap();
    model(&world, Name::Audit).await; // it is built
    world.shelf.rebuild(&scribe.tenant, Name::Audit, |_, _| {}).await.unwrap();
    world.shelf.tidy().await;
    let there = model(&world, Name::Audit).await;
    let (kept, other) = (there.previous.unwrap(), there.others[0]);
    assert_eq!((kept.replaced_at, other.format, other.unused_since), (clock.now(), 1, clock.now()));
    assert_eq!(kept.kept_until, clock.now().plus_ms(7 * 86_400_000));
    clock.advance_ms(7 * 86_400_000 - 1);
    world.shelf.tidy().await;
    let there = model(&world, Name::Audit).await;
    assert!(there.previous.is_some() && there.others.len() == 1 && left.exists());
    clock.advance_ms(1);
    world.shelf.tidy().await;
    let there = model(&world, Name::Audit).await;
    assert!(there.previous.is_none() && there.others.is_empty() && !left.exists());
    assert_eq!(
        there.digest,
        Some(world.shelf.audit().opened(&world.shelf.audit().slot(&scribe.tenant)).await.unwrap().state.digest())
    );
    assert_eq!(<Audit as View>::FORMAT, there.format);
}
