//! Quotas: how much of something a tenant may have.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a quota is of. The order is the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// Prompts that are not archived.
    Prompts,
    /// Versions of all prompts, archived or not.
    Versions,
    /// Bytes of texts, configurations and metadata; what a prompt has twice counts once.
    StoredBytes,
    /// Principals.
    Principals,
    /// API keys that are not revoked; one whose time is over counts until it is.
    ApiKeys,
    /// Commands in a minute.
    CommandsPerMinute,
}

impl Quota {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Prompts, Self::Versions, Self::StoredBytes, Self::Principals, Self::ApiKeys, Self::CommandsPerMinute];

    /// The name that users see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Versions => "versions",
            Self::StoredBytes => "stored-bytes",
            Self::Principals => "principals",
            Self::ApiKeys => "api-keys",
            Self::CommandsPerMinute => "commands-per-minute",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is the name of no quota.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no quota")]
pub struct UnknownQuota(String);

impl FromStr for Quota {
    type Err = UnknownQuota;

    fn from_str(text: &str) -> Result<Self, UnknownQuota> {
        Self::ALL.into_iter().find(|quota| quota.name() == text).ok_or_else(|| UnknownQuota(text.to_owned()))
    }
}

/// An operator set or lifted a quota of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaSet {
    /// Of what.
    pub quota: Quota,
    /// How much it might have until now; nothing: any.
    pub before: Option<u64>,
    /// How much it may have from now on.
    pub after: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_the_list_is_in_the_order_of_the_wire() {
        for (number, quota) in Quota::ALL.into_iter().enumerate() {
            assert_eq!((quota.name().parse(), quota as usize), (Ok(quota), number));
            assert_eq!(serde_json::to_value(quota).unwrap(), quota.name());
        }
        assert!("everything".parse::<Quota>().is_err());
    }
}
