//! Identities: one type per kind of thing. As text a prefix names the kind (`prm_…`), as bytes they are 16 raw bytes.
//!
//! An id that a command makes derives from the command's id, so a retried command makes the same one.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use sha2::{Digest, Sha256};

/// The text was not of the form that this kind of id has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: {form}")]
pub struct IdError {
    /// What was expected, for a reader.
    pub kind: &'static str,
    /// The form that would have been right.
    pub form: &'static str,
}

/// The first 16 bytes of SHA-256 over length-prefixed parts: no two lists of parts share an input.
fn derive(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $prefix:literal, $kind:literal, $form:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok())
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or(IdError { kind: $kind, form: $form })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    <[u8; $len]>::deserialize(deserializer).map(Self)
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $form })
            }
        }
    };
}

bytes_id!(
    /// One command, however often it is sent.
    CommandId, 16, "cmd_", "command id", "`cmd_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One prompt, whatever its key is called over the years.
    PromptId, 16, "prm_", "prompt id", "`prm_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One immutable version; also its ETag.
    VersionId, 16, "ver_", "version id", "`ver_` and 32 lower-case hex digits"
);
bytes_id!(
    /// Who acts: a person or a service, as a pseudonym. Names are sealed and live apart.
    PrincipalId, 16, "pri_", "principal id", "`pri_` and 32 lower-case hex digits"
);
bytes_id!(
    /// Principals that are given rights together. Names are sealed and live apart.
    GroupId, 16, "grp_", "group id", "`grp_` and 32 lower-case hex digits"
);
bytes_id!(
    /// A trusted issuer of tokens, with the audience that they must be for.
    IssuerId, 16, "iss_", "issuer id", "`iss_` and 32 lower-case hex digits"
);
bytes_id!(
    /// What an issuer calls a group, as a keyed hash: equal within a tenant and an issuer, meaningless outside.
    ClaimId, 16, "clm_", "claim id", "`clm_` and 32 lower-case hex digits"
);
bytes_id!(
    /// A name of a user or a group of the directory, as a keyed hash: equal within a tenant, meaningless outside.
    NameId, 16, "nam_", "name id", "`nam_` and 32 lower-case hex digits"
);
bytes_id!(
    /// A token: SHA-256 of what its issuer signed, which is the token without its signature.
    TokenHash, 32, "", "token hash", "64 lower-case hex digits"
);
bytes_id!(
    /// One request to move a protected label.
    RequestId, 16, "rel_", "release request id", "`rel_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One rollout of a label over versions.
    RolloutId, 16, "rol_", "rollout id", "`rol_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One freeze window.
    FreezeId, 16, "frz_", "freeze window id", "`frz_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One comment.
    CommentId, 16, "cmt_", "comment id", "`cmt_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One ledger message, to tell ours from another's after an unknown outcome.
    BatchId, 16, "bat_", "batch id", "`bat_` and 32 lower-case hex digits"
);
bytes_id!(
    /// One backup: its two files belong together.
    BackupId, 16, "bkp_", "backup id", "`bkp_` and 32 lower-case hex digits"
);
bytes_id!(
    /// The data key that a sealed text was sealed with.
    DataKeyId, 16, "dk_", "data key id", "`dk_` and 32 lower-case hex digits"
);
bytes_id!(
    /// The public part of an API key.
    KeyId, 8, "", "API key id", "16 lower-case hex digits"
);
bytes_id!(
    /// HMAC-SHA256 of content bytes under the tenant's content key: equal within a tenant, meaningless outside it.
    ContentId, 32, "cid_", "content id", "`cid_` and 64 lower-case hex digits"
);
bytes_id!(
    /// Keyed hash of a command's body: the same idempotency key with another body is refused.
    CommandHash, 16, "", "command hash", "32 lower-case hex digits"
);

impl CommandHash {
    /// Of a command without an idempotency key: nobody can repeat it, so nothing is compared and it leaves no receipt.
    pub const NONE: Self = Self([0; 16]);
}

bytes_id!(
    /// One life of a ledger. A restored or re-created ledger has another one.
    Incarnation, 8, "", "incarnation", "16 lower-case hex digits"
);

impl CommandId {
    /// The id of the command that a principal's key names by an idempotency key.
    #[must_use]
    pub fn from_idempotency_key(tenant: &TenantId, principal: PrincipalId, key: &str) -> Self {
        Self(derive("promptory/command/1", &[tenant.as_str().as_bytes(), &principal.0, key.as_bytes()]))
    }

    /// The id of a command that follows from this one in another ledger.
    #[must_use]
    pub fn followed_by(self, what: &str) -> Self {
        Self(derive("promptory/followed-by/1", &[&self.0, what.as_bytes()]))
    }

    /// The id of the system's command that says that a guard of a rollout was breached.
    #[must_use]
    pub fn of_breach(rollout: RolloutId, guard: u16) -> Self {
        Self(derive("promptory/breach/1", &[&rollout.0, &guard.to_be_bytes()]))
    }

    /// The id of the system's command that says that a version became worse in something on a day.
    #[must_use]
    pub fn of_degradation(prompt: PromptId, version: u32, measure: &str, day_micros: i64) -> Self {
        let (version, day) = (version.to_be_bytes(), day_micros.to_be_bytes());
        Self(derive("promptory/degradation/1", &[&prompt.0, &version, measure.as_bytes(), &day]))
    }

    /// The id of one of the commands of a request that has this one: the first keeps it.
    #[must_use]
    pub fn part(self, place: usize) -> Self {
        if place == 0 { self } else { Self(derive("promptory/part/1", &[&self.0, &(place as u64).to_be_bytes()])) }
    }

    /// The prompt that this command creates.
    #[must_use]
    pub fn prompt(self) -> PromptId {
        PromptId(derive("promptory/prompt/1", &[&self.0]))
    }

    /// The version that this command adds.
    #[must_use]
    pub fn version(self) -> VersionId {
        VersionId(derive("promptory/version/1", &[&self.0]))
    }

    /// The principal that this command adds.
    #[must_use]
    pub fn principal(self) -> PrincipalId {
        PrincipalId(derive("promptory/principal/1", &[&self.0]))
    }

    /// The group that this command creates.
    #[must_use]
    pub fn group(self) -> GroupId {
        GroupId(derive("promptory/group/1", &[&self.0]))
    }

    /// The issuer that this command begins to trust.
    #[must_use]
    pub fn issuer(self) -> IssuerId {
        IssuerId(derive("promptory/issuer/1", &[&self.0]))
    }

    /// The release request that this command opens.
    #[must_use]
    pub fn request(self) -> RequestId {
        RequestId(derive("promptory/release/1", &[&self.0]))
    }

    /// The rollout that this command starts.
    #[must_use]
    pub fn rollout(self) -> RolloutId {
        RolloutId(derive("promptory/rollout/1", &[&self.0]))
    }

    /// The freeze window that this command sets.
    #[must_use]
    pub fn freeze(self) -> FreezeId {
        FreezeId(derive("promptory/freeze/1", &[&self.0]))
    }

    /// The comment that this command adds.
    #[must_use]
    pub fn comment(self) -> CommentId {
        CommentId(derive("promptory/comment/1", &[&self.0]))
    }

    /// The API key that this command issues.
    #[must_use]
    pub fn api_key(self) -> KeyId {
        let bytes = derive("promptory/api-key/1", &[&self.0]);
        let mut id = [0; 8];
        id.copy_from_slice(&bytes[..8]);
        KeyId(id)
    }
}

impl PrincipalId {
    /// The system itself: bootstrap, and later guards and expiries. No key authenticates it.
    pub const SYSTEM: Self = Self([0; 16]);
}

/// The name of a tenant: 1 to 63 of `a-z 0-9 -`, beginning with a letter or digit; or `_system`.
///
/// It is a NATS subject token and a directory name, so nothing else is allowed in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct TenantId(String);

impl TenantId {
    const FORM: &'static str = "1 to 63 of a-z, 0-9 and -, beginning with a letter or digit";

    /// The ledger of the operators: tenants, operators, incarnations.
    #[must_use]
    pub fn system() -> Self {
        Self("_system".to_owned())
    }

    /// Whether this is the ledger of the operators.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0 == "_system"
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let ok = (1..=63).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with('-');
        if ok || text == "_system" {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError { kind: "tenant id", form: Self::FORM })
        }
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_by_a_command_are_the_same_on_a_retry_and_differ_by_kind() {
        let tenant: TenantId = "acme".parse().unwrap();
        let one = CommandId::from_idempotency_key(&tenant, PrincipalId([7; 16]), "k1");
        let again = CommandId::from_idempotency_key(&tenant, PrincipalId([7; 16]), "k1");
        let other = CommandId::from_idempotency_key(&tenant, PrincipalId([8; 16]), "k1");
        assert_eq!(one.prompt(), again.prompt());
        assert_ne!(one, other);
        assert_ne!(one.prompt().0, one.version().0);
    }

    #[test]
    fn tenant_ids_are_subject_tokens() {
        for good in ["a", "acme-2", "_system", "0"] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "A", "a.b", "a b", "_other", "a_b", "é", long.as_str()] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn text_and_bytes_round_trip() {
        let id = VersionId([0xab; 16]);
        assert_eq!(id.to_string().parse::<VersionId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<VersionId>(&json).unwrap(), id);
        let bytes = postcard::to_allocvec(&id).unwrap();
        assert_eq!(bytes.len(), 16);
        assert_eq!(postcard::from_bytes::<VersionId>(&bytes).unwrap(), id);
        assert!("ver_AB".parse::<VersionId>().is_err());
    }
}
