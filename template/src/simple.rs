//! The syntax that every text has: `{{ name }}` stands for a variable, and everything else for itself. It never fails, so it
//! is what a text is unless its author says something else.

use crate::variables::is_name;

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Stands for itself.
    Text(&'a str),
    /// Stands for a variable.
    Variable(&'a str),
}

/// The pieces of a text, in order; together they are all of it.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = variable(rest) {
            rest = after;
            return Some(Piece::Variable(name));
        }
        // Up to where the next variable begins. The first sign is not one's beginning.
        let mut from = rest.chars().next().map_or(0, char::len_utf8);
        let end = loop {
            match rest[from..].find("{{").map(|found| from + found) {
                None => break rest.len(),
                Some(at) if variable(&rest[at..]).is_some() => break at,
                Some(at) => from = at + 1,
            }
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(piece))
    })
}

/// The variable that a text begins with, and what comes after it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("{{")?.trim_start_matches(SPACE);
    let end = inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let (name, after) = inside.split_at(end);
    let after = after.trim_start_matches(SPACE).strip_prefix("}}")?;
    is_name(name).then_some((name, after))
}

/// What comes after the variable that a text begins with.
pub(crate) fn after_variable(text: &str) -> Option<&str> {
    variable(text).map(|(_, after)| after)
}

/// The same text for the other syntax: what stands for itself there, too, and variables if they are to stay such.
pub fn to_jinja(text: &str, variables: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let pieces: Vec<_> = if variables { pieces(text).collect() } else { vec![Piece::Text(text)] };
    for piece in pieces {
        match piece {
            Piece::Variable(name) => out.extend(["{{ ", name, " }}"]),
            Piece::Text(text) => literal(text, &mut out),
        }
    }
    out
}

/// A brace that would begin something, or that stands before something that begins with one, is said by an expression.
pub(crate) fn literal(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let harmless = from[1..].chars().next().is_some_and(|next| !matches!(next, '{' | '%' | '#'));
        out.push_str(if harmless { "{" } else { "{{ '{' }}" });
        rest = &from[1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables(text: &str) -> Vec<&str> {
        let variable = |piece| if let Piece::Variable(name) = piece { Some(name) } else { None };
        pieces(text).filter_map(variable).collect()
    }

    #[test]
    fn only_names_between_two_braces_are_variables() {
        assert_eq!(variables("{{name}} and {{ other_1 }}\n{{\nlast\n}}"), ["name", "other_1", "last"]);
        for none in
            ["{{}}", "{{ }}", "{name}", "{{a b}}", "{{a.b}}", "{{a|upper}}", "{{1a}}", "{% if a %}", "{{ a }", "{{"]
        {
            assert_eq!(variables(none), Vec::<&str>::new(), "{none}");
        }
        assert_eq!(variables("{{{name}}}"), ["name"], "braces around it stay");
        assert_eq!(pieces("{{{a}}}").collect::<Vec<_>>(), [Piece::Text("{"), Piece::Variable("a"), Piece::Text("}")]);
        assert_eq!(variables("é{{a}}é{{é}}"), ["a"]);
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[{}%#ab '\\n-]{0,40}", "(\\{\\{ ?[ab]+ ?\\}\\}|\\{\\{|\\{%|é|\\}){0,12}"]
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text(text in texts()) {
            let mut rest = text.as_str();
            for piece in pieces(&text) {
                match piece {
                    Piece::Text(piece) => rest = rest.strip_prefix(piece).unwrap(),
                    Piece::Variable(name) => {
                        let end = rest.find("}}").unwrap();
                        prop_assert_eq!(rest[2..end].trim(), name);
                        rest = &rest[end + 2..];
                    }
                }
            }
            prop_assert_eq!(rest, "");
        }

        #[test]
        fn the_other_syntax_says_the_same(text in texts()) {
            let mut environment = crate::engine::environment();
            environment.set_undefined_behavior(minijinja::UndefinedBehavior::Lenient);
            prop_assert_eq!(&environment.render_str(&to_jinja(&text, false), ()).unwrap(), &text);
            let said: String =
                pieces(&text).map(|piece| if let Piece::Text(text) = piece { text } else { "" }).collect();
            prop_assert_eq!(environment.render_str(&to_jinja(&text, true), ()).unwrap(), said);
        }
    }
}
