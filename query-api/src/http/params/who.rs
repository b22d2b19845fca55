//! What questions about access carry in the query.

use promptory_events::event::Action;
use promptory_events::{ClaimId, IssuerId, KeyId, Position, PrincipalId, Timestamp};
use promptory_platform::Problem;
use promptory_projection::ask::{Place, Showing, When};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Point, RecordedClock, page_size, parsed, recorded};

/// Who may do what somewhere.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct WhoParams {
    /// A key or a prefix (it ends with `/`); the whole tenant if it is not there.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "team/greet")]
    pub on: Option<Place>,
    /// Also those who may do something on a part of the prefix only.
    pub below: bool,
    /// Only those who may do this.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "move-labels")]
    pub action: Option<Action>,
    /// Items on the page, 1 to 1,000.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before. It carries all but `limit` on, and nothing else may be given with it.
    pub cursor: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time by which it was recorded.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read: there is one alone.
    #[param(inline)]
    pub clock: RecordedClock,
    /// When expiries are judged; if it is not there, at the time in `as_of`, at that of the event in `as_of`, or now.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

impl WhoParams {
    /// What the cursor carries and was given all the same.
    pub fn beside_cursor(&self) -> Option<&'static str> {
        let given = [
            ("on", self.on.is_some()),
            ("below", self.below),
            ("action", self.action.is_some()),
            ("as_of", self.as_of.is_some()),
            ("at", self.at.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

/// What one principal may do.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct HoldingsParams {
    /// Grants on the page, 1 to 1,000.
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
    /// When expiries are judged; if it is not there, at the time in `as_of`, at that of the event in `as_of`, or now. Not with
    /// `cursor`.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Waits until the read model has reached this position.
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

/// Whether somebody could do something.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhyParams {
    /// Who.
    #[param(value_type = String, example = "pri_00112233445566778899aabbccddeeff")]
    pub principal: PrincipalId,
    /// What.
    #[param(value_type = String, example = "move-labels")]
    pub action: Action,
    /// A key or a prefix (it ends with `/`); the whole tenant if it is not there.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "team/greet")]
    pub on: Option<Place>,
    /// With this API key.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub key: Option<KeyId>,
    /// With a token of this issuer, given out at that time. Not with `key`.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub issuer: Option<IssuerId>,
    /// The groups that the token claims: `clm_…`, commas between. With `issuer` only.
    #[serde(default)]
    pub claims: Option<String>,
    /// As it was then: an event's index, or an RFC 3339 time by which it was recorded.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    pub as_of: Option<Point>,
    /// On which clock a time in `as_of` is read: there is one alone.
    #[serde(default)]
    #[param(inline)]
    pub clock: RecordedClock,
    /// When expiries are judged; if it is not there, at the time in `as_of`, at that of the event in `as_of`, or now.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Waits until the read model has reached this position.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    pub at_least: Option<Position>,
}

impl WhyParams {
    /// What the principal is thought to show.
    ///
    /// # Errors
    /// Two ways at once; claims that are none.
    pub fn showing(&self) -> Result<Showing, Problem> {
        let claims = match (&self.claims, self.issuer) {
            (None, _) => Vec::new(),
            (Some(_), None) => return Err(Problem::field("claims", "goes with `issuer` alone")),
            (Some(text), Some(_)) => text
                .split(',')
                .map(|claim| claim.parse::<ClaimId>().map_err(|error| Problem::field("claims", error.to_string())))
                .collect::<Result<_, _>>()?,
        };
        match (self.key, self.issuer) {
            (Some(_), Some(_)) => Err(Problem::field("key", "either `key` or `issuer`, not both")),
            (Some(key), None) => Ok(Showing::Key(key)),
            (None, Some(issuer)) => Ok(Showing::Token { issuer, claims }),
            (None, None) => Ok(Showing::Anything),
        }
    }
}

/// The point that a request asks about, and by which clock expiries are judged there.
pub fn when(as_of: Option<Point>, clock: RecordedClock, at: Option<Timestamp>) -> When {
    When { as_of: recorded(as_of, clock), at }
}

/// The whole tenant.
pub fn everywhere() -> Place {
    "".parse().expect("the empty prefix is a place")
}
