//! What may be done at all, and the names of sets of it. Which built-in role allows what is in
//! `promptory_domain::access`; a custom role says it itself, in its event.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

use crate::key::{Label, NameError};

/// Something that needs a right. The order is the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// See prompts and their history.
    Read,
    /// Create prompts, add versions, rename, tag, archive, restore.
    WritePrompts,
    /// Set and remove labels that are not protected.
    MoveLabels,
    /// Claim when and by whom a change was made.
    Import,
    /// Grant and revoke roles, issue and revoke keys, define roles, keep groups.
    ManageAccess,
    /// Create, suspend and resume tenants; back up (`_system` only).
    ManageTenants,
    /// See who may do what, and the events about it.
    ReadAccess,
    /// Comment on versions and release requests.
    Comment,
    /// Ask for a protected label to be moved.
    RequestRelease,
    /// Approve and reject release requests.
    ApproveRelease,
    /// Move a protected label back to where it pointed before, without a request.
    RollBack,
    /// Protect labels, take the protection away, set freeze windows.
    ManageProtection,
    /// Move labels while they are frozen.
    OverrideFreeze,
    /// Set what holds for the tenant as a whole: the languages that its prompts are searched in.
    ManageSettings,
    /// Say how prompts were run, and what became of it.
    RecordUsage,
    /// See what is counted of that.
    ReadAnalytics,
}

impl Action {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::Read,
        Self::WritePrompts,
        Self::MoveLabels,
        Self::Import,
        Self::ManageAccess,
        Self::ManageTenants,
        Self::ReadAccess,
        Self::Comment,
        Self::RequestRelease,
        Self::ApproveRelease,
        Self::RollBack,
        Self::ManageProtection,
        Self::OverrideFreeze,
        Self::ManageSettings,
        Self::RecordUsage,
        Self::ReadAnalytics,
    ];

    /// The name that users see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::WritePrompts => "write-prompts",
            Self::MoveLabels => "move-labels",
            Self::Import => "import",
            Self::ManageAccess => "manage-access",
            Self::ManageTenants => "manage-tenants",
            Self::ReadAccess => "read-access",
            Self::Comment => "comment",
            Self::RequestRelease => "request-release",
            Self::ApproveRelease => "approve-release",
            Self::RollBack => "roll-back",
            Self::ManageProtection => "manage-protection",
            Self::OverrideFreeze => "override-freeze",
            Self::ManageSettings => "manage-settings",
            Self::RecordUsage => "record-usage",
            Self::ReadAnalytics => "read-analytics",
        }
    }
}

/// The text is the name of no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action")]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

/// A role that every tenant has. The order is the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything in the tenant.
    Owner,
    /// Reads and writes prompts and labels.
    Editor,
    /// Reads.
    Viewer,
    /// Writes prompts and may claim when and by whom a change was made.
    Importer,
    /// Creates, suspends and resumes tenants (`_system` only).
    Operator,
    /// Everything but claiming, overriding a freeze, and so making owners.
    Admin,
    /// Reads, comments, approves.
    Reviewer,
    /// Reads, also who may do what.
    Auditor,
    /// Reads: a program that runs prompts.
    Service,
}

impl Role {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Owner,
        Self::Editor,
        Self::Viewer,
        Self::Importer,
        Self::Operator,
        Self::Admin,
        Self::Reviewer,
        Self::Auditor,
        Self::Service,
    ];

    /// The name that users see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
            Self::Importer => "importer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Reviewer => "reviewer",
            Self::Auditor => "auditor",
            Self::Service => "service",
        }
    }
}

/// The name of a custom role: the form of a label, and no built-in role's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct RoleName(String);

impl RoleName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse::<Label>()?;
        if Role::ALL.iter().any(|role| role.name() == text) {
            Err(NameError::BuiltInRole)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A role that can be granted. As text its name: no custom role has a built-in one's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnyRole {
    /// One that every tenant has.
    BuiltIn(Role),
    /// One that this tenant has defined.
    Custom(RoleName),
}

impl From<Role> for AnyRole {
    fn from(role: Role) -> Self {
        Self::BuiltIn(role)
    }
}

impl FromStr for AnyRole {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match Role::ALL.into_iter().find(|role| role.name() == text) {
            Some(role) => Ok(Self::BuiltIn(role)),
            None => text.parse().map(Self::Custom),
        }
    }
}

impl fmt::Display for AnyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(role) => f.write_str(role.name()),
            Self::Custom(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_lists_are_in_the_order_of_the_wire() {
        for (number, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!((action.name().parse(), action as usize), (Ok(action), number));
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
        for (number, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!((role.name().parse(), role as usize), (Ok(AnyRole::BuiltIn(role)), number));
        }
        assert!("fly".parse::<Action>().is_err());
        assert_eq!("owner".parse::<RoleName>(), Err(NameError::BuiltInRole));
        assert_eq!("release-manager".parse::<AnyRole>().unwrap().to_string(), "release-manager");
    }
}
