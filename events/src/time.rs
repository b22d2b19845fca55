//! Instants, in microseconds since 1970 UTC. As text RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

/// An instant. The range is that of years 0 to 9999, so that every value has a text form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2024-05-03T14:00:00Z")]
pub struct TimestampError;

impl Timestamp {
    /// Before everything that can be recorded.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// After everything that can be recorded.
    pub const MAX: Self = Self(253_402_207_199_000_000);

    /// From microseconds since 1970 UTC, held to the range that has a text form.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since 1970 UTC.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The beginning of its minute.
    #[must_use]
    pub fn minute(self) -> Self {
        Self::from_micros(self.0 - self.0.rem_euclid(60_000_000))
    }

    /// This instant and some milliseconds (or minus, if negative).
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self::from_micros(self.0.saturating_add(ms.saturating_mul(1000)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => fmt::Display::fmt(&instant, f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        Ok(Self::from_micros(instant.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_text_form_that_reads_back() {
        for micros in [0, 1, -1, 1_670_978_690_000_000, Timestamp::MIN.0, Timestamp::MAX.0] {
            let instant = Timestamp::from_micros(micros);
            assert_eq!(instant.to_string().parse::<Timestamp>(), Ok(instant), "{instant}");
        }
    }

    #[test]
    fn whole_seconds_print_as_git_has_them() {
        let instant: Timestamp = "2022-12-14T00:44:50Z".parse().unwrap();
        assert_eq!(instant.to_string(), "2022-12-14T00:44:50Z");
        assert_eq!(instant.minute().to_string(), "2022-12-14T00:44:00Z");
        assert_eq!(Timestamp::from_micros(-1).minute().to_string(), "1969-12-31T23:59:00Z");
        assert_eq!(instant.plus_ms(-1000).to_string(), "2022-12-14T00:44:49Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("2022-12-14T00:44:50".parse::<Timestamp>().is_err(), "a zone is asked for");
    }
}
