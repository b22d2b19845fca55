//! What two versions make together, from what they and the version that both come from say.

use promptory_compare::Version;
use promptory_compare::merge::{self, ConfigConflict};
use promptory_domain::graph::{self, At};
use promptory_domain::{Change, Material, MergeOutcome, Merged, NewTemplate, Resolved, Tenant, Wanted};
use promptory_events::event::VersionRef;
use promptory_events::{Branch, VersionId, limits};
use promptory_platform::Problem;
use serde_json::json;

use super::contents::Sealer;
use super::{Sides, config, names, plain, sealed, templates};
use crate::failure::Failure;
use crate::wire;

/// A merge as its caller asks for it.
pub fn change(sealer: &mut Sealer<'_>, change: wire::Change, if_match: Option<VersionId>) -> Result<Change, Failure> {
    let wire::Change::Merge { prompt, branch, from, text, messages, config, template, variables, labels } = change
    else {
        return Err(Failure::Internal("not a merge".into()));
    };
    let other_parts = config.is_some() || template.is_some() || variables.is_some();
    let resolves = text.is_some() || messages.is_some() || other_parts;
    // What was resolved is what two certain versions conflict in. Another head would be overwritten unseen.
    if resolves && if_match.is_none() {
        return Err(Problem::field("If-Match", "name the version that the conflict was with").into());
    }
    if resolves && from.version.is_none() {
        return Err(Problem::field("/from/version", "give the number of the version that the conflict was with").into());
    }
    if from == wire::Source::default() {
        return Err(Problem::field("/from", "say which version is merged").into());
    }
    let wire::Source { prompt: other, version, label, branch: of } = from;
    let content = plain(text, messages)?;
    let resolved = Resolved {
        content: content.map(|(kind, text)| Ok::<_, Failure>((kind, sealed(sealer, kind, &text)?))).transpose()?,
        config: config.map(|config| config::given(sealer, &config)).transpose()?,
        syntax: template,
        variables: variables.map(|variables| templates::variables(sealer, variables)).transpose()?,
    };
    Ok(Change::Merge {
        prompt: names::prompt(&prompt)?,
        branch: branch.map_or_else(|| Ok(Branch::main()), |branch| names::branch("/branch", &branch))?,
        other: other.map(|other| names::prompt(&other).map_err(|p| p.with("field", "/from/prompt"))).transpose()?,
        from: names::pick(&wire::Pick { version, label, branch: of })?,
        labels: names::labels(&labels)?,
        if_match,
        resolved,
        merged: None, // which versions they are, the state says
    })
}

/// What the graph says of two versions.
pub enum Base {
    /// All that is in theirs is in ours.
    Nothing,
    /// They have none in common.
    Unrelated,
    /// The latest version that both come from.
    Common(Wanted),
}

/// Where two versions come from; `None` if a state does not know them yet.
pub fn base(state: &Tenant, ours: VersionRef, theirs: VersionRef) -> Option<Base> {
    let at = |version: VersionRef| -> At { (version.prompt, version.number) };
    graph::version(state, at(ours)).zip(graph::version(state, at(theirs)))?;
    let Some(common) = graph::common(state, at(ours), at(theirs)) else { return Some(Base::Unrelated) };
    if common == at(theirs) {
        return Some(Base::Nothing);
    }
    let version = graph::version(state, common)?;
    let (prompt, number) = common;
    let wanted = Wanted { version: VersionRef { prompt, number, version: version.id }, index: version.index };
    Some(Base::Common(wanted))
}

/// What came of a merge that needed no contents.
pub fn without_contents(change: &mut Change, [ours, theirs]: [&Wanted; 2], outcome: MergeOutcome) {
    if let Change::Merge { merged, .. } = change {
        *merged = Some(Box::new(Merged { ours: ours.version.version, theirs: theirs.version.version, outcome }));
    }
}

/// A version as the ledger names it, and what it says.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// Which.
    pub of: VersionRef,
    /// What it says.
    pub version: Version<'a>,
}

/// Merges, and gives both sides of what conflicts and was not resolved.
pub fn with_contents(
    sealer: &mut Sealer<'_>,
    change: &mut Change,
    [base, ours, theirs]: [Said<'_>; 3],
) -> Result<Option<Sides>, Failure> {
    let Change::Merge { resolved, merged, .. } = change else { return Ok(None) };
    let parts = merge::merge(base.version, ours.version, theirs.version);
    let parts = parts.map_err(|error| Failure::Unavailable(error.to_string()))?;
    let content =
        resolved.content.as_ref().map(|(_, content)| sealer.open(content).map(|text| (text, content.clone())));
    let (content, in_content) = match (content.transpose()?, parts.content) {
        (Some(resolved), _) => (Some(resolved), None),
        (None, Ok(text)) => {
            let content = sealer.content("/from", limits::CONTENT_MAX_BYTES, text.as_bytes())?;
            (Some((text, content)), None)
        }
        (None, Err(conflict)) => (None, Some(conflict)),
    };
    let config = match parts.config {
        Ok(json) => config::together(json, [base, ours, theirs].map(|said| said.version.config))?,
        Err(conflict) => Err(conflict),
    };
    let (config, in_config) = object(sealer, resolved.config.as_ref(), config)?;
    if let Ok(Some(json)) = &parts.variables {
        templates::check(json)?; // each side may fit, and not both together
    }
    let (variables, in_variables) = object(sealer, resolved.variables.as_ref(), parts.variables)?;
    let (syntax, in_syntax) = match (resolved.syntax, parts.syntax) {
        (Some(syntax), _) | (None, Ok(syntax)) => (Some(syntax), None),
        (None, Err(conflict)) => (None, Some(conflict)),
    };
    let (outcome, conflict) = match (content, config, variables, syntax) {
        (Some((text, content)), Some(config), Some(variables), Some(syntax)) => {
            let includes = templates::includes(ours.version.kind, &text, syntax)?;
            let template = Box::new(NewTemplate { syntax, variables, includes });
            (MergeOutcome::Clean { content: Box::new(content), config: config.map(Box::new), template }, None)
        }
        _ => {
            let parts = [
                ("content", json!(in_content)),
                ("config", json!(in_config)),
                ("template", json!(in_syntax)),
                ("variables", json!(in_variables)),
            ];
            let versions =
                [("base", base), ("ours", ours), ("theirs", theirs)].map(|(name, said)| (name, json!(said.of)));
            let sides = versions.into_iter().chain(parts);
            (MergeOutcome::Conflict, Some(sides.map(|(name, side)| (name.to_owned(), side)).collect()))
        }
    };
    *merged = Some(Box::new(Merged { ours: ours.of.version, theirs: theirs.of.version, outcome }));
    Ok(conflict)
}

type Settled = (Option<Option<Material>>, Option<ConfigConflict>);

/// A JSON object as the caller wants it, or as it was merged; or where it conflicts.
fn object(
    sealer: &mut Sealer<'_>,
    resolved: Option<&Material>,
    merged: Result<Option<String>, ConfigConflict>,
) -> Result<Settled, Failure> {
    Ok(match (resolved, merged) {
        (Some(object), _) => (Some(Some(object.clone())), None),
        (None, Ok(json)) => {
            let kept = json.map(|json| sealer.content("/from", limits::JSON_MAX_BYTES, json.as_bytes()));
            (Some(kept.transpose()?), None)
        }
        (None, Err(conflict)) => (None, Some(conflict)),
    })
}
