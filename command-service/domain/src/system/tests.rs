//! Given, when, then: access in every ledger; tenants and operators in `_system`.

use promptory_events::event::{BackupPart, Event, LedgerRestored, Role};
use promptory_events::{BackupId, Incarnation, KeyId, PrincipalId, TenantId, Timestamp};

use crate::access::Action;
use crate::command::*;
use crate::rejection::Rejection;
use crate::state::TenantStatus;
use crate::testing::*;

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

#[test]
fn a_system_is_set_up_once_and_its_operator_creates_tenants() {
    let mut system = Story::of_system();
    let again = Change::Bootstrap { incarnation: promptory_events::Incarnation([6; 8]), secret_hash: [0; 32] };
    assert_eq!(system.by(Presented::System).try_change(again), Err(Rejection::AlreadyBootstrapped));
    let create = Change::CreateTenant { tenant: tenant("acme"), title: None };
    assert_eq!(names(&system.accept(create.clone())), ["tenant.created"]);
    assert_eq!(system.try_change(create), Err(Rejection::TenantExists(tenant("acme"))));
    let itself = Change::CreateTenant { tenant: TenantId::system(), title: None };
    assert!(system.try_change(itself).is_err());
}

#[test]
fn tenants_are_suspended_and_resumed() {
    let mut system = Story::of_system();
    system.accept(Change::CreateTenant { tenant: tenant("acme"), title: None });
    let suspend = |name: &str| Change::SuspendTenant { tenant: tenant(name) };
    let resume = Change::ResumeTenant { tenant: tenant("acme") };
    assert_eq!(system.try_change(suspend("nobody")), Err(Rejection::TenantNotFound(tenant("nobody"))));
    assert_eq!(system.try_change(resume.clone()), Ok(vec![]), "already so");
    assert_eq!(names(&system.accept(suspend("acme"))), ["tenant.suspended"]);
    assert_eq!(system.tenant.tenant_status(&tenant("acme")), Some(TenantStatus::Suspended));
    assert_eq!(names(&system.accept(resume)), ["tenant.resumed"]);
}

#[test]
fn an_operator_records_backups_and_only_the_system_says_that_it_was_restored() {
    let backup = BackupId([5; 16]);
    let restored = LedgerRestored {
        backup,
        taken_at: Timestamp::from_micros(0),
        from: Incarnation([1; 8]),
        into: Incarnation([2; 8]),
        heads: vec![],
    };
    let mut system = Story::of_system();
    assert_eq!(names(&system.accept(Change::RecordBackup { backup, part: BackupPart::Ledger })), ["backup.started"]);
    let claimed = system.try_change(Change::RecordRestore(restored.clone()));
    assert!(matches!(claimed, Err(Rejection::Forbidden(Action::ManageTenants))), "{claimed:?}");
    let said = system.by(Presented::System).try_change(Change::RecordRestore(restored.clone()));
    assert_eq!(names(&said.unwrap()), ["ledger.restored"]);
    let backing_up = system.by(Presented::System).try_change(Change::RecordBackup { backup, part: BackupPart::Ledger });
    assert!(backing_up.is_err(), "the system makes none by itself");
    let acme = Story::of_acme();
    for change in [Change::RecordBackup { backup, part: BackupPart::Ledger }, Change::RecordRestore(restored)] {
        let elsewhere = acme.by(Presented::System).try_change(change);
        assert_eq!(elsewhere, Err(Rejection::NotInThisLedger(tenant("acme"))));
    }
}

#[test]
fn commands_belong_into_their_kind_of_ledger() {
    let refused = |story: &Story, change| story.try_change(change).unwrap_err();
    let (system, acme) = (Story::of_system(), Story::of_acme());
    assert_eq!(refused(&system, create("greet", "x")), Rejection::NotInThisLedger(TenantId::system()));
    let create_tenant = Change::CreateTenant { tenant: tenant("b"), title: None };
    assert_eq!(refused(&acme, create_tenant), Rejection::NotInThisLedger(tenant("acme")));
    let operator = KeyHolder::New { role: Role::Operator, name: None };
    let issue = Change::IssueKey { holder: operator, secret_hash: [0; 32] };
    assert_eq!(refused(&acme, issue), Rejection::RoleNotHere(Role::Operator));
}

#[test]
fn an_operator_lets_an_owner_into_a_tenant_and_does_nothing_else_there() {
    let acme = Story::of_acme();
    let operator = acme.by(Presented::Operator { principal: PrincipalId([9; 16]), key: KeyId([9; 8]) });
    assert!(matches!(operator.try_change(create("greet", "x")), Err(Rejection::Forbidden(Action::WritePrompts))));
    let editor = KeyHolder::New { role: Role::Editor, name: None };
    let issue = Change::IssueKey { holder: editor, secret_hash: [0; 32] };
    assert!(matches!(operator.try_change(issue), Err(Rejection::Forbidden(Action::ManageAccess))));
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
    acme.accept(Change::GrantRole { principal, role: Role::Editor });
    let granted_at = acme.tenant.next_index() - 1;
    let decision = acme.by(caller.clone()).when(&plain(create("a", "x"))).unwrap();
    assert_eq!((decision.actor, decision.evidence.grants), (principal, vec![granted_at]));
    acme.accept(Change::RevokeRole { principal, role: Role::Editor });
    assert_eq!(acme.by(caller).try_change(create("a", "x")), Err(Rejection::Forbidden(Action::WritePrompts)));
    let unknown = PrincipalId([0xee; 16]);
    let grant = Change::GrantRole { principal: unknown, role: Role::Viewer };
    assert_eq!(acme.try_change(grant), Err(Rejection::PrincipalNotFound(unknown)));
}

#[test]
fn somebody_who_can_hand_out_rights_and_has_a_key_always_remains() {
    let mut acme = Story::of_acme();
    let Presented::ApiKey { key, .. } = acme.caller() else { panic!("an owner calls") };
    let owner = acme.tenant.authenticate(key, &OWNER_SECRET).unwrap();
    let step_down = Change::RevokeRole { principal: owner, role: Role::Owner };
    assert_eq!(acme.try_change(step_down), Err(Rejection::LastOwner));
    assert_eq!(acme.try_change(Change::RevokeKey { key }), Err(Rejection::LastOwner));
    acme.key_for(Role::Owner);
    assert_eq!(names(&acme.accept(Change::RevokeKey { key })), ["key.revoked"]);
}

#[test]
fn a_second_key_for_a_principal_has_its_rights() {
    let mut acme = Story::of_acme();
    let (_, principal) = acme.key_for(Role::Editor);
    let issue = Change::IssueKey { holder: KeyHolder::Existing(principal), secret_hash: [77; 32] };
    let events = acme.accept(issue);
    let Event::KeyIssued(issued) = &events[0] else { panic!("{events:?}") };
    let second = Presented::ApiKey { key: issued.key, secret_hash: [77; 32] };
    assert!(acme.by(second).try_change(create("a", "x")).is_ok());
}
