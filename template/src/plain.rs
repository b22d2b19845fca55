//! Templates of nothing but text, variables and includes: what other products have, too. What they include can be filled in
//! without values, and variables stay as they are written.

use std::borrow::Cow;
use std::str::FromStr;

use promptory_events::event::{Kind, Syntax, Written};
use promptory_events::limits::{RENDER_OUTPUT_MAX_BYTES, RENDER_STEPS_MAX};

use crate::chat::{self, Item, Message};
use crate::render::{Part, Place, Refusal};
use crate::simple;

/// A brace that would begin something, said by an expression.
const BRACE: &str = "{{ '{' }}";

/// A piece of a template, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Stands for itself; variables are part of it.
    Text(&'a str),
    /// A brace, written so that it begins nothing.
    Brace,
    /// Another prompt.
    Include(Written),
}

/// The pieces of a template, in order; nothing if there is anything else in it.
#[must_use]
pub fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let (mut found, mut rest, mut from) = (Vec::new(), text, 0);
    while let Some(at) = rest[from..].find('{').map(|at| from + at) {
        let here = &rest[at..];
        let piece = match here.as_bytes().get(1) {
            Some(b'{') if here.starts_with(BRACE) => (Piece::Brace, &here[BRACE.len()..]),
            Some(b'{') => {
                // A variable is text: only what it stands for is known to be one.
                let after = simple::after_variable(here)?;
                from = rest.len() - after.len();
                continue;
            }
            Some(b'%') => include(here)?,
            Some(b'#') => return None,
            _ => {
                from = at + 1;
                continue;
            }
        };
        found.extend(Some(&rest[..at]).filter(|text| !text.is_empty()).map(Piece::Text));
        found.push(piece.0);
        (rest, from) = (piece.1, 0);
    }
    found.extend(Some(rest).filter(|text| !text.is_empty()).map(Piece::Text));
    Some(found)
}

/// The include that a text begins with, and what comes after it.
fn include(text: &str) -> Option<(Piece<'_>, &str)> {
    let inside = text.strip_prefix("{%")?.trim_start().strip_prefix("include")?;
    let quoted = inside.trim_start();
    let quote = quoted.chars().next().filter(|quote| ['"', '\''].contains(quote) && quoted.len() < inside.len())?;
    let (name, after) = quoted[1..].split_once(quote)?;
    let after = after.trim_start().strip_prefix("%}")?;
    let written = Written::from_str(name).ok().filter(|_| !name.contains('\\'))?;
    Some((Piece::Include(written), after))
}

/// An include, as a template has it; nothing if its key can't stand in quotes.
#[must_use]
pub fn including(written: &Written) -> Option<String> {
    let name = written.to_string();
    (!name.contains(['"', '\\'])).then(|| format!("{{% include \"{name}\" %}}"))
}

/// A text in which variables are variables and everything else stands for itself, as such a template.
#[must_use]
pub fn template(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    for piece in simple::pieces(text) {
        let end = match piece {
            simple::Piece::Text(text) => text.len(),
            simple::Piece::Variable(_) => rest.find("}}").map_or(rest.len(), |end| end + 2),
        };
        let (here, after) = rest.split_at(end);
        match piece {
            simple::Piece::Text(text) => simple::literal(text, &mut out),
            simple::Piece::Variable(_) => out.push_str(here),
        }
        rest = after;
    }
    out
}

/// What the first of some parts says once all that it includes is filled in: a text, or the JSON of a chat's items. Variables and
/// placeholders stay.
///
/// # Errors
/// One of those that are Jinja templates has anything else in it; something is not there; it becomes too much.
pub fn expand(parts: &[Part]) -> Result<String, Refusal> {
    let Some(first) = parts.first() else { return Ok(String::new()) };
    let mut expansion =
        Expansion { parts, out: String::new(), bytes_left: RENDER_OUTPUT_MAX_BYTES, steps_left: RENDER_STEPS_MAX };
    if first.kind == Kind::Text {
        expansion.add(first.syntax, &first.content, Place::default())?;
        return Ok(expansion.out);
    }
    let unreadable = |error: serde_json::Error| Refusal::Failed {
        place: Place::default(),
        reason: format!("it is no list of messages: {error}"),
    };
    let mut items = chat::items(&first.content).map_err(unreadable)?;
    for (at, item) in items.iter_mut().enumerate() {
        if let Item::Message(Message { content, .. }) = item {
            expansion.add(first.syntax, content, Place { message: Some(at), ..Place::default() })?;
            *content = Cow::Owned(std::mem::take(&mut expansion.out));
        }
    }
    serde_json::to_string(&items).map_err(unreadable)
}

struct Expansion<'a> {
    parts: &'a [Part],
    out: String,
    bytes_left: usize,
    steps_left: u64,
}

impl Expansion<'_> {
    fn push(&mut self, text: &str) -> Result<(), Refusal> {
        let too_long = || Refusal::Limit { what: "bytes".into(), max: RENDER_OUTPUT_MAX_BYTES as u64 };
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or_else(too_long)?;
        self.out.push_str(text);
        Ok(())
    }

    /// Adds a content of the part at `place`. What it includes is no deeper than the parts were gathered.
    fn add(&mut self, syntax: Syntax, text: &str, place: Place) -> Result<(), Refusal> {
        if syntax != Syntax::Jinja {
            return self.push(text);
        }
        let reason =
            "it has more in it than variables and includes, so nothing can be filled in without values: render it";
        let pieces = pieces(text).ok_or_else(|| Refusal::Failed { place, reason: reason.into() })?;
        for piece in pieces {
            let too_many = || Refusal::Limit { what: "steps".into(), max: RENDER_STEPS_MAX };
            self.steps_left = self.steps_left.checked_sub(1).ok_or_else(too_many)?;
            match piece {
                Piece::Text(text) => self.push(text)?,
                Piece::Brace => self.push("{")?,
                Piece::Include(written) => self.include(&written, place)?,
            }
        }
        Ok(())
    }

    fn include(&mut self, written: &Written, place: Place) -> Result<(), Refusal> {
        let parts = self.parts;
        let includes = parts.get(place.part).map(|part| part.includes.as_slice()).unwrap_or_default();
        let found = includes.iter().find(|(name, _)| name == written).and_then(|(_, part)| *part);
        let part = found.and_then(|at| parts.get(at).filter(|part| part.kind == Kind::Text).map(|part| (at, part)));
        let Some((at, part)) = part else {
            return Err(Refusal::NotIncluded { place, written: written.to_string() });
        };
        self.add(part.syntax, &part.content, Place { part: at, ..Place::default() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::variables::Declared;

    fn part(kind: Kind, syntax: Syntax, content: &str, includes: &[(&str, Option<usize>)]) -> Part {
        let includes = includes.iter().map(|(written, part)| (written.parse().unwrap(), *part)).collect();
        Part { kind, syntax, content: content.into(), declared: Declared::default(), includes }
    }

    fn written(text: &str) -> Written {
        text.parse().unwrap()
    }

    #[test]
    fn text_variables_and_includes_are_all_that_is_plain() {
        let text = "a { b {{ name }}{% include \"t/x@production\" %}{{ '{' }}% {%include 'y@3'%}";
        let found = pieces(text).unwrap();
        assert_eq!(found[0], Piece::Text("a { b {{ name }}"));
        assert_eq!(found[1..3], [Piece::Include(written("t/x@production")), Piece::Brace]);
        assert_eq!(found[3..], [Piece::Text("% "), Piece::Include(written("y@3"))]);
        assert_eq!(pieces(""), Some(Vec::new()));
        for other in [
            "{% if a %}{% endif %}",
            "{# why #}",
            "{{ a.b }}",
            "{{ a|upper }}",
            "{{",
            "{% include name %}",
            "{% include \"x@1\" ignore missing %}",
            "{%- include \"x@1\" %}",
            "{% include\"x@1\" %}",
            "{% include \"x\" %}",
        ] {
            assert_eq!(pieces(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_included_is_filled_in_and_variables_and_placeholders_stay() {
        let parts = [
            part(
                Kind::Chat,
                Syntax::Jinja,
                r#"[{"role":"system","content":"{% include \"a@production\" %}, {{ name }}"},{"type":"placeholder","name":"h"}]"#,
                &[("a@production", Some(1))],
            ),
            part(Kind::Text, Syntax::Jinja, "A{{ '{' }}{% include \"b@2\" %}", &[("b@2", Some(2))]),
            part(Kind::Text, Syntax::Simple, "{% b %}{{x}}", &[]),
        ];
        let said = r#"[{"role":"system","content":"A{{% b %}{{x}}, {{ name }}"},{"type":"placeholder","name":"h"}]"#;
        assert_eq!(expand(&parts).unwrap(), said);
        assert_eq!(expand(&parts[2..]).unwrap(), "{% b %}{{x}}");
    }

    #[test]
    fn what_is_not_plain_not_there_or_too_much_is_refused_where_it_is() {
        let odd = part(Kind::Text, Syntax::Jinja, "{% if a %}{% endif %}", &[]);
        let outer = |found| part(Kind::Text, Syntax::Jinja, "{% include \"a@1\" %}", &[("a@1", found)]);
        let refused = expand(&[outer(Some(1)), odd]).unwrap_err();
        assert!(matches!(refused, Refusal::Failed { place: Place { part: 1, .. }, .. }), "{refused:?}");
        assert!(
            matches!(expand(&[outer(None)]).unwrap_err(), Refusal::NotIncluded { written, .. } if written == "a@1")
        );
        // Each of a chain says the one after it often: no bytes, but ever more steps.
        let many = "{% include \"a@1\" %}".repeat(60);
        let mut chain: Vec<_> =
            (1..9).map(|next| part(Kind::Text, Syntax::Jinja, &many, &[("a@1", Some(next))])).collect();
        chain.push(part(Kind::Text, Syntax::Simple, "", &[]));
        assert!(matches!(expand(&chain).unwrap_err(), Refusal::Limit { what, .. } if what == "steps"));
        let long = part(Kind::Text, Syntax::Simple, &"x".repeat(100_000), &[]);
        let twice = part(Kind::Text, Syntax::Jinja, &"{% include \"a@1\" %}".repeat(11), &[("a@1", Some(1))]);
        assert!(matches!(expand(&[twice, long]).unwrap_err(), Refusal::Limit { what, .. } if what == "bytes"));
    }

    proptest! {
        #[test]
        fn a_text_becomes_a_template_that_says_it(text in "([{}%#ab '\\n-]|\\{\\{ ?[ab]+ ?\\}\\}|\\{% include \"a@1\" %\\}|é){0,30}") {
            let made = template(&text);
            prop_assert_eq!(expand(&[part(Kind::Text, Syntax::Jinja, &made, &[])]).unwrap(), text);
            prop_assert!(crate::inspect(Kind::Text, Syntax::Jinja, &made).is_ok());
        }
    }
}
