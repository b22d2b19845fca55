//! A span's attributes by name. What has another type than it should is read as far as it can be, and else is not there: it was
//! written by some library, and whoever sends it can't help it.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// Some attributes.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub &'a [KeyValue]);

impl<'a> Attributes<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        let found = self.0.iter().find(|attribute| attribute.key == name)?;
        found.value.as_ref()?.value.as_ref()
    }

    /// The first of some texts that is there and not empty.
    #[must_use]
    pub fn text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| match self.get(name)? {
            Value::StringValue(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        })
    }

    /// The first of some whole numbers that is there and not negative.
    #[must_use]
    pub fn whole(self, names: &[&str]) -> Option<u64> {
        names.iter().find_map(|name| match self.get(name)? {
            Value::IntValue(number) => u64::try_from(*number).ok(),
            Value::DoubleValue(number) => whole(*number),
            Value::StringValue(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// The first of some numbers that is there.
    #[must_use]
    pub fn number(self, names: &[&str]) -> Option<f64> {
        names.iter().find_map(|name| match self.get(name)? {
            #[allow(clippy::cast_precision_loss, reason = "an amount of money, not an id")]
            Value::IntValue(number) => Some(*number as f64),
            Value::DoubleValue(number) => Some(*number).filter(|number| number.is_finite()),
            Value::StringValue(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        })
    }
}

/// A number without a fraction that is not negative.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, as is seen first")]
pub fn whole(number: f64) -> Option<u64> {
    // 2^53: above it not every whole number has a float.
    ((0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// A text that somebody else wrote as one that a record may have: no control characters, and cut to a size.
#[must_use]
pub fn fitted(text: &str, max_bytes: usize) -> Option<String> {
    let mut fitted: String = text.chars().filter(|letter| !letter.is_control()).collect();
    while fitted.len() > max_bytes {
        fitted.pop();
    }
    (!fitted.is_empty()).then_some(fitted)
}
