//! Users and groups as SCIM shows them.

use promptory_scim::select::Select;
use promptory_scim::{Filter, GROUP, Object, ResourceType, USER};
use serde_json::{Value, json};

use super::{Refused, etag};
use crate::service::{Look, Who};

/// The address of something of a type.
pub fn location(base: &str, kind: &ResourceType, id: &str) -> String {
    format!("{base}{}/{id}", kind.endpoint)
}

/// What type something is of.
pub fn kind(who: &Who) -> &'static ResourceType {
    match who {
        Who::User(..) => &USER,
        Who::Group(..) => &GROUP,
    }
}

/// All of one, as a client could have sent it.
pub fn sendable(look: &Look, who: &Who, profile: Object) -> Object {
    let mut all = profile;
    match who {
        Who::User(_, entry) => drop(all.insert("active".to_owned(), Value::Bool(entry.active))),
        Who::Group(id, _) => {
            let members: Vec<Value> = look.members(*id).map(|member| json!({ "value": member })).collect();
            if !members.is_empty() {
                all.insert("members".to_owned(), Value::Array(members));
            }
        }
    }
    all
}

/// All of one that is returned.
pub fn shown(look: &Look, who: &Who, profile: Object, base: &str, select: &Select) -> Object {
    let (kind, id, entry) = (kind(who), who.id(), *who.entry());
    let extensions = kind.extensions.iter().map(|schema| schema.id).filter(|urn| profile.contains_key(*urn));
    let schemas: Vec<&str> = std::iter::once(kind.core.id).chain(extensions).collect();
    let mut all = Object::new();
    all.insert("schemas".to_owned(), json!(schemas));
    all.insert("id".to_owned(), json!(id));
    all.extend(profile);
    match who {
        Who::User(user, entry) => {
            all.insert("active".to_owned(), Value::Bool(entry.active));
            let group = |id| json!({ "value": id, "$ref": location(base, &GROUP, &format!("{id}")), "type": "direct" });
            let groups: Vec<Value> = look.groups_of(*user).map(group).collect();
            if !groups.is_empty() {
                all.insert("groups".to_owned(), Value::Array(groups));
            }
        }
        Who::Group(group, _) if select.shows("members") => {
            let member = |id| json!({ "value": id, "$ref": location(base, &USER, &format!("{id}")), "type": "User" });
            let members: Vec<Value> = look.members(*group).map(member).collect();
            if !members.is_empty() {
                all.insert("members".to_owned(), Value::Array(members));
            }
        }
        Who::Group(..) => {}
    }
    let meta = json!({
        "resourceType": kind.name,
        "created": entry.created_at,
        "lastModified": entry.changed_at,
        "location": location(base, kind, &id),
        "version": etag(entry.version),
    });
    all.insert("meta".to_owned(), meta);
    all
}

/// How many there are that a filter means, and a page of them.
pub async fn page(
    look: &Look,
    kind: &'static ResourceType,
    filter: Option<&str>,
    (start, count): (usize, usize),
    base: &str,
    select: &Select,
) -> Result<(usize, Vec<Value>), Refused> {
    let is_user = kind == &USER;
    let Some(filter) = filter else {
        let (total, some): (usize, Vec<Who>) = match is_user {
            true => (look.users().count(), look.users().skip(start - 1).take(count).collect()),
            false => (look.groups().count(), look.groups().skip(start - 1).take(count).collect()),
        };
        let profiles = look.profiles(&some).await?;
        let shown = some.iter().zip(profiles).map(|(who, profile)| shown(look, who, profile, base, select));
        return Ok((total, shown.map(|shown| Value::Object(select.of(shown))).collect()));
    };
    let filter = Filter::read(kind, filter)?;
    let some = if is_user { look.users_for(&filter).await?? } else { look.groups_for(&filter).await?? };
    let profiles = look.profiles(&some).await?;
    let whole = Select::default();
    let meant = some.iter().zip(profiles).map(|(who, profile)| shown(look, who, profile, base, &whole));
    let meant: Vec<Object> = meant.filter(|all| filter.matches(all)).collect();
    let total = meant.len();
    let page = meant.into_iter().skip(start - 1).take(count).map(|all| Value::Object(select.of(all)));
    Ok((total, page.collect()))
}
