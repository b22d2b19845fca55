//! What is a configuration, what is none, and where the problem says that it is wrong.

use promptory_events::limits;
use serde_json::{Value, json};

use super::*;

fn refused(config: &Value) -> Option<String> {
    let problem = check(config.as_object().unwrap()).err()?;
    Some(problem.document()["field"].as_str().unwrap().to_owned())
}

fn function(parameters: &Value) -> Value {
    json!({"tools": [{"name": "look_up", "description": "Looks it up.", "parameters": parameters}]})
}

fn output(schema: &Value) -> Value {
    json!({ "output_schema": schema })
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({"type": "string"}), |inner, _| json!({"type": "array", "items": inner}))
}

#[test]
fn what_has_a_meaning_may_be_there_and_all_else_is_kept() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 1, "$anchor": "name"},
            "to": {"$ref": "#/$defs/a~1b%20c"},
            "via": {"type": ["array", "null"], "items": {"$ref": "#name"}},
            "again": {"$ref": "#"},
            "$ref": {"const": {"$ref": "https://example.com/data-is-not-looked-at"}},
        },
        "required": ["city"],
        "additionalProperties": false,
        "$defs": {"a/b c": {"enum": [1, "two"]}},
    });
    for config in [
        json!({}),
        json!({"temperature": 0.2, "anything": [{"at": "all"}]}),
        json!({"model": null, "parameters": null, "tools": null, "output_schema": null}),
        json!({"model": "large-2", "parameters": {"temperature": 0.2, "stop": ["\n"]}, "tools": [], "output_schema": schema}),
        function(&schema),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}, {"name": "g"}]}),
        json!({"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": true}]}),
        json!({"tools": [{"name": "f", "input_schema": schema}, {"type": "web_search", "max_uses": 3}]}),
        output(
            &json!({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"x": true}, "$ref": "#/definitions/x"}),
        ),
        output(&json!({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": true})),
        output(&json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveRef": "#"})),
        output(&json!({"$id": "https://example.com/answer", "type": "object"})),
    ] {
        assert_eq!(refused(&config), None, "{config}");
    }
}

#[test]
fn a_problem_names_the_place_as_a_json_pointer() {
    for (config, field) in [
        (json!({"model": ""}), "/config/model"),
        (json!({"model": {"name": "m"}}), "/config/model"),
        (json!({"parameters": [1]}), "/config/parameters"),
        (json!({"tools": {"name": "f"}}), "/config/tools"),
        (json!({"tools": ["f"]}), "/config/tools/0"),
        (json!({"tools": [{"name": "f"}, {"parameters": {}}]}), "/config/tools/1/name"),
        (json!({"tools": [{"name": "look up"}]}), "/config/tools/0/name"),
        (json!({"tools": [{"name": "x".repeat(65)}]}), "/config/tools/0/name"),
        (
            json!({"tools": [{"name": "f"}, {"type": "function", "function": {"name": "f"}}]}),
            "/config/tools/1/function/name",
        ),
        (json!({"tools": [{"type": "web_search", "name": "a b"}]}), "/config/tools/0/name"),
        (json!({"tools": [{"type": 1, "name": "f"}]}), "/config/tools/0/type"),
        (json!({"tools": [{"function": {"name": "f"}}]}), "/config/tools/0/type"),
        (json!({"tools": [{"type": "function", "function": "f"}]}), "/config/tools/0/function"),
        (json!({"tools": [{"name": "f", "description": ["x"]}]}), "/config/tools/0/description"),
        (json!({"tools": [{"name": "f", "parameters": "none"}]}), "/config/tools/0/parameters"),
        (json!({"tools": [{"name": "f", "input_schema": []}]}), "/config/tools/0/input_schema"),
        (function(&json!({"type": "string"})), "/config/tools/0/parameters/type"),
        (
            function(&json!({"properties": {"a/b": {"type": "strng"}}})),
            "/config/tools/0/parameters/properties/a~1b/type",
        ),
        (function(&json!({"required": "city"})), "/config/tools/0/parameters/required"),
        (output(&json!("a schema")), "/config/output_schema"),
        (output(&json!({"minLength": -1})), "/config/output_schema/minLength"),
        (output(&json!({"$schema": "https://example.com/mine"})), "/config/output_schema/$schema"),
        (output(&json!({"$ref": "https://json-schema.org/draft-07/schema"})), "/config/output_schema/$ref"),
        (output(&json!({"$ref": "other.json#/x"})), "/config/output_schema/$ref"),
        (output(&json!({"allOf": [{"$ref": "#/$defs/none"}]})), "/config/output_schema/allOf/0/$ref"),
        (output(&json!({"items": {"$ref": "#none"}})), "/config/output_schema/items/$ref"),
        (output(&json!({"$defs": {"a": {"$id": "a.json"}}})), "/config/output_schema/$defs/a/$id"),
    ] {
        assert_eq!(refused(&config).as_deref(), Some(field), "{config}");
    }
}

#[test]
fn a_problem_says_what_would_be_right_and_does_not_repeat_what_was_sent() {
    let config = output(&json!({"type": "s3cret"}));
    let problem = check(config.as_object().unwrap()).unwrap_err();
    assert!(problem.detail.contains("boolean, integer"), "{}", problem.detail);
    assert!(!problem.detail.contains("s3cret"), "{}", problem.detail);
}

#[test]
fn schemas_are_bounded_in_depth_and_number_and_tools_in_number() {
    let levels = limits::SCHEMA_DEPTH_MAX - 1;
    assert_eq!(refused(&output(&nested(levels))), None);
    assert_eq!(refused(&output(&nested(levels + 1))).as_deref(), Some("/config/output_schema"));
    let tools =
        |count: usize| json!({"tools": (0..count).map(|n| json!({"name": format!("t{n}")})).collect::<Vec<_>>()});
    assert_eq!(refused(&tools(limits::TOOLS_MAX)), None);
    assert_eq!(refused(&tools(limits::TOOLS_MAX + 1)).as_deref(), Some("/config/tools"));
    let wide = |count: usize| json!({"anyOf": vec![true; count]});
    let two = |count| json!({"tools": [{"name": "f", "parameters": wide(count)}], "output_schema": wide(10)});
    assert_eq!(refused(&two(limits::SCHEMAS_MAX - 12)), None);
    let over = format!("/config/output_schema/anyOf/{}", 9);
    assert_eq!(refused(&two(limits::SCHEMAS_MAX - 11)), Some(over), "all schemas of a configuration together");
}

#[test]
fn what_two_right_ones_make_together_may_be_none_and_is_a_conflict_then() {
    let tool = |description: &str| json!({"name": "f", "description": description});
    let base = json!({"model": "m"}).to_string();
    let ours = json!({"model": "m", "tools": [tool("ours")]}).to_string();
    let merged = json!({"model": "n", "tools": [tool("ours"), tool("theirs")]}).to_string();
    let conflict = together(Some(merged), [Some(&base), Some(&ours), None]).unwrap().unwrap_err();
    assert_eq!(Value::Object(conflict.merged), json!({"model": "n"}));
    let [tools] = &conflict.conflicts[..] else { panic!("{:?}", conflict.conflicts) };
    assert_eq!((tools.path.as_str(), &tools.base, &tools.theirs), ("/tools", &None, &None));
    assert_eq!(tools.ours, Some(json!([tool("ours")])));
    assert_eq!(together(Some(ours.clone()), [None; 3]).unwrap().unwrap(), Some(ours));
    assert_eq!(together(None, [None; 3]).unwrap().unwrap(), None);
}
