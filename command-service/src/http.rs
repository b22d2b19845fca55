//! The routes of the command service: request -> command, outcome -> JSON. No rules here.

mod access;
mod answer;
mod backups;
mod batch;
mod branches;
mod error;
mod foreign;
mod grants;
mod groups;
mod identity;
mod langfuse;
mod mlflow;
mod otlp;
mod prompts;
mod protections;
mod quotas;
mod releases;
mod rollouts;
mod scim;
mod settings;
mod tenants;
mod usage;

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware::{from_fn, map_response};
use promptory_compat as compat;
use promptory_platform::Problem;
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;
use crate::wire::Request;

pub use answer::OutcomeDocument;

/// The routes, and what they are in OpenAPI.
pub fn router(service: Service) -> (Router, OpenApi) {
    let (router, description) = all_routes();
    // Whatever else is asked for below it is answered in its form, too.
    let router = router.route("/scim/v2/{*rest}", axum::routing::any(scim::nowhere));
    let elsewhere = Router::new().route("/api/public/{*rest}", axum::routing::any(langfuse::nowhere));
    let router = router.merge(elsewhere.layer(map_response(compat::langfuse::in_its_form)));
    let elsewhere = Router::new().route("/api/2.0/mlflow/{*rest}", axum::routing::any(mlflow::nowhere));
    let router = router.merge(elsewhere.layer(map_response(compat::mlflow::in_its_form)));
    (router.with_state(service), description)
}

/// What the routes are, for a process that does not have them.
#[must_use]
pub fn description() -> OpenApi {
    all_routes().1
}

fn all_routes() -> (Router<Service>, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(prompts::create))
        .routes(routes!(prompts::add_version))
        .routes(routes!(prompts::rename))
        .routes(routes!(prompts::set_tags))
        .routes(routes!(prompts::set_metadata))
        .routes(routes!(prompts::archive))
        .routes(routes!(prompts::restore))
        .routes(routes!(prompts::set_label, prompts::remove_label))
        .routes(routes!(branches::create_branch, branches::close_branch))
        .routes(routes!(branches::fork))
        .routes(routes!(branches::merge))
        .routes(routes!(batch::commands))
        .routes(routes!(access::issue_key))
        .routes(routes!(access::revoke_key))
        .routes(routes!(access::rotate_key))
        .routes(routes!(grants::grant_to_principal, grants::revoke_from_principal))
        .routes(routes!(grants::grant_to_group, grants::revoke_from_group))
        .routes(routes!(groups::create_group))
        .routes(routes!(groups::add_member, groups::remove_member))
        .routes(routes!(groups::define_role))
        .routes(routes!(identity::trust_issuer))
        .routes(routes!(identity::distrust_issuer))
        .routes(routes!(identity::link_issuer))
        .routes(routes!(identity::map_claim, identity::unmap_claim))
        .routes(routes!(identity::add_principal))
        .routes(routes!(identity::revoke_session))
        .routes(routes!(releases::open))
        .routes(routes!(releases::approve))
        .routes(routes!(releases::reject))
        .routes(routes!(releases::withdraw))
        .routes(routes!(releases::comment_on_release))
        .routes(routes!(releases::comment_on_version))
        .routes(routes!(releases::roll_back))
        .routes(routes!(rollouts::start_rollout))
        .routes(routes!(rollouts::advance_rollout))
        .routes(routes!(rollouts::pause_rollout))
        .routes(routes!(rollouts::resume_rollout))
        .routes(routes!(rollouts::roll_back_rollout))
        .routes(routes!(rollouts::complete_rollout))
        .routes(routes!(protections::protect, protections::unprotect))
        .routes(routes!(protections::freeze))
        .routes(routes!(protections::lift))
        .routes(routes!(tenants::create))
        .routes(routes!(tenants::add_owner))
        .routes(routes!(tenants::suspend))
        .routes(routes!(tenants::resume))
        .routes(routes!(quotas::set, quotas::lift))
        .routes(routes!(settings::configure_search))
        .routes(routes!(settings::configure_watch))
        .routes(routes!(usage::record))
        .routes(routes!(scim::about::service_provider_config))
        .routes(routes!(scim::about::resource_types))
        .routes(routes!(scim::about::resource_type))
        .routes(routes!(scim::about::schemas))
        .routes(routes!(scim::about::schema))
        .routes(routes!(scim::users::create, scim::users::list))
        .routes(routes!(scim::users::search))
        .routes(routes!(scim::groups::search))
        .routes(routes!(scim::search::both))
        .routes(routes!(scim::users::get, scim::users::replace, scim::users::patch, scim::users::remove))
        .routes(routes!(scim::groups::create, scim::groups::list))
        .routes(routes!(scim::groups::get, scim::groups::replace, scim::groups::patch, scim::groups::remove))
        .routes(routes!(backups::ledger))
        .routes(routes!(backups::keys))
        .merge(langfuse_routes())
        .merge(mlflow_routes())
        .merge(otlp_routes())
        .split_for_parts()
}

/// Refusals of theirs are in OTLP's form.
fn otlp_routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(otlp::export))
        .routes(routes!(otlp::export_from_langfuse))
        .layer(from_fn(otlp::status_form))
}

/// Refusals of theirs are in their form.
fn langfuse_routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(langfuse::create))
        .routes(routes!(langfuse::update_labels))
        .routes(routes!(langfuse::delete))
        .routes(routes!(langfuse::scores::create))
        .routes(routes!(langfuse::scores::ingest))
        .layer(map_response(compat::langfuse::in_its_form))
}

/// Refusals of theirs are in their form.
fn mlflow_routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(mlflow::create))
        .routes(routes!(mlflow::delete))
        .routes(routes!(mlflow::set_tag))
        .routes(routes!(mlflow::delete_tag))
        .routes(routes!(mlflow::set_alias, mlflow::delete_alias))
        .routes(routes!(mlflow::create_version))
        .routes(routes!(mlflow::delete_version))
        .routes(routes!(mlflow::set_version_tag))
        .routes(routes!(mlflow::delete_version_tag))
        .layer(map_response(compat::mlflow::in_its_form))
}

/// A command from a body: the fields that path and headers give must not be in the body too.
fn request(
    kind: &str,
    from_path: &[(&str, String)],
    headers: &HeaderMap,
    mut body: Map<String, Value>,
) -> Result<Request, Problem> {
    let from_headers = [("idempotency_key", "idempotency-key"), ("if_match", "if-match")];
    let given = from_path.iter().map(|(field, value)| (*field, value.clone()));
    let headers = from_headers.into_iter().filter_map(|(field, name)| headers.get(name).map(|v| (field, name, v)));
    let mut all: Vec<(&str, String)> = given.chain([("type", kind.to_owned())]).collect();
    for (field, name, value) in headers {
        let text = value.to_str().map_err(|_| Problem::field(name, "must be visible ASCII"))?;
        all.push((field, text.to_owned()));
    }
    for (field, value) in all {
        if body.insert(field.to_owned(), Value::String(value)).is_some() {
            return Err(Problem::field(&format!("/{field}"), "is given by the path or a header; leave it out here"));
        }
    }
    Request::from_object(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn path_headers_and_body_make_one_command() {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", "k1".parse().unwrap());
        let prompt = [("prompt", "team/greet".to_owned())];
        let request = request("set_tags", &prompt, &headers, body(r#"{"tags":["a"],"message":"why"}"#)).unwrap();
        assert_eq!(request.claims.idempotency_key.as_deref(), Some("k1"));
        let json = serde_json::to_value(&request).unwrap();
        assert_eq!((&json["type"], &json["prompt"]), (&"set_tags".into(), &"team/greet".into()));
    }

    #[test]
    fn a_field_can_not_be_given_twice() {
        let prompt = [("prompt", "a".to_owned())];
        let twice = request("archive_prompt", &prompt, &HeaderMap::new(), body(r#"{"prompt":"b"}"#)).unwrap_err();
        assert_eq!(twice.members["field"], "/prompt");
    }
}
