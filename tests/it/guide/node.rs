//! JSON with its fields in the order that they came in, printed as the guide prints it: as much on a line as goes there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Columns that a line may have.
const WIDTH: usize = 116;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Leaf(Value),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Node {
    /// The same with every string made anew; the name of its field is given too.
    pub fn map(&self, name: &str, change: &mut impl FnMut(&str, &str) -> String) -> Self {
        match self {
            Self::Leaf(Value::String(text)) => Self::Leaf(Value::String(change(name, text))),
            Self::Leaf(other) => Self::Leaf(other.clone()),
            Self::List(items) => Self::List(items.iter().map(|item| item.map(name, change)).collect()),
            Self::Map(fields) => {
                Self::Map(fields.iter().map(|(name, value)| (name.clone(), value.map(name, change))).collect())
            }
        }
    }

    /// Every pair of strings at the same place of both.
    pub fn both(&self, other: &Self, name: &str, each: &mut impl FnMut(&str, &str, &str)) {
        match (self, other) {
            (Self::Leaf(Value::String(one)), Self::Leaf(Value::String(two))) => each(name, one, two),
            (Self::List(ones), Self::List(twos)) => {
                ones.iter().zip(twos).for_each(|(one, two)| one.both(two, name, each));
            }
            (Self::Map(ones), Self::Map(twos)) => {
                for (name, one) in ones {
                    if let Some((_, two)) = twos.iter().find(|(other, _)| other == name) {
                        one.both(two, name, each);
                    }
                }
            }
            _ => {}
        }
    }

    fn flat(&self) -> String {
        match self {
            Self::Leaf(value) => value.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::flat).collect::<Vec<_>>().join(", ")),
            Self::Map(fields) => {
                let fields =
                    fields.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), value.flat()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Broken into lines; the first begins at `column` of a line that is indented by `indent`.
    fn broken(&self, indent: usize, column: usize) -> String {
        let flat = self.flat();
        if column + flat.chars().count() < WIDTH {
            return flat;
        }
        let (ends, parts): (_, Vec<(String, &Self)>) = match self {
            Self::Leaf(_) => return flat,
            Self::List(items) => (('[', ']'), items.iter().map(|item| (String::new(), item)).collect()),
            Self::Map(fields) => (
                ('{', '}'),
                fields.iter().map(|(name, value)| (format!("{}: ", Value::from(name.as_str())), value)).collect(),
            ),
        };
        let inner = indent + 2;
        let (mut lines, mut line) = (Vec::new(), String::new());
        for (n, (name, value)) in parts.iter().enumerate() {
            let comma = if n + 1 == parts.len() { "" } else { "," };
            let part = format!("{name}{}{comma}", value.flat());
            if !line.is_empty() && inner + line.chars().count() + 1 + part.chars().count() <= WIDTH {
                line = format!("{line} {part}");
                continue;
            }
            lines.extend((!line.is_empty()).then(|| std::mem::take(&mut line)));
            line = format!("{name}{}{comma}", value.broken(inner, inner + name.chars().count() + comma.len()));
            // What has lines of its own shares none.
            if line.contains('\n') {
                lines.push(std::mem::take(&mut line));
            }
        }
        lines.extend((!line.is_empty()).then_some(line));
        let pad = " ".repeat(inner);
        let lines: Vec<_> = lines.into_iter().map(|line| format!("{pad}{line}")).collect();
        format!("{}\n{}\n{}{}", ends.0, lines.join("\n"), " ".repeat(indent), ends.1)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.broken(0, 0))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Leaf(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Node::Map(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
