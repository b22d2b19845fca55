//! The description says what the routes do.

use promptory_platform::{ProblemType, openapi};
use serde_json::Value;

fn description() -> Value {
    serde_json::to_value(crate::description()).unwrap()
}

#[test]
fn every_route_is_described_with_its_key_its_answer_and_its_problems() {
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 47);
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
        // One read has a body; two begin what goes on after the answer.
        let get = item.get("get").unwrap_or(&item["post"]);
        let ways = serde_json::json!([{ openapi::API_KEY: [] }, { "basic": [] }, { "token": [] }]);
        assert_eq!(get["security"], ways, "{path}");
        // One is a file.
        let json = if path.ends_with("/export") { "application/x-ndjson" } else { "application/json" };
        let status = if path.starts_with("/v1/models/") { "202" } else { "200" };
        assert!(get["responses"][status]["content"][json]["schema"].is_object(), "{path}");
        let refused = get["responses"]["401"]["description"].as_str().unwrap();
        assert!(refused.contains(ProblemType::UNAUTHENTICATED.code), "{path}");
    }
    let schemas = &description["components"]["schemas"];
    for name in [
        "Prompt",
        "PromptPage",
        "VersionPage",
        "MovePage",
        "ForkPage",
        "Diff",
        "Rendered",
        "DependentPage",
        "EventPage",
        "Status",
        "Quotas",
        "SearchSettings",
        "AuditPage",
        "AuditCount",
        "ProblemDocument",
    ] {
        assert!(schemas[name].is_object(), "{name}");
    }
    let schemes = &description["components"]["securitySchemes"];
    assert_eq!(
        (&schemes[openapi::API_KEY]["scheme"], &schemes["basic"]["scheme"]),
        (&"bearer".into(), &"basic".into())
    );
    assert_eq!(schemes["token"]["bearerFormat"], "JWT");
}

#[test]
fn every_parameter_of_a_query_is_described() {
    let description = description();
    let names = |path: &str| -> Vec<String> {
        let parameters = description["paths"][path]["get"]["parameters"].as_array().unwrap();
        let query = parameters.iter().filter(|p| p["in"] == "query");
        query.map(|p| p["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names("/v1/prompts/{prompt}"),
        ["label", "bucket_key", "version", "branch", "as_of", "clock", "at_least"]
    );
    assert_eq!(names("/v1/prompts"), ["prefix", "limit", "cursor", "as_of", "clock", "at_least"]);
    assert_eq!(names("/v1/prompts/{prompt}/diff"), ["to", "from", "from_prompt", "as_of", "clock", "at_least"]);
    let dependents = ["all", "limit", "cursor", "as_of", "clock", "at_least"];
    assert_eq!(names("/v1/prompts/{prompt}/dependents"), dependents);
    assert_eq!(names("/v1/events"), ["from", "limit", "at_least"]);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let description = description();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}
