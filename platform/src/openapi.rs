//! What both routers put into the API description: the bearer scheme, and every problem that a route can answer with.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{ProblemDocument, ProblemType};

/// The name of the security scheme that every route names: `security(("api_key" = []))`. The same key may come as HTTP
/// Basic, and a token of an issuer may stand in its place; [`complete`] adds both wherever this one is.
pub const API_KEY: &str = "api_key";
/// The name of another one: the key's two parts as name and password.
const BASIC: &str = "basic";
/// The name of the third: a token of an issuer.
const TOKEN: &str = "token";

/// Response objects by status for the problems that a route can answer with.
#[must_use]
pub fn problem_responses(problems: &[ProblemType]) -> BTreeMap<String, RefOr<Response>> {
    let mut codes: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for problem in problems {
        codes.entry(problem.status).or_default().push(format!("`{}`: {}", problem.code, problem.title));
    }
    let response = |lines: Vec<String>| {
        let schema = Ref::from_schema_name(ProblemDocument::name());
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description(lines.join("; ")).content("application/problem+json", content).build()
    };
    codes.into_iter().map(|(status, lines)| (status.to_string(), RefOr::T(response(lines)))).collect()
}

/// Adds the security schemes and the problem document's schema to a description.
pub fn complete(openapi: &mut OpenApi) {
    let components = openapi.components.get_or_insert_with(Components::new);
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("pk_<tenant>_<key id>_<secret>")
        .description(Some("An API key. It names the tenant."))
        .build();
    components.add_security_scheme(API_KEY, SecurityScheme::Http(scheme));
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("The same API key: `pk_<tenant>_<key id>` as the name, its secret as the password."))
        .build();
    components.add_security_scheme(BASIC, SecurityScheme::Http(basic));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token of an issuer that the tenant trusts; the tenant's name is in `Promptory-Tenant`."))
        .build();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token));
    other_ways(openapi);
}

/// Whatever takes a key as a bearer token takes it in the other ways, too.
fn other_ways(openapi: &mut OpenApi) {
    let none: [&str; 0] = [];
    let bearer = SecurityRequirement::new(API_KEY, none);
    for item in openapi.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for security in operations.into_iter().flatten().filter_map(|operation| operation.security.as_mut()) {
            for other in [BASIC, TOKEN].map(|name| SecurityRequirement::new(name, none)) {
                if security.contains(&bearer) && !security.contains(&other) {
                    security.push(other);
                }
            }
        }
    }
}

/// A router with `GET /openapi.json`, written once.
#[must_use = "merge it into the other routers"]
pub fn route(openapi: &OpenApi) -> Router {
    let json = Bytes::from(serde_json::to_vec_pretty(openapi).unwrap_or_default());
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], json.clone()) };
    Router::new().route("/openapi.json", get(answer))
}

/// Declares a type that stands for the problems of some routes in `#[utoipa::path(responses(…))]`.
///
/// ```
/// promptory_platform::problem_set! {
///     /// What can go wrong with a read.
///     pub ReadProblems = [INVALID_FIELD, UNAUTHENTICATED];
/// }
/// ```
#[macro_export]
macro_rules! problem_set {
    ($($(#[$doc:meta])* $vis:vis $name:ident = [$($problem:ident),* $(,)?];)*) => {$(
        $(#[$doc])*
        $vis struct $name;

        impl $name {
            /// The problems.
            pub const ALL: &'static [$crate::ProblemType] = &[$($crate::ProblemType::$problem),*];
        }

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> ::std::collections::BTreeMap<
                ::std::string::String,
                ::utoipa::openapi::RefOr<::utoipa::openapi::Response>,
            > {
                $crate::openapi::problem_responses(Self::ALL)
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_grouped_by_status() {
        let set = [ProblemType::UNAUTHENTICATED, ProblemType::FORBIDDEN, ProblemType::TENANT_SUSPENDED];
        let responses = problem_responses(&set);
        assert_eq!(responses.keys().collect::<Vec<_>>(), ["401", "403"]);
        let json = serde_json::to_value(&responses["403"]).unwrap();
        assert!(json["description"].as_str().unwrap().contains("`tenant-suspended`"));
        let schema = &json["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/ProblemDocument");
    }
}
