//! Prompts inside others. Langfuse writes `@@@langfusePrompt:name=N|label=L@@@`, we write `{% include "N@L" %}`: a text with such
//! tags is kept as a Jinja template in which everything else stands for itself or for a variable, and shown with tags again.

use std::borrow::Cow;

use promptory_events::event::{Kind, Selector, Syntax, Written};
use promptory_platform::Problem;
use promptory_template::chat::{self, Item, Message};
use promptory_template::plain::{self, Piece, pieces, template};

const BEGIN: &str = "@@@langfusePrompt:";
const END: &str = "@@@";

/// The first tag of a text: what is before it, what is in it, and what comes after it. What Langfuse takes for no tag is none.
fn first(text: &str) -> Option<(&str, Tag<'_>, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(BEGIN)?;
        let inside = &text[at + BEGIN.len()..];
        let found = inside.split_once(END).filter(|(tag, _)| !tag.contains('\n'));
        if let Some((tag, after)) = found.and_then(|(tag, after)| Tag::read(tag).map(|tag| (tag, after))) {
            return Some((&text[..at], tag, after));
        }
        from = at + BEGIN.len();
    }
}

/// Which prompt, and which of its versions.
struct Tag<'a> {
    name: &'a str,
    /// `version` or `label`.
    by: &'a str,
    value: &'a str,
}

impl<'a> Tag<'a> {
    fn read(inside: &'a str) -> Option<Self> {
        let (name, rest) = inside.split_once('|')?;
        let (by, value) = rest.split_once('=').filter(|(_, value)| !value.contains('|'))?;
        let name = name.strip_prefix("name=").filter(|name| !name.is_empty())?;
        ["version", "label"].contains(&by).then_some(Self { name, by, value })
    }

    /// The include that it is here.
    fn include(&self, field: &str) -> Result<String, Problem> {
        let Self { name, by, value } = self;
        let refused = |why: &str| {
            let detail =
                format!("a prompt that is included by {by} {value:?} and name {name:?} can't be one here: {why}");
            Problem::field(field, detail)
        };
        if (*by == "version") != value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused("a version is a number, and a label has another character than digits"));
        }
        let written: Written = format!("{name}@{value}").parse().map_err(|error: String| refused(&error))?;
        plain::including(&written).ok_or_else(|| refused("the name has a quotation mark or a backslash"))
    }
}

/// Whether a text has a tag.
#[must_use]
pub fn has_tag(text: &str) -> bool {
    first(text).is_some()
}

/// A text with tags as the template that it is kept as.
///
/// # Errors
/// `invalid-field`: what a tag names has no form of a prompt and a version here.
pub fn kept(text: &str, field: &str) -> Result<String, Problem> {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, tag, after)) = first(rest) {
        out.push_str(&template(before));
        out.push_str(&tag.include(field)?);
        rest = after;
    }
    out.push_str(&template(rest));
    Ok(out)
}

/// A content as it is stored, with tags in the place of includes. A template with anything else in it is shown as it is.
///
/// # Errors
/// A chat that is no JSON.
pub fn shown(kind: Kind, syntax: Syntax, stored: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match (syntax, kind) {
        (Syntax::Jinja, Kind::Text) => Ok(tagged(stored).map_or(Cow::Borrowed(stored), Cow::Owned)),
        (Syntax::Jinja, Kind::Chat) => {
            let mut items = chat::items(stored)?;
            for item in &mut items {
                if let Item::Message(Message { content, .. }) = item
                    && let Some(tagged) = tagged(content)
                {
                    *content = Cow::Owned(tagged);
                }
            }
            serde_json::to_string(&items).map(Cow::Owned)
        }
        _ => Ok(Cow::Borrowed(stored)),
    }
}

fn tagged(template: &str) -> Option<String> {
    let mut out = String::with_capacity(template.len());
    for piece in pieces(template)? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Brace => out.push('{'),
            Piece::Include(Written { key, at }) => {
                let (by, value) = match at {
                    Selector::Number(number) => ("version", number.to_string()),
                    Selector::Label(label) => ("label", label.to_string()),
                };
                out.extend([BEGIN, "name=", key.as_str(), "|", by, "=", &value, END]);
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_tags_becomes_a_template_and_is_shown_as_it_came() {
        let text = "{% not %} {{name}} @@@langfusePrompt:name=team/footer|label=production@@@{@@@langfusePrompt:name=x|version=3@@@";
        let kept = kept(text, "/prompt").unwrap();
        assert_eq!(
            kept,
            "{{ '{' }}% not %} {{name}} {% include \"team/footer@production\" %}{{ '{' }}{% include \"x@3\" %}"
        );
        assert_eq!(shown(Kind::Text, Syntax::Jinja, &kept).unwrap(), text);
        assert_eq!(shown(Kind::Text, Syntax::Simple, &kept).unwrap(), kept);
        let chat =
            serde_json::json!([{"role": "user", "content": kept}, {"type": "placeholder", "name": "h"}]).to_string();
        let shown = shown(Kind::Chat, Syntax::Jinja, &chat).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown, serde_json::json!([{"role": "user", "content": text}, {"type": "placeholder", "name": "h"}]));
        assert_eq!(super::shown(Kind::Text, Syntax::Jinja, "{% if a %}{% endif %}").unwrap(), "{% if a %}{% endif %}");
    }

    #[test]
    fn what_langfuse_takes_for_no_tag_is_none_and_what_can_not_be_included_is_refused() {
        for none in [
            "@@@langfusePrompt:name=x@@@",
            "@@@langfusePrompt:label=x|name=y@@@",
            "@@@langfusePrompt:name=x|label=y|version=1@@@",
            "@@@langfusePrompt:name=|label=y@@@",
            "@@@langfusePrompt:name=x|labl=y@@@",
            "@@@langfusePrompt:name=x|label=y",
            "@@@langfusePrompt:name=x\n|label=y@@@",
        ] {
            assert!(!has_tag(none), "{none}");
        }
        assert!(has_tag("@@@langfusePrompt:name=x@@@ @@@langfusePrompt:name=x|label=y@@@"));
        for odd in ["name=x|label=A", "name=x|label=1", "name=x|version=one", "name=x|version=", "name=a\"b|label=y"] {
            let refused = kept(&format!("@@@langfusePrompt:{odd}@@@"), "/prompt").unwrap_err();
            assert_eq!(refused.members["field"], "/prompt", "{odd}");
        }
    }
}
