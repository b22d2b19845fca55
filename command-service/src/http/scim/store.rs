//! Whoever writes sees what he wrote: a command, then the resource as it is after it.
//!
//! What replaces or patches rests on what is there. If somebody else was faster it is done again, unless the sender demanded
//! a version.

use std::collections::BTreeSet;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptory_domain::Rejection;
use promptory_platform::problem::{Problem, ProblemType};
use promptory_scim::select::Select;
use promptory_scim::{GROUP, Object, ResourceType, USER, patch, resource as read};
use serde_json::Value;

use super::ask::{Sent, Wanted};
use super::{Refused, answer, resource};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::service::{Look, Service, Who};
use crate::wire::{Change, Claims, Request};

/// How often it is done again while others are faster.
const TRIES: usize = 16;

/// What becomes of a resource that is there.
pub enum Edit {
    /// Another one in its place.
    Replace(Object),
    /// Some of it changes.
    Patch(Object),
}

fn find(look: &Look, kind: &ResourceType, id: &str) -> Result<Who, Refused> {
    let (found, problem) = match kind == &USER {
        true => (look.user(id), ProblemType::PRINCIPAL_NOT_FOUND),
        false => (look.group(id), ProblemType::GROUP_NOT_FOUND),
    };
    found.ok_or_else(|| Refused::not_found(problem))
}

async fn execute(service: &Service, sent: &Sent, change: Change) -> Result<Outcome, Failure> {
    let request = Request { claims: Claims::default(), change };
    let answers = service.execute(&sent.shown, vec![request]).await?.pop();
    answers.unwrap_or_else(|| Err(Failure::Internal("no answer".into())))
}

/// Says where the ledger stands after a write, for who reads something else then.
fn positioned(mut response: Response, outcome: &Outcome) -> Response {
    let position = outcome.position.and_then(|position| HeaderValue::from_str(&position.to_string()).ok());
    response.headers_mut().extend(position.map(|position| (HeaderName::from_static("promptory-position"), position)));
    response
}

/// Shows one.
pub async fn get(
    service: &Service,
    sent: &Sent,
    wanted: &Wanted,
    kind: &'static ResourceType,
    id: &str,
) -> Result<Response, Refused> {
    let look = service.directory(&sent.shown).await?;
    let who = find(&look, kind, id)?;
    show(&look, sent, &who, &wanted.select(kind), StatusCode::OK).await
}

async fn show(look: &Look, sent: &Sent, who: &Who, select: &Select, status: StatusCode) -> Result<Response, Refused> {
    let profile = look.profiles(std::slice::from_ref(who)).await?.pop().unwrap_or_default();
    let all = answer::shown(look, who, profile, &sent.base, select);
    let location = answer::location(&sent.base, answer::kind(who), &who.id());
    Ok(resource(status, &Value::Object(select.of(all)), who.entry().version, &location))
}

/// Makes a new one.
pub async fn create(
    service: &Service,
    sent: &Sent,
    wanted: &Wanted,
    kind: &'static ResourceType,
    body: &Object,
) -> Result<Response, Refused> {
    let mut profile = read::read(kind, body)?;
    let is_user = kind == &USER;
    let change = match is_user {
        true => Change::SetUser { user: None, profile: Some(profile), if_index: None },
        false => {
            let add = members(&profile.remove("members").unwrap_or_default());
            let (group, remove, if_index) = (None, Vec::new(), None);
            Change::SetGroup { group, profile: Some(profile), add: add.into_iter().collect(), remove, if_index }
        }
    };
    let made = execute(service, sent, change).await.map_err(|failure| of_members(kind, failure))?;
    let id = if is_user { made.principal.map(|id| id.to_string()) } else { made.group.map(|id| id.to_string()) };
    let look = service.directory(&sent.shown).await?;
    let who = find(&look, kind, &id.unwrap_or_default())?;
    let shown = show(&look, sent, &who, &wanted.select(kind), StatusCode::CREATED).await?;
    Ok(positioned(shown, &made))
}

/// Changes one that is there.
pub async fn edit(
    service: &Service,
    sent: &Sent,
    wanted: &Wanted,
    kind: &'static ResourceType,
    id: &str,
    edit: &Edit,
) -> Result<Response, Refused> {
    for _ in 0..TRIES {
        let look = service.directory(&sent.shown).await?;
        let who = find(&look, kind, id)?;
        sent.has_seen(who.entry().version)?;
        let profile = look.profiles(std::slice::from_ref(&who)).await?.pop().unwrap_or_default();
        match execute(service, sent, change(&look, &who, profile, edit)?).await {
            Err(Failure::Rejected(Rejection::DirectoryMoved { .. })) if !sent.demands() => {}
            Err(failure) => return Err(of_members(kind, failure)),
            Ok(outcome) => return Ok(positioned(get(service, sent, wanted, kind, id).await?, &outcome)),
        }
    }
    Err(Failure::Unavailable("others kept changing it".into()).into())
}

/// The command that makes of one what it should be.
fn change(look: &Look, who: &Who, profile: Object, edit: &Edit) -> Result<Change, Refused> {
    let kind = answer::kind(who);
    let before = answer::sendable(look, who, profile);
    let mut after = match edit {
        Edit::Patch(patch) => patch::apply(kind, &before, patch)?,
        Edit::Replace(body) => read::read(kind, body)?,
    };
    let if_index = Some(who.entry().version);
    match who {
        Who::User(id, entry) => {
            // Who does not say whether somebody may come in leaves that as it is.
            after.entry("active").or_insert(Value::Bool(entry.active));
            Ok(Change::SetUser { user: Some(id.to_string()), profile: (after != before).then_some(after), if_index })
        }
        Who::Group(id, _) => {
            let mut before = before;
            let (was, is) = (before.remove("members"), after.remove("members"));
            let (was, is) = (members(&was.unwrap_or_default()), members(&is.unwrap_or_default()));
            Ok(Change::SetGroup {
                group: Some(id.to_string()),
                profile: (after != before).then_some(after),
                add: is.difference(&was).cloned().collect(),
                remove: was.difference(&is).cloned().collect(),
                if_index,
            })
        }
    }
}

/// The ids of members.
fn members(list: &Value) -> BTreeSet<String> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|member| member["value"].as_str()).map(ToOwned::to_owned).collect()
}

/// A member that there is not is a wrong value; the group itself is there.
fn of_members(kind: &ResourceType, failure: Failure) -> Refused {
    match failure {
        Failure::Rejected(Rejection::PrincipalNotFound(_)) if kind == &GROUP => {
            Problem::field("members", "a member is no user of the directory").into()
        }
        failure => failure.into(),
    }
}

/// Removes one.
pub async fn remove(
    service: &Service,
    sent: &Sent,
    kind: &'static ResourceType,
    id: &str,
) -> Result<Response, Refused> {
    for _ in 0..TRIES {
        let look = service.directory(&sent.shown).await?;
        let who = find(&look, kind, id)?;
        let version = who.entry().version;
        sent.has_seen(version)?;
        let if_index = Some(version);
        let change = match who {
            Who::User(user, _) => Change::RemoveUser { user: user.to_string(), if_index },
            Who::Group(group, _) => Change::RemoveGroup { group: group.to_string(), if_index },
        };
        match execute(service, sent, change).await {
            Err(Failure::Rejected(Rejection::DirectoryMoved { .. })) if !sent.demands() => {}
            Err(failure) => return Err(failure.into()),
            Ok(outcome) => return Ok(positioned(StatusCode::NO_CONTENT.into_response(), &outcome)),
        }
    }
    Err(Failure::Unavailable("others kept changing it".into()).into())
}
