//! Prompts with their versions and labels, a page by its number.

use promptory_events::event::Kind;
use promptory_events::{Label, PromptKey, Tag, Timestamp};
use promptory_platform::Problem;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

/// Which prompts, and which page of them. Parameters that nobody here knows are ignored, as Langfuse does.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ListParams {
    /// The prompt with this key.
    pub name: Option<String>,
    /// Those that carry this label; of them the version that it points to.
    #[param(value_type = Option<String>)]
    pub label: Option<Label>,
    /// Those that have this tag.
    #[param(value_type = Option<String>)]
    pub tag: Option<Tag>,
    /// Those that changed then or later.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from_updated_at: Option<Timestamp>,
    /// Those that changed before.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to_updated_at: Option<Timestamp>,
    /// The page, from 1 on.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// Prompts on it, 1 to 100; 10 if it is not there.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
}

/// In a query `+` means a space, and `+02:00` is often sent as it is.
fn time<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Timestamp>, D::Error> {
    String::deserialize(text)?.replace(' ', "+").parse().map(Some).map_err(de::Error::custom)
}

impl ListParams {
    /// The page's number and the prompts on it.
    ///
    /// # Errors
    /// Either is out of its range.
    pub fn page(&self) -> Result<(usize, usize), Problem> {
        let page = self.page.map_or(Ok(1), |page| {
            usize::try_from(page).ok().filter(|page| *page > 0).ok_or_else(|| Problem::field("page", "begins with 1"))
        })?;
        let limit = self.limit.map_or(Ok(LIMIT_DEFAULT), |limit| {
            let limit = usize::try_from(limit).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| Problem::field("limit", format!("must be from 1 to {LIMIT_MAX}")))
        })?;
        Ok((page, limit))
    }
}

/// A page of prompts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LangfusePromptPage)]
pub struct Page<'a> {
    /// The prompts, by name.
    pub data: Vec<PromptMeta<'a>>,
    /// Where the page is.
    pub meta: Meta,
    /// The same: Langfuse has both.
    pub pagination: Meta,
}

/// Where a page is among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LangfusePageMeta)]
pub struct Meta {
    /// Its number.
    pub page: usize,
    /// Prompts on a page.
    pub limit: usize,
    /// All that were found.
    pub total_items: usize,
    /// The pages that they fill.
    pub total_pages: usize,
}

impl Meta {
    /// Of a page.
    #[must_use]
    pub fn new((page, limit): (usize, usize), total_items: usize) -> Self {
        Self { page, limit, total_items, total_pages: total_items.div_ceil(limit.max(1)) }
    }
}

/// A prompt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LangfusePromptMeta)]
pub struct PromptMeta<'a> {
    /// Its key.
    #[schema(value_type = String)]
    pub name: &'a PromptKey,
    /// `text` or `chat`.
    #[schema(value_type = String)]
    pub r#type: Kind,
    /// The numbers of its versions; with `label` of the one that it points to.
    pub versions: Vec<u32>,
    /// The labels of these versions.
    pub labels: Vec<String>,
    /// Its tags.
    #[schema(value_type = Vec<String>)]
    pub tags: &'a [Tag],
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub last_updated_at: Timestamp,
    /// The configuration of the newest of these versions.
    #[schema(value_type = Object)]
    pub last_config: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use promptory_platform::extract::query;

    use super::*;

    #[test]
    fn pages_have_numbers_and_bounds() {
        let page = |text| query::<ListParams>(text).and_then(|params| params.page());
        assert_eq!(page("").unwrap(), (1, 10));
        assert_eq!(page("page=3&limit=100&version=1").unwrap(), (3, 100));
        for (bad, field) in [("page=0", "page"), ("limit=0", "limit"), ("limit=101", "limit"), ("label=A", "label")] {
            assert_eq!(page(bad).unwrap_err().members["field"], field, "{bad}");
        }
        let meta = Meta::new((2, 10), 21);
        assert_eq!((meta.total_pages, Meta::new((1, 10), 0).total_pages), (3, 0));
    }

    #[test]
    fn a_time_has_any_zone() {
        let params: ListParams =
            query("fromUpdatedAt=2026-05-03T14:00:00+02:00&toUpdatedAt=2026-05-03T12:00:00Z").unwrap();
        assert_eq!(params.from_updated_at, params.to_updated_at);
        assert!(query::<ListParams>("fromUpdatedAt=noon").is_err());
    }
}
