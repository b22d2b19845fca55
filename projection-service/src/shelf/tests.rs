//! Who is let in, what is open, and what an answer is as of.

use promptory_events::event::*;
use promptory_events::{Incarnation, KeyId, Position};

use crate::ask::*;
use crate::testing::world::{World, ask, newest};

#[tokio::test]
async fn a_key_opens_its_own_tenant_only() {
    let world = World::new(4);
    for (tenant, key) in [("acme", 2), ("other", 3)] {
        let mut scribe = world.scribe(tenant);
        scribe.let_in(key, key, Some(Role::Editor));
        scribe.let_in(9, 9, None);
        scribe.create("team/greet", &format!("of {tenant}"));
        scribe.append(&world.ledger).await;
    }
    assert_eq!(world.text("acme", "team/greet").await.unwrap(), "of acme");
    assert_eq!(world.text("other", "team/greet").await.unwrap(), "of other");
    let caller = |key: u8, secret: u8| Caller::Key { key: KeyId([key; 8]), secret_hash: [secret; 32] };
    let with = |tenant: &str, caller| Ask { caller, ..ask(tenant, newest("team/greet")) };
    let refused = |ask| async { world.shelf.answer(ask).await.unwrap_err() };
    assert!(world.shelf.answer(with("acme", caller(2, 2))).await.is_ok());
    assert_eq!(refused(with("other", caller(2, 2))).await, AskError::Unauthenticated, "another tenant's key");
    assert_eq!(refused(with("acme", caller(2, 3))).await, AskError::Unauthenticated, "a wrong secret");
    assert_eq!(refused(with("acme", caller(9, 9))).await, AskError::Forbidden, "no role");
    assert_eq!(refused(with("nobody", caller(1, 1))).await, AskError::Unauthenticated, "no such tenant");
    assert!(!world.dir.path().join("nobody").exists());
}

#[tokio::test]
async fn a_revoked_key_and_a_revoked_role_open_nothing_from_their_index_on() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.let_in(2, 2, Some(Role::Editor));
    scribe.append(&world.ledger).await;
    let caller = Caller::Key { key: KeyId([2; 8]), secret_hash: [2; 32] };
    let status = || Ask { caller: caller.clone(), ..ask("acme", Question::Status) };
    assert!(world.shelf.answer(status()).await.is_ok());
    let principal = Subject::Principal(promptory_events::PrincipalId([2; 16]));
    scribe.commit(None, vec![crate::testing::revoked(principal, Role::Editor, "", 4)]);
    scribe.append(&world.ledger).await;
    catch_up(&world, "acme").await;
    assert_eq!(world.shelf.answer(status()).await.unwrap_err(), AskError::Forbidden);
    scribe.commit(None, vec![crate::testing::granted(principal, Role::Viewer, "")]);
    scribe.append(&world.ledger).await;
    catch_up(&world, "acme").await;
    assert!(world.shelf.answer(status()).await.is_ok());
    scribe.commit(None, vec![Event::KeyRevoked(KeyRevoked { key: KeyId([2; 8]), from: None })]);
    scribe.append(&world.ledger).await;
    catch_up(&world, "acme").await;
    assert_eq!(world.shelf.answer(status()).await.unwrap_err(), AskError::Unauthenticated);
}

/// What a worker would do.
async fn catch_up(world: &World, tenant: &str) {
    let tenant = tenant.parse().unwrap();
    let mut reader = world.ledger.read(&tenant, 0).await.unwrap();
    let page = reader.next().await.unwrap();
    world.shelf.catalog().apply(&tenant, page).await.unwrap();
}

#[tokio::test]
async fn what_was_read_is_in_memory_again_after_a_change_and_what_was_not_is_not() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    let [read, other] = ["read", "other"].map(|key| scribe.create(key, "first"));
    scribe.append(&world.ledger).await;
    assert_eq!(world.text("acme", "read").await.unwrap(), "first");
    let ready =
        |key| world.shelf.try_hot(&ask("acme", newest(key))).map(|hot| hot.unwrap().opened.answer.content.clone());
    for (number, text) in [(2, "second"), (3, "third")] {
        for prompt in [read, other] {
            let version = scribe.version(prompt, number, text);
            scribe.commit(None, vec![version]);
        }
        scribe.append(&world.ledger).await;
        catch_up(&world, "acme").await;
        assert_eq!(ready("read").as_deref(), Some(text));
        assert_eq!(ready("other"), None);
    }
    for (number, text) in [(4, "fourth"), (5, "fifth")] {
        let version = scribe.version(read, number, text);
        scribe.commit(None, vec![version]);
        scribe.append(&world.ledger).await;
        catch_up(&world, "acme").await;
    }
    assert_eq!(ready("read"), None, "nobody has asked for the fourth");
    assert_eq!(world.text("acme", "read").await.unwrap(), "fifth");
}

#[tokio::test]
async fn a_suspended_tenant_is_answered_nothing_until_it_is_resumed() {
    let world = World::new(4);
    let (mut scribe, mut system) = (world.scribe("acme"), world.scribe("_system"));
    scribe.create("a", "text");
    scribe.append(&world.ledger).await;
    let tenant = scribe.tenant.clone();
    system.commit(None, vec![Event::TenantCreated(TenantCreated { tenant: tenant.clone(), title: None })]);
    system.append(&world.ledger).await;
    assert_eq!(world.text("acme", "a").await.unwrap(), "text");
    system.commit(None, vec![Event::TenantSuspended(TenantSuspended { tenant: tenant.clone() })]);
    system.append(&world.ledger).await;
    catch_up(&world, "_system").await;
    assert_eq!(world.text("acme", "a").await, Err(AskError::Suspended), "from memory too");
    assert!(matches!(world.ask("acme", Question::Status).await, Err(AskError::Suspended)));
    system.commit(None, vec![Event::TenantResumed(TenantResumed { tenant })]);
    system.append(&world.ledger).await;
    catch_up(&world, "_system").await;
    assert_eq!(world.text("acme", "a").await.unwrap(), "text");
}

#[tokio::test]
async fn no_more_stores_are_open_than_may_be_and_closed_ones_come_back() {
    let world = World::new(2);
    let tenants = ["a", "b", "c", "d"];
    for tenant in tenants {
        let mut scribe = world.scribe(tenant);
        scribe.create("k", tenant);
        scribe.append(&world.ledger).await;
    }
    for _ in 0..3 {
        for tenant in tenants {
            assert_eq!(world.text(tenant, "k").await.unwrap(), tenant);
            assert!(world.shelf.health().open <= 2 + 1, "two and `_system`");
        }
    }
}

#[tokio::test]
async fn a_closed_store_stays_followed() {
    let world = World::new(1);
    let (mut one, mut other) = (world.scribe("one"), world.scribe("other"));
    one.append(&world.ledger).await;
    other.append(&world.ledger).await;
    world.status("one").await;
    let mut followed = world.shelf.follow(&one.tenant);
    followed.borrow_and_update();
    world.status("other").await;
    one.create("k", "text");
    one.append(&world.ledger).await;
    catch_up(&world, "one").await;
    followed.changed().await.unwrap();
    assert_eq!(followed.borrow().unwrap().index, one.told.last().unwrap().index);
}

#[tokio::test]
async fn at_least_waits_for_the_position_and_counts_for_the_key_too() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.append(&world.ledger).await;
    world.status("acme").await;
    // The key that asks is issued at the very position that is waited for.
    scribe.let_in(5, 5, Some(Role::Viewer));
    scribe.create("k", "text");
    let last = scribe.told.last().unwrap().index;
    scribe.append(&world.ledger).await;
    let at_least = Some(Position { incarnation: world.ledger.incarnation(), index: last });
    let caller = Caller::Key { key: KeyId([5; 8]), secret_hash: [5; 32] };
    let waiting = Ask { at_least, caller, ..ask("acme", newest("k")) };
    assert!(world.shelf.try_hot(&waiting).is_none());
    let (answer, ()) = tokio::join!(world.shelf.answer(waiting), catch_up(&world, "acme"));
    let reply = answer.unwrap();
    assert_eq!(reply.as_of, at_least);
    let other = Position { incarnation: Incarnation([9; 8]), index: 0 };
    let elsewhere = Ask { at_least: Some(other), ..ask("acme", newest("k")) };
    assert_eq!(world.shelf.answer(elsewhere).await.unwrap_err(), AskError::OtherIncarnation(other));
}

#[tokio::test(start_paused = true)]
async fn a_position_that_does_not_come_is_behind_not_waited_for_for_ever() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.append(&world.ledger).await;
    world.status("acme").await;
    let wanted = Position { incarnation: world.ledger.incarnation(), index: 1_000 };
    let waiting = Ask { at_least: Some(wanted), ..ask("acme", Question::Status) };
    assert_eq!(world.shelf.answer(waiting).await.unwrap_err(), AskError::Behind(wanted));
}

#[tokio::test]
async fn a_model_that_is_ahead_of_its_ledger_stops_and_one_of_another_life_is_built_again() {
    let mut world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.create("k", "text");
    scribe.append(&world.ledger).await;
    world.status("acme").await;
    world.shelf.close().await;
    // Another ledger under the same folder: another life, so the store is not its model.
    let other = World::new(4);
    let mut again = other.scribe("acme");
    again.append(&other.ledger).await;
    let dir = std::mem::replace(&mut world.dir, tempfile::tempdir().unwrap());
    let config = crate::Config {
        identity: promptory_identity::Config::default(),
        search: crate::shelf::search::Config::default(),
        keep: crate::shelf::KEEP,
        dir: dir.path().to_owned(),
        open_max: 4,
        cache_bytes: 1 << 20,
        clock: promptory_platform::Clock::System,
    };
    let shelf = crate::Shelf::new(config, other.ledger.clone(), other.keys.clone());
    let Answer::Status(status) = shelf.answer(ask("acme", Question::Status)).await.unwrap().answer else { panic!() };
    assert_eq!(status.prompts, 0);
    shelf.close().await;

    // The same life, but the end is gone: the ledger has lost something, and that is not papered over.
    let source =
        crate::views::catalog::Source { tenant: scribe.tenant.clone(), incarnation: other.ledger.incarnation() };
    let path = shelf.catalog().folder(&scribe.tenant).current();
    let (store, hot) = crate::store::Store::<crate::hot::Hot>::open(&path, crate::store::Use::Serving).unwrap();
    let mut ahead = crate::testing::Scribe::new("acme", other.ledger.incarnation(), Some(other.keys.clone()));
    ahead.let_in(1, 1, None);
    ahead.batch();
    ahead.create("unknown to the ledger", "text");
    let batch = promptory_events::Batch::parse(ahead.batch().unwrap()).unwrap();
    let mut batch = batch;
    batch.header.first_index = hot.next_index();
    let (mut hot, mut staged) = (hot, crate::views::catalog::stage::Staged::default());
    crate::views::catalog::fold(&mut hot, &mut staged, &source, ahead.cursor(1), &batch).unwrap();
    store.commit(&mut staged).unwrap();
    drop(store);
    let refused = shelf.answer(ask("acme", Question::Status)).await.unwrap_err();
    assert!(matches!(refused, AskError::Unavailable(ref why) if why.contains("ends before")), "{refused}");
    assert_eq!(shelf.health().stopped.len(), 1);
}

#[tokio::test]
async fn damage_that_shows_while_reading_is_repaired_and_the_question_answered() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme");
    scribe.create("k", "text");
    scribe.append(&world.ledger).await;
    let digest = world.status("acme").await.model_digest;
    let spoil = || {
        let open = world.shelf.catalog().slot(&scribe.tenant).open.load_full().unwrap();
        open.store.spoil(&crate::store::key::Key::Event(4));
    };
    spoil();
    assert_eq!(world.text("acme", "k").await.unwrap(), "text");
    assert_eq!(world.status("acme").await.model_digest, digest);
    // Asked at once by many, it is repaired once; all are answered.
    let events = || world.ask("acme", Question::Events { from: 0, limit: 9 });
    spoil();
    let (one, two, three) = tokio::join!(events(), events(), events());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
}

#[tokio::test]
async fn a_reader_sees_what_its_grants_cover_and_nothing_tells_that_there_is_more() {
    let world = World::new(4);
    let mut scribe = world.scribe("acme"); // 0, 1, 2
    scribe.let_in(2, 2, None); // 3, 4
    let reader = Subject::Principal(promptory_events::PrincipalId([2; 16]));
    scribe.commit(None, vec![crate::testing::granted(reader, Role::Viewer, "team/")]); // 5
    let hidden = scribe.create("secret/a", "hidden"); // 6, 7
    scribe.create("team/a", "seen"); // 8, 9
    scribe.append(&world.ledger).await;
    let caller = Caller::Key { key: KeyId([2; 8]), secret_hash: [2; 32] };
    let asked = |question| world.shelf.answer(Ask { caller: caller.clone(), ..ask("acme", question) });
    let keys = |prefix: &str, as_of| {
        let reply = asked(Question::List { prefix: prefix.to_owned(), after: None, limit: 9, as_of });
        async {
            let Answer::List(prompts) = reply.await.unwrap().answer else { panic!() };
            prompts.iter().map(|prompt| prompt.key.to_string()).collect::<Vec<_>>()
        }
    };
    for prefix in ["", "te", "team/"] {
        assert_eq!(keys(prefix, AsOf::Now).await, ["team/a"], "{prefix}");
    }
    assert!(keys("secret/", AsOf::Now).await.is_empty());
    let one = |key: &str| asked(newest(key));
    assert!(one("team/a").await.is_ok() && one("team/a").await.is_ok(), "from the store, and from memory");
    world.text("acme", "secret/a").await.unwrap();
    assert_eq!(one("secret/a").await.unwrap_err(), AskError::PromptNotFound, "in memory for others");
    let by_id = Question::Versions { prompt: PromptRef::Id(hidden), below: None, limit: 9, as_of: AsOf::Now };
    assert_eq!(asked(by_id).await.unwrap_err(), AskError::PromptNotFound);
    let Answer::Status(status) = asked(Question::Status).await.unwrap().answer else { panic!() };
    assert_eq!((status.prompts, status.reads), (1, vec!["team/".parse().unwrap()]));
    let Answer::Events(page) = asked(Question::Events { from: 0, limit: 9 }).await.unwrap().answer else { panic!() };
    // Its own key, and the prompt that it may see; not who else is there.
    assert_eq!(page.events.iter().map(|event| event.stamp.index).collect::<Vec<_>>(), [4, 8, 9]);
    assert_eq!(page.next, 10);

    // By a rename a prompt comes into sight with all that it was.
    let renamed =
        PromptRenamed { prompt: hidden, before: "secret/a".parse().unwrap(), after: "team/b".parse().unwrap() };
    scribe.commit(None, vec![Event::PromptRenamed(renamed)]);
    scribe.append(&world.ledger).await;
    catch_up(&world, "acme").await;
    assert_eq!(keys("", AsOf::Now).await, ["team/a", "team/b"]);
    assert_eq!(keys("", AsOf::Index(9)).await, ["secret/a", "team/a"], "as it was called then");
}

#[tokio::test]
async fn what_expires_opens_nothing_from_then_on_and_lists_say_who_has_what() {
    let clock =
        promptory_platform::Clock::manual(promptory_events::Timestamp::from_micros(crate::testing::BEGIN_MICROS));
    let world = World::with_clock(4, clock.clone());
    let mut scribe = world.scribe("acme");
    let (group, member) = (promptory_events::GroupId([7; 16]), promptory_events::PrincipalId([2; 16]));
    scribe.let_in(2, 2, None);
    let end = clock.now().plus_ms(1000);
    let grant = |to, prefix: &str, expires_at| {
        let prefix = prefix.parse().unwrap();
        Event::RoleGranted(RoleGranted { to, role: Role::Viewer.into(), prefix, expires_at })
    };
    scribe.commit(
        None,
        vec![
            Event::GroupCreated(GroupCreated { group, name: None }),
            Event::MemberAdded(MemberAdded { group, principal: member }),
            grant(Subject::Group(group), "team/", Some(end)),
            Event::RoleDefined(RoleDefined { role: "poet".parse().unwrap(), before: None, after: vec![Action::Read] }),
        ],
    );
    scribe.append(&world.ledger).await;
    let caller = Caller::Key { key: KeyId([2; 8]), secret_hash: [2; 32] };
    let status = || world.shelf.answer(Ask { caller: caller.clone(), ..ask("acme", Question::Status) });
    assert!(status().await.is_ok(), "by its group");
    let listed = |what| {
        let reply = world.ask("acme", Question::Access { what, after: None, limit: 9, as_of: AsOf::Now });
        async {
            let Answer::Access(items) = reply.await.unwrap().answer else { panic!() };
            let read = |item: &AccessItem| serde_json::from_str::<serde_json::Value>(&item.json).unwrap();
            items.iter().map(read).collect::<Vec<_>>()
        }
    };
    let keys = listed(Listing::Keys).await;
    assert_eq!(keys[1]["principal"], member.to_string());
    assert_eq!(keys[1]["last_used_at"], clock.now().to_string());
    let grants = listed(Listing::Grants).await;
    assert_eq!((&grants[1]["group"], &grants[1]["prefix"]), (&group.to_string().into(), &"team/".into()));
    assert_eq!(listed(Listing::Groups).await[0]["members"], serde_json::json!([member]));
    assert_eq!(listed(Listing::Roles).await[0]["actions"], serde_json::json!(["read"]));
    clock.advance_ms(1000);
    assert_eq!(status().await.unwrap_err(), AskError::Forbidden);
}
