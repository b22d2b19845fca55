//! Where something stands: [`Position`] for users, [`Cursor`] for workers.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

use crate::id::{IdError, Incarnation};

/// A place in a tenant's ledger: a command returns it, a read can wait for it. As text `<incarnation>-<index>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which life of the ledger. Positions of different lives can't be compared.
    pub incarnation: Incarnation,
    /// The dense index of an event: that event and all before it are meant.
    pub index: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.incarnation, self.index)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Position {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { kind: "position", form: "`<incarnation>-<index>` as a command returned it" };
        let (incarnation, index) = text.split_once('-').ok_or_else(|| error.clone())?;
        let incarnation = incarnation.parse().map_err(|_| error.clone())?;
        let index = index.parse().map_err(|_| error)?;
        Ok(Self { incarnation, index })
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.incarnation, self.index).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            <(Incarnation, u64)>::deserialize(deserializer).map(|(incarnation, index)| Self { incarnation, index })
        }
    }
}

impl JsonSchema for Position {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Position".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "`<incarnation>-<index>`" })
    }
}

/// Where a worker stands in a partition: internal, never shown. Sequences begin at 1; 0 is before the first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// Which life of the stream.
    pub incarnation: Incarnation,
    /// The sequence of a batch in its partition.
    pub sequence: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        let position = Position { incarnation: Incarnation([1, 2, 3, 4, 5, 6, 7, 8]), index: 41 };
        assert_eq!(position.to_string(), "0102030405060708-41");
        assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        for bad in ["", "41", "0102030405060708-", "0102030405060708--1", "zz-1"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
