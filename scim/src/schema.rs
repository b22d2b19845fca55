//! The attributes of users and groups (RFC 7643, sections 3, 4 and 8.7): one table, which reading, patching, filtering and
//! `/Schemas` follow.

mod tables;

use serde_json::{Value, json};

pub use tables::{GROUP, USER};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Text,
    /// Yes or no.
    Boolean,
    /// An address of something.
    Reference,
    /// A text in base64.
    Binary,
    /// A point in time.
    DateTime,
    /// Attributes of its own.
    Complex,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::Reference => "reference",
            Self::Binary => "binary",
            Self::DateTime => "dateTime",
            Self::Complex => "complex",
        }
    }
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// The client.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The server.
    ReadOnly,
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, as it is written.
    pub name: &'static str,
    /// What its value is, or each of its values.
    pub kind: Type,
    /// Whether it has many values.
    pub many: bool,
    /// Whether it must be there.
    pub required: bool,
    /// Whether capitals are told from small letters.
    pub exact: bool,
    /// Who sets it.
    pub mutability: Mutability,
    /// Whether no two have the same.
    pub unique: bool,
    /// The attributes of a complex one.
    pub subs: &'static [Attribute],
    /// What a reference leads to.
    pub refers: &'static [&'static str],
    /// The only values that it ever has, if there are such.
    pub canonical: &'static [&'static str],
    /// What it is, for a reader.
    pub about: &'static str,
}

/// Attributes that belong together under a URN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is, for a reader.
    pub about: &'static str,
    /// What it has.
    pub attributes: &'static [Attribute],
}

/// What there are many of under an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// Its name.
    pub name: &'static str,
    /// The path below the base.
    pub endpoint: &'static str,
    /// What it is, for a reader.
    pub about: &'static str,
    /// What all of them have.
    pub core: Schema,
    /// What some of them have besides.
    pub extensions: &'static [Schema],
}

/// An attribute of that name, capitals or not.
#[must_use]
pub fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl ResourceType {
    /// An attribute that every resource has, or one of its own.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        named(self.core.attributes, name).or_else(|| named(tables::COMMON, name))
    }

    /// An extension by its URN.
    #[must_use]
    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// As `/ResourceTypes` has it.
    #[must_use]
    pub fn json(&self, base: &str) -> Value {
        let extension = |schema: &Schema| json!({ "schema": schema.id, "required": false });
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.about,
            "schema": self.core.id,
            "schemaExtensions": self.extensions.iter().map(extension).collect::<Vec<_>>(),
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name) },
        })
    }
}

impl Schema {
    /// As `/Schemas` has it.
    #[must_use]
    pub fn json(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.about,
            "attributes": self.attributes.iter().map(Attribute::json).collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id) },
        })
    }
}

impl Attribute {
    fn json(&self) -> Value {
        let mut json = json!({
            "name": self.name,
            "type": self.kind.name(),
            "multiValued": self.many,
            "description": self.about,
            "required": self.required,
            "caseExact": self.exact,
            "mutability": match self.mutability {
                Mutability::ReadWrite => "readWrite",
                Mutability::Immutable => "immutable",
                Mutability::ReadOnly => "readOnly",
            },
            "returned": "default",
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        if self.kind == Type::Complex {
            json["subAttributes"] = self.subs.iter().map(Self::json).collect();
        }
        if !self.canonical.is_empty() {
            json["canonicalValues"] = json!(self.canonical);
        }
        if self.kind == Type::Reference {
            json["referenceTypes"] = json!(self.refers);
        }
        json
    }
}
