//! Patches as the RFC, Entra ID and Okta document them.

use serde_json::json;

use super::*;
use crate::{GROUP, USER};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ada() -> Value {
    json!({
        "userName": "ada", "active": true, "title": "Poet", "name": {"givenName": "Ada", "familyName": "L"},
        "emails": [{"value": "work@x", "type": "work", "primary": true}, {"value": "home@x", "type": "home"}],
    })
}

fn patched(kind: &'static ResourceType, before: &Value, operations: Value) -> Result<Value, Error> {
    let patch = json!({ "schemas": [SCHEMA], "Operations": operations });
    apply(kind, before.as_object().unwrap(), patch.as_object().unwrap()).map(Value::Object)
}

fn user(operations: Value) -> Result<Value, Error> {
    patched(&USER, &ada(), operations)
}

/// What differs from `ada`, top level by top level; null for what is gone.
fn difference(operations: Value) -> Value {
    let after = user(operations.clone()).unwrap_or_else(|error| panic!("{operations}: {error}"));
    let (after, before) = (after.as_object().unwrap(), ada());
    let gone = before.as_object().unwrap().keys().filter(|name| !after.contains_key(*name));
    let mut all: Object = gone.map(|name| (name.clone(), Value::Null)).collect();
    all.extend(after.iter().filter(|(name, value)| before[*name] != **value).map(|(n, v)| (n.clone(), v.clone())));
    Value::Object(all)
}

#[test]
fn one_value_is_set_merged_and_taken_away() {
    for (operations, expected) in [
        (json!([{"op": "replace", "path": "title", "value": "Countess"}]), json!({"title": "Countess"})),
        (json!([{"op": "add", "path": "nickName", "value": "A"}]), json!({"nickName": "A"})),
        (json!([{"op": "remove", "path": "title"}]), json!({"title": null})),
        (json!([{"op": "replace", "path": "title"}]), json!({"title": null})),
        (
            json!([{"op": "replace", "path": "name", "value": {"familyName": "B"}}]),
            json!({"name": {"givenName": "Ada", "familyName": "B"}}),
        ),
        (
            json!([{"op": "add", "path": "name.middleName", "value": "K"}]),
            json!({"name": {"givenName": "Ada", "familyName": "L", "middleName": "K"}}),
        ),
        (
            json!([{"op": "remove", "path": "name.familyName"}, {"op": "remove", "path": "NAME.GIVENNAME"}]),
            json!({"name": null}),
        ),
        (
            json!([{"op": "add", "path": format!("{ENTERPRISE}:department"), "value": "Poetry"}]),
            json!({ENTERPRISE: {"department": "Poetry"}}),
        ),
        (
            json!([{"op": "add", "path": ENTERPRISE, "value": {"manager": {"value": "1"}}}]),
            json!({ENTERPRISE: {"manager": {"value": "1"}}}),
        ),
        (
            json!([{"op": "add", "value": {ENTERPRISE: {"department": "Poetry"}}}, {"op": "remove", "path": ENTERPRISE}]),
            json!({}),
        ),
    ] {
        assert_eq!(difference(operations.clone()), expected, "{operations}");
    }
}

#[test]
fn many_values_are_added_to_chosen_and_replaced() {
    let (work, home) = (ada()["emails"][0].clone(), ada()["emails"][1].clone());
    let only = |value: &str, kind: &str| json!({"value": value, "type": kind});
    for (operations, emails) in [
        (
            json!([{"op": "add", "path": "emails", "value": [{"value": "new@x"}]}]),
            json!([work, home, {"value": "new@x"}]),
        ),
        (json!([{"op": "add", "path": "emails", "value": [home]}]), json!([work, home])),
        (json!([{"op": "replace", "path": "emails", "value": [{"value": "new@x"}]}]), json!([{"value": "new@x"}])),
        (json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]), json!([home])),
        (json!([{"op": "remove", "path": "emails"}]), Value::Null),
        (json!([{"op": "remove", "path": "emails[type eq \"work\"].primary"}]), json!([only("work@x", "work"), home])),
        (
            json!([{"op": "replace", "path": "emails[type eq \"home\"].value", "value": "new@x"}]),
            json!([work, only("new@x", "home")]),
        ),
        (
            json!([{"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": true}}]),
            json!([{"value": "work@x", "type": "work", "primary": false}, {"value": "home@x", "type": "home", "primary": true}]),
        ),
        (
            json!([{"op": "Add", "path": "emails[type eq \"other\"].value", "value": "o@x"}]),
            json!([work, home, only("o@x", "other")]),
        ),
    ] {
        let expected = if emails == ada()["emails"] { json!({}) } else { json!({ "emails": emails }) };
        assert_eq!(difference(operations.clone()), expected, "{operations}");
    }
}

#[test]
fn what_entra_id_sends_is_understood() {
    for (operations, expected) in [
        (json!([{"op": "Replace", "path": "active", "value": "False"}]), json!({"active": false})),
        (
            json!([{"op": "Replace", "value": {"active": "False", "title": "Countess"}}]),
            json!({"active": false, "title": "Countess"}),
        ),
        (
            json!([{"op": "Add", "value": {"name.familyName": "B", format!("{ENTERPRISE}:department"): "Poetry",
                "emails[type eq \"work\"].value": "new@x", "emails[type eq \"work\"].primary": "True"}}]),
            json!({"name": {"givenName": "Ada", "familyName": "B"}, ENTERPRISE: {"department": "Poetry"},
                "emails": [{"value": "new@x", "type": "work", "primary": true}, {"value": "home@x", "type": "home"}]}),
        ),
        (
            json!([{"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "pri_1"}]),
            json!({ENTERPRISE: {"manager": {"value": "pri_1"}}}),
        ),
    ] {
        assert_eq!(difference(operations.clone()), expected, "{operations}");
    }
    let members = |ids: &[&str]| json!(ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>());
    let poets = json!({"displayName": "Poets", "members": members(&["1", "2"])});
    for (operations, left) in [
        (
            json!([{"op": "Add", "path": "members", "value": [{"value": "3", "$ref": null}, {"value": "1"}]}]),
            &["1", "2", "3"][..],
        ),
        (json!([{"op": "Remove", "path": "members", "value": [{"value": "1", "$ref": null}]}]), &["2"]),
        (json!([{"op": "Remove", "path": "members[value eq \"1\"]"}]), &["2"]),
        (json!([{"op": "Remove", "path": "members[value eq \"9\"]"}]), &["1", "2"]),
        (json!([{"op": "Replace", "path": "members", "value": [{"value": "9"}]}]), &["9"]),
    ] {
        let after = patched(&GROUP, &poets, operations.clone()).unwrap();
        assert_eq!(after["members"], members(left), "{operations}");
    }
}

#[test]
fn what_okta_sends_is_understood() {
    assert_eq!(difference(json!([{"op": "replace", "value": {"active": false}}])), json!({"active": false}));
    let poets = json!({"displayName": "Poets", "members": [{"value": "1"}]});
    let renamed = json!([{"op": "replace", "value": {"id": "grp_1", "displayName": "Bards"}}]);
    assert_eq!(patched(&GROUP, &poets, renamed).unwrap()["displayName"], "Bards");
    let swapped = json!([
        {"op": "remove", "path": "members[value eq \"1\"]"},
        {"op": "add", "path": "members", "value": [{"value": "2", "display": "bob@acme.example"}]},
    ]);
    assert_eq!(patched(&GROUP, &poets, swapped).unwrap()["members"], json!([{"value": "2"}]));
}

#[test]
fn what_leads_nowhere_or_is_not_the_clients_is_refused() {
    for (operations, kind) in [
        (json!([{"op": "replace", "path": "colour", "value": "red"}]), Kind::InvalidPath),
        (json!([{"op": "replace", "path": "name[givenName pr]", "value": "x"}]), Kind::InvalidPath),
        (json!([{"op": "replace", "path": "emails[type eq \"work\"].colour", "value": "x"}]), Kind::InvalidPath),
        (json!([{"op": "replace", "path": "emails[type eq", "value": "x"}]), Kind::InvalidFilter),
        (json!([{"op": "replace", "path": "emails[type eq \"other\"].value", "value": "x"}]), Kind::NoTarget),
        (json!([{"op": "remove"}]), Kind::NoTarget),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), Kind::Mutability),
        (json!([{"op": "add", "path": "groups", "value": [{"value": "x"}]}]), Kind::Mutability),
        (json!([{"op": "replace", "path": "meta.version", "value": "x"}]), Kind::Mutability),
        (json!([{"op": "remove", "path": "userName"}]), Kind::InvalidValue),
        (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), Kind::InvalidValue),
        (json!([{"op": "add", "path": "title"}]), Kind::InvalidValue),
        (json!([{"op": "replace", "value": "x"}]), Kind::InvalidValue),
        (json!([{"op": "move", "path": "title"}]), Kind::InvalidSyntax),
        (json!([1]), Kind::InvalidSyntax),
        (json!([]), Kind::InvalidSyntax),
        (json!("x"), Kind::InvalidSyntax),
        (json!([{"op": "add", "path": 1, "value": 1}]), Kind::InvalidSyntax),
    ] {
        assert_eq!(user(operations.clone()).map_err(|error| error.kind), Err(kind), "{operations}");
    }
    let unsigned = json!({"Operations": [{"op": "remove", "path": "title"}]});
    let refused = apply(&USER, ada().as_object().unwrap(), unsigned.as_object().unwrap());
    assert_eq!(refused.unwrap_err().kind, Kind::InvalidSyntax);
}
