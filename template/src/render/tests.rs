//! What contents say, what is said of values that do not fit, and what no template gets around.

use promptory_events::limits::TEMPLATE_VALUES_MAX;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::inspect::tests::templates;
use crate::variables::declared;

fn part(syntax: Syntax, content: &str) -> Part {
    Part { kind: Kind::Text, syntax, content: content.into(), declared: Declared::new(), includes: vec![] }
}

fn object(json: Value) -> Map<String, Value> {
    let Value::Object(object) = json else { panic!("no object") };
    object
}

fn say(content: &str, values: Value) -> Result<String, Refusal> {
    render(&[part(Syntax::Jinja, content)], &object(values))
}

fn faults(refusal: Result<String, Refusal>) -> Vec<(String, FaultKind)> {
    let Err(Refusal::Variables(faults)) = refusal else { panic!("{refusal:?}") };
    faults.into_iter().map(|fault| (fault.name, fault.kind)).collect()
}

#[test]
fn a_template_says_what_its_values_make_of_it() {
    let people = json!([{"name": "Ada", "ok": true}, {"name": "Bob", "ok": false}]);
    for (text, values, expected) in [
        ("Hello {{ name }}.\n", json!({"name": "Ada"}), "Hello Ada.\n"),
        (
            "{% for p in people if p.ok %}{{ loop.index }}. {{ p.name|upper }}{% endfor %}",
            json!({"people": people}),
            "1. ADA",
        ),
        ("{% if tone %}Be {{ tone }}.{% else %}Be.{% endif %}", json!({}), "Be."),
        ("{{ name|default('you') }}", json!({}), "you"),
        ("{{ a }} {{ b }} {{ c }}", json!({"a": 1, "b": 1.5, "c": true}), "1 1.5 True"),
        ("{{ a|tojson }}", json!({"a": {"x": [1, "<"]}}), r#"{"x": [1, "\u003c"]}"#),
        ("{{ html }}", json!({"html": "<b>&"}), "<b>&"),
        ("{{ a }}", json!({"a": "{{ b }}"}), "{{ b }}"),
        ("{{ '-' * 3 }}{{ 'ab' * n }}{{ 2 * n }}", json!({"n": 2}), "---abab4"),
    ] {
        assert_eq!(say(text, values.clone()).unwrap_or_else(|r| panic!("{text}: {r:?}")), expected);
    }
}

#[test]
fn a_simple_text_and_a_literal_one_are_said_without_the_engine() {
    let text = "{{ a }}{% if %}{{ b.c }}{{{a}}}";
    let values = object(json!({"a": "x"}));
    assert_eq!(render(&[part(Syntax::Simple, text)], &values).unwrap(), "x{% if %}{{ b.c }}{x}");
    assert_eq!(render(&[part(Syntax::None, text)], &Map::new()).unwrap(), text);
    assert_eq!(faults(render(&[part(Syntax::None, text)], &values)), [("a".into(), FaultKind::Unknown)]);
}

#[test]
fn all_that_is_wrong_with_variables_is_said_at_once() {
    let mut first = part(Syntax::Jinja, "{{ a }}{{ b }}{{ c }}{{ d }}{% if e %}{{ e }}{% endif %}");
    first.declared = declared(object(json!({
        "a": {"type": "integer"}, "b": {"type": "string", "default": "B"}, "d": {"type": "number"}, "f": {}
    })))
    .unwrap();
    let wrong = render(std::slice::from_ref(&first), &object(json!({"a": "1", "x": 1, "d": null})));
    let expected = [
        ("a", FaultKind::WrongType),
        ("c", FaultKind::Missing),
        ("d", FaultKind::WrongType),
        ("f", FaultKind::Missing),
        ("x", FaultKind::Unknown),
    ];
    assert_eq!(faults(wrong), expected.map(|(name, kind)| (name.to_owned(), kind)));
    let right = render(&[first], &object(json!({"a": 1, "c": "C", "d": 0.5, "f": []})));
    assert_eq!(right.unwrap(), "1BC0.5");
}

#[test]
fn what_is_needed_after_all_is_named_with_its_line() {
    let late = say("{% if a %}\n{{ b }}{% endif %}", json!({"a": true}));
    let Err(Refusal::Variables(faults)) = &late else { panic!("{late:?}") };
    assert_eq!((faults[0].name.as_str(), faults[0].kind), ("b", FaultKind::Missing));
    assert!(faults[0].detail.contains("line 2"), "{}", faults[0].detail);
    for (text, name) in [
        ("{{ user.name }}", "user.name"),
        ("{{ user.name|upper }}", "user.name"),
        ("{% for x in user.list %}{% endfor %}", "user.list"),
        ("{% if user %}{{ other + 1 }}{% endif %}", "other"),
    ] {
        let inner = say(text, json!({"user": {"x": 1}}));
        let Err(Refusal::Variables(faults)) = &inner else { panic!("{text}: {inner:?}") };
        assert_eq!(faults[0].name, name, "{text}");
    }
}

#[test]
fn what_fails_is_said_with_its_line() {
    for (text, reason) in [("a\n{{ 1 // 0 }}", "1 // 0"), ("\n{{ a|nope }}", "nope"), ("\n{{ nope() }}", "nope")] {
        let failed = say(text, if text.contains("a|") { json!({"a": 1}) } else { json!({}) });
        let Err(Refusal::Failed { place, reason: said }) = &failed else { panic!("{text}: {failed:?}") };
        assert_eq!(place.line, Some(2), "{text}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn messages_stand_in_the_place_of_a_placeholder() {
    let mut chat = part(
        Syntax::Simple,
        r#"[{"role":"system","content":"Be {{tone}}."},{"type":"placeholder","name":"history"},{"role":"user","content":"{{q}}"}]"#,
    );
    chat.kind = Kind::Chat;
    let values = json!({"tone": "kind", "q": "why?", "history": [{"role": "user", "content": "{{q}}"}]});
    let said: Value = serde_json::from_str(&render(std::slice::from_ref(&chat), &object(values)).unwrap()).unwrap();
    assert_eq!(
        said,
        json!([
            {"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{q}}"}, {"role": "user", "content": "why?"}
        ]),
        "and are no templates themselves"
    );
    let wrong = json!({"tone": "kind", "q": "", "history": ["hi"]});
    assert_eq!(faults(render(std::slice::from_ref(&chat), &object(wrong))), [("history".into(), FaultKind::WrongType)]);
    let none = object(json!({"tone": "kind", "q": ""}));
    assert_eq!(faults(render(std::slice::from_ref(&chat), &none)), [("history".into(), FaultKind::Missing)]);
    chat.declared = declared(object(json!({"history": {"type": "messages", "required": false}}))).unwrap();
    let said: Value = serde_json::from_str(&render(&[chat], &none).unwrap()).unwrap();
    assert_eq!(said.as_array().unwrap().len(), 2);
}

fn including(text: &str, includes: &[(&str, Option<usize>)]) -> Part {
    let includes = includes.iter().map(|(written, part)| (written.parse().unwrap(), *part)).collect();
    Part { includes, ..part(Syntax::Jinja, text) }
}

#[test]
fn an_included_part_is_read_in_its_own_syntax_and_has_the_same_variables() {
    let first = including(
        "{% include 'a@1' %}|{% include 'b@x' %}|{% include 'c@1' %}",
        &[("a@1", Some(1)), ("b@x", Some(2)), ("c@1", Some(3))],
    );
    let parts = [
        first,
        // The same words mean another prompt here.
        including("[{% include 'b@x' %}]", &[("b@x", Some(3))]),
        part(Syntax::Simple, "{{name}} {% {{ {# {{x.y}}\n"),
        part(Syntax::None, "{{name}}"),
    ];
    let said = render(&parts, &object(json!({"name": "Ada"}))).unwrap();
    assert_eq!(said, "[{{name}}]|Ada {% {{ {# {{x.y}}\n|{{name}}");
}

#[test]
fn what_an_included_part_sets_stays_in_it() {
    let first = including("{% set x = 1 %}{% include 'a@1' %}{{ x }}", &[("a@1", Some(1))]);
    let parts = [first, part(Syntax::Jinja, "{{ x }}{% set x = 2 %}{{ x }}")];
    assert_eq!(render(&parts, &Map::new()).unwrap(), "121");
}

#[test]
fn what_is_not_there_is_named_unless_the_template_can_do_without() {
    let gone = including("{% include 'a@production' %}", &[("a@production", None)]);
    let place = Place { part: 1, message: None, line: Some(1) };
    let first = including("{% include 'b@1' %}", &[("b@1", Some(1))]);
    let parts = [first, gone];
    let refused = render(&parts, &Map::new());
    let not_there = Err(Refusal::NotIncluded { place, written: "a@production".into() });
    assert_eq!(refused, not_there);
    assert_eq!(render(&parts, &object(json!({"of_a": 1}))), not_there, "what it would need is not known");
    let without = including("x{% include 'a@production' ignore missing %}y", &[("a@production", None)]);
    assert_eq!(render(&[without], &Map::new()).unwrap(), "xy");
}

#[test]
fn nothing_is_said_for_long_or_at_length() {
    let x = "x".repeat(2000);
    for text in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) recursive %}{{ loop(range(100000)) }}{% endfor %}",
        "{{ 'x' * 100000000000 }}",
        "{{ '%100000000000d'|format(1) }}",
        "{{ x|replace('x', x)|replace('x', x)|replace('x', x)|length }}",
        "{{ x|indent(100000000) }}{{ x|batch(1, 1)|list|pprint }}{{ range(100000)|list|pprint|length * 5 }}",
        "{% for a in range(100000) %}{{ x }}{% endfor %}",
        "{{ 10 ** 10 ** 10 ** 10 }}",
        "{{ x|center(10000000) }}",
    ] {
        let said = say(text, if text.contains("x") { json!({"x": x}) } else { json!({}) });
        // The one that multiplies says a number that is too large for the engine; the rest goes over a limit.
        assert!(said.is_err(), "{text}: {} bytes", said.map_or(0, |said| said.len()));
    }
    let grows = format!("{}{{{{ a|length }}}}", "{% set a = a ~ a %}".repeat(60));
    assert!(matches!(say(&grows, json!({"a": x})), Err(Refusal::Limit { .. })));
    let long = say("{% for a in range(2000) %}{{ x }}{% endfor %}", json!({"x": x}));
    assert_eq!(long, Err(too_long()));
}

/// A value as deep as a template can make one: dropping, comparing, showing it goes as deep.
#[test]
fn no_value_is_too_deep() {
    let times = promptory_events::limits::TEMPLATE_TOKENS_MAX / 9;
    for (step, end) in [
        ("{% set a=[a] %}", "{{ a|tojson }}"),
        ("{% set a=[a] %}", "{{ a == [a] }}"),
        ("{% set a={'x':a} %}", "{{ a|pprint }}"),
        ("{% set a=(a,) %}", "{{ a }}"),
        ("{% set a=a|select %}", "{{ a|list }}"),
        ("{% set a=a|reverse %}", "{{ a|join }}"),
        ("{% set a=[a] %}", "{{ [a, [a]]|unique|list|length }}"),
    ] {
        let deep = format!("{}{end}", step.repeat(times));
        // Said or refused, but not with the end of the process.
        let said = say(&deep, json!({"a": [1]}));
        assert!(
            !matches!(&said, Err(Refusal::Failed { reason, .. }) if reason.contains("gave up")),
            "{step}: {said:?}"
        );
    }
    let nested = format!("{{% set a={}a{} %}}", "[".repeat(70), "]".repeat(70));
    let said = say(&format!("{}{{{{ a }}}}", nested.repeat(100)), json!({"a": 1}));
    assert!(!matches!(&said, Err(Refusal::Failed { reason, .. }) if reason.contains("gave up")), "{said:?}");
}

/// Two lists that hold others twice, and those twice again: nobody could compare them to the end.
#[test]
fn a_template_makes_no_value_that_is_larger_than_it_looks() {
    let doubled =
        |name: &str| format!("{{% set {name} = [1] %}}{}", format!("{{% set {name} = [{name}, {name}] %}}").repeat(40));
    let compared = format!("{}{}{{{{ a == b }}}}", doubled("a"), doubled("b"));
    let error = crate::inspect(Kind::Text, Syntax::Jinja, &compared).unwrap_err();
    assert!(error.too_large && error.reason.contains("more than 10000 values"), "{error:?}");
    for wraps in [
        "a|zip(a)",
        "a|batch(2)",
        "a + a",
        "{'x': a, 'y': a}",
        "(a, a)",
        "a or a",
        "a.items()",
        "dict(x=a, y=a)",
        "a|map('list')",
    ] {
        let text = format!("{{% set a = [1] %}}{}", format!("{{% set a = {wraps} %}}").repeat(40));
        assert!(crate::inspect(Kind::Text, Syntax::Jinja, &text).is_err(), "{wraps}");
    }
    // Across includes, each of which makes a little of what it is given.
    let step = "{% set a = [a, a, a, a, a, a, a, a, a, a] %}";
    let part =
        |n: usize| including(&format!("{}{{% include 'p@{n}' %}}", step.repeat(2)), &[(&format!("p@{n}"), Some(n))]);
    let parts: Vec<Part> = (1..=5).map(part).chain([super::tests::part(Syntax::Jinja, "{{ a == a }}")]).collect();
    let refused = render(&parts, &object(json!({"a": 1})));
    assert!(matches!(refused, Err(Refusal::Limit { max: TEMPLATE_VALUES_MAX, .. })), "{refused:?}");
    let many: Value = (0..TEMPLATE_VALUES_MAX).collect();
    let refused = say("{{ a|length }}", json!({"a": many}));
    assert!(matches!(refused, Err(Refusal::Limit { max: TEMPLATE_VALUES_MAX, .. })), "{refused:?}");
    let few = "{% set e = [{'q': a, 'a': b}, {'q': b, 'a': a}] %}{% for x in e %}{{ x.q }}{{ x.a }}{% endfor %}";
    assert_eq!(say(few, json!({"a": 1, "b": 2})).unwrap(), "1221");
}

proptest! {
    #[test]
    fn whatever_the_template_it_says_little_or_why_it_says_nothing(
        text in prop_oneof![4 => templates(), 1 => any::<String>()],
        included in templates(),
        a in prop_oneof![Just(json!("x")), Just(json!(7)), Just(json!([1, [2]])), Just(Value::Null)],
    ) {
        let inspected = crate::inspect(Kind::Text, Syntax::Jinja, &text);
        let other = if crate::inspect(Kind::Text, Syntax::Jinja, &included).is_ok() { Syntax::Jinja } else { Syntax::Simple };
        let mut first = part(Syntax::Jinja, &text);
        let mut second = part(other, &included);
        first.includes = vec![("p@1".parse().unwrap(), Some(1))];
        second.includes = vec![("p@1".parse().unwrap(), None)];
        let mut values = object(json!({"a": a, "b": "bb"}));
        let needs = |part: &Part| crate::inspect(Kind::Text, part.syntax, &part.content).unwrap_or_default().variables;
        let known: Vec<String> = needs(&first).into_keys().chain(needs(&second).into_keys()).collect();
        values.retain(|name, _| known.contains(name));
        match render(&[first, second], &values) {
            Ok(said) => {
                prop_assert!(inspected.is_ok());
                prop_assert!(said.len() <= RENDER_OUTPUT_MAX_BYTES);
            }
            Err(Refusal::Failed { reason, .. }) => prop_assert!(!reason.contains("gave up"), "{}", reason),
            Err(_) => {}
        }
        let simple = render(&[part(Syntax::Simple, &text)], &Map::new());
        prop_assert!(matches!(simple, Ok(_) | Err(Refusal::Variables(_))), "{:?}", simple);
    }
}
