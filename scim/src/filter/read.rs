//! From a filter's text to what it means.

use super::{DEPTH_MAX, Filter, Literal, Op, comparable};
use crate::path::{At, Scope};
use crate::schema::{Attribute, ResourceType, Type, named};
use crate::{Error, Kind};

pub(super) fn whole(kind: &'static ResourceType, text: &str) -> Result<Filter, Error> {
    let mut reader = Reader { rest: text.trim_start(), depth: 0 };
    let filter = reader.any(Scope::Resource(kind))?;
    if reader.rest.is_empty() { Ok(filter) } else { Err(wrong("there is more after its end")) }
}

pub(super) fn within<'a>(attribute: &'static Attribute, text: &'a str) -> Result<(Filter, &'a str), Error> {
    let mut reader = Reader { rest: text.trim_start(), depth: 0 };
    let filter = reader.any(Scope::Value(attribute))?;
    let rest = reader.rest.strip_prefix(']').ok_or_else(|| wrong("a `]` is missing"))?;
    Ok((filter, rest))
}

fn wrong(why: &str) -> Error {
    Error::new(Kind::InvalidFilter, format!("the filter can't be read: {why}"))
}

/// What is left of a text. Blanks before it are always taken off.
struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn any(&mut self, scope: Scope) -> Result<Filter, Error> {
        let mut any = vec![self.all(scope)?];
        while self.word("or") {
            any.push(self.all(scope)?);
        }
        Ok(if any.len() == 1 { any.swap_remove(0) } else { Filter::Any(any) })
    }

    fn all(&mut self, scope: Scope) -> Result<Filter, Error> {
        let mut all = vec![self.unit(scope)?];
        while self.word("and") {
            all.push(self.unit(scope)?);
        }
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Filter::All(all) })
    }

    fn unit(&mut self, scope: Scope) -> Result<Filter, Error> {
        if self.sign('(') {
            return self.closed(scope, ')');
        }
        let before = self.rest;
        if self.word("not") {
            if self.sign('(') {
                return Ok(Filter::Not(Box::new(self.closed(scope, ')')?)));
            }
            self.rest = before;
        }
        let word = self.name().ok_or_else(|| wrong("an attribute is missing"))?;
        let at =
            scope.find(word).ok_or_else(|| Error::new(Kind::InvalidFilter, "it asks for no attribute of these"))?;
        if self.sign('[') {
            if !at.attribute.many || at.sub.is_some() || matches!(scope, Scope::Value(_)) {
                return Err(wrong("only an attribute with many values takes brackets"));
            }
            let inner = self.closed(Scope::Value(at.attribute), ']')?;
            return Ok(Filter::Within(at, Box::new(inner)));
        }
        self.comparison(at)
    }

    fn comparison(&mut self, at: At) -> Result<Filter, Error> {
        let op = match self.name().map(str::to_ascii_lowercase).as_deref() {
            Some("pr") => return Ok(Filter::Present(at)),
            Some("eq") => Op::Eq,
            Some("ne") => Op::Ne,
            Some("co") => Op::Co,
            Some("sw") => Op::Sw,
            Some("ew") => Op::Ew,
            Some("gt") => Op::Gt,
            Some("ge") => Op::Ge,
            Some("lt") => Op::Lt,
            Some("le") => Op::Le,
            _ => return Err(wrong("a comparison is missing")),
        };
        // What has many values is compared by each one's `value`.
        let value = named(at.attribute.subs, "value").filter(|_| at.attribute.many && at.sub.is_none());
        let at = At { sub: at.sub.or(value), ..at };
        let kind = at.sub.unwrap_or(at.attribute).kind;
        let literal = self.literal(kind)?;
        if comparable(kind, op, &literal) {
            Ok(Filter::Is(at, op, literal))
        } else {
            Err(Error::new(Kind::InvalidFilter, "an attribute of it does not compare so"))
        }
    }

    /// A value. Yes and no may come as texts, as Entra ID writes them.
    fn literal(&mut self, kind: Type) -> Result<Literal, Error> {
        let literal = if self.rest.starts_with('"') { Literal::Text(self.text()?) } else { self.bare()? };
        match literal {
            Literal::Text(text) if kind == Type::Boolean && text.eq_ignore_ascii_case("true") => {
                Ok(Literal::Boolean(true))
            }
            Literal::Text(text) if kind == Type::Boolean && text.eq_ignore_ascii_case("false") => {
                Ok(Literal::Boolean(false))
            }
            literal => Ok(literal),
        }
    }

    fn bare(&mut self) -> Result<Literal, Error> {
        match self.name().map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Ok(Literal::Boolean(true)),
            Some("false") => Ok(Literal::Boolean(false)),
            Some("null") => Ok(Literal::Null),
            _ => Err(wrong("a value is missing; texts stand in double quotes")),
        }
    }

    /// A text in quotes, with the escapes of JSON.
    fn text(&mut self) -> Result<String, Error> {
        let mut escaped = false;
        let inside = |(at, sign): (usize, char)| {
            let ends = sign == '"' && !escaped && at > 0;
            escaped = sign == '\\' && !escaped;
            ends.then_some(at)
        };
        let end = self.rest.char_indices().find_map(inside).ok_or_else(|| wrong("a quote is missing"))?;
        let (quoted, rest) = self.rest.split_at(end + 1);
        self.rest = rest.trim_start();
        serde_json::from_str(quoted).map_err(|_| wrong("a text is no JSON text"))
    }

    fn closed(&mut self, scope: Scope, end: char) -> Result<Filter, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong("its parentheses nest too deep"));
        }
        let filter = self.any(scope)?;
        self.depth -= 1;
        if self.sign(end) { Ok(filter) } else { Err(wrong("a parenthesis is not closed")) }
    }

    fn sign(&mut self, sign: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.name().is_some_and(|name| name.eq_ignore_ascii_case(word)) {
            return true;
        }
        self.rest = before;
        false
    }

    fn name(&mut self) -> Option<&'a str> {
        let is_of_it = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, ':' | '.' | '_' | '-' | '$');
        let end = self.rest.find(|sign| !is_of_it(sign)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        (!name.is_empty()).then_some(name)
    }
}
