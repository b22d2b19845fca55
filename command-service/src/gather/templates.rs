//! What makes a version a template: its syntax, the variables that it declares, and what its content includes.

use promptory_domain::{Material, NewTemplate};
use promptory_events::event::{Kind, Syntax};
use promptory_platform::problem::{Problem, ProblemType};
use promptory_template::{Declared, Invalid, inspect, variables};
use serde_json::{Map, Value};

use super::content_field;
use super::contents::Sealer;
use crate::failure::Failure;

/// A content as a template. What is not said to be one is never refused.
pub(super) fn template(
    sealer: &mut Sealer<'_>,
    kind: Kind,
    content: &str,
    syntax: Syntax,
    declared: Option<Map<String, Value>>,
) -> Result<NewTemplate, Failure> {
    let variables = declared.map(|declared| self::variables(sealer, declared)).transpose()?;
    Ok(NewTemplate { syntax, variables, includes: includes(kind, content, syntax)? })
}

/// What a content includes. Nothing else can, so nothing else is read.
pub(super) fn includes(
    kind: Kind,
    content: &str,
    syntax: Syntax,
) -> Result<Vec<promptory_events::event::Written>, Failure> {
    match syntax {
        // Longer ones are refused for that; until then they are not worth the time.
        Syntax::Jinja if content.len() <= promptory_events::limits::CONTENT_MAX_BYTES => {
            Ok(inspect(kind, syntax, content).map_err(|error| invalid(kind, error))?.includes)
        }
        _ => Ok(Vec::new()),
    }
}

/// Declarations as they are stored: what was said, and nothing more.
pub(super) fn variables(sealer: &mut Sealer<'_>, said: Map<String, Value>) -> Result<Material, Failure> {
    sealer.object("/variables", &declared(said)?)
}

/// Whether declarations that were merged are still such.
pub(super) fn check(json: &str) -> Result<(), Failure> {
    let said = serde_json::from_str(json).map_err(|error| Failure::Internal(error.to_string()))?;
    declared(said).map(drop)
}

fn declared(said: Map<String, Value>) -> Result<Declared, Failure> {
    variables::declared(said).map_err(|bad| {
        let field = bad.name.map_or_else(|| "/variables".to_owned(), |name| format!("/variables/{}", pointed(&name)));
        Problem::field(&field, bad.reason).into()
    })
}

/// A name as a part of a JSON pointer.
fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn invalid(kind: Kind, error: Invalid) -> Problem {
    let mut field = content_field(kind).to_owned();
    if let Some(message) = error.message {
        field = format!("{field}/{message}/content");
    }
    let problem = Problem::new(ProblemType::TEMPLATE_INVALID, error.reason).with("field", field);
    match error.line {
        Some(line) => problem.with("line", line),
        None => problem,
    }
}
