//! Users of the directory.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::Path;
use promptory_scim::USER;

use super::ask::{Body, Search, Sent, Wanted};
use super::search::listing;
use super::store::{self, Edit};
use super::{Refused, ScimError};
use crate::service::Service;

/// Adds a user.
#[utoipa::path(post, path = "/scim/v2/Users", tag = "scim", operation_id = "scim_create_user",
    params(Wanted),
    request_body(content = Value, content_type = "application/scim+json", description = "A user of RFC 7643"),
    responses((status = 201, description = "The user", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused; nothing was written", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available, or the outcome is not known", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn create(
    State(service): State<Service>,
    sent: Sent,
    wanted: Wanted,
    Body(body): Body,
) -> Result<Response, Refused> {
    store::create(&service, &sent, &wanted, &USER, &body).await
}

/// Users by a filter, a page of them.
#[utoipa::path(get, path = "/scim/v2/Users", tag = "scim", operation_id = "scim_list_users",
    params(Wanted),
    responses((status = 200, description = "A list", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn list(State(service): State<Service>, sent: Sent, wanted: Wanted) -> Result<Response, Refused> {
    listing(&service, &sent, &wanted, &[&USER]).await
}

/// Users by a filter in the body, a page of them.
#[utoipa::path(post, path = "/scim/v2/Users/.search", tag = "scim", operation_id = "scim_search_users",
    request_body(content = Search, content_type = "application/scim+json", description = "A search of RFC 7644"),
    responses((status = 200, description = "A list", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn search(State(service): State<Service>, sent: Sent, search: Search) -> Result<Response, Refused> {
    listing(&service, &sent, &search.into(), &[&USER]).await
}

/// A user.
#[utoipa::path(get, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_get_user",
    params(("id" = String, Path, description = "Its id"), Wanted),
    responses((status = 200, description = "The user", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn get(
    State(service): State<Service>,
    sent: Sent,
    wanted: Wanted,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    store::get(&service, &sent, &wanted, &USER, &id).await
}

/// Another user in the place of one.
#[utoipa::path(put, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_replace_user",
    params(("id" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "Its version, else it is refused"), Wanted),
    request_body(content = Value, content_type = "application/scim+json", description = "A user of RFC 7643"),
    responses((status = 200, description = "The user", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused; nothing was written", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available, or the outcome is not known", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn replace(
    State(service): State<Service>,
    sent: Sent,
    wanted: Wanted,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    store::edit(&service, &sent, &wanted, &USER, &id, &Edit::Replace(body)).await
}

/// Changes a user.
#[utoipa::path(patch, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_patch_user",
    params(("id" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "Its version, else it is refused"), Wanted),
    request_body(content = Value, content_type = "application/scim+json", description = "A patch of RFC 7644"),
    responses((status = 200, description = "The user", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "Refused; nothing was written", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available, or the outcome is not known", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn patch(
    State(service): State<Service>,
    sent: Sent,
    wanted: Wanted,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    store::edit(&service, &sent, &wanted, &USER, &id, &Edit::Patch(body)).await
}

/// Removes a user. Its keys are revoked, and it comes in by nothing.
#[utoipa::path(delete, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_remove_user",
    params(("id" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "Its version, else it is refused")),
    responses((status = 204, description = "It is gone"),
        (status = "4XX", description = "Refused; nothing was written", body = ScimError, content_type = "application/scim+json"),
        (status = "5XX", description = "Not available, or the outcome is not known", body = ScimError, content_type = "application/scim+json")),
    security(("api_key" = [])))]
pub async fn remove(State(service): State<Service>, sent: Sent, Path(id): Path<String>) -> Result<Response, Refused> {
    store::remove(&service, &sent, &USER, &id).await
}
