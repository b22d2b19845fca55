//! The filter as query parameters: the same for a list, a count and an export.

use promptory_events::event::AnyRole;
use promptory_events::{Author, Position, PrincipalId, Timestamp};
use promptory_platform::Problem;
use promptory_projection::ask::{AuditFilter, Outcome};
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use super::super::params::{page_size, parsed};
use super::export::Format;

/// The longest target, prefix or word list of a filter, in bytes.
const TEXT_MAX: usize = 1024;

macro_rules! with_filter {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields, default)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            /// Recorded at this time or later (RFC 3339).
            #[serde(deserialize_with = "time")]
            #[param(value_type = Option<String>, format = DateTime, example = "2026-01-01T00:00:00Z")]
            pub since: Option<Timestamp>,
            /// Recorded before this time (RFC 3339).
            #[serde(deserialize_with = "time")]
            #[param(value_type = Option<String>, format = DateTime)]
            pub until: Option<Timestamp>,
            /// From this event's index on.
            pub from: Option<u64>,
            /// Up to and with this event's index.
            pub to: Option<u64>,
            /// Done or tried by this principal.
            #[param(value_type = Option<String>, example = "pri_00112233445566778899aabbccddeeff")]
            pub actor: Option<PrincipalId>,
            /// Claimed by an importer to be by this author.
            #[param(value_type = Option<String>)]
            pub author: Option<Author>,
            /// The type of the event, such as `label.set` or `attempt.denied`.
            #[param(example = "label.set")]
            pub action: Option<String>,
            /// One of the record's `targets`: the id of a prompt, principal, group, API key, release, …, or a name such as
            /// `label:production`.
            #[param(example = "label:production")]
            pub target: Option<String>,
            /// About a prompt whose key began with this before or after it, or about a prefix below it.
            #[param(example = "team/")]
            pub prefix: Option<String>,
            /// Allowed by this role.
            #[serde(deserialize_with = "parsed")]
            #[param(value_type = Option<String>, example = "owner")]
            pub role: Option<AnyRole>,
            /// `done` or `denied`.
            #[param(value_type = Option<String>, example = "denied")]
            pub outcome: Option<Outcome>,
            /// Words, with spaces between them, that all occur in the message, in any case of letters.
            pub message: Option<String>,
            $($(#[$attr])* pub $field: $type,)*
        }

        impl $name {
            /// The filter that is asked for.
            ///
            /// # Errors
            /// A text that nothing can have.
            pub fn filter(&self) -> Result<AuditFilter, Problem> {
                let texts = [("action", &self.action), ("target", &self.target), ("prefix", &self.prefix), ("message", &self.message)];
                for (field, text) in texts {
                    fits(field, text.as_deref())?;
                }
                Ok(AuditFilter {
                    since: self.since,
                    until: self.until,
                    from: self.from,
                    to: self.to,
                    actor: self.actor,
                    author: self.author.clone(),
                    action: self.action.clone(),
                    target: self.target.clone(),
                    prefix: self.prefix.clone(),
                    role: self.role.clone(),
                    outcome: self.outcome,
                    words: self.message.clone(),
                })
            }
        }
    };
}

with_filter! {
    /// A listing of records.
    AuditParams {
        /// Items on the page, 1 to 1,000.
        #[serde(deserialize_with = "page_size")]
        #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
        limit: Option<usize>,
        /// `next_cursor` of the page before. It carries the filter and the last event on.
        cursor: Option<String>,
        /// Waits until the read model has reached this position.
        #[param(value_type = Option<String>)]
        at_least: Option<Position>,
    }
}

with_filter! {
    /// A count of records.
    AuditCountParams {
        /// Waits until the read model has reached this position.
        #[param(value_type = Option<String>)]
        at_least: Option<Position>,
    }
}

with_filter! {
    /// An export of records.
    AuditExportParams {
        /// How they are written.
        #[param(inline)]
        format: Format,
        /// Waits until the read model has reached this position.
        #[param(value_type = Option<String>)]
        at_least: Option<Position>,
    }
}

/// Names hold no control characters, and none is as long as this.
fn fits(field: &str, text: Option<&str>) -> Result<(), Problem> {
    match text {
        Some(text) if text.len() > TEXT_MAX => {
            Err(Problem::field(field, format!("must be at most {TEXT_MAX} bytes long")))
        }
        Some(text) if text.chars().any(char::is_control) => {
            Err(Problem::field(field, "must hold no control characters"))
        }
        _ => Ok(()),
    }
}

fn time<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Timestamp>, D::Error> {
    // In a query `+` means a space, and `+02:00` is often sent as it is.
    let text = String::deserialize(text)?.replace(' ', "+");
    text.parse().map(Some).map_err(|_| de::Error::custom("must be an RFC 3339 time such as 2024-05-03T14:00:00Z"))
}
