//! A path of the outside world becomes a prompt key: control characters percent-encoded as UTF-8, everything else kept,
//! then Unicode normalization form C. A path that is a key already comes out as it went in.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The key of a path, without a prefix.
pub fn of_path(path: &str) -> Cow<'_, str> {
    let encoded = encode_controls(path);
    if is_nfc(&encoded) { encoded } else { Cow::Owned(encoded.nfc().collect()) }
}

fn encode_controls(path: &str) -> Cow<'_, str> {
    if !path.contains(char::is_control) {
        return Cow::Borrowed(path);
    }
    let mut encoded = String::with_capacity(path.len() + 16);
    for c in path.chars() {
        if c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(c);
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptory_events::PromptKey;
    use proptest::prelude::*;

    #[test]
    fn only_what_a_key_may_not_hold_is_changed() {
        for (path, key) in [
            ("prompts.csv#Linux Terminal", "prompts.csv#Linux Terminal"),
            ("a//b ", "a//b "),
            ("50%/下棋", "50%/下棋"),
            ("two\nlines", "two%0Alines"),
            ("tab\there", "tab%09here"),
            ("c1\u{85}", "c1%C2%85"),
            ("e\u{301}", "é"),
        ] {
            assert_eq!(of_path(path), key);
        }
    }

    proptest! {
        #[test]
        fn every_path_becomes_a_key_unless_it_is_empty_or_long(path in any::<String>()) {
            let key = of_path(&path);
            if (1..=1024).contains(&key.len()) {
                prop_assert!(key.parse::<PromptKey>().is_ok(), "{key:?}");
            }
            prop_assert_eq!(of_path(&key), &*key);
        }
    }
}
