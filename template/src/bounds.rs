//! What the engine does not bound itself: how deep an expression may be. It reads `a|b|c|…` in a loop and then walks it by
//! recursion, and no stack is large enough for half a megabyte of that. A tree is never deeper than it has tokens, so tokens
//! are counted before it is built.

use minijinja::machinery::{Token, tokenize};
use promptory_events::limits::{TAG_TOKENS_MAX, TEMPLATE_TOKENS_MAX};

use crate::engine;

/// `elif`s of one template: each is one deeper than the one before.
const ELIFS_MAX: usize = 1_000;

/// Too much between braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}, and at most {max} are allowed")]
pub struct TooMuch {
    /// Where it was too much.
    pub line: usize,
    what: &'static str,
    max: usize,
}

/// How many tokens a template has between its braces.
///
/// # Errors
/// There are too many. What can't be read counts as the end: the engine stops there, too, and says why.
pub fn tokens(source: &str) -> Result<usize, TooMuch> {
    let (mut all, mut in_tag, mut elifs) = (0, 0, 0);
    for token in tokenize(source, false, engine::syntax()) {
        let Ok((token, span)) = token else { break };
        let line = usize::from(span.start_line);
        match token {
            Token::TemplateData(_) | Token::VariableEnd | Token::BlockEnd => continue,
            Token::VariableStart | Token::BlockStart => in_tag = 0,
            Token::Ident("elif") => elifs += 1,
            _ => {}
        }
        (all, in_tag) = (all + 1, in_tag + 1);
        let over = [
            (in_tag, TAG_TOKENS_MAX, "there are more words and signs between one pair of braces"),
            (all, TEMPLATE_TOKENS_MAX, "there are more words and signs between braces so far"),
            (elifs, ELIFS_MAX, "there are more `elif`s so far"),
        ];
        if let Some((_, max, what)) = over.into_iter().find(|(count, max, _)| count > max) {
            return Err(TooMuch { line, what, max });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_braces_counts() {
        assert_eq!(tokens("no braces at all, { } and }}"), Ok(0));
        assert_eq!(tokens("{{ a }} and {% if b %}c{% endif %}"), Ok(2 + 3 + 2));
        assert_eq!(tokens("{% raw %}{{ a|b }}{% endraw %}"), Ok(0));
        assert_eq!(tokens("{{ a }} {{ ?"), Ok(3), "up to what can't be read");
    }

    #[test]
    fn too_much_is_refused_where_it_begins() {
        let long = format!("a\nb {{{{ x{} }}}}", "|f".repeat(TAG_TOKENS_MAX));
        assert_eq!(tokens(&long).unwrap_err().line, 2);
        assert!(tokens(&"{{ x }}\n".repeat(TEMPLATE_TOKENS_MAX)).is_err());
        let elifs = format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(ELIFS_MAX + 1));
        assert!(tokens(&elifs).unwrap_err().to_string().contains("elif"));
    }
}
