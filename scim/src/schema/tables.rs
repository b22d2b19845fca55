//! The tables themselves.

use super::{Attribute, Mutability, ResourceType, Schema, Type};

const fn of(name: &'static str, kind: Type, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        many: false,
        required: false,
        exact: false,
        mutability: Mutability::ReadWrite,
        unique: false,
        subs: &[],
        refers: &[],
        canonical: &[],
        about,
    }
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    of(name, Type::Text, about)
}

const fn complex(name: &'static str, subs: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute { subs, ..of(name, Type::Complex, about) }
}

const fn many(name: &'static str, subs: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute { many: true, ..complex(name, subs, about) }
}

const fn reference(name: &'static str, refers: &'static [&'static str], about: &'static str) -> Attribute {
    Attribute { refers, exact: true, ..of(name, Type::Reference, about) }
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::ReadOnly, ..attribute }
}

const fn immutable(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::Immutable, ..attribute }
}

const PRIMARY: Attribute = of("primary", Type::Boolean, "Whether it is the preferred one.");
const TYPE: Attribute = text("type", "What it is used for: work, home, other.");
const DISPLAY: Attribute = text("display", "The value for a reader.");

/// Of most attributes with many values.
const PLURAL: &[Attribute] = &[text("value", "The value."), DISPLAY, TYPE, PRIMARY];

/// What every resource has, whatever its schema.
pub const COMMON: &[Attribute] = &[
    Attribute { exact: true, unique: true, ..read_only(text("id", "The server's name for it.")) },
    Attribute { exact: true, ..text("externalId", "The client's name for it.") },
    read_only(complex(
        "meta",
        &[
            Attribute { exact: true, ..read_only(text("resourceType", "What it is.")) },
            read_only(of("created", Type::DateTime, "When it was made.")),
            read_only(of("lastModified", Type::DateTime, "When it was changed last.")),
            read_only(reference("location", &["uri"], "Its address.")),
            Attribute { exact: true, ..read_only(text("version", "Its ETag.")) },
        ],
        "What the server says of it.",
    )),
];

const NAME: &[Attribute] = &[
    text("formatted", "The whole name."),
    text("familyName", "The family name."),
    text("givenName", "The given name."),
    text("middleName", "The middle names."),
    text("honorificPrefix", "What comes before the name."),
    text("honorificSuffix", "What comes after the name."),
];

const ADDRESS: &[Attribute] = &[
    text("formatted", "The whole address."),
    text("streetAddress", "Street and number."),
    text("locality", "City."),
    text("region", "State or region."),
    text("postalCode", "Postal code."),
    text("country", "Country, by ISO 3166-1."),
    TYPE,
    PRIMARY,
];

const PHOTO: &[Attribute] = &[reference("value", &["external"], "The photo's address."), DISPLAY, TYPE, PRIMARY];

const CERTIFICATE: &[Attribute] =
    &[Attribute { exact: true, ..of("value", Type::Binary, "The certificate.") }, DISPLAY, TYPE, PRIMARY];

const GROUPS: &[Attribute] = &[
    read_only(Attribute { exact: true, ..text("value", "The group's id.") }),
    read_only(reference("$ref", &["Group"], "The group's address.")),
    read_only(text("display", "The group's name.")),
    read_only(Attribute { canonical: &["direct"], ..text("type", "Always `direct`.") }),
];

const USER_CORE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    about: "A person.",
    attributes: &[
        Attribute { required: true, unique: true, ..text("userName", "The name that the directory knows him by.") },
        complex("name", NAME, "The parts of his name."),
        text("displayName", "His name for others."),
        text("nickName", "What he is called."),
        reference("profileUrl", &["external"], "A page about him."),
        text("title", "His title."),
        text("userType", "How he belongs to the company."),
        text("preferredLanguage", "His language."),
        text("locale", "How dates and numbers are written for him."),
        text("timezone", "His time zone."),
        // Always there: who does not say it leaves it as it is, and a new user may come in.
        Attribute { required: true, ..of("active", Type::Boolean, "Whether he may come in.") },
        many("emails", PLURAL, "His e-mail addresses."),
        many("phoneNumbers", PLURAL, "His phone numbers."),
        many("ims", PLURAL, "His addresses for instant messages."),
        many("photos", PHOTO, "Photos of him."),
        many("addresses", ADDRESS, "Where he lives and works."),
        read_only(many("groups", GROUPS, "The groups that he is a member of.")),
        many("entitlements", PLURAL, "What he is entitled to, in the directory's words. Gives no right here."),
        many("roles", PLURAL, "His roles, in the directory's words. They give no right here."),
        many("x509Certificates", CERTIFICATE, "His certificates."),
    ],
};

const MANAGER: &[Attribute] = &[
    Attribute { exact: true, ..text("value", "The manager's id.") },
    reference("$ref", &["User"], "The manager's address."),
    read_only(text("displayName", "The manager's name.")),
];

const ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    about: "What a company says of a person besides.",
    attributes: &[
        text("employeeNumber", "His number."),
        text("costCenter", "His cost center."),
        text("organization", "His organization."),
        text("division", "His division."),
        text("department", "His department."),
        complex("manager", MANAGER, "His manager."),
    ],
};

const MEMBERS: &[Attribute] = &[
    immutable(Attribute { exact: true, required: true, ..text("value", "The member's id.") }),
    immutable(reference("$ref", &["User"], "The member's address.")),
    read_only(text("display", "The member's name.")),
    read_only(Attribute { canonical: &["User"], ..text("type", "Always `User`.") }),
];

const GROUP_CORE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    about: "People who are given rights together.",
    attributes: &[
        Attribute { required: true, ..text("displayName", "Its name.") },
        many("members", MEMBERS, "Who is in it."),
    ],
};

/// Users.
pub const USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    about: "People of the directory.",
    core: USER_CORE,
    extensions: &[ENTERPRISE],
};

/// Groups.
pub const GROUP: ResourceType = ResourceType {
    name: "Group",
    endpoint: "/Groups",
    about: "Groups of the directory.",
    core: GROUP_CORE,
    extensions: &[],
};
