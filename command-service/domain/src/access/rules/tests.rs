//! Given, when, then: roles, groups, custom roles and API keys; who may hand on what.

use promptory_events::event::{Action, AnyRole, Event, KeyRevoked, KeyScope, Kind, Role, Subject};
use promptory_events::{Branch, GroupId, KeyId, Prefix, PrincipalId, limits};

use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn revoke_on(text: &str, from: Subject, role: impl Into<AnyRole>) -> Change {
    Change::RevokeRole { from, role: role.into(), prefix: prefix(text) }
}

fn to_role(principal: PrincipalId, role: Role) -> Change {
    grant_on("", Subject::Principal(principal), role, None)
}

fn from_role(principal: PrincipalId, role: Role) -> Change {
    revoke_on("", Subject::Principal(principal), role)
}

fn id_of(caller: &Presented) -> KeyId {
    let Presented::ApiKey { key, .. } = caller else { panic!("{caller:?}") };
    *key
}

fn forbidden(action: Action) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::Forbidden(action))
}

fn exceeds(action: Action) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::DelegationExceeds(action))
}

#[test]
fn a_key_opens_only_with_its_secret_and_only_until_it_is_revoked() {
    let mut acme = Story::of_acme();
    let (viewer, _) = acme.key_for(Role::Viewer);
    let Presented::ApiKey { key, .. } = viewer else { panic!("{viewer:?}") };
    let forged = Presented::ApiKey { key, secret_hash: [0; 32] };
    assert_eq!(acme.by(forged).try_change(create("a", "x")), Err(Rejection::Unauthenticated));
    assert_eq!(acme.by(viewer.clone()).try_change(create("a", "x")), Err(Rejection::Forbidden(Action::WritePrompts)));
    assert_eq!(names(&acme.accept(Change::RevokeKey { key })), ["key.revoked"]);
    assert_eq!(acme.by(viewer).try_change(create("a", "x")), Err(Rejection::Unauthenticated));
    assert_eq!(acme.try_change(Change::RevokeKey { key }), Ok(vec![]), "already so");
    let unknown = KeyId([0xee; 8]);
    assert_eq!(acme.try_change(Change::RevokeKey { key: unknown }), Err(Rejection::ApiKeyNotFound(unknown)));
}

#[test]
fn roles_are_granted_and_revoked_and_the_evidence_names_the_grant() {
    let mut acme = Story::of_acme();
    let (caller, principal) = acme.key_for(Role::Viewer);
    acme.accept(to_role(principal, Role::Editor));
    let granted_at = acme.tenant.next_index() - 1;
    let decision = acme.by(caller.clone()).when(&plain(create("a", "x"))).unwrap();
    assert_eq!((decision.actor, decision.evidence.grants), (principal, vec![granted_at]));
    acme.accept(from_role(principal, Role::Editor));
    assert_eq!(acme.by(caller).try_change(create("a", "x")), Err(Rejection::Forbidden(Action::WritePrompts)));
    let unknown = PrincipalId([0xee; 16]);
    let grant = to_role(unknown, Role::Viewer);
    assert_eq!(acme.try_change(grant), Err(Rejection::PrincipalNotFound(unknown)));
}

#[test]
fn somebody_who_can_hand_out_rights_and_has_a_key_always_remains() {
    let mut acme = Story::of_acme();
    let Presented::ApiKey { key, .. } = acme.caller() else { panic!("an owner calls") };
    let owner = acme.principal(key);
    let step_down = from_role(owner, Role::Owner);
    assert_eq!(acme.try_change(step_down), Err(Rejection::LastOwner));
    assert_eq!(acme.try_change(Change::RevokeKey { key }), Err(Rejection::LastOwner));
    acme.key_for(Role::Owner);
    assert_eq!(names(&acme.accept(Change::RevokeKey { key })), ["key.revoked"]);
}

#[test]
fn a_second_key_for_a_principal_has_its_rights() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_for(Role::Editor);
    let issue = key_of(KeyHolder::Existing(principal), [77; 32]);
    let events = acme.accept(issue);
    let Event::KeyIssued(issued) = &events[0] else { panic!("{events:?}") };
    let second = Presented::ApiKey { key: issued.key, secret_hash: [77; 32] };
    assert!(acme.by(second).try_change(create("a", "x")).is_ok());
}

#[test]
fn a_role_on_a_prefix_holds_below_it_and_nowhere_else() {
    let mut acme = Story::of_acme();
    acme.accept(create("other/a", "x"));
    let (editor, _) = acme.key_on("team/", Role::Editor.into());
    let by = acme.by(editor.clone());
    assert!(by.try_change(create("team/a", "x")).is_ok() && by.try_change(create("team/deep/er/a", "x")).is_ok());
    for outside in ["teams/a", "team", "a"] {
        assert_eq!(by.try_change(create(outside, "x")), forbidden(Action::WritePrompts), "{outside}");
    }
    assert_eq!(by.try_change(add("other/a", "y")), forbidden(Action::WritePrompts));
    acme.accept(create("team/a", "x"));
    let out = Change::RenamePrompt { prompt: at("team/a"), to: key("other/b"), version: None, if_match: None };
    assert_eq!(acme.by(editor).try_change(out), forbidden(Action::WritePrompts), "the right at both ends");
}

#[test]
fn an_id_tells_nobody_that_there_is_a_prompt_that_he_may_not_see() {
    let mut acme = Story::of_acme();
    acme.accept(create("secret/a", "x"));
    let (id, _) = acme.tenant.prompt(&at("secret/a")).unwrap();
    let (editor, principal) = acme.key_on("team/", Role::Editor.into());
    let archive = |id| Change::ArchivePrompt { prompt: PromptRef::Id(id), if_match: None };
    let unknown = promptory_events::PromptId([7; 16]);
    let by = |acme: &Story, id| acme.by(editor.clone()).try_change(archive(id));
    assert_eq!(by(&acme, id), Err(Rejection::PromptNotFound(id.to_string())));
    assert_eq!(by(&acme, unknown), Err(Rejection::PromptNotFound(unknown.to_string())));
    acme.accept(grant_on("secret/", Subject::Principal(principal), Role::Viewer, None));
    assert_eq!(by(&acme, id), forbidden(Action::WritePrompts), "one that he may see");
}

#[test]
fn labels_that_come_with_a_version_need_the_right_to_move_labels() {
    let mut acme = Story::of_acme();
    let writer = "writer".parse().unwrap();
    acme.accept(Change::DefineRole { role: writer, actions: vec![Action::Read, Action::WritePrompts] });
    let (writer, _) = acme.key_on("", "writer".parse().unwrap());
    acme.accept(create("greet", "x"));
    let mut labelled = version("y");
    labelled.labels = vec![label("production")];
    let change = Change::AddVersion {
        prompt: at("greet"),
        kind: Kind::Text,
        version: labelled,
        branch: Branch::main(),
        if_match: None,
    };
    assert_eq!(acme.by(writer.clone()).try_change(change), forbidden(Action::MoveLabels));
    assert!(acme.by(writer).try_change(add("greet", "y")).is_ok());
}

#[test]
fn a_grant_ends_when_it_expires() {
    let mut acme = Story::of_acme();
    let (caller, principal) = acme.key_on("other/", Role::Viewer.into());
    let end = acme.later_ms(0).plus_ms(1000);
    acme.accept(grant_on("team/", Subject::Principal(principal), Role::Editor, Some(end)));
    assert!(acme.by(caller.clone()).try_change(create("team/a", "x")).is_ok());
    acme.later_ms(1000);
    assert_eq!(acme.by(caller).try_change(create("team/a", "x")), forbidden(Action::WritePrompts));
    let past = grant_on("team/", Subject::Principal(principal), Role::Viewer, Some(end));
    assert_eq!(acme.try_change(past), Err(Rejection::ExpiryInPast));
}

#[test]
fn nobody_hands_on_more_than_he_holds() {
    let mut acme = Story::of_acme();
    let (admin, me) = acme.key_on("team/", Role::Admin.into());
    let (_, other) = acme.key_on("else/", Role::Viewer.into());
    let other = Subject::Principal(other);
    let by = |acme: &Story, change| acme.by(admin.clone()).try_change(change);
    assert_eq!(by(&acme, grant_on("", other, Role::Viewer, None)), forbidden(Action::ManageAccess), "not there");
    assert_eq!(by(&acme, grant_on("team/", other, Role::Owner, None)), exceeds(Action::Import));
    assert_eq!(by(&acme, grant_on("team/", Subject::Principal(me), Role::Importer, None)), exceeds(Action::Import));
    assert!(by(&acme, grant_on("team/area/", other, Role::Admin, None)).is_ok());
    // What ends is not handed on for longer.
    let end = acme.later_ms(0).plus_ms(60_000);
    acme.accept(grant_on("team/", Subject::Principal(me), Role::Admin, Some(end)));
    assert_eq!(by(&acme, grant_on("team/", other, Role::Viewer, None)), exceeds(Action::Read));
    assert_eq!(by(&acme, grant_on("team/", other, Role::Viewer, Some(end.plus_ms(1)))), exceeds(Action::Read));
    let events = by(&acme, grant_on("team/", other, Role::Viewer, Some(end))).unwrap();
    assert_eq!(names(&events), ["role.granted"]);
    // Nor taken from those who hold more.
    acme.accept(grant_on("team/", other, Role::Owner, None));
    assert_eq!(by(&acme, revoke_on("team/", other, Role::Owner)), exceeds(Action::Import));
    assert!(acme.try_change(revoke_on("team/", other, Role::Owner)).is_ok());
}

#[test]
fn a_grant_again_takes_the_place_of_the_one_before() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_for(Role::Viewer);
    let subject = Subject::Principal(principal);
    let end = Some(acme.later_ms(0).plus_ms(1000));
    acme.accept(grant_on("team/", subject, Role::Editor, end));
    assert_eq!(acme.try_change(grant_on("team/", subject, Role::Editor, end)), Ok(vec![]), "already so");
    let for_good = acme.tenant.next_index();
    acme.accept(grant_on("team/", subject, Role::Editor, None));
    let events = acme.accept(revoke_on("team/", subject, Role::Editor));
    let Event::RoleRevoked(revoked) = &events[0] else { panic!("{events:?}") };
    assert_eq!(revoked.grant, for_good);
    assert_eq!(acme.try_change(revoke_on("team/", subject, Role::Editor)), Ok(vec![]), "already so");
}

#[test]
fn an_owner_that_expires_is_narrowed_or_of_a_group_is_not_the_last_one() {
    let mut acme = Story::of_acme();
    let owner = acme.principal(id_of(&acme.caller()));
    let end = Some(acme.later_ms(0).plus_ms(60_000));
    let second = acme.key_for(Role::Viewer).1;
    acme.accept(grant_on("", Subject::Principal(second), Role::Owner, end));
    assert_eq!(acme.try_change(from_role(owner, Role::Owner)), Err(Rejection::LastOwner), "the other one expires");
    let ending = grant_on("", Subject::Principal(owner), Role::Owner, end);
    assert_eq!(acme.try_change(ending), Err(Rejection::LastOwner), "to end is to go");
    let rotate = Change::RotateKey { key: id_of(&acme.caller()), secret_hash: [3; 32], expires_at: end, overlap_s: 0 };
    assert_eq!(acme.try_change(rotate), Err(Rejection::LastOwner), "a key that ends is none that lasts");
    let group = created(&acme.accept(Change::CreateGroup { name: None }));
    acme.accept(grant_on("", Subject::Group(group), Role::Owner, None));
    acme.accept(Change::AddMember { group, principal: second });
    assert_eq!(acme.try_change(from_role(owner, Role::Owner)), Err(Rejection::LastOwner), "groups lose members");
    acme.accept(to_role(second, Role::Owner));
    assert_eq!(names(&acme.accept(from_role(owner, Role::Owner))), ["role.revoked"]);
}

fn created(events: &[Event]) -> GroupId {
    let [Event::GroupCreated(created)] = events else { panic!("{events:?}") };
    created.group
}

#[test]
fn a_group_lends_its_members_what_it_holds() {
    let mut acme = Story::of_acme();
    let (caller, principal) = acme.key_on("other/", Role::Viewer.into());
    let group = created(&acme.accept(Change::CreateGroup { name: None }));
    acme.accept(Change::AddMember { group, principal });
    assert_eq!(acme.try_change(Change::AddMember { group, principal }), Ok(vec![]), "already one");
    let granted_at = acme.tenant.next_index();
    acme.accept(grant_on("team/", Subject::Group(group), Role::Editor, None));
    let decision = acme.by(caller.clone()).when(&plain(create("team/a", "x"))).unwrap();
    assert_eq!(decision.evidence.grants, [granted_at]);
    // An admin of the team is no admin of groups, and an admin of the tenant adds nobody to a group of owners.
    let (admin, _) = acme.key_on("team/", Role::Admin.into());
    let add = Change::AddMember { group, principal };
    assert_eq!(acme.by(admin).try_change(add.clone()), forbidden(Action::ManageAccess));
    let (admin, _) = acme.key_for(Role::Admin);
    let remove = Change::RemoveMember { group, principal };
    assert!(acme.by(admin.clone()).try_change(remove.clone()).is_ok());
    acme.accept(grant_on("", Subject::Group(group), Role::Owner, None));
    for change in [add, remove.clone()] {
        assert_eq!(acme.by(admin.clone()).try_change(change), exceeds(Action::Import));
    }
    assert_eq!(names(&acme.accept(remove.clone())), ["member.removed"]);
    assert_eq!(acme.try_change(remove), Ok(vec![]), "already gone");
    assert_eq!(acme.by(caller).try_change(create("team/a", "x")), forbidden(Action::WritePrompts));
    let unknown = GroupId([9; 16]);
    let missing = Err(Rejection::GroupNotFound(unknown));
    assert_eq!(acme.try_change(Change::AddMember { group: unknown, principal }), missing);
    assert_eq!(acme.try_change(grant_on("", Subject::Group(unknown), Role::Viewer, None)), missing);
}

#[test]
fn a_custom_role_is_the_actions_that_it_was_defined_with() {
    let mut acme = Story::of_acme();
    let define = |actions: &[Action]| Change::DefineRole { role: "releaser".parse().unwrap(), actions: actions.into() };
    let role: AnyRole = "releaser".parse().unwrap();
    let (caller, principal) = acme.key_for(Role::Viewer);
    let grant = grant_on("team/", Subject::Principal(principal), role.clone(), None);
    assert_eq!(acme.try_change(grant.clone()), Err(Rejection::RoleNotFound(role)));
    acme.accept(define(&[Action::MoveLabels, Action::Read]));
    assert_eq!(acme.try_change(define(&[Action::Read, Action::MoveLabels])), Ok(vec![]), "already so");
    acme.accept(grant);
    assert_eq!(acme.by(caller.clone()).try_change(create("team/a", "x")), forbidden(Action::WritePrompts));
    acme.accept(define(&[Action::WritePrompts]));
    assert!(acme.by(caller).try_change(create("team/a", "x")).is_ok(), "wherever it is granted, from then on");
    let (admin, _) = acme.key_for(Role::Admin);
    assert_eq!(acme.by(admin).try_change(define(&[Action::Import])), exceeds(Action::Import));
    assert_eq!(acme.try_change(define(&[Action::ManageTenants])), exceeds(Action::ManageTenants));
    let system = Story::of_system();
    assert!(matches!(system.try_change(define(&[Action::Read])), Err(Rejection::RoleNotHere(_))));
}

#[test]
fn a_narrowed_key_has_what_its_principal_has_and_no_more_than_its_scope() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_for(Role::Owner);
    let scope = Some(KeyScope { role: Role::Editor.into(), prefix: prefix("team/") });
    let holder = KeyHolder::Existing(principal);
    let issue = Change::IssueKey { holder, secret_hash: [8; 32], scope, expires_at: None };
    let events = acme.accept(issue);
    let Event::KeyIssued(issued) = &events[0] else { panic!("{events:?}") };
    let narrow = acme.by(Presented::ApiKey { key: issued.key, secret_hash: [8; 32] });
    assert!(narrow.try_change(create("team/a", "x")).is_ok());
    assert_eq!(narrow.try_change(create("a", "x")), forbidden(Action::WritePrompts));
    assert_eq!(narrow.try_change(to_role(principal, Role::Viewer)), forbidden(Action::ManageAccess));
    // It does not get out of its scope by another secret either.
    let rotate = Change::RotateKey { key: issued.key, secret_hash: [9; 32], expires_at: None, overlap_s: 0 };
    let events = narrow.try_change(rotate).unwrap();
    assert!(
        matches!(&events[0], Event::KeyIssued(new) if new.scope == issued.scope && new.replaces == Some(issued.key))
    );
    assert_eq!(
        narrow.try_change(Change::RotateKey {
            key: id_of(&acme.caller()),
            secret_hash: [9; 32],
            expires_at: None,
            overlap_s: 0
        }),
        forbidden(Action::ManageAccess)
    );
    let nobody = KeyScope { role: "nobody".parse().unwrap(), prefix: prefix("") };
    let issue = Change::IssueKey {
        holder: KeyHolder::Existing(principal),
        secret_hash: [8; 32],
        scope: Some(nobody),
        expires_at: None,
    };
    assert!(matches!(acme.try_change(issue), Err(Rejection::RoleNotFound(_))));
}

#[test]
fn nobody_issues_a_key_for_somebody_who_holds_more() {
    let mut acme = Story::of_acme();
    let owner = acme.principal(id_of(&acme.caller()));
    let (admin, _) = acme.key_for(Role::Admin);
    let (area, me) = acme.key_on("team/", Role::Admin.into());
    let for_owner = key_of(KeyHolder::Existing(owner), [8; 32]);
    assert_eq!(acme.by(admin.clone()).try_change(for_owner.clone()), exceeds(Action::Import));
    assert_eq!(acme.by(area.clone()).try_change(for_owner), forbidden(Action::ManageAccess));
    let revoke = Change::RevokeKey { key: id_of(&acme.caller()) };
    assert_eq!(acme.by(admin.clone()).try_change(revoke), exceeds(Action::Import));
    let rotate = Change::RotateKey { key: id_of(&acme.caller()), secret_hash: [8; 32], expires_at: None, overlap_s: 0 };
    assert_eq!(acme.by(admin).try_change(rotate), exceeds(Action::Import));
    let narrow = |role: Role| Change::IssueKey {
        holder: KeyHolder::Existing(owner),
        secret_hash: [8; 32],
        scope: Some(KeyScope { role: role.into(), prefix: prefix("team/") }),
        expires_at: None,
    };
    assert_eq!(acme.by(area.clone()).try_change(narrow(Role::Importer)), exceeds(Action::Import));
    assert!(acme.by(area.clone()).try_change(narrow(Role::Editor)).is_ok(), "what the admin could do as well");
    let give_up = Change::RevokeKey { key: id_of(&area) };
    let by_itself = acme.by(area).when(&plain(give_up)).unwrap();
    assert_eq!(
        (by_itself.actor, by_itself.evidence.grants, names(&by_itself.events)),
        (me, vec![], vec!["key.revoked"])
    );
}

#[test]
fn a_key_ends_when_it_expires_and_whoever_shows_it_may_give_it_another_secret_but_no_more_time() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_for(Role::Editor);
    let end = acme.later_ms(0).plus_ms(1000);
    let holder = KeyHolder::Existing(principal);
    let issue = Change::IssueKey { holder, secret_hash: [8; 32], scope: None, expires_at: Some(end) };
    let events = acme.accept(issue);
    let Event::KeyIssued(issued) = &events[0] else { panic!("{events:?}") };
    let caller = Presented::ApiKey { key: issued.key, secret_hash: [8; 32] };
    let rotate = |expires_at| Change::RotateKey { key: issued.key, secret_hash: [9; 32], expires_at, overlap_s: 0 };
    let longer = acme.by(caller.clone()).try_change(rotate(Some(end.plus_ms(1))));
    assert_eq!(longer, forbidden(Action::ManageAccess));
    let rotated = acme.by(caller.clone()).try_change(rotate(None)).unwrap();
    assert_eq!(names(&rotated), ["key.issued", "key.revoked"]);
    assert!(matches!(&rotated[0], Event::KeyIssued(new) if new.expires_at == Some(end)));
    acme.later_ms(1000);
    assert_eq!(acme.by(caller).try_change(create("a", "x")), Err(Rejection::Unauthenticated));
    assert_eq!(acme.try_change(rotate(None)), Err(Rejection::ExpiryInPast), "an owner has to say until when");
    acme.accept(rotate(Some(end.plus_ms(9000))));
    assert_eq!(acme.try_change(rotate(None)), Err(Rejection::ApiKeyRevoked(issued.key)));
    let unknown = Change::RotateKey { key: KeyId([1; 8]), secret_hash: [9; 32], expires_at: None, overlap_s: 0 };
    assert_eq!(acme.try_change(unknown), Err(Rejection::ApiKeyNotFound(KeyId([1; 8]))));
}

#[test]
fn with_an_overlap_both_keys_open_until_it_ends_and_no_longer_than_the_old_one_would_have() {
    let mut acme = Story::of_acme();
    let (caller, _) = acme.key_for(Role::Editor);
    let key = id_of(&caller);
    let rotate = |key, overlap_s| Change::RotateKey { key, secret_hash: [9; 32], expires_at: None, overlap_s };
    let end = acme.later_ms(0).plus_ms(60_000);
    let rotated = acme.accept_by(&caller, rotate(key, 60));
    let Event::KeyIssued(new) = &rotated[0] else { panic!("{rotated:?}") };
    assert_eq!(rotated[1], Event::KeyRevoked(KeyRevoked { key, from: Some(end) }));
    let new = Presented::ApiKey { key: new.key, secret_hash: [9; 32] };
    acme.accept_by(&caller, create("a", "x"));
    acme.accept_by(&new, create("b", "x"));
    let again = acme.accept_by(&caller, rotate(key, 3600));
    let ends = |event: &Event| matches!(event, Event::KeyIssued(issued) if issued.expires_at == Some(end));
    assert!(ends(&again[0]), "whoever shows it gains no time by it");
    acme.later_ms(60_000);
    assert_eq!(acme.by(caller).try_change(create("c", "x")), Err(Rejection::Unauthenticated));
    acme.accept_by(&new, create("c", "x"));
}

#[test]
fn keys_grants_groups_and_roles_have_their_limits() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_for(Role::Viewer);
    for _ in 1..limits::API_KEYS_MAX {
        acme.accept(key_of(KeyHolder::Existing(principal), [1; 32]));
    }
    let limit = |what: &'static str, max| Err(Rejection::LimitReached { what: what.into(), max });
    let one_more = acme.try_change(key_of(KeyHolder::Existing(principal), [1; 32]));
    assert_eq!(one_more, limit("API keys of a principal", limits::API_KEYS_MAX));
    for number in 0..limits::GROUPS_MAX {
        let group = created(&acme.accept(Change::CreateGroup { name: None }));
        acme.accept(grant_on(&format!("g{number}/"), Subject::Group(group), Role::Viewer, None));
        acme.accept(Change::AddMember { group, principal });
    }
    let group = created(&acme.accept(Change::CreateGroup { name: None }));
    let one_more = acme.try_change(Change::AddMember { group, principal });
    assert_eq!(one_more, limit("groups of a principal", limits::GROUPS_MAX));
    for number in 1..limits::GRANTS_MAX {
        acme.accept(grant_on(&format!("p{number}/"), Subject::Principal(principal), Role::Viewer, None));
    }
    let one_more = acme.try_change(grant_on("one-more/", Subject::Principal(principal), Role::Viewer, None));
    assert_eq!(one_more, limit("grants of a principal or group", limits::GRANTS_MAX));
    let define =
        |number| Change::DefineRole { role: format!("r{number}").parse().unwrap(), actions: vec![Action::Read] };
    for number in 0..limits::ROLES_MAX {
        acme.accept(define(number));
    }
    assert_eq!(acme.try_change(define(limits::ROLES_MAX)), limit("custom roles", limits::ROLES_MAX));
}

#[test]
fn where_a_caller_may_read_is_told_by_prefixes_that_do_not_cover_each_other() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_on("team/", Role::Viewer.into());
    let group = created(&acme.accept(Change::CreateGroup { name: None }));
    acme.accept(Change::AddMember { group, principal });
    for text in ["team/a/", "b/c/", "b/"] {
        acme.accept(grant_on(text, Subject::Group(group), Role::Viewer, None));
    }
    let holder = KeyHolder::Existing(principal);
    let scope = Some(KeyScope { role: Role::Viewer.into(), prefix: prefix("team/x/") });
    let events = acme.accept(Change::IssueKey { holder, secret_hash: [8; 32], scope, expires_at: None });
    let Event::KeyIssued(issued) = &events[0] else { panic!("{events:?}") };
    let now = acme.later_ms(0);
    let read = |key| acme.tenant.rights().caller(principal, key, now).prefixes(Action::Read);
    assert_eq!(read(None), [prefix("b/"), prefix("team/")]);
    assert_eq!(read(Some(issued.key)), [prefix("team/x/")]);
    assert!(acme.tenant.rights().caller(PrincipalId([9; 16]), None, now).prefixes(Action::Read).is_empty());
}
