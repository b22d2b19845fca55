//! The story that the guide's examples are taken from: each chapter does what comes between them, too.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use promptory_ledger::backup::BackupKey;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use super::Guide;

/// Another caller, with a new key.
fn caller(owner: &Client, body: &Value) -> (Client, Value) {
    let issued = owner.post("/v1/keys", body).expect(201).json;
    (owner.with_key(issued["key"].as_str().unwrap()), issued)
}

/// What was written can be read.
fn settle(client: &Client, written: &Value) {
    client.wait_for(written["position"].as_str().unwrap());
}

/// What was written can be read in both models: the audit has one of its own, and reading it is written.
fn audited(owner: &Client) {
    let count = "/v1/audit/count";
    let _ = owner.get(count).expect(200); // recorded now, and not again in this minute
    // A command that changes nothing says where the ledger stands.
    let unchanged = owner.put("/v1/prompts/mail%2Fhello/tags", &json!({"tags": []})).expect(200).json;
    settle(owner, &unchanged);
    let _ = owner.get(&format!("{count}?at_least={}", unchanged["position"].as_str().unwrap())).expect(200);
}

#[test]
fn every_example_of_the_guide_is_what_the_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.key");
    fs::write(&file, "ab".repeat(32)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let world = World::with_backup_key(Some(BackupKey::read(&file).unwrap()));
    let owner = world.acme();
    let mut guide = Guide::read();
    first_prompt(&mut guide, &owner);
    changes(&mut guide, &owner);
    keys_and_roles(&mut guide, &owner);
    issuers(&mut guide, &owner);
    branches(&mut guide, &owner);
    includes(&mut guide, &owner);
    releases(&mut guide, &owner);
    rollouts(&mut guide, &owner);
    directory(&mut guide, &owner);
    operators(&mut guide, &world);
    audit(&mut guide, &owner);
    other_clients(&mut guide, &owner);
    usage(&mut guide, &owner);
    guide.finish();
}

fn usage(guide: &mut Guide, owner: &Client) {
    let _ = guide.play(owner, "POST /v1/usage");
    let _ = guide.play(owner, "GET /v1/analytics");
    let _ = guide.play(owner, "GET /v1/analytics/compare");
    for insight in ["adoption", "lead-time", "stale"] {
        let _ = guide.play(owner, &format!("GET /v1/analytics/{insight}"));
    }
    let _ = owner.get("/v1/search?q=Refund+policy").expect(200);
    let _ = guide.play(owner, "GET /v1/analytics/empty-searches");
    let _ = guide.play(owner, "POST /v1/otlp/v1/traces");
}

fn first_prompt(guide: &mut Guide, owner: &Client) {
    let _ = guide.play(owner, "Writes");
    let _ = guide.play(owner, "POST /v1/prompts/{prompt}/versions");
    let _ = guide.play(owner, "PUT /v1/prompts/{prompt}/labels/{label}");
    for read in [
        "GET /v1/prompts/{prompt}",
        "GET /v1/prompts",
        "GET /v1/search",
        "GET /v1/suggest",
        "GET /v1/prompts/{prompt}/versions",
        "GET /v1/prompts/{prompt}/labels/{label}/history",
        "GET /v1/prompts/{prompt}/diff",
        "GET /v1/changes",
        "POST /v1/prompts/{prompt}/render",
        "POST /v1/prompts/{prompt}/render",
        "GET /v1/events",
    ] {
        let _ = guide.play(owner, read);
    }
    guide.stream(owner, "GET /v1/events");
    let _ = guide.play(owner, "GET /v1/status");
    let _ = guide.play(owner, "Problems");
    let _ = guide.play(owner, "Configurations");
}

fn changes(guide: &mut Guide, owner: &Client) {
    for write in [
        "PUT /v1/prompts/{prompt}/tags",
        "PUT /v1/prompts/{prompt}/metadata",
        "DELETE /v1/prompts/{prompt}/labels/{label}",
        "PUT /v1/prompts/{prompt}/key",
        "POST /v1/prompts/{prompt}/archive",
        "POST /v1/prompts/{prompt}/restore",
        "POST /v1/commands",
    ] {
        let _ = guide.play(owner, write);
    }
    let _ = owner.post("/v1/prompts", &json!({"key": "team/farewell", "text": "Bye."}));
    let _ = owner.post("/v1/prompts/team%2Ffarewell/versions", &json!({"text": "Goodbye."})).expect(201);
    let _ = guide.play(owner, "All or nothing");
}

fn keys_and_roles(guide: &mut Guide, owner: &Client) {
    let issued = guide.play(owner, "POST /v1/keys").json;
    settle(owner, &issued);
    // Its own keys alone: a list of several is in the order of their ids, which are another way round in every other run.
    let _ = guide.play(&owner.with_key(issued["key"].as_str().unwrap()), "GET /v1/keys");
    let _ = guide.play(owner, "PUT /v1/principals/{principal}/roles/{role}");
    let revoked = guide.play(owner, "DELETE /v1/principals/{principal}/roles/{role}").json;
    settle(owner, &revoked);
    for read in ["GET /v1/access", "GET /v1/access/why", "GET /v1/access/why", "GET /v1/principals/{principal}/access"]
    {
        let _ = guide.play(owner, read);
    }
    let _ = guide.play(owner, "POST /v1/keys/{key}/rotate");
    let _ = guide.play(owner, "DELETE /v1/keys/{key}");
    let _ = guide.play(owner, "PUT /v1/roles/{role}");
}

fn issuers(guide: &mut Guide, owner: &Client) {
    let _ = guide.play(owner, "POST /v1/groups");
    let _ = guide.play(owner, "POST /v1/issuers");
    let mapped = guide.play(owner, "PUT /v1/issuers/{issuer}/groups/{value}").json;
    settle(owner, &mapped);
    let _ = guide.play(owner, "GET /v1/issuers");
    let _ = guide.play(owner, "POST /v1/principals");
    let _ = guide.play(owner, "POST /v1/sessions/revoke");
}

fn directory(guide: &mut Guide, owner: &Client) {
    let _ = guide.play(owner, "POST /scim/v2/Users");
    let _ = guide.play(owner, "PATCH /scim/v2/Users/{id}");
}

fn branches(guide: &mut Guide, owner: &Client) {
    let _ = guide.play(owner, "PUT /v1/prompts/{prompt}/branches/{branch}");
    let forked = guide.play(owner, "POST /v1/prompts/{prompt}/forks").json;
    settle(owner, &forked);
    let _ = guide.play(owner, "GET /v1/prompts/{prompt}/forks");
    // The branch changes the configuration alone, which merges; then both sides change the same line of a longer text.
    let versions = |body: Value| {
        let _ = owner.post("/v1/prompts/team%2Fgreet/versions", &body).expect(201);
    };
    versions(json!({"branch": "try", "text": "Hello, {{name}}.", "config": {"top_p": 1}}));
    let _ = guide.play(owner, "POST /v1/prompts/{prompt}/merges");
    let text = |line: &str| format!("You are kind.\n{line}\nBe brief.\n");
    versions(json!({"text": text("Hello."), "config": {"model": "large", "temperature": 0}}));
    let forward = json!({"from": {"branch": "main"}, "branch": "try"});
    let _ = owner.post("/v1/prompts/team%2Fgreet/merges", &forward).expect(201);
    versions(json!({"branch": "try", "text": text("Hi."), "config": {"model": "large", "temperature": 1}}));
    versions(json!({"text": text("Good day."), "config": {"model": "large", "temperature": 0.2}}));
    let _ = guide.play(owner, "POST /v1/prompts/{prompt}/merges");
    let _ = guide.play(owner, "DELETE /v1/prompts/{prompt}/branches/{branch}");
}

fn includes(guide: &mut Guide, owner: &Client) {
    let footer = json!({"key": "team/footer", "text": "Be kind.", "labels": ["production"]});
    let _ = owner.post("/v1/prompts", &footer).expect(201);
    let text = "Hello. {% include \"team/footer@production\" %}";
    let mail = json!({"key": "mail/hello", "text": text, "template": "jinja", "labels": ["production"]});
    settle(owner, &owner.post("/v1/prompts", &mail).expect(201).json);
    let _ = guide.play(owner, "GET /v1/prompts/{prompt}/dependents");
}

fn releases(guide: &mut Guide, owner: &Client) {
    let _ = owner.put("/v1/protections/production?prefix=team/", &json!({"approvals": 2})).expect(200);
    let (reviewer, _) = caller(owner, &json!({"role": "reviewer"}));
    let asked = guide.play(owner, "POST /v1/releases").json;
    let release = asked["release"].as_str().unwrap();
    let approved = reviewer.post(&format!("/v1/releases/{release}/approve"), &json!({})).expect(200).json;
    settle(owner, &approved);
    let _ = guide.play(owner, "GET /v1/releases");
}

fn rollouts(guide: &mut Guide, owner: &Client) {
    let _ = owner.put("/v1/prompts/team%2Fgreet/labels/beta", &json!({"version": 1})).expect(200);
    let _ = guide.play(owner, "POST /v1/prompts/{prompt}/labels/{label}/rollout");
}

fn operators(guide: &mut Guide, world: &World) {
    let operator = world.operator();
    for write in [
        "POST /v1/tenants",
        "POST /v1/tenants/{tenant}/owners",
        "POST /v1/tenants/{tenant}/suspend",
        "POST /v1/tenants/{tenant}/resume",
        "POST /v1/backups",
        "POST /v1/backups/{backup}/keys",
    ] {
        let _ = guide.play(&operator, write);
    }
    let set = guide.play(&operator, "PUT /v1/tenants/{tenant}/quotas/{quota}").json;
    let owner = world.acme();
    settle(&owner, &set);
    let _ = guide.play(&owner, "GET /v1/quotas");
    let set = guide.play(&owner, "PUT /v1/settings/search").json;
    settle(&owner, &set);
    let _ = guide.play(&owner, "GET /v1/settings/search");
    let _ = guide.play(&operator, "GET /healthz");
    let _ = guide.play(&operator, "GET /readyz");
}

/// Last: reading the audit is recorded, and so moves what comes after it.
fn audit(guide: &mut Guide, owner: &Client) {
    for read in ["GET /v1/audit", "GET /v1/audit/count", "GET /v1/audit/export", "GET /v1/models"] {
        audited(owner);
        let _ = guide.play(owner, read);
    }
}

fn other_clients(guide: &mut Guide, owner: &Client) {
    let prompts = "/api/public/v2/prompts";
    let _ = guide.play(owner, &format!("POST {prompts}"));
    let _ = guide.play(owner, &format!("GET {prompts}/{{prompt}}"));
    let _ = guide.play(owner, &format!("PATCH {prompts}/{{prompt}}/versions/{{version}}"));
    let _ = guide.play(owner, &format!("GET {prompts}"));
    let _ = guide.play(owner, &format!("DELETE {prompts}/{{prompt}}"));
    let _ = guide.play(owner, "POST /api/public/scores");
    let _ = guide.play(owner, "POST /api/public/ingestion");
    for what in [
        "POST /api/2.0/mlflow/registered-models/create",
        "POST /api/2.0/mlflow/model-versions/create",
        "POST /api/2.0/mlflow/registered-models/alias",
        "GET /api/2.0/mlflow/registered-models/alias",
        "POST /api/2.0/mlflow/registered-models/set-tag",
        "GET /api/2.0/mlflow/registered-models/get",
        "GET /api/2.0/mlflow/registered-models/search",
        "DELETE /api/2.0/mlflow/registered-models/delete",
    ] {
        let _ = guide.play(owner, what);
    }
}
