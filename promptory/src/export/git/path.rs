//! The path of a prompt's file: its key and a suffix. Two keys never have one path, and none is a folder of another.
//!
//! What git or a file system can't hold is percent-encoded: `%` and `\` everywhere, an empty segment as `%` alone, the first
//! ASCII character of a segment that (but for characters beyond ASCII) begins with `.` or `git~`, and the last dot of a
//! folder that ends as a file does.

use std::fmt;
use std::str::FromStr;

/// What the file of a chat ends with.
const CHAT: &str = ".json";

/// What the file of a text ends with: a dot, and letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suffix(String);

/// The text is no suffix.
#[derive(Debug, thiserror::Error)]
#[error("a suffix is a dot, then letters and digits, and not {CHAT}, which chats have")]
pub struct SuffixError;

impl FromStr for Suffix {
    type Err = SuffixError;

    fn from_str(text: &str) -> Result<Self, SuffixError> {
        let name = text.strip_prefix('.').ok_or(SuffixError)?;
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        if plain && text != CHAT { Ok(Self(text.to_owned())) } else { Err(SuffixError) }
    }
}

impl Default for Suffix {
    fn default() -> Self {
        Self(".txt".into())
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of the file of a prompt.
pub fn of_key(key: &str, chat: bool, suffix: &Suffix) -> String {
    let segments: Vec<String> = key.split('/').map(segment).collect();
    let mut path = String::with_capacity(key.len() + 16);
    if let Some((file, folders)) = segments.split_last() {
        for name in folders {
            path.push_str(&folder(name, suffix));
            path.push('/');
        }
        path.push_str(file);
    }
    path.push_str(if chat { CHAT } else { &suffix.0 });
    path
}

fn segment(name: &str) -> String {
    if name.is_empty() {
        return "%".into(); // of no other segment, which has two digits behind each
    }
    let ascii: String = name.chars().filter(char::is_ascii).collect();
    let odd = ascii.starts_with('.') || ascii.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("git~"));
    let first = name.find(|c: char| c.is_ascii()).filter(|_| odd);
    let mut encoded = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        if matches!(c, '%' | '\\') || first == Some(at) {
            encoded.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            encoded.push(c);
        }
    }
    encoded
}

fn folder<'a>(name: &'a str, suffix: &Suffix) -> std::borrow::Cow<'a, str> {
    let ends = [CHAT, &suffix.0].into_iter().find_map(|end| Some((name.strip_suffix(end)?, end)));
    match ends {
        Some((stem, end)) => format!("{stem}%2E{}", end.trim_start_matches('.')).into(),
        None => name.into(),
    }
}

/// A label or a branch as the last part of a ref: git takes no two dots, none at the end, and no `.lock` there.
pub fn of_ref(name: &str) -> String {
    let odd = name.contains("..") || name.ends_with('.') || name.ends_with(".lock");
    if odd { name.replace('.', "%2E") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(key: &str) -> String {
        of_key(key, false, &".txt".parse().unwrap())
    }

    #[test]
    fn a_key_is_its_path_but_where_that_can_not_be() {
        for (key, expected) in [
            ("team/greet", "team/greet.txt"),
            ("prompts.csv#Linux Terminal", "prompts.csv#Linux Terminal.txt"),
            ("a//b/", "a/%/b/%.txt"),
            ("50%\\", "50%25%5C.txt"),
            (".git/config", "%2Egit/config.txt"),
            ("\u{200c}.GIT", "\u{200c}%2EGIT.txt"),
            ("GIT~1/x", "%47IT~1/x.txt"),
            ("..", "%2E..txt"),
            ("a.txt/b", "a%2Etxt/b.txt"),
            ("a.json/b.txt", "a%2Ejson/b.txt.txt"),
        ] {
            assert_eq!(path(key), expected);
        }
        assert_eq!(of_key("a", true, &".md".parse().unwrap()), "a.json");
        assert_eq!(["v1.2", "a..b", "x.lock", "x."].map(of_ref), ["v1.2", "a%2E%2Eb", "x%2Elock", "x%2E"]);
        for bad in ["", "txt", ".", ".json", ".a/b"] {
            assert!(bad.parse::<Suffix>().is_err(), "{bad}");
        }
    }

    fn odd_key() -> impl Strategy<Value = String> {
        let piece =
            prop::sample::select(vec!["a", "b", "/", ".", "..", ".txt", ".json", "%", "%2E", "git~1", "\\", "é"]);
        prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn two_keys_have_two_paths_and_none_is_in_the_other(a in odd_key(), b in odd_key(), chats in any::<[bool; 2]>()) {
            prop_assume!(a != b);
            let suffix: Suffix = ".txt".parse().unwrap();
            let [a, b] = [(a, chats[0]), (b, chats[1])].map(|(key, chat)| of_key(&key, chat, &suffix));
            prop_assert_ne!(&a, &b);
            prop_assert!(!b.starts_with(&format!("{a}/")), "{} {}", a, b);
        }
    }
}
