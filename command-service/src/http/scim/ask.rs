//! What a request says besides its body: who sends it, where the resources are for him, which version he has seen, and what
//! he wants to see.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use promptory_events::limits;
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Query};
use promptory_platform::problem::{Problem, ProblemType};
use promptory_scim::select::Select;
use promptory_scim::{Object, ResourceType};
use serde::Deserialize;

use super::{Refused, etag};

/// Who sends it, and how.
pub struct Sent {
    pub shown: Presented,
    /// The address of the whole, as the sender knows it: no end in `/`.
    pub base: String,
    if_match: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Sent {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let shown = Presented::from_request_parts(parts, state).await?;
        let if_match = parts.headers.get(header::IF_MATCH).map(|value| value.to_str().map(ToOwned::to_owned));
        let if_match = if_match.transpose().map_err(|_| Problem::field("If-Match", "must be visible ASCII"))?;
        Ok(Self { shown, base: base(&parts.headers), if_match })
    }
}

impl Sent {
    /// Whether the sender demands a version at all: if not, a conflict is ours to resolve.
    pub fn demands(&self) -> bool {
        self.if_match.is_some()
    }

    /// Refuses if the sender has seen another version.
    pub fn has_seen(&self, version: u64) -> Result<(), Refused> {
        let Some(seen) = &self.if_match else { return Ok(()) };
        let weak = etag(version);
        let strong = weak.trim_start_matches("W/");
        let is_it = |one: &str| matches!(one, "*") || one == weak || one == strong;
        if seen.split(',').any(|one| is_it(one.trim())) {
            return Ok(());
        }
        let detail = format!("it has changed; its version is {weak} now");
        Err(Problem::new(ProblemType::PRECONDITION_FAILED, detail).into())
    }
}

/// As the sender's proxy saw it, or as the sender wrote it.
pub fn base(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if text("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https")) {
        "https"
    } else {
        "http"
    };
    match text("x-forwarded-host").or_else(|| text("host")) {
        Some(host) => format!("{scheme}://{host}/scim/v2"),
        None => "/scim/v2".to_owned(),
    }
}

/// What the sender wants to see. What is not known is left alone: clients add words of their own.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Which resources: a filter of RFC 7644.
    filter: Option<String>,
    /// The place of the first one, from 1.
    start_index: Option<i64>,
    /// How many at most: 0 to 200.
    count: Option<i64>,
    /// Only these attributes, with commas between them.
    attributes: Option<String>,
    /// Not these attributes.
    excluded_attributes: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Query::<Self>::from_request_parts(parts, state).await?.0)
    }
}

impl Wanted {
    /// Which attributes.
    pub fn select(&self, kind: &'static ResourceType) -> Select {
        Select::read(kind, self.attributes.as_deref(), self.excluded_attributes.as_deref())
    }

    /// The filter, if there is one.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref().filter(|filter| !filter.trim().is_empty())
    }

    /// The place of the first one from 1, and how many at most.
    pub fn page(&self) -> (usize, usize) {
        let start = usize::try_from(self.start_index.unwrap_or(1).max(1)).unwrap_or(usize::MAX);
        let count = usize::try_from(self.count.unwrap_or(100).max(0)).unwrap_or(usize::MAX);
        (start, count.min(limits::DIRECTORY_PAGE_MAX))
    }
}

/// The same as a body (`.search`): lists in the place of commas.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Search {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Vec<String>,
    excluded_attributes: Vec<String>,
}

impl<S: Send + Sync> axum::extract::FromRequest<S> for Search {
    type Rejection = Refused;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Refused> {
        Ok(Json::<Self>::from_request(request, state).await?.0)
    }
}

impl From<Search> for Wanted {
    fn from(search: Search) -> Self {
        let list = |names: Vec<String>| (!names.is_empty()).then(|| names.join(","));
        Self {
            filter: search.filter,
            start_index: search.start_index,
            count: search.count,
            attributes: list(search.attributes),
            excluded_attributes: list(search.excluded_attributes),
        }
    }
}

/// A body that is an object.
pub struct Body(pub Object);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Body {
    type Rejection = Refused;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Refused> {
        match Json::<Object>::from_request(request, state).await {
            Ok(Json(object)) => Ok(Self(object)),
            Err(problem) if problem.kind == ProblemType::INVALID_FIELD => {
                Err(Problem::new(ProblemType::MALFORMED_REQUEST, "the body must be an object").into())
            }
            Err(problem) => Err(problem.into()),
        }
    }
}
