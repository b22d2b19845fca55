//! What every form of the key store promises, told as stories: the file of one process, and the stream on NATS JetStream
//! that many share, on one real server and on three.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forms;
mod support;

use std::collections::BTreeSet;

use promptory_events::{ContentId, DataKeyId, Sealed, TenantId};
use promptory_ledger::jetstream::Options;
use promptory_ledger::keystore::ExportCursor;
use promptory_ledger::seal::{SealError, aad};
use promptory_ledger::{DataKey, KeyStore, KeyStoreError, RootKey};
use support::tenant;
use tempfile::TempDir;

/// Where a key store lies that can be opened again and again.
enum Place {
    File(TempDir),
    JetStream(Options, RootKey),
}

impl Place {
    async fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    async fn jetstream_r1() -> Self {
        Self::on(forms::one_server(), 1).await
    }

    async fn jetstream_r3() -> Self {
        Self::on(forms::three_servers(), 3).await
    }

    async fn on(options: Options, replicas: usize) -> Self {
        forms::made(&options, 1, replicas).await;
        Self::JetStream(options, forms::root_key())
    }

    async fn open(&self) -> KeyStore {
        match self {
            Self::File(folder) => KeyStore::open(&folder.path().join("keystore.redb")).unwrap(),
            Self::JetStream(options, root) => KeyStore::on_jetstream(options, root).await.unwrap(),
        }
    }
}

macro_rules! stories {
    (all forms: $($story:ident),*; shared: $($shared:ident),* $(,)?) => {
        stories!(@form file $($story)*);
        stories!(@form jetstream_r1 $($story)* $($shared)*);
        stories!(@form jetstream_r3 $($story)* $($shared)*);
    };
    (@form $form:ident $($story:ident)*) => {
        mod $form {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::$story(crate::Place::$form().await).await;
            })*
        }
    };
}

stories![
    all forms:
        a_tenant_has_keys_from_the_moment_it_is_ensured,
        what_was_sealed_opens_in_the_next_life_and_names_stay,
        content_ids_mean_nothing_outside_their_tenant,
        no_key_is_given_twice_and_all_are_kept,
        takers_at_once_never_share_a_key,
        a_key_that_never_was_is_unknown;
    shared:
        of_two_stores_that_make_a_tenant_one_wins_and_the_other_uses_its_keys,
        stores_that_come_and_go_never_give_one_key_twice,
        what_one_store_sealed_the_other_opens,
];

async fn a_tenant_has_keys_from_the_moment_it_is_ensured(place: Place) {
    let keys = place.open().await;
    let acme = tenant("acme");
    assert!(matches!(keys.take(&acme), Err(KeyStoreError::UnknownTenant(t)) if t == acme));
    assert!(matches!(keys.content_id(&acme, b"text"), Err(KeyStoreError::UnknownTenant(_))));
    keys.ensure_tenant(&acme).unwrap();
    let id = keys.content_id(&acme, b"text").unwrap();
    keys.take(&acme).unwrap();
    for _ in 0..2 {
        keys.ensure_tenant(&acme).unwrap();
        assert_eq!(keys.content_id(&acme, b"text").unwrap(), id, "it keeps those it has");
    }
    drop(keys);
    let again = place.open().await;
    again.ensure_tenant(&acme).unwrap();
    assert_eq!(again.content_id(&acme, b"text").unwrap(), id);
}

async fn what_was_sealed_opens_in_the_next_life_and_names_stay(place: Place) {
    let keys = place.open().await;
    let acme = tenant("acme");
    keys.ensure_tenant(&acme).unwrap();
    let (id, sealed) = keys.seal_content(&acme, b"you are helpful").unwrap();
    let hash = keys.command_hash(&acme, b"{}").unwrap();
    drop(keys);
    let again = place.open().await;
    assert_eq!(again.open_sealed(&acme, &aad::content(&acme, &id), &sealed).unwrap(), b"you are helpful");
    assert_eq!(again.content_id(&acme, b"you are helpful").unwrap(), id);
    assert_eq!(again.command_hash(&acme, b"{}").unwrap(), hash);
    let elsewhere = again.open_sealed(&acme, &aad::content(&tenant("demo"), &id), &sealed);
    assert!(matches!(elsewhere, Err(KeyStoreError::Seal(SealError::NotAuthentic))));
}

async fn content_ids_mean_nothing_outside_their_tenant(place: Place) {
    let keys = place.open().await;
    let (acme, demo) = (tenant("acme"), tenant("demo"));
    keys.ensure_tenant(&acme).unwrap();
    keys.ensure_tenant(&demo).unwrap();
    let id = keys.content_id(&acme, b"text").unwrap();
    assert_eq!(id, keys.content_id(&acme, b"text").unwrap());
    assert_ne!(id, keys.content_id(&demo, b"text").unwrap());
    assert_ne!(id, keys.content_id(&acme, b"text ").unwrap());
}

/// No number twice: nonces are made of it.
fn all_different(keys: &[DataKey]) {
    let counters: BTreeSet<_> = keys.iter().map(|key| key.kid.0[..8].to_vec()).collect();
    assert_eq!(counters.len(), keys.len());
}

async fn no_key_is_given_twice_and_all_are_kept(place: Place) {
    let acme = tenant("acme");
    let mut taken: Vec<DataKey> = Vec::new();
    for count in [1, 63, 65, 400, 2] {
        let keys = place.open().await;
        keys.ensure_tenant(&acme).unwrap();
        assert!(taken.iter().all(|key| keys.get(&acme, key.kid).unwrap() == *key));
        taken.extend((0..count).map(|_| keys.take(&acme).unwrap()));
    }
    all_different(&taken);
}

async fn takers_at_once_never_share_a_key(place: Place) {
    let keys = place.open().await;
    keys.ensure_tenant(&tenant("acme")).unwrap();
    all_different(&take_at_once(&[keys.clone(), keys.clone(), keys.clone(), keys], 200));
}

/// Every store takes `count` keys, all at the same time.
fn take_at_once(stores: &[KeyStore], count: usize) -> Vec<DataKey> {
    let take = |keys: &KeyStore| (0..count).map(|_| keys.take(&tenant("acme")).unwrap()).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let taking: Vec<_> = stores.iter().map(|keys| scope.spawn(move || take(keys))).collect();
        taking.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

async fn a_key_that_never_was_is_unknown(place: Place) {
    let keys = place.open().await;
    let (acme, demo) = (tenant("acme"), tenant("demo"));
    keys.ensure_tenant(&acme).unwrap();
    keys.ensure_tenant(&demo).unwrap();
    let real = keys.take(&acme).unwrap().kid;
    let unknown = |kid| assert!(matches!(keys.get(&acme, kid), Err(KeyStoreError::UnknownKey(k)) if k == kid));
    unknown(DataKeyId([0xab; 16]));
    let mut near = real;
    near.0[15] ^= 1;
    unknown(near); // of the same block, had it been
    keys.take(&demo).unwrap();
    assert!(matches!(keys.get(&demo, real), Err(KeyStoreError::UnknownKey(_))), "another tenant's key is no key");
    keys.get(&acme, real).unwrap();
}

async fn of_two_stores_that_make_a_tenant_one_wins_and_the_other_uses_its_keys(place: Place) {
    let stores = [place.open().await, place.open().await];
    for n in 0..20 {
        let tenant = tenant(&format!("t{n}"));
        let name = |keys: &KeyStore| {
            keys.ensure_tenant(&tenant).unwrap();
            (keys.content_id(&tenant, b"text").unwrap(), keys.command_hash(&tenant, b"{}").unwrap())
        };
        let names = std::thread::scope(|scope| {
            stores.each_ref().map(|keys| scope.spawn(move || name(keys))).map(|thread| thread.join().unwrap())
        });
        assert_eq!(names[0], names[1], "{tenant}");
        assert_eq!(name(&place.open().await), names[0]);
    }
}

async fn stores_that_come_and_go_never_give_one_key_twice(place: Place) {
    let mut taken = Vec::new();
    let lasting = place.open().await;
    lasting.ensure_tenant(&tenant("acme")).unwrap();
    for _ in 0..8 {
        let stores = [lasting.clone(), place.open().await, place.open().await];
        taken.extend(take_at_once(&stores, 100));
    }
    all_different(&taken);
    let reader = place.open().await;
    assert!(taken.iter().all(|key| reader.get(&tenant("acme"), key.kid).unwrap() == *key));
}

async fn what_one_store_sealed_the_other_opens(place: Place) {
    let (writer, reader) = (place.open().await, place.open().await);
    let acme = tenant("acme");
    writer.ensure_tenant(&acme).unwrap();
    for n in 0..200 {
        let text = format!("text {n}");
        let (id, sealed) = writer.seal_content(&acme, text.as_bytes()).unwrap();
        let opened = reader.open_sealed(&acme, &aad::content(&acme, &id), &sealed).unwrap();
        assert_eq!(opened, text.as_bytes(), "a key is there before anything is sealed with it");
        assert_eq!(reader.content_id(&acme, text.as_bytes()).unwrap(), id);
    }
}

/// What one form of the store exports another takes in, and all texts open there.
mod moved {
    use super::{Place, keys_move};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn from_a_file_to_jetstream_and_back() {
        keys_move(Place::file().await, Place::jetstream_r1().await, Place::file().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn from_jetstream_to_a_file_and_back() {
        keys_move(Place::jetstream_r1().await, Place::file().await, Place::jetstream_r1().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn from_jetstream_to_other_servers() {
        keys_move(Place::jetstream_r1().await, Place::jetstream_r3().await, Place::file().await).await;
    }
}

type Text = (TenantId, Vec<u8>, ContentId, Sealed);

fn write(keys: &KeyStore, tenant: &TenantId, count: usize, texts: &mut Vec<Text>) {
    keys.ensure_tenant(tenant).unwrap();
    for _ in 0..count {
        let text = format!("text {}", texts.len()).into_bytes();
        let (id, sealed) = keys.seal_content(tenant, &text).unwrap();
        texts.push((tenant.clone(), text, id, sealed));
    }
}

fn all_open(keys: &KeyStore, texts: &[Text]) {
    for (tenant, text, id, sealed) in texts {
        assert_eq!(keys.open_sealed(tenant, &aad::content(tenant, id), sealed).unwrap(), *text);
        assert_eq!(keys.content_id(tenant, text).unwrap(), *id);
    }
    let acme = texts.iter().filter(|(owner, ..)| *owner == tenant("acme")).map(|(.., sealed)| sealed.kid);
    let counters: Vec<_> = acme.map(|kid| kid.0[..8].to_vec()).collect();
    assert_eq!(counters.iter().collect::<BTreeSet<_>>().len(), counters.len(), "no counter was given twice");
}

/// Twice, as an import that was interrupted is begun again.
fn moved(from: &KeyStore, to: &KeyStore) {
    let mut pages = 0;
    for _ in 0..2 {
        let mut at = ExportCursor::default();
        while let Some((page, next)) = from.export(&at).unwrap() {
            to.import(&page).unwrap();
            (at, pages) = (next, pages + 1);
        }
    }
    assert!(pages >= 6, "{pages}");
}

async fn keys_move(first: Place, second: Place, third: Place) {
    let (first, mut texts) = (first.open().await, Vec::new());
    write(&first, &tenant("quiet"), 0, &mut texts);
    write(&first, &tenant("acme"), 6000, &mut texts); // beyond a page, and beyond a block's room of counters
    write(&first, &tenant("zebra"), 3, &mut texts);
    let hash = first.command_hash(&tenant("quiet"), b"{}").unwrap();
    let (second_store, third) = (second.open().await, third.open().await);
    moved(&first, &second_store);
    all_open(&second_store, &texts);
    assert_eq!(second_store.command_hash(&tenant("quiet"), b"{}").unwrap(), hash);
    write(&second_store, &tenant("acme"), 300, &mut texts);
    write(&second_store, &tenant("quiet"), 1, &mut texts);
    drop(second_store);
    let again = second.open().await;
    write(&again, &tenant("acme"), 10, &mut texts);
    all_open(&again, &texts);
    moved(&again, &third);
    write(&third, &tenant("acme"), 10, &mut texts);
    all_open(&third, &texts);
    let other = Place::file().await.open().await;
    other.ensure_tenant(&tenant("quiet")).unwrap();
    let (mut page, _) = other.export(&ExportCursor::default()).unwrap().unwrap();
    assert!(matches!(again.import(&page), Err(KeyStoreError::OtherKeys(t)) if t == tenant("quiet")));
    // A key that was destroyed stays so, and is told apart.
    page = first.export(&ExportCursor::default()).unwrap().unwrap().0;
    let gone = DataKeyId([0x10; 16]);
    page.erased.push((gone, 7));
    again.import(&page).unwrap();
    assert!(matches!(again.get(&page.tenant, gone), Err(KeyStoreError::Erased(kid)) if kid == gone));
    let kid = again.take(&page.tenant).unwrap().kid;
    assert!(kid.0[..8] > gone.0[..8], "{kid}");
}
