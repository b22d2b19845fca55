//! What both routers put into the API description: the bearer scheme, and every problem that a route can answer with.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{ProblemDocument, ProblemType};

/// The name of the security scheme: `security(("api_key" = []))`.
pub const API_KEY: &str = "api_key";

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

/// Adds the bearer scheme and the problem document's schema to a description.
pub fn complete(openapi: &mut OpenApi) {
    let components = openapi.components.get_or_insert_with(Components::new);
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("pk_<tenant>_<key id>_<secret>")
        .description(Some("An API key. It names the tenant."))
        .build();
    components.add_security_scheme(API_KEY, SecurityScheme::Http(scheme));
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
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
