//! What requests carry in path and query, read into the terms of the read side. Every refusal names the field.

pub mod who;

use std::str::FromStr;

use promptory_events::{Branch, Label, Position, PromptId, PromptKey, RequestId, Timestamp, limits};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Against, AsOf, Ask, PromptRef, Question, Which};
use serde::{Deserialize, Deserializer, de};
use utoipa::{IntoParams, ToSchema};

/// Items on a page unless the request says otherwise.
const PAGE_DEFAULT: usize = 100;

/// On which clock a time in `as_of` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnClock {
    /// When it happened: an importer may have claimed an earlier time than the recorded one.
    #[default]
    Occurred,
    /// When it was recorded here.
    Recorded,
}

/// The one clock of what nobody claims to have happened earlier: who may do what, what is protected and frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordedClock {
    /// When it was recorded here.
    #[default]
    Recorded,
}

/// A point as it is written in a query: an index or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Digits.
    Index(u64),
    /// RFC 3339.
    Time(Timestamp),
}

impl FromStr for Point {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = "must be an event's index or an RFC 3339 time such as 2024-05-03T14:00:00Z";
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Index).map_err(|_| error);
        }
        // In a query `+` means a space, and `+02:00` is often sent as it is.
        text.replace(' ', "+").parse().map(Self::Time).map_err(|_| error)
    }
}

pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
    text: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(text)?.parse().map(Some).map_err(de::Error::custom)
}

pub(super) fn page_size<'de, D: Deserializer<'de>>(number: D) -> Result<Option<usize>, D::Error> {
    let size = u64::deserialize(number)?;
    let size = usize::try_from(size).ok().filter(|size| (1..=limits::PAGE_MAX).contains(size));
    size.map(Some).ok_or_else(|| de::Error::custom(format_args!("must be from 1 to {}", limits::PAGE_MAX)))
}

/// Which version of a prompt, and when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ResolveParams {
    /// The version that this label points to; `latest` (the default) is the newest.
    #[param(value_type = Option<String>, example = "production")]
    pub label: Option<Label>,
    /// Whose version, if the label is split by a rollout: the same key gets the same version. 1 to 256 bytes; without it the
    /// answer is the control. Not with `version` or `branch`.
    #[param(value_type = Option<String>, example = "user-4711")]
    pub bucket_key: Option<String>,
    /// The version with this number. Excludes `label`.
    pub version: Option<u32>,
    /// The head of this branch. Excludes `label` and `version`.
    #[param(value_type = Option<String>, example = "main")]
    pub branch: Option<Branch>,
    /// As it was then: an event's index, or an RFC 3339 time.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "2024-05-03T14:00:00Z")]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>, example = "0102030405060708-41")]
    pub at_least: Option<Position>,
}

/// The versions that include a prompt.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DependentsParams {
    /// Also those that neither a label nor a branch leads to, and those of archived prompts.
    pub all: bool,
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries the point in time and `all` on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// Which versions are compared.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DiffParams {
    /// The version that is asked for: a number, `label:…` or `branch:…`; the head of `main` if it is not there.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "branch:try")]
    pub to: Option<Written>,
    /// The version that it is compared with; its first parent if it is not there.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "3")]
    pub from: Option<Written>,
    /// The prompt (key or id) that `from` is a version of, if it is another one.
    pub from_prompt: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time. Labels and branches mean what they meant then.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// A version as it is written in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written(Which);

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let which = match text.split_once(':') {
            Some(("label", name)) => name.parse().map(Which::Label).map_err(|error| format!("the label {error}"))?,
            Some(("branch", name)) => name.parse().map(Which::Branch).map_err(|error| format!("the branch {error}"))?,
            _ => {
                let number = text.parse().map_err(|_| "must be a number, `label:…` or `branch:…`")?;
                Which::Number(number)
            }
        };
        Ok(Self(which))
    }
}

impl DiffParams {
    /// The version that is asked for, and what it is compared with.
    ///
    /// # Errors
    /// Another prompt that is neither key nor id.
    pub fn versions(self) -> Result<(Which, Against), Problem> {
        let latest = || Which::Label(latest());
        let which = self.to.map_or_else(latest, |to| to.0);
        let other = self.from_prompt.as_deref().map(prompt).transpose();
        let other = other.map_err(|problem| problem.with("field", "from_prompt"))?;
        let against = match (other, self.from) {
            (None, None) => Against::Parent,
            (other, from) => Against::Version(other, from.map_or_else(latest, |from| from.0)),
        };
        Ok((which, against))
    }
}

/// A listing of prompts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only keys that begin with this.
    #[param(value_type = Option<String>, example = "team/")]
    pub prefix: Option<String>,
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries prefix and point in time on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// A listing of versions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct VersionsParams {
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries the point in time on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// One page of a list about a prompt that nothing else narrows: a label's history, forks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries the point in time on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// One page of a list of what is known about access or releases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RecordedPageParams {
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries the point in time on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time by which it was recorded. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read: there is one alone.
    #[param(inline)]
    pub clock: RecordedClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// Something that is known about the tenant as a whole.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RecordedParams {
    /// As it was then: an event's index, or an RFC 3339 time by which it was recorded.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read: there is one alone.
    #[param(inline)]
    pub clock: RecordedClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// What changed between two points.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangesParams {
    /// Since when: an event's index, or an RFC 3339 time. Needed, but not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "41")]
    pub from: Option<Point>,
    /// Until when; now if it is not there.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub to: Option<Point>,
    /// On which clock times in `from` and `to` are read.
    #[param(inline)]
    pub clock: OnClock,
    /// Only what has a key or a prefix that begins with this, at either point.
    pub prefix: Option<String>,
    /// This prompt alone, by key or id. Not with `prefix`.
    pub prompt: Option<String>,
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries all but `limit` on, and nothing else may be given with it.
    pub cursor: Option<String>,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// The events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EventsParams {
    /// The index of the first event.
    pub from: u64,
    /// Items on the page, 1 to 1,000. A stream has no pages and ignores it.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// Release requests.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ReleasesParams {
    /// Also those that are closed.
    pub all: bool,
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries the point in time on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time by which it was recorded. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read: there is one alone.
    #[param(inline)]
    pub clock: RecordedClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// Comments of a prompt.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CommentsParams {
    /// Only on the version of this number.
    pub version: Option<u32>,
    /// Only on this release request. Excludes `version`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub release: Option<RequestId>,
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries the point in time on.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time. Not with `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read.
    #[param(inline)]
    pub clock: OnClock,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// The status.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct StatusParams {
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

impl ResolveParams {
    /// Which version is meant.
    ///
    /// # Errors
    /// More than one of label, version and branch.
    pub fn which(&self) -> Result<Which, Problem> {
        match (&self.label, self.version, &self.branch) {
            (label, None, None) if let Some(key) = &self.bucket_key => {
                if !(1..=limits::BUCKET_KEY_MAX_BYTES).contains(&key.len()) {
                    let detail = format!("must be 1 to {} bytes long", limits::BUCKET_KEY_MAX_BYTES);
                    return Err(Problem::field("bucket_key", detail));
                }
                Ok(Which::Keyed { label: label.clone().unwrap_or_else(latest), key: key.clone() })
            }
            (Some(label), None, None) => Ok(Which::Label(label.clone())),
            _ if self.bucket_key.is_some() => Err(Problem::field("bucket_key", "goes with `label` alone")),
            (None, Some(number), None) => Ok(Which::Number(number)),
            (None, None, Some(branch)) => Ok(Which::Branch(branch.clone())),
            (None, None, None) => Ok(Which::Label(latest())),
            _ => Err(Problem::field("version", "at most one of `label`, `version` and `branch`")),
        }
    }
}

pub(super) fn latest() -> Label {
    Label::LATEST.parse().expect("`latest` has the form of a label")
}

/// The point that a request asks about.
pub fn as_of(point: Option<Point>, clock: OnClock) -> AsOf {
    match (point, clock) {
        (None, _) => AsOf::Now,
        (Some(Point::Index(index)), _) => AsOf::Index(index),
        (Some(Point::Time(time)), OnClock::Occurred) => AsOf::Occurred(time),
        (Some(Point::Time(time)), OnClock::Recorded) => AsOf::Recorded(time),
    }
}

/// The same where one clock is all there is.
pub fn recorded(point: Option<Point>, RecordedClock::Recorded: RecordedClock) -> AsOf {
    as_of(point, OnClock::Recorded)
}

/// The size of a page.
pub fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(PAGE_DEFAULT)
}

/// `{prompt}` of a path, decoded: an id or a key. A key can't have the form of an id.
///
/// # Errors
/// It has the form of neither.
pub fn prompt(text: &str) -> Result<PromptRef, Problem> {
    if let Ok(id) = text.parse::<PromptId>() {
        return Ok(PromptRef::Id(id));
    }
    let key = text.parse::<PromptKey>().map_err(|error| Problem::field("prompt", format!("the key {error}")))?;
    Ok(PromptRef::Key(key))
}

/// `{label}` of a path.
///
/// # Errors
/// It has not the form of a label.
pub fn label(text: &str) -> Result<Label, Problem> {
    text.parse().map_err(|error| Problem::field("label", format!("the label {error}")))
}

/// The refusal of a parameter that the cursor has fixed.
pub fn fixed(field: &str) -> Problem {
    Problem::field(field, "is carried by the cursor; leave it out or begin again without the cursor")
}

/// A question of a caller to its own tenant: the tenant comes from nowhere but what was shown.
pub fn ask(presented: &Presented, at_least: Option<Position>, question: Question) -> Ask {
    Ask { tenant: presented.tenant().clone(), caller: presented.into(), at_least, question }
}

#[cfg(test)]
mod tests {
    use promptory_platform::extract::query;

    use super::*;

    #[test]
    fn a_point_is_an_index_or_a_time() {
        let time: Timestamp = "2024-05-03T12:00:00Z".parse().unwrap();
        assert_eq!("41".parse(), Ok(Point::Index(41)));
        assert_eq!("2024-05-03T12:00:00Z".parse(), Ok(Point::Time(time)));
        assert_eq!("2024-05-03T14:00:00 02:00".parse(), Ok(Point::Time(time)), "a `+` that was not escaped");
        for bad in ["", "-1", "99999999999999999999", "2024-05-03", "noon"] {
            assert!(bad.parse::<Point>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_is_read_on_the_clock_that_is_asked_for() {
        let point = |text| {
            let params: ResolveParams = query(text).unwrap();
            as_of(params.as_of, params.clock)
        };
        let time = "2024-05-03T12:00:00Z".parse().unwrap();
        assert_eq!(point(""), AsOf::Now);
        assert_eq!(point("as_of=7"), AsOf::Index(7));
        assert_eq!(point("as_of=2024-05-03T12:00:00Z"), AsOf::Occurred(time));
        assert_eq!(point("as_of=2024-05-03T14:00:00%2B02:00&clock=recorded"), AsOf::Recorded(time));
    }

    #[test]
    fn bad_parameters_are_named() {
        let field = |problem: Problem| problem.document()["field"].as_str().unwrap_or_default().to_owned();
        for (text, name) in [("limit=0", "limit"), ("limit=1001", "limit"), ("as_of=noon", "as_of"), ("x=1", "x")] {
            assert_eq!(field(query::<ListParams>(text).unwrap_err()), name, "{text}");
        }
        for (text, name) in [("at_least=41", "at_least"), ("version=one", "version"), ("clock=sun", "clock")] {
            assert_eq!(field(query::<ResolveParams>(text).unwrap_err()), name, "{text}");
        }
        let long = format!("label=a&bucket_key={}", "x".repeat(257));
        for text in ["bucket_key=", "version=1&bucket_key=a", "branch=main&bucket_key=a", &long] {
            let params: ResolveParams = query(text).unwrap();
            assert_eq!(field(params.which().unwrap_err()), "bucket_key", "{text}");
        }
        let both: ResolveParams = query("label=a&version=1").unwrap();
        assert_eq!(field(both.which().unwrap_err()), "version");
        assert_eq!(field(prompt("a\nb").unwrap_err()), "prompt");
        assert_eq!(field(label("Latest").unwrap_err()), "label");
    }

    #[test]
    fn two_versions_are_written_in_few_letters() {
        let read = |text| query::<DiffParams>(text).unwrap().versions().unwrap();
        let latest = || Which::Label("latest".parse().unwrap());
        assert_eq!(read(""), (latest(), Against::Parent));
        let try_it = Which::Branch("try".parse().unwrap());
        assert_eq!(read("to=branch:try&from=3"), (try_it, Against::Version(None, Which::Number(3))));
        let other = Some(PromptRef::Key("a".parse().unwrap()));
        assert_eq!(read("from_prompt=a"), (latest(), Against::Version(other, latest())));
        for bad in ["from=x", "to=label:No", "to=tag:x", "from=-1", "from="] {
            assert!(query::<DiffParams>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_told_from_a_key() {
        let id = PromptId([7; 16]);
        assert_eq!(prompt(&id.to_string()).unwrap(), PromptRef::Id(id));
        assert_eq!(prompt("prm_x").unwrap(), PromptRef::Key("prm_x".parse().unwrap()));
    }
}
