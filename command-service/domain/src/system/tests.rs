//! Given, when, then: tenants and operators in `_system`.

use promptory_events::event::{BackupPart, LedgerRestored, Role};
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
    assert_eq!(refused(&acme, create_tenant.clone()), Rejection::NotInThisLedger(tenant("acme")));
    let nobody = Presented::ApiKey { key: KeyId([8; 8]), secret_hash: [0; 32] };
    assert_eq!(refused(&acme.by(nobody), create_tenant), Rejection::Unauthenticated, "nothing else is told");
    let issue = key_of(new(Role::Operator), [0; 32]);
    assert_eq!(refused(&acme, issue), Rejection::RoleNotHere(Role::Operator.into()));
}

#[test]
fn an_operator_lets_an_owner_into_a_tenant_and_does_nothing_else_there() {
    let acme = Story::of_acme();
    let operator = acme.by(Presented::Operator { principal: PrincipalId([9; 16]), key: KeyId([9; 8]) });
    assert!(matches!(operator.try_change(create("greet", "x")), Err(Rejection::Forbidden(Action::WritePrompts))));
    let issue = key_of(new(Role::Editor), [0; 32]);
    assert!(matches!(operator.try_change(issue), Err(Rejection::Forbidden(Action::ManageAccess))));
}
