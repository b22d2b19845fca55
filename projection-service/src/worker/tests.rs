//! What a worker does with a partition: everything, in order, and one tenant's trouble is nobody else's.

use super::*;
use crate::ask::{AskError, Question};
use crate::testing::Scribe;
use crate::testing::world::World;

struct Running {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

fn start(world: &World) -> Running {
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(run(world.shelf.clone(), Scope::whole(0), stopping));
    Running { stop, task }
}

impl Running {
    async fn end(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

async fn reached(world: &World, scribe: &Scribe) {
    let last = scribe.told.last().unwrap().index;
    let mut position = world.shelf.follow(&scribe.tenant);
    position.wait_for(|at| at.is_some_and(|at| at.index >= last)).await.unwrap();
}

#[tokio::test]
async fn what_is_appended_is_announced_once_it_can_be_read() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.append(&world.ledger).await;
    let worker = start(&world);
    for number in 0..5 {
        scribe.create(&format!("p{number}"), "text");
        scribe.append(&world.ledger).await;
        reached(&world, &scribe).await;
        assert_eq!(world.text("acme", &format!("p{number}")).await.unwrap(), "text");
    }
    while !world.shelf.health().caught_up {
        tokio::time::sleep(TICK).await;
    }
    worker.end().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_cursor_stands_and_finds_what_came_meanwhile() {
    let mut world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.append(&world.ledger).await;
    let worker = start(&world);
    reached(&world, &scribe).await;
    worker.end().await;
    let saved = cursor::load(world.dir.path(), "catalog", &Scope::whole(0), world.ledger.incarnation());
    assert_eq!(saved.at.map(|at| at.sequence), Some(1));
    world.restart().await;
    scribe.create("later", "text");
    scribe.append(&world.ledger).await;
    let worker = start(&world);
    reached(&world, &scribe).await;
    worker.end().await;

    // A cursor that is ahead (its store lost its tail, say) skips nothing: the gap is fetched from the ledger.
    world.restart().await;
    std::fs::remove_dir_all(world.dir.path().join("acme")).unwrap();
    scribe.create("last", "text");
    scribe.append(&world.ledger).await;
    let worker = start(&world);
    reached(&world, &scribe).await;
    assert_eq!(world.status("acme").await.prompts, 2);
    worker.end().await;
}

#[tokio::test]
async fn a_poisoned_batch_stops_its_tenant_visibly_and_nobody_else() {
    let mut world = World::new(4);
    let (mut good, mut bad) = (world.scribe("good"), world.scribe("bad"));
    bad.create("before", "text");
    good.append(&world.ledger).await;
    bad.append(&world.ledger).await;
    let worker = start(&world);
    reached(&world, &bad).await;
    let whole = bad.told.last().unwrap().index;
    bad.poison();
    bad.append(&world.ledger).await;
    bad.create("after", "text");
    bad.append(&world.ledger).await;
    good.create("after", "text");
    good.append(&world.ledger).await;
    reached(&world, &good).await;

    assert_eq!(world.text("good", "after").await.unwrap(), "text");
    // Both views have met it, each for itself.
    let stopped = || world.shelf.health().stopped;
    while stopped().len() < 2 {
        tokio::time::sleep(TICK).await;
    }
    let stopped: Vec<_> = stopped().into_iter().map(|stopped| (stopped.tenant.to_string(), stopped.view)).collect();
    assert_eq!(stopped, [("bad".to_owned(), "audit".to_owned()), ("bad".to_owned(), "catalog".to_owned())]);
    assert!(matches!(world.ask("bad", Question::Status).await, Err(AskError::Unavailable(_))));
    assert_eq!(world.shelf.follow(&bad.tenant).borrow().unwrap().index, whole, "what came before it is there");
    worker.end().await;

    // After a restart it is still visible, though its batches are behind the cursor.
    world.restart().await;
    let worker = start(&world);
    while world.shelf.health().stopped.is_empty() {
        tokio::time::sleep(TICK).await;
    }
    worker.end().await;
}
