use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{GROUP, Kind, USER};

fn ada() -> Object {
    let ada = json!({
        "id": "pri_1", "externalId": "Ada", "userName": "Ada@acme.example", "active": true, "title": "Poet",
        "name": {"familyName": "Lovelace"}, "meta": {"lastModified": "2026-01-02T00:00:00Z"},
        "emails": [{"value": "ada@acme.example", "type": "work"}, {"value": "ada@home.example", "type": "home"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Poetry"},
    });
    ada.as_object().unwrap().clone()
}

#[test]
fn what_the_rfc_shows_is_read_and_judged() {
    for (text, expected) in [
        (r#"userName eq "ada@ACME.example""#, true),
        (r#"externalId eq "ada""#, false), // capitals count there
        (r#"name.familyName co "lace""#, true),
        (r#"userName sw "Ada" and active eq true"#, true),
        (r#"active eq "False""#, false),
        (r#"title pr"#, true),
        (r#"nickName pr"#, false),
        (r#"nickName eq null"#, true),
        (r#"title ne "Poet" or title ew "t""#, true),
        (r#"meta.lastModified gt "2026-01-01T00:00:00Z""#, true),
        (r#"meta.lastModified lt "2026-01-01T00:00:00Z""#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "poetry""#, true),
        (r#"emails eq "ada@home.example""#, true),
        (r#"emails.type eq "work""#, true),
        (r#"emails[type eq "work" and value co "@home.example"]"#, false),
        (r#"emails[type eq "home" and value co "@home.example"]"#, true),
        (r#"title pr and (nickName pr or not (active eq false))"#, true),
        (r#"NOT(title pr)"#, false),
        (r#"title eq "no \"such\" title""#, false),
        (r#"title eq "x" and title eq "y" or title eq "Poet""#, true), // `and` binds more
    ] {
        assert_eq!(Filter::read(&USER, text).unwrap().matches(&ada()), expected, "{text}");
    }
    let members = Filter::read(&GROUP, r#"id eq "grp_1" and members eq "pri_1""#).unwrap();
    assert_eq!((members.must_be("id"), members.must_be("displayName")), (Some("grp_1"), None));
    let either = Filter::read(&USER, r#"userName eq "a" or userName eq "b""#).unwrap();
    assert_eq!(either.must_be("userName"), None);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let deep = format!("{}title pr{}", "(".repeat(40), ")".repeat(40));
    for text in [
        "",
        "userName",
        "userName eq",
        "userName eq ada",
        "userName eq \"ada",
        "userName is \"ada\"",
        "colour eq \"red\"",
        "name eq \"Ada\"",
        "active gt true",
        "active eq \"maybe\"",
        "userName eq true",
        "title pr title pr",
        "(title pr",
        "emails[type eq \"work\"",
        "name[familyName pr]",
        "emails[colour pr]",
        "name.colour pr",
        "eq eq eq",
        "title pr)",
        "userName eq 1",
        "not title pr",
        "x509Certificates.value gt \"a\"",
        &deep,
    ] {
        assert_eq!(Filter::read(&USER, text).unwrap_err().kind, Kind::InvalidFilter, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in r#"([a-z.:\[\]()"\\ ]|eq|and|userName|emails|title pr|é){0,40}"#) {
        if let Ok(filter) = Filter::read(&USER, &text) {
            let _ = filter.matches(&ada());
        }
    }
}
