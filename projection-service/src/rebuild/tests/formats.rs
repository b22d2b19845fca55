//! Two releases, whose rows have different shapes, on one folder: each has stores of its own.

use super::*;
use crate::digest::Sum;
use crate::shelf::bay::Bay;
use crate::store::checkpoint::Checkpoint;
use crate::store::rows::{RowError, Rows};
use crate::store::{Store, Use};
use crate::views::audit::Audit;
use crate::views::fold::{Broken, Source, Step};
use crate::views::stage::Staged;
use crate::views::{Head, Load, View};

/// The audit as another release has it.
#[derive(Clone, Debug, Default)]
struct Older(Audit);

#[derive(Default)]
struct OlderLoader(<Audit as View>::Loader);

impl Load<Older> for OlderLoader {
    fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        self.0.see(key, value)
    }

    fn finish(
        self,
        checkpoint: Option<Checkpoint<<Older as View>::Kept>>,
        rows: &impl Rows,
    ) -> Result<Older, RowError> {
        self.0.finish(checkpoint, rows).map(Older)
    }
}

impl View for Older {
    const NAME: &'static str = Audit::NAME;
    const DIGEST_OF: &'static str = Audit::DIGEST_OF;
    const FORMAT: u32 = <Audit as View>::FORMAT - 1;
    const GATHER: (std::time::Duration, std::time::Duration) = Audit::GATHER;
    const GIVES_WAY: bool = true;
    type Kept = <Audit as View>::Kept;
    type Loader = OlderLoader;

    fn head(&self) -> Head {
        self.0.head()
    }

    fn set_head(&mut self, head: Head) {
        self.0.set_head(head);
    }

    fn kept(&self) -> Self::Kept {
        self.0.kept()
    }

    fn sum_of(key: &[u8], value: &[u8], sum: &mut Sum) -> Result<(), RowError> {
        Audit::sum_of(key, value, sum)
    }

    fn sum_of_kept(kept: &Self::Kept, index: u64, sum: &mut Sum) {
        Audit::sum_of_kept(kept, index, sum);
    }

    fn apply(&mut self, staged: &mut Staged<Self::Kept>, source: &Source, step: &Step<'_>) -> Result<(), Broken> {
        self.0.apply(staged, source, step)
    }
}

/// The stores of an older release on a world's folder.
fn older(world: &World) -> Bay<Older> {
    Bay::like(world.shelf.audit())
}

#[tokio::test]
async fn a_release_of_another_format_builds_beside_the_other_s_store_which_goes_on_where_it_was() {
    let mut world = World::new(4);
    let (mut scribe, _) = told(&world, "acme").await;
    let old = older(&world);
    let slot = old.slot(&scribe.tenant);
    let said = old.opened(&slot).await.unwrap().state.head();
    old.close().await;

    // The new release builds its own.
    let bay = world.shelf.audit();
    let new = bay.opened(&bay.slot(&scribe.tenant)).await.unwrap().state.head();
    assert_eq!((new.index, new.sum), (said.index, said.sum));
    assert_ne!(new.sum, Sum::default());
    world.shelf.tidy().await;
    let tenant = scribe.tenant.clone();
    let unused = |world: &World| crate::store::folder::others::<Audit>(world.dir.path(), &tenant);
    assert!(unused(&world)[0].unused_since.is_some());
    scribe.create("more", "text");
    scribe.append(&world.ledger).await;
    world.restart().await;

    // The old one is started again: its store is as it was left, and only what came since is folded.
    let old = older(&world);
    let path = old.folder(&scribe.tenant).current();
    let (store, state) = Store::<Older>::open(&path, Use::Serving).unwrap();
    assert_eq!((state.head().index, state.head().sum), (said.index, said.sum));
    drop(store);
    let again = old.opened(&old.slot(&scribe.tenant)).await.unwrap().state.head();
    assert_eq!(again.index, scribe.told.last().map(|told| told.index));
    assert!(unused(&world)[0].unused_since.is_none(), "it is used");
    old.close().await;
}
