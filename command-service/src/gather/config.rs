//! What a model configuration is: `model`, `parameters`, `tools` and `output_schema` have a meaning and are checked before
//! anything is written; whatever else is in it is kept as it is. A member that is null counts as one that is not there.
//!
//! This is done at the door and not when the command is decided: the state holds no text. The bytes that are kept are those
//! that were sent, so nothing is put in or left out here.

mod schema;

use promptory_compare::merge::{ConfigConflict, KeyConflict};
use promptory_domain::Material;
use promptory_events::limits;
use promptory_platform::problem::{Problem, ProblemType};
use serde_json::{Map, Value};

use super::contents::Sealer;
use super::too_large;
use crate::failure::Failure;
use schema::Schemas;

/// The members that have a meaning.
const MEMBERS: [&str; 4] = ["model", "parameters", "tools", "output_schema"];

/// A configuration that was given, checked and sealed.
pub(super) fn given(sealer: &mut Sealer<'_>, config: &Map<String, Value>) -> Result<Material, Failure> {
    let bytes = serde_json::to_vec(config).map_err(|error| Failure::Internal(error.to_string()))?;
    if bytes.len() > limits::JSON_MAX_BYTES {
        return Err(too_large("/config", bytes.len(), limits::JSON_MAX_BYTES).into());
    }
    check(config)?;
    sealer.content("/config", limits::JSON_MAX_BYTES, &bytes)
}

/// Whether what has a meaning in it has a right one. The problem names the place as a JSON pointer, and what would be right.
pub(super) fn check(config: &Map<String, Value>) -> Result<(), Problem> {
    let mut schemas = Schemas::default();
    let given = |member: &str| config.get(member).filter(|value| !value.is_null());
    if let Some(model) = given("model") {
        let fits = model.as_str().is_some_and(|name| (1..=limits::MODEL_MAX_BYTES).contains(&name.len()));
        if !fits {
            let detail = format!("must be the model's name: a text of 1 to {} bytes", limits::MODEL_MAX_BYTES);
            return Err(Problem::field("/config/model", detail));
        }
    }
    if given("parameters").is_some_and(|parameters| !parameters.is_object()) {
        return Err(Problem::field("/config/parameters", "must be an object, such as {\"temperature\": 0.2}"));
    }
    if let Some(tools) = given("tools") {
        self::tools(&mut schemas, tools)?;
    }
    match given("output_schema") {
        Some(schema @ Value::Object(_)) => schemas.check("/config/output_schema", schema),
        Some(_) => Err(Problem::field("/config/output_schema", "must be a JSON Schema: an object")),
        None => Ok(()),
    }
}

/// What three configurations make together, if it is one: two right ones may make a wrong one, such as two tools of one name.
/// Then the member that is wrong is a conflict, as if both had changed it.
pub(super) fn together(
    merged: Option<String>,
    [base, ours, theirs]: [Option<&str>; 3],
) -> Result<Result<Option<String>, ConfigConflict>, Failure> {
    let read = |text: Option<&str>| -> Result<Map<String, Value>, Failure> {
        let read = text.map_or(Ok(Map::new()), serde_json::from_str);
        read.map_err(|error| Failure::Unavailable(error.to_string()))
    };
    let mut all = read(merged.as_deref())?;
    let wrong = check(&all).err().and_then(|problem| {
        let field = problem.members.get("field").and_then(Value::as_str).unwrap_or_default();
        MEMBERS.into_iter().find(|member| field.split('/').nth(2) == Some(*member))
    });
    let Some(member) = wrong else { return Ok(Ok(merged)) };
    all.remove(member);
    let side = |text| -> Result<Option<Value>, Failure> { Ok(read(text)?.remove(member)) };
    let (base, ours, theirs) = (side(base)?, side(ours)?, side(theirs)?);
    let conflict = KeyConflict { path: format!("/{member}"), base, ours, theirs };
    Ok(Err(ConfigConflict { merged: all, conflicts: vec![conflict] }))
}

fn tools(schemas: &mut Schemas, tools: &Value) -> Result<(), Problem> {
    let all = tools.as_array().ok_or_else(|| Problem::field("/config/tools", "must be a list of tools"))?;
    if all.len() > limits::TOOLS_MAX {
        let detail = format!("has {} tools; at most {} are allowed", all.len(), limits::TOOLS_MAX);
        let problem = Problem::new(ProblemType::LIMIT_REACHED, detail);
        return Err(problem.with("field", "/config/tools").with("limit", limits::TOOLS_MAX));
    }
    let mut names: Vec<(usize, &str)> = Vec::with_capacity(all.len());
    for (number, tool) in all.iter().enumerate() {
        let at = format!("/config/tools/{number}");
        if let Some((place, name)) = self::tool(schemas, &at, tool)? {
            if let Some(first) = names.iter().position(|(_, known)| *known == name) {
                let detail = format!("the tool {} has this name already; each needs its own", names[first].0);
                return Err(Problem::field(&place, detail));
            }
            names.push((number, name));
        }
    }
    Ok(())
}

/// One tool: its name, and where that is. A function is as it is (`name`, `description`, `parameters`) or in an envelope (`type` is
/// `function`, and `function` holds it). A tool of another `type` is the provider's own: it may have a name, and the rest of
/// it is not looked at.
fn tool<'a>(schemas: &mut Schemas, at: &str, tool: &'a Value) -> Result<Option<(String, &'a str)>, Problem> {
    let object = |at: &str, value: &'a Value| {
        value.as_object().ok_or_else(|| Problem::field(at, "must be an object with `name` and `parameters`"))
    };
    let tool = object(at, tool)?;
    let (at, function, its_own) = match (tool.get("type").map(Value::as_str), tool.get("function")) {
        (None | Some(Some("function")), None) => (at.to_owned(), tool, false),
        (Some(Some("function")), Some(function)) => {
            let at = format!("{at}/function");
            let function = object(&at, function)?;
            (at, function, false)
        }
        (None, Some(_)) => return Err(Problem::field(&format!("{at}/type"), "must be \"function\" beside `function`")),
        (Some(Some(_)), _) => (at.to_owned(), tool, true),
        (Some(None), _) => return Err(Problem::field(&format!("{at}/type"), "must be a text")),
    };
    let place = |member: &str| format!("{at}/{member}");
    let legal = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (1..=limits::TOOL_NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(plain)
    };
    let name = match function.get("name") {
        Some(Value::String(name)) if legal(name) => Some((place("name"), name.as_str())),
        None if its_own => None,
        _ => {
            let detail = format!("must be 1 to {} of A-Z, a-z, 0-9, `_` and `-`", limits::TOOL_NAME_MAX_BYTES);
            return Err(Problem::field(&place("name"), detail));
        }
    };
    if its_own {
        return Ok(name);
    }
    if function.get("description").is_some_and(|text| !text.is_string() && !text.is_null()) {
        return Err(Problem::field(&place("description"), "must be a text"));
    }
    for member in ["parameters", "input_schema"] {
        match function.get(member).filter(|value| !value.is_null()) {
            Some(schema @ Value::Object(members)) => {
                if members.get("type").is_some_and(|kind| kind != "object") {
                    let detail = "must be \"object\": a tool is called with an object of arguments";
                    return Err(Problem::field(&format!("{}/type", place(member)), detail));
                }
                schemas.check(&place(member), schema)?;
            }
            Some(_) => return Err(Problem::field(&place(member), "must be a JSON Schema: an object")),
            None => {}
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
