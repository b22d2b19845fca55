//! Conditional reads: a client that has the version already gets no text.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use promptory_events::VersionId;

/// The header `If-None-Match`, as often as it came; mostly it did not.
#[derive(Debug)]
pub struct IfNoneMatch(Vec<HeaderValue>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect()))
    }
}

impl IfNoneMatch {
    /// Whether it names the version: in a list, weakly, or as `*`. The version's id is its ETag.
    pub fn names(&self, version: VersionId) -> bool {
        if self.0.is_empty() {
            return false; // without making the tag's text
        }
        let version = version.to_string();
        // Our tags hold no comma, so a list can be split at commas; another's tag may, and then matches nothing.
        let mut tags = self.0.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
        tags.any(|tag| is(tag.trim(), &version))
    }
}

/// Weak comparison, which RFC 9110 asks for here: `W/` makes no difference.
fn is(tag: &str, version: &str) -> bool {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag == "*" || tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(values: &[&str]) -> bool {
        let values = values.iter().map(|value| value.parse().unwrap()).collect();
        IfNoneMatch(values).names(VersionId([0xab; 16]))
    }

    #[test]
    fn a_version_is_found_in_a_list_weakly_and_by_a_star() {
        let tag = format!("\"{}\"", VersionId([0xab; 16]));
        let other = format!("\"{}\"", VersionId([0xcd; 16]));
        assert!(matches(&[&tag]));
        assert!(matches(&[&format!("W/{tag}")]));
        assert!(matches(&[&format!("{other} ,  {tag}")]));
        assert!(matches(&[&other, &tag]), "the header may come twice");
        assert!(matches(&["*"]));
        assert!(!matches(&[]));
        assert!(!matches(&[&other]));
        assert!(!matches(&[tag.trim_matches('"')]), "a tag has quotes");
        assert!(!matches(&["", ",", "\"", "W/"]));
    }
}
