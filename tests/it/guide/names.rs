//! What differs from run to run: ids, incarnations, digests, keys, cursors. In the guide each has a name of its own (what it
//! was when the guide was written), and stands for the same thing wherever it comes again.

use std::sync::LazyLock;

use regex::Regex;

/// An API key (its secret cut off in the guide), an id, or other hex of some length.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"pk_[a-z0-9-]+_[0-9a-f]{16}_[a-z0-9]+…?|\b[a-z]{3}_[0-9a-f]{16,64}|\b[0-9a-f]{16,64}\b").unwrap()
});
/// Characters of a secret that the guide shows.
const SHOWN: usize = 8;

/// Pairs of what the guide says and what this run has.
#[derive(Default)]
pub struct Names {
    known: Vec<(String, String)>,
}

impl Names {
    /// A text of the guide as this run has it.
    pub fn real(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (written, real)| text.replace(written, real))
    }

    /// A text of this run as the guide has it: field `field` of an answer, or no field.
    pub fn written(&mut self, field: &str, text: &str) -> String {
        if field.ends_with("cursor") {
            return self.name(text, None);
        }
        NAME.replace_all(text, |found: &regex::Captures<'_>| self.name(&found[0], None)).into_owned()
    }

    /// What the guide has at a place, and what this run has there.
    pub fn learn(&mut self, field: &str, written: &str, real: &str) {
        if field.ends_with("cursor") {
            self.name(real, Some(written));
            return;
        }
        let (ones, twos): (Vec<_>, Vec<_>) = (NAME.find_iter(written).collect(), NAME.find_iter(real).collect());
        if ones.len() == twos.len() {
            for (one, two) in ones.into_iter().zip(twos) {
                self.name(two.as_str(), Some(one.as_str()));
            }
        }
    }

    fn name(&mut self, real: &str, written: Option<&str>) -> String {
        if let Some((written, _)) = self.known.iter().find(|(_, known)| known == real) {
            return written.clone();
        }
        let free = written.filter(|written| self.known.iter().all(|(known, _)| known != written));
        let written = match free {
            Some(written) => written.to_owned(),
            None => match real.strip_prefix("pk_").and_then(|rest| rest.rsplit_once('_')) {
                Some((whose, secret)) => format!("pk_{whose}_{}…", secret.chars().take(SHOWN).collect::<String>()),
                None => real.to_owned(),
            },
        };
        // The longest first: a key's id is part of the key.
        self.known.push((written.clone(), real.to_owned()));
        self.known.sort_by_key(|(written, _)| std::cmp::Reverse(written.len()));
        written
    }
}
