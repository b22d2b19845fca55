//! A lawful ledger, told by commands that `decide` accepted, has no violation; each kind of crime put into a copy of it is
//! found, at its index.

mod directory;
mod tokens;

use bytes::Bytes;
use promptory_domain::command::KeyHolder;
use promptory_domain::{
    Attestation, Change, Command, Context, Material, NewTemplate, NewVersion, Presented, PromptRef, Tenant, decide,
};
use promptory_events::event::{
    Action, Attempt, AttemptDenied, Door, FreezeLifted, GroupCreated, KeyScope, Kind, LabelSet, Language, Languages,
    LedgerOpened, MemberAdded, Quota, QuotaSet, ReleaseExecuted, RoleGranted, SearchConfigured,
};
use promptory_events::{
    BatchHeader, BatchId, Branch, CommandHash, CommandId, Commit, ContentId, DataKeyId, Evidence, FreezeId, GroupId,
    Incarnation, Sealed,
};

use super::*;

mod rollouts;
mod watch;

/// A tenant's ledger in the making, one commit a batch, a second apart.
#[derive(Clone)]
struct Book {
    tenant: Tenant,
    now: Timestamp,
    batches: Vec<Bytes>,
    commands: u8,
}

const OWNER: [u8; 32] = [1; 32];

impl Book {
    fn of(tenant: &str) -> Self {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Self { tenant: Tenant::new(tenant.parse().unwrap()), now, batches: Vec::new(), commands: 0 }
    }

    /// `_system` with its first operator, and what the operator shows in a tenant.
    fn system() -> (Self, Presented) {
        let mut system = Self::of("_system");
        let incarnation = Incarnation([5; 8]);
        let events = system.by(&Presented::System, Change::Bootstrap { incarnation, secret_hash: OWNER });
        let Some(Event::KeyIssued(issued)) = events.last() else { panic!("{events:?}") };
        let operator = Presented::Operator { principal: issued.principal, key: issued.key };
        (system, operator)
    }

    /// `acme`, let in by the operator, and its owner.
    fn acme(operator: &Presented) -> (Self, Presented) {
        let mut acme = Self::of("acme");
        acme.now = acme.now.plus_ms(10_000);
        let (owner, _) = acme.key(operator, Role::Owner.into(), "", OWNER);
        (acme, owner)
    }

    fn by(&mut self, caller: &Presented, change: Change) -> Vec<Event> {
        let command = Command { change, occurred_at: None, author: None, message: None, override_freeze: false };
        self.command(caller, command)
    }

    fn command(&mut self, caller: &Presented, command: Command) -> Vec<Event> {
        self.commands += 1;
        self.now = self.now.plus_ms(1000);
        let context = Context { command_id: CommandId([self.commands; 16]), now: self.now, presented: caller.clone() };
        let decided = decide(&self.tenant, &context, &command).unwrap_or_else(|r| panic!("{command:?}: {r}"));
        let header = CommitHeader {
            occurred_at: command.occurred_at,
            author: command.author,
            ..header(decided.actor, decided.evidence)
        };
        self.write(header, decided.events.clone());
        for event in &decided.events {
            self.tenant.evolve(self.tenant.next_index(), decided.actor, event).unwrap();
        }
        decided.events
    }

    /// What somebody with a pen writes: no rule is asked.
    fn write(&mut self, header: CommitHeader, events: Vec<Event>) -> u64 {
        let first = self.batches.iter().map(|b| u64::from(Batch::peek(b.clone()).unwrap().events)).sum();
        let batch = BatchHeader {
            batch_id: BatchId([1; 16]),
            tenant: self.tenant.id().clone(),
            incarnation: Incarnation([5; 8]),
            first_index: first,
            events: u32::try_from(events.len()).unwrap(),
            recorded_at: self.now,
            prev: self.batches.len() as u64,
            writer: String::new(),
        };
        let commit = Commit { header, events }.encode().unwrap();
        self.batches.push(Batch::encode(&batch, &[commit]).unwrap());
        first
    }

    fn key(&mut self, by: &Presented, role: AnyRole, prefix: &str, secret_hash: [u8; 32]) -> (Presented, PrincipalId) {
        let holder = KeyHolder::New { role, prefix: prefix.parse().unwrap(), until: None, name: None };
        let events = self.by(by, Change::IssueKey { holder, secret_hash, scope: None, expires_at: None });
        let Some(Event::KeyIssued(issued)) = events.last() else { panic!("{events:?}") };
        (Presented::ApiKey { key: issued.key, secret_hash }, issued.principal)
    }

    fn next(&self) -> u64 {
        self.tenant.next_index()
    }
}

fn header(actor: PrincipalId, evidence: Evidence) -> CommitHeader {
    CommitHeader {
        command_id: CommandId([0xee; 16]),
        command_hash: CommandHash::NONE,
        actor,
        evidence,
        occurred_at: None,
        author: None,
        message: None,
        trace: None,
    }
}

/// What an honest forger would write: a key that is there, and whatever grants.
fn forged(actor: PrincipalId, caller: &Presented, grants: &[u64]) -> CommitHeader {
    let Presented::ApiKey { key, .. } = caller else { panic!("{caller:?}") };
    let credential = Credential::ApiKey { tenant: "acme".parse().unwrap(), key: *key };
    header(actor, Evidence { credential, grants: grants.to_vec() })
}

/// The violations of a tenant's ledger, by index.
fn violations(system: &Book, book: &Book) -> Vec<(u64, String)> {
    let mut checking = Checking::default();
    for book in [system, book] {
        let mut law = checking.begin(book.tenant.id().clone());
        book.batches.iter().for_each(|bytes| law.batch(&Batch::parse(bytes.clone()).unwrap()).unwrap());
        checking.end(law);
    }
    assert_eq!(checking.done[0].violations, 0, "{:?}", checking.done[0].told);
    checking.done[1].told.iter().map(|problem| (problem.index, problem.why.clone())).collect()
}

fn found(system: &Book, book: &Book, index: u64, what: &str) {
    let violations = violations(system, book);
    let there = violations.iter().any(|(at, why)| *at == index && why.contains(what));
    assert!(there, "`{what}` at {index}, but {violations:?}");
}

fn material(text: &str) -> Material {
    let sealed = Sealed { kid: DataKeyId([0; 16]), nonce: [0; 12], ct: text.into(), commitment: [0; 32] };
    Material { id: ContentId([u8::try_from(text.len()).unwrap(); 32]), bytes: 1, sealed }
}

fn at(path: &str) -> PromptRef {
    PromptRef::Key(path.parse().unwrap())
}

fn create(path: &str) -> Change {
    let version =
        NewVersion { content: material("one"), config: None, labels: vec![], template: NewTemplate::default() };
    Change::CreatePrompt { key: path.parse().unwrap(), kind: Kind::Text, version, tags: vec![], metadata: None }
}

fn add(path: &str) -> Change {
    let version =
        NewVersion { content: material("a second"), config: None, labels: vec![], template: NewTemplate::default() };
    Change::AddVersion { prompt: at(path), kind: Kind::Text, version, branch: Branch::main(), if_match: None }
}

fn set(path: &str, version: u32) -> Change {
    Change::SetLabel { prompt: at(path), label: "production".parse().unwrap(), version, if_match: None }
}

fn set_event(book: &Book, after: u32) -> Event {
    let (prompt, _) = book.tenant.prompt(&at("team/greet")).unwrap();
    Event::LabelSet(LabelSet { prompt, label: "production".parse().unwrap(), before: Some(1), after })
}

fn protect() -> Change {
    Change::ProtectLabel { prefix: "team/".parse().unwrap(), label: "production".parse().unwrap(), approvals: 1 }
}

/// Two versions of `team/greet`, `production` on the first; an editor of `team/`.
struct World {
    system: Book,
    acme: Book,
    owner: Presented,
    editor: Presented,
    editor_id: PrincipalId,
    editor_grant: u64,
}

fn world() -> World {
    let (system, operator) = Book::system();
    let (mut acme, owner) = Book::acme(&operator);
    let editor_grant = acme.next() + 1;
    let (editor, editor_id) = acme.key(&owner, Role::Editor.into(), "team/", [2; 32]);
    acme.by(&editor, create("team/greet"));
    acme.by(&editor, set("team/greet", 1));
    acme.by(&editor, add("team/greet"));
    World { system, acme, owner, editor, editor_id, editor_grant }
}

#[test]
fn what_decide_accepts_is_lawful() {
    let World { system, mut acme, owner, editor, editor_id, .. } = world();
    let role = "releaser".parse().unwrap();
    acme.by(&owner, Change::DefineRole { role, actions: vec![Action::Read, Action::ApproveRelease] });
    let (reviewer, reviewer_id) = acme.key(&owner, "releaser".parse().unwrap(), "", [3; 32]);
    let events = acme.by(&owner, Change::CreateGroup { name: None });
    let [Event::GroupCreated(GroupCreated { group, .. })] = events[..] else { panic!("{events:?}") };
    let (to, prefix) = (Subject::Group(group), "team/".parse().unwrap());
    let until = Some(acme.now.plus_ms(3_600_000));
    acme.by(&owner, Change::GrantRole { to, role: Role::Admin.into(), prefix, expires_at: until });
    acme.by(&owner, Change::AddMember { group, principal: editor_id });
    // By its group the editor is an admin of the team for an hour, and hands that on for as long.
    let (to, prefix) = (Subject::Principal(reviewer_id), "team/area/".parse().unwrap());
    acme.by(&editor, Change::GrantRole { to, role: Role::Viewer.into(), prefix, expires_at: until });
    acme.by(&editor, protect());
    let label = || "production".parse().unwrap();
    let ask = Change::RequestRelease {
        prompt: at("team/greet"),
        label: label(),
        version: Some(2),
        split: None,
        expires_at: until,
    };
    let events = acme.by(&editor, ask);
    let [Event::ReleaseRequested(asked)] = &events[..] else { panic!("{events:?}") };
    acme.by(&reviewer, Change::ApproveRelease { request: asked.request });
    acme.by(&editor, Change::RollBackLabel { prompt: at("team/greet"), label: label(), if_match: None });
    let window = Change::SetFreeze { prefix: "".parse().unwrap(), from: acme.now, until: acme.now.plus_ms(99_000) };
    acme.by(&owner, window);
    let change = Change::RollBackLabel { prompt: at("team/greet"), label: label(), if_match: None };
    acme.command(&owner, Command { change, occurred_at: None, author: None, message: None, override_freeze: true });
    let scope = Some(KeyScope { role: Role::Viewer.into(), prefix: "team/".parse().unwrap() });
    let holder = KeyHolder::Existing(editor_id);
    let issue = Change::IssueKey { holder, secret_hash: [4; 32], scope, expires_at: until };
    let events = acme.by(&editor, issue);
    let [Event::KeyIssued(issued)] = &events[..] else { panic!("{events:?}") };
    let narrow = Presented::ApiKey { key: issued.key, secret_hash: [4; 32] };
    acme.by(&narrow, Change::RotateKey { key: issued.key, secret_hash: [6; 32], expires_at: None, overlap_s: 0 });
    acme.by(
        &owner,
        Change::RenamePrompt {
            prompt: at("team/greet"),
            to: "team/hi".parse().unwrap(),
            version: None,
            if_match: None,
        },
    );
    let claimed = Some(acme.now.plus_ms(-60_000));
    let change = create("old");
    acme.command(&owner, Command { change, occurred_at: claimed, author: None, message: None, override_freeze: false });
    acme.by(&owner, Change::ConfigureSearch { languages: Languages::of(&[Language::German]) });
    acme.by(&owner, Change::RemoveMember { group, principal: editor_id });
    assert_eq!(violations(&system, &acme), []);
    let mut checking = Checking::default();
    checking.end(checking.begin(acme.tenant.id().clone()));
    assert_eq!(checking.done[0].events, 0);
}

#[test]
fn an_event_without_right_is_found() {
    let World { system, acme, editor, editor_id, editor_grant, owner, .. } = world();
    let (prompt, _) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let outside = Event::PromptCreated(promptory_events::event::PromptCreated {
        prompt: promptory_events::PromptId([9; 16]),
        key: "other/a".parse().unwrap(),
        kind: Kind::Text,
    });
    let lets_itself_in = Event::RoleGranted(RoleGranted {
        to: Subject::Principal(editor_id),
        role: Role::Owner.into(),
        prefix: "team/".parse().unwrap(),
        expires_at: None,
    });
    let joins = Event::MemberAdded(MemberAdded { group: GroupId([1; 16]), principal: editor_id });
    let thaws = Event::FreezeLifted(FreezeLifted { freeze: FreezeId([1; 16]), prefix: "team/".parse().unwrap() });
    let (before, after) = (Languages::default(), Languages::of(&[]));
    let configures = Event::SearchConfigured(SearchConfigured { before, after });
    for (event, grants, what) in [
        (configures, &[editor_grant][..], "`manage-settings`"),
        (outside, &[editor_grant][..], "`write-prompts` on `other/a`"),
        (set_event(&acme, 2), &[], "no grant that it names"),
        (lets_itself_in, &[editor_grant], "`manage-access` on `team/`"),
        (joins, &[editor_grant], "`manage-access`"),
        (thaws, &[editor_grant], "no such freeze"),
    ] {
        let mut copy = acme.clone();
        let index = copy.write(forged(editor_id, &editor, grants), vec![event]);
        found(&system, &copy, index, what);
    }
    // Somebody else's key, a key that was never issued, a grant of somebody else.
    let Presented::ApiKey { key, .. } = &owner else { panic!("{owner:?}") };
    let owner_id = acme.tenant.rights().key(*key).unwrap().principal;
    let mut copy = acme.clone();
    let index = copy.write(forged(owner_id, &editor, &[1]), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "is not of");
    let mut copy = acme.clone();
    let nobody = Presented::ApiKey { key: KeyId([7; 8]), secret_hash: OWNER };
    let index = copy.write(forged(editor_id, &nobody, &[editor_grant]), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "no API key");
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[1]), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "not of the actor");
    let mut copy = acme;
    let mut claims = forged(editor_id, &editor, &[editor_grant]);
    claims.author = Some("u:1".parse().unwrap());
    let index = copy.write(
        claims,
        vec![Event::TagsSet(promptory_events::event::TagsSet { prompt, before: vec![], after: vec![] })],
    );
    found(&system, &copy, index, "`import`");
}

#[test]
fn what_is_included_was_read() {
    let World { system, mut acme, owner, editor, editor_id, editor_grant } = world();
    acme.by(&owner, create("secret"));
    let including = |key: &str| {
        let includes = vec![key.parse().unwrap()];
        let template = NewTemplate { syntax: promptory_events::event::Syntax::Jinja, variables: None, includes };
        let Change::AddVersion { prompt, kind, version, branch, if_match } = add("team/greet") else { panic!() };
        Change::AddVersion { prompt, kind, version: NewVersion { template, ..version }, branch, if_match }
    };
    acme.by(&editor, create("team/footer"));
    acme.by(&editor, including("team/footer@1"));
    let mut allowed = acme.clone();
    let written = allowed.by(&owner, including("secret@latest"));
    assert_eq!(violations(&system, &allowed), []);
    let index = acme.write(forged(editor_id, &editor, &[editor_grant]), written);
    found(&system, &acme, index, "`read` on `secret`");
}

#[test]
fn a_backdated_grant_is_found() {
    let World { system, acme, editor, editor_id, owner, .. } = world();
    // The event is there first, and the grant that it names comes after it.
    let mut copy = acme.clone();
    let (prompt, _) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let index = copy.next();
    let unprotected = Event::LabelProtected(promptory_events::event::LabelProtected {
        prefix: "team/".parse().unwrap(),
        label: "production".parse().unwrap(),
        before: None,
        after: 1,
    });
    copy.write(forged(editor_id, &editor, &[index + 1]), vec![unprotected.clone()]);
    let granted = Event::RoleGranted(RoleGranted {
        to: Subject::Principal(editor_id),
        role: Role::Owner.into(),
        prefix: "".parse().unwrap(),
        expires_at: None,
    });
    let Presented::ApiKey { key, .. } = &owner else { panic!("{owner:?}") };
    let owner_id = acme.tenant.rights().key(*key).unwrap().principal;
    copy.write(forged(owner_id, &owner, &[1]), vec![granted.clone()]);
    found(&system, &copy, index, "which was not there");
    assert_eq!(violations(&system, &copy).len(), 1, "the grant itself is lawful");
    // Or the grant is put in before it, with nobody's right behind it.
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[]), vec![granted]);
    copy.write(forged(editor_id, &editor, &[index]), vec![unprotected]);
    found(&system, &copy, index, "`manage-access`");
    // Or it had been taken back.
    let mut copy = acme;
    let mut told = copy.clone();
    told.by(
        &owner,
        Change::RevokeRole {
            from: Subject::Principal(editor_id),
            role: Role::Editor.into(),
            prefix: "team/".parse().unwrap(),
        },
    );
    copy.batches.push(told.batches.last().unwrap().clone());
    copy.now = told.now;
    let moved = Event::LabelSet(LabelSet { prompt, label: "production".parse().unwrap(), before: Some(1), after: 2 });
    let index = copy.write(forged(editor_id, &editor, &[4]), vec![moved]);
    found(&system, &copy, index, "the grant 4, which was over");
}

#[test]
fn an_expired_grant_and_an_expired_or_revoked_key_are_found() {
    let World { system, mut acme, owner, editor_id, .. } = world();
    let end = acme.now.plus_ms(5000);
    let grant = acme.next();
    let (to, prefix) = (Subject::Principal(editor_id), "".parse().unwrap());
    acme.by(&owner, Change::GrantRole { to, role: Role::Editor.into(), prefix, expires_at: Some(end) });
    let holder = KeyHolder::Existing(editor_id);
    let issue = Change::IssueKey { holder, secret_hash: [8; 32], scope: None, expires_at: Some(end) };
    let events = acme.by(&owner, issue.clone());
    let [Event::KeyIssued(ending)] = &events[..] else { panic!("{events:?}") };
    let ending = Presented::ApiKey { key: ending.key, secret_hash: [8; 32] };
    let lasting = {
        let mut i = issue;
        if let Change::IssueKey { expires_at, .. } = &mut i {
            *expires_at = None
        }
        i
    };
    let events = acme.by(&owner, lasting);
    let [Event::KeyIssued(lasting)] = &events[..] else { panic!("{events:?}") };
    let lasting = Presented::ApiKey { key: lasting.key, secret_hash: [8; 32] };
    let mut in_time = acme.clone();
    in_time.write(forged(editor_id, &ending, &[grant]), vec![set_event(&acme, 2)]);
    assert_eq!(violations(&system, &in_time), []);
    acme.now = end;
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &lasting, &[grant]), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "which had expired");
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &ending, &[4]), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "opened nothing any more");
    let Presented::ApiKey { key, .. } = lasting else { panic!() };
    acme.by(&owner, Change::RevokeKey { key });
    let index = acme.write(forged(editor_id, &lasting, &[4]), vec![set_event(&acme, 2)]);
    found(&system, &acme, index, "opened nothing any more");
}

#[test]
fn what_only_the_system_writes_is_found_when_a_person_does_and_the_other_way_round() {
    let World { mut system, acme, owner, .. } = world();
    let Presented::ApiKey { key, .. } = &owner else { panic!("{owner:?}") };
    let owner_id = acme.tenant.rights().key(*key).unwrap().principal;
    let opened = Event::LedgerOpened(LedgerOpened { incarnation: Incarnation([6; 8]) });
    let mut copy = acme.clone();
    let index = copy.write(forged(owner_id, &owner, &[1]), vec![opened]);
    found(&system, &copy, index, "only the system writes this");
    let by_the_system = || header(PrincipalId::SYSTEM, Evidence { credential: Credential::System, grants: vec![] });
    let mut copy = acme.clone();
    let index = copy.write(by_the_system(), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "it says that the system did it");
    // An operator in a tenant, who is none, or who does more than to let an owner in.
    let lets_in = |acme: &Book| Batch::parse(acme.batches[0].clone()).unwrap().commits[0].decode_events().unwrap();
    let nobody = Credential::ApiKey { tenant: TenantId::system(), key: KeyId([7; 8]) };
    let mut copy = acme.clone();
    let evidence = Evidence { credential: nobody, grants: vec![] };
    let index = copy.write(header(PrincipalId([7; 16]), evidence), lets_in(&acme));
    found(&system, &copy, index, "was no operator");
    let mut copy = acme.clone();
    let operator = Batch::parse(acme.batches[0].clone()).unwrap().commits[0].header.clone();
    let index = copy.write(CommitHeader { command_id: CommandId([0xee; 16]), ..operator }, vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "nothing in a tenant but let an owner in and set quotas");
    // In `_system` itself.
    let tenant =
        Event::TenantCreated(promptory_events::event::TenantCreated { tenant: "b".parse().unwrap(), title: None });
    let index = system.write(by_the_system(), vec![tenant]);
    let mut law = Checking::default().begin(TenantId::system());
    system.batches.iter().for_each(|bytes| law.batch(&Batch::parse(bytes.clone()).unwrap()).unwrap());
    assert_eq!(law.checked.told.iter().map(|p| p.index).collect::<Vec<_>>(), [index]);
}

#[test]
fn attestations_of_the_system_and_quotas_of_operators_are_lawful_and_those_of_others_are_found() {
    let (system, operator) = Book::system();
    let (mut acme, owner) = Book::acme(&operator);
    let Presented::ApiKey { key, .. } = &owner else { panic!("{owner:?}") };
    let principal = acme.tenant.rights().key(*key).unwrap().principal;
    let denied = AttemptDenied {
        attempt: Attempt { principal, action: Action::Import, target: "team/".parse().unwrap() },
        credential: Credential::ApiKey { tenant: "acme".parse().unwrap(), key: *key },
        door: Door::Command,
        minute: acme.now.minute(),
    };
    acme.by(&Presented::System, Change::Attest(Attestation::Denied(denied.clone())));
    acme.by(&operator, Change::SetQuota { quota: Quota::Prompts, limit: Some(7) });
    assert_eq!(violations(&system, &acme), []);
    let quota = Event::QuotaSet(QuotaSet { quota: Quota::Prompts, before: Some(7), after: None });
    let mut copy = acme.clone();
    let index = copy.write(forged(principal, &owner, &[1]), vec![Event::AttemptDenied(denied.clone())]);
    found(&system, &copy, index, "only the system writes this");
    let mut copy = acme.clone();
    let index = copy.write(forged(principal, &owner, &[1]), vec![quota.clone()]);
    found(&system, &copy, index, "only an operator sets a quota");
    // Nor does the system write anything beside them.
    let by_the_system = header(PrincipalId::SYSTEM, Evidence { credential: Credential::System, grants: vec![] });
    let index = acme.write(by_the_system, vec![Event::AttemptDenied(denied), quota]);
    found(&system, &acme, index, "it says that the system did it");
}

#[test]
fn a_protected_label_that_moved_by_hand_or_without_its_approvals_is_found() {
    let World { system, mut acme, owner, editor, editor_id, editor_grant } = world();
    acme.by(&owner, protect());
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![set_event(&acme, 2)]);
    found(&system, &copy, index, "is protected");
    let label = || "production".parse().unwrap();
    let ask = Change::RequestRelease {
        prompt: at("team/greet"),
        label: label(),
        version: Some(2),
        split: None,
        expires_at: None,
    };
    let events = acme.by(&editor, ask);
    let [Event::ReleaseRequested(asked)] = &events[..] else { panic!("{events:?}") };
    let (request, prompt) = (asked.request, asked.prompt);
    let executed = Event::ReleaseExecuted(ReleaseExecuted { request, prompt, label: label() });
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![executed, set_event(&acme, 2)]);
    found(&system, &copy, index, "0 approvals of 1");
    let approved =
        Event::ReleaseApproved(promptory_events::event::ReleaseApproved { request, prompt, approvals: 1, needed: 1 });
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![approved]);
    found(&system, &copy, index, "what its own actor made");
    let (from, until) = (acme.now, acme.now.plus_ms(99_000));
    let unprotect = Change::UnprotectLabel { prefix: "team/".parse().unwrap(), label: label() };
    acme.by(&owner, unprotect);
    acme.by(&owner, Change::SetFreeze { prefix: "team/".parse().unwrap(), from, until });
    let index = acme.write(forged(editor_id, &editor, &[editor_grant]), vec![set_event(&acme, 2)]);
    found(&system, &acme, index, "was frozen");
}
