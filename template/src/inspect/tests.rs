//! What contents need, and what is said of those that can't be read.

use promptory_events::event::Selector;
use proptest::prelude::*;

use super::*;

fn jinja(text: &str) -> Result<Inspected, Invalid> {
    inspect(Kind::Text, Syntax::Jinja, text)
}

/// Variables, those that can't do without marked with `!`.
fn needed(text: &str) -> Vec<String> {
    let found = jinja(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    found.variables.iter().map(|(name, need)| format!("{name}{}", if need.required { "!" } else { "" })).collect()
}

#[test]
fn variables_are_what_a_template_does_not_set_itself() {
    for (text, expected) in [
        ("Hello {{ name }}.", vec!["name!"]),
        ("{{ user.name|upper }} {{ list[0] }} {{ text[1:n] }}", vec!["list!", "n", "text!", "user!"]),
        ("{% for item in items if item.ok %}{{ loop.index }}{{ item }}{{ sep }}{% endfor %}", vec!["items!", "sep"]),
        ("{% set x = y %}{{ x }}", vec!["y"]),
        ("{% if a %}{% set x = 1 %}{% endif %}{{ x }}", vec!["a", "x"]),
        ("{% with a = b, c = a %}{{ a }}{{ c }}{% endwith %}{{ a }}", vec!["a", "b"]),
        ("{% if name %}Dear {{ name }}{% else %}{{ other }}{% endif %}", vec!["name", "other"]),
        ("{{ a|default('x') }}{{ b is defined }}{{ c or d }}{{ 'x' if e else f }}", vec!["a", "b", "c", "d", "e", "f"]),
        ("{{ range(n) }}{{ dict(a=m) }}{% do range(k) %}", vec!["k", "m", "n"]),
        ("{% set t %}{{ inner }}{% endset %}{% filter upper %}{{ t }}{% endfilter %}", vec!["inner!"]),
        ("{% raw %}{{ a }}{% endraw %}{# {{ b }} #}", vec![]),
    ] {
        assert_eq!(needed(text), expected, "{text}");
    }
}

#[test]
fn a_simple_content_needs_what_stands_between_its_braces_and_a_literal_one_nothing() {
    let text = "{{ a }} {% if b %} {{ c.d }} {{";
    let found = inspect(Kind::Text, Syntax::Simple, text).unwrap();
    assert_eq!(found.variables.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(inspect(Kind::Text, Syntax::None, text), Ok(Inspected::default()));
}

#[test]
fn a_chat_needs_what_its_messages_need_and_messages_for_its_placeholders() {
    let chat = r#"[{"role":"system","content":"{{ a }}"},{"type":"placeholder","name":"history"},
        {"role":"user","content":"{% if b %}{{ a }}{% endif %}"}]"#;
    let found = inspect(Kind::Chat, Syntax::Jinja, chat).unwrap();
    let need = |required, messages| Need { required, messages };
    let all = [("a", need(true, false)), ("b", need(false, false)), ("history", need(true, true))];
    assert_eq!(found.variables, all.map(|(name, need)| (name.to_owned(), need)).into());
    let bad = r#"[{"role":"system","content":"fine"},{"role":"user","content":"\n{{"}]"#;
    let bad = inspect(Kind::Chat, Syntax::Jinja, bad).unwrap_err();
    assert_eq!((bad.message, bad.line), (Some(1), Some(2)));
    let literal = inspect(Kind::Chat, Syntax::None, chat).unwrap();
    assert_eq!(literal.variables.keys().collect::<Vec<_>>(), ["history"], "a placeholder is no syntax");
}

#[test]
fn includes_are_named_in_so_many_words() {
    let found = jinja("{% include 'a/b@production' %}{% include \"c@d@3\" %}{% include 'a/b@production' %}").unwrap();
    let names: Vec<_> = found.includes.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a/b@production", "c@d@3"]);
    assert_eq!(found.includes[1].at, Selector::Number(3));
    for (text, reason) in [
        ("\n{% include name %}", "in quotes"),
        ("\n{% include ['a@b', 'c@d'] %}", "in quotes"),
        ("\n{% include 'a' %}", "says no version"),
        ("\n{% include 'a@Upper' %}", "label"),
        ("\n{% include 'a@99999999999' %}", "number"),
        ("\n{% include '@b' %}", "key"),
        ("\n{% extends 'a@b' %}", "inheritance"),
        ("\n{% import 'a@b' as x %}", "imported"),
        ("\n{% from 'a@b' import x %}", "imported"),
        ("\n{% block x %}{% endblock %}", "inheritance"),
    ] {
        let error = jinja(text).unwrap_err();
        assert!(error.reason.contains(reason), "{text}: {}", error.reason);
        assert_eq!(error.line, Some(2), "{text}");
    }
    let many: String = (0..=INCLUDES_MAX).map(|n| format!("{{% include 'p{n}@1' %}}")).collect();
    assert!(jinja(&many).unwrap_err().reason.contains("at most 64"));
}

#[test]
fn what_can_t_be_read_is_said_with_its_line() {
    for (text, line) in [
        ("a\n{{ name", 2),
        ("{% if a %}\n\n", 1),
        ("\n\n{{ a b }}", 3),
        ("{% endfor %}", 1),
        ("{% macro a() %}{% endmacro %}", 1),
        ("{{ self }}", 1),
    ] {
        let error = jinja(text).map(|found| format!("{found:?}")).unwrap_err();
        assert!(error.line.is_none_or(|found| found == line), "{text}: {error:?}");
        assert!(!error.reason.is_empty());
    }
}

#[test]
fn no_depth_is_too_deep() {
    let n = 200_000;
    let deep = [
        format!("{{{{ a{} }}}}", "|f".repeat(n)),
        format!("{{{{ a{} }}}}", "+a".repeat(n)),
        format!("{{{{ a{} }}}}", ".a".repeat(n)),
        format!("{{{{ {}a }}}}", "not ".repeat(n)),
        format!("{{{{ {}a }}}}", "-".repeat(n)),
        format!("{{{{ {}a }}}}", "(".repeat(n)),
        format!("{{{{ {}a }}}}", "[".repeat(n)),
        format!("{{{{ a{} }}}}", " if b".repeat(n)),
        format!("{{{{ a{} }}}}", " is b".repeat(n)),
        format!("{{{{ a{} }}}}", "(b".repeat(n)),
        "{% if a %}".repeat(n),
        format!("{{% if a %}}{}", "{% elif a %}".repeat(n)),
        "{% for a in b %}".repeat(n),
        "{{".repeat(n),
        "{#".repeat(n),
        "{% raw %}".repeat(n),
    ];
    for text in deep {
        assert!(jinja(&text).is_err(), "{}", &text[..20]);
    }
}

/// Texts that look like templates more often than chance would have it.
pub(crate) fn templates() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-e]{1,3}",
        2 => Just("{{ a }}".to_owned()),
        1 => Just("{% if a %}".to_owned()),
        1 => Just("{% elif b|length > 2 %}".to_owned()),
        1 => Just("{% else %}".to_owned()),
        1 => Just("{% endif %}".to_owned()),
        1 => Just("{% for x in b %}{{ x }}{{ loop.index }}".to_owned()),
        1 => Just("{% for x in range(1000000) %}".to_owned()),
        1 => Just("{% endfor %}".to_owned()),
        1 => Just("{% set a = a ~ a %}".to_owned()),
        1 => Just("{% set b = [b, b] %}".to_owned()),
        1 => Just("{{ b|tojson }}{{ b|pprint }}".to_owned()),
        1 => Just("{{ 'x' * 1000000000 }}".to_owned()),
        1 => Just("{{ '%1000000000d'|format(1) }}".to_owned()),
        1 => Just("{% include 'p@1' %}".to_owned()),
        2 => "[{}%#|~*+().'\" -]{1,4}",
        1 => "\\PC{0,4}",
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in prop_oneof![templates(), any::<String>()]) {
        let _ = jinja(&text);
        prop_assert!(inspect(Kind::Text, Syntax::Simple, &text).is_ok());
        let chat = serde_json::json!([{ "role": "user", "content": text }]).to_string();
        prop_assert_eq!(jinja(&text).is_ok(), inspect(Kind::Chat, Syntax::Jinja, &chat).is_ok());
    }
}
