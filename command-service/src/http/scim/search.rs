//! Lists of users, of groups, and of both at once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use promptory_scim::{Filter, GROUP, ResourceType, USER};

use super::ask::{Search, Sent, Wanted};
use super::{Refused, ScimError, answer, document, list as listed};
use crate::service::Service;

/// Users and groups by a filter in the body, a page of them: users first. A filter by what only one of them has is about those.
#[utoipa::path(post, path = "/scim/v2/.search", tag = "scim", operation_id = "scim_search",
    request_body(content = Search, content_type = "application/scim+json", description = "A search of RFC 7644"),
    responses((status = 200, description = "A list", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn both(State(service): State<Service>, sent: Sent, search: Search) -> Result<Response, Refused> {
    let wanted = Wanted::from(search);
    let kinds = meant(wanted.filter())?;
    listing(&service, &sent, &wanted, &kinds).await
}

/// A page of all of some types, one type after another.
pub(super) async fn listing(
    service: &Service,
    sent: &Sent,
    wanted: &Wanted,
    kinds: &[&'static ResourceType],
) -> Result<Response, Refused> {
    let look = service.directory(&sent.shown).await?;
    let (start, count) = wanted.page();
    let (mut total, mut some) = (0, Vec::new());
    for kind in kinds {
        // Where the page begins among those of this type, and what is left of it.
        let page = (start.saturating_sub(total).max(1), count - some.len());
        let select = wanted.select(kind);
        let (of_kind, shown) = answer::page(&look, kind, wanted.filter(), page, &sent.base, &select).await?;
        total += of_kind;
        some.extend(shown);
    }
    Ok(document(StatusCode::OK, &listed(total, start, &some)))
}

/// The types that have what a filter asks for.
fn meant(filter: Option<&str>) -> Result<Vec<&'static ResourceType>, Refused> {
    let Some(filter) = filter else { return Ok(vec![&USER, &GROUP]) };
    match (Filter::read(&USER, filter), Filter::read(&GROUP, filter)) {
        (Ok(_), Ok(_)) => Ok(vec![&USER, &GROUP]),
        (Ok(_), Err(_)) => Ok(vec![&USER]),
        (Err(_), Ok(_)) => Ok(vec![&GROUP]),
        (Err(error), Err(_)) => Err(error.into()),
    }
}
