//! The question as query parameters.

use std::collections::BTreeSet;

use promptory_events::{Position, Timestamp, limits};
use promptory_platform::Problem;
use promptory_projection::ask::AskAnalytics;
use promptory_usage::page::Grain;
use promptory_usage::query::{Dimension, Filter, Order, Question};
use serde::{Deserialize, Deserializer, de};
use utoipa::{IntoParams, ToSchema};

use super::super::params::{parsed, prompt};

/// The question.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AnalyticsParams {
    /// From this time on (RFC 3339), at the beginning of its minute; a day before `to` if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-01-01T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// Before this time, to the end of its minute; now if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// A group for each minute, hour or day (UTC); one for all of it if it is left out.
    #[param(inline)]
    pub granularity: Option<Granularity>,
    /// What is told apart, with commas between: prompt, version, label, arm, model, caller.
    #[param(example = "prompt,version")]
    pub group_by: Option<String>,
    /// Only this prompt, by key or id.
    pub prompt: Option<String>,
    /// Only prompts whose key begins with this.
    pub prefix: Option<String>,
    /// Only this version.
    pub version: Option<u32>,
    /// Only what was asked for by this label.
    pub label: Option<String>,
    /// Only this arm.
    pub arm: Option<String>,
    /// Only this model.
    pub model: Option<String>,
    /// Only this caller.
    pub caller: Option<String>,
    /// What comes first, the largest at the top.
    #[param(inline)]
    pub order_by: Option<OrderBy>,
    /// Only so many groups, over the whole range: those that come first.
    #[param(minimum = 1, maximum = 10000)]
    pub top: Option<usize>,
    /// JSON or CSV.
    #[param(inline)]
    pub format: Option<Format>,
    /// Wait until the catalog has reached this position.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// How long a bucket is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    Minute,
    Hour,
    Day,
}

/// What groups are put in order by.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrderBy {
    Count,
    Errors,
    Cost,
    Tokens,
    Latency,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AnalyticsFormat)]
pub enum Format {
    #[default]
    Json,
    Csv,
}

/// A time has a beginning before its end.
///
/// # Errors
/// It has not.
pub fn in_order(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), Problem> {
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::field("to", "must be after `from`"));
    }
    Ok(())
}

impl AnalyticsParams {
    /// What is asked.
    ///
    /// # Errors
    /// A value that nothing can have.
    pub fn asked(&self) -> Result<AskAnalytics, Problem> {
        in_order(self.from, self.to)?;
        let texts = [
            ("prefix", &self.prefix, limits::KEY_MAX_BYTES),
            ("label", &self.label, limits::LABEL_MAX_BYTES),
            ("arm", &self.arm, limits::USAGE_NAME_MAX_BYTES),
            ("model", &self.model, limits::MODEL_MAX_BYTES),
            ("caller", &self.caller, limits::USAGE_CALLER_MAX_BYTES),
        ];
        for (field, text, max) in texts {
            if text.as_ref().is_some_and(|text| text.len() > max) {
                return Err(Problem::field(field, format!("has at most {max} bytes")));
            }
        }
        if self.top.is_some_and(|top| !(1..=limits::USAGE_GROUPS_MAX).contains(&top)) {
            return Err(Problem::field("top", format!("must be 1 to {}", limits::USAGE_GROUPS_MAX)));
        }
        let filter = Filter {
            version: self.version,
            label: self.label.clone(),
            arm: self.arm.clone(),
            model: self.model.clone(),
            caller: self.caller.clone(),
        };
        let question = Question {
            from: 0,
            to: 0,
            step: self.granularity.map(Grain::from),
            group_by: self.group_by.as_deref().map_or_else(|| Ok(BTreeSet::new()), dimensions)?,
            filter,
            order: self.order_by.map_or(Order::default(), Order::from),
            top: self.top,
        };
        Ok(AskAnalytics {
            prompt: self.prompt.as_deref().map(prompt).transpose()?,
            prefix: self.prefix.clone().unwrap_or_default(),
            from: self.from,
            to: self.to,
            question,
        })
    }
}

fn dimensions(text: &str) -> Result<BTreeSet<Dimension>, Problem> {
    let one = |name: &str| {
        let found = Dimension::ALL.into_iter().find(|dimension| dimension.name() == name);
        found.ok_or_else(|| Problem::field("group_by", "names of: prompt, version, label, arm, model, caller"))
    };
    text.split(',').map(|name| one(name.trim())).collect()
}

impl From<Granularity> for Grain {
    fn from(granularity: Granularity) -> Self {
        match granularity {
            Granularity::Minute => Self::Minute,
            Granularity::Hour => Self::Hour,
            Granularity::Day => Self::Day,
        }
    }
}

impl From<OrderBy> for Order {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Count => Self::Count,
            OrderBy::Errors => Self::Errors,
            OrderBy::Cost => Self::Cost,
            OrderBy::Tokens => Self::Tokens,
            OrderBy::Latency => Self::Latency,
        }
    }
}

pub(super) fn time<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Timestamp>, D::Error> {
    // In a query `+` means a space, and `+02:00` is often sent as it is.
    let text = Option::<String>::deserialize(text)?;
    text.map(|text| text.replace(' ', "+").parse().map_err(de::Error::custom)).transpose()
}
