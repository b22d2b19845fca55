//! The reads that Langfuse's clients send (`/api/public/v2/prompts`): the same questions as of our own routes, answered in
//! their form.

use axum::extract::State;
use axum::response::Response;
use promptory_compat::langfuse::{
    Content, LangfuseError, ListParams, Meta, PRODUCTION, Page, Prompt, PromptMeta, document, labels, tags,
};
use promptory_events::{Branch, Label, Position, PromptKey, limits};
use promptory_platform::extract::{Path, Query};
use promptory_platform::problem::ProblemDocument;
use promptory_platform::{Presented, Problem, ProblemType};
use promptory_projection::ask::{
    Answer, AsOf, AskError, ExpandedPart, PromptAnswer, PromptRef, PromptSummary, Question, Which,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::error::problem;
use super::{App, cursor, params, render, respond};

/// Prompts that are looked through for one page of a list.
const LOOKED_AT_MAX: usize = 100_000;

/// Which version. Parameters that nobody here knows are ignored, as Langfuse does.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct GetParams {
    /// The version that this label points to; `production` if neither is there.
    #[param(value_type = Option<String>, example = "production")]
    label: Option<Label>,
    /// The version with this number. Excludes `label`.
    version: Option<u32>,
    /// `false`: what it includes is named by tags, as it was written. Else it is filled in.
    resolve: Option<bool>,
}

/// One version of a prompt: by label or number.
#[utoipa::path(get, path = "/api/public/v2/prompts/{prompt}", tag = "langfuse", operation_id = "langfuse_get_prompt",
    params(("prompt" = String, Path, description = "Key, percent-encoded (`/` as `%2F`)"), GetParams),
    responses((status = 200, description = "The version", body = Prompt, headers(("ETag" = String, description = "The version's id, in quotes"))),
        (status = "4XX", description = "Refused", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn get(
    State(app): State<App>,
    presented: Presented,
    Path(name): Path<String>,
    Query(params): Query<GetParams>,
) -> Result<Response, Problem> {
    let key =
        name.parse().map_err(|error| Problem::field("prompt", format!("a name is a key here, and it {error}")))?;
    let which = match (params.label, params.version) {
        (Some(_), Some(_)) => return Err(Problem::field("version", "Cannot specify both version and label")),
        (None, Some(number)) => Which::Number(number),
        (Some(label), None) => Which::Label(label),
        (None, None) => Which::Label(production()),
    };
    let question = Question::Prompt { prompt: PromptRef::Key(key), which, as_of: AsOf::Now };
    let ask = params::ask(&presented, None, question);
    // As on our own route: most are of a label, now, and answered from memory.
    if let Some(hot) = app.read_side.ask_hot(&ask) {
        let hot = hot.map_err(problem)?;
        return answer(&app, &presented, hot.answer(), hot.as_of(), params.resolve).await;
    }
    let reply = app.read_side.ask(ask).await.map_err(problem)?;
    let Answer::Prompt(found) = reply.answer else { return Err(Problem::internal()) };
    answer(&app, &presented, &found, reply.as_of, params.resolve).await
}

/// A version, if it is to be with all that it includes filled in, as it was at the same point.
async fn answer(
    app: &App,
    presented: &Presented,
    found: &PromptAnswer,
    position: Option<Position>,
    resolve: Option<bool>,
) -> Result<Response, Problem> {
    let version = &found.version;
    let body = if version.includes.is_empty() || resolve == Some(false) {
        // What the read side hands out is JSON where it should be.
        let content =
            tags::shown(found.prompt.kind, version.syntax, &found.content).map_err(|_| Problem::internal())?;
        shown(presented, found, &content, None)?
    } else {
        let as_of = cursor::pinned(AsOf::Now, position);
        let prompt = PromptRef::Id(found.prompt.id);
        let question = Question::Expand { prompt, which: Which::Number(version.number), as_of };
        let reply = app.read_side.ask(params::ask(presented, None, question)).await.map_err(problem)?;
        let Answer::Expanded(expanded) = reply.answer else { return Err(Problem::internal()) };
        shown(presented, found, &expanded.said, Some(graph(&expanded.parts)))?
    };
    Ok(respond::version(position, version.id, body))
}

/// What a version includes, and what that includes: by the ids of versions.
fn graph(parts: &[ExpandedPart]) -> Value {
    let node = |part: &ExpandedPart| {
        let version = part.named.version;
        json!({ "id": version.version.to_string(), "name": part.named.key.as_str(), "version": version.number })
    };
    let includes = |part: &ExpandedPart| part.includes.iter().filter_map(|at| parts.get(*at)).map(node).collect();
    let some = parts.iter().filter(|part| !part.includes.is_empty());
    let dependencies: Map<String, Value> =
        some.map(|part| (part.named.version.version.to_string(), Value::Array(includes(part)))).collect();
    json!({ "root": parts.first().map(node), "dependencies": dependencies })
}

fn production() -> Label {
    PRODUCTION.parse().expect("`production` has the form of a label")
}

/// A version as Langfuse's clients read it.
fn shown(
    presented: &Presented,
    answer: &PromptAnswer,
    content: &str,
    resolution_graph: Option<Value>,
) -> Result<bytes::Bytes, Problem> {
    let PromptAnswer { prompt, version, config, .. } = answer;
    // What the read side hands out is JSON where it should be.
    let defect = |_| Problem::internal();
    let labels = labels(&prompt.labels, head(prompt), version.number);
    let at = version.stamp.occurred_at.unwrap_or(version.stamp.recorded_at);
    let author = version.stamp.author.as_ref();
    render::json(&Prompt {
        id: version.id,
        project_id: presented.tenant(),
        name: &prompt.key,
        version: version.number,
        r#type: prompt.kind,
        prompt: Content::of(prompt.kind, content).map_err(defect)?,
        config: document::config(config.as_deref()).map_err(defect)?,
        is_active: document::is_active(&labels),
        labels,
        tags: &prompt.tags,
        commit_message: version.stamp.message.as_deref(),
        created_at: at,
        updated_at: at,
        created_by: author.map_or_else(|| version.stamp.actor.to_string(), ToString::to_string),
        resolution_graph,
    })
}

/// The number of the head of `main`.
fn head(prompt: &PromptSummary) -> u32 {
    prompt.branches.get(&Branch::main()).copied().unwrap_or_default()
}

/// Prompts with the numbers of their versions and their labels, by name, a page by its number.
#[utoipa::path(get, path = "/api/public/v2/prompts", tag = "langfuse", operation_id = "langfuse_list_prompts",
    params(ListParams),
    responses((status = 200, description = "A page", body = Page),
        (status = "4XX", description = "Refused", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn list(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<ListParams>,
) -> Result<Response, Problem> {
    let (page, limit) = params.page()?;
    let asking = Asking { app: &app, presented: &presented };
    let found = match &params.name {
        Some(name) => asking.named(name, &params).await?,
        None => asking.all(&params, (page - 1).saturating_mul(limit)..page.saturating_mul(limit)).await?,
    };
    // Of one name there is a first page alone.
    let items = if params.name.is_some() && page > 1 { &[][..] } else { &found.items[..] };
    let mut configs = Vec::with_capacity(items.len());
    for prompt in items {
        configs.push(asking.config(prompt, newest(prompt, &params), found.as_of).await?);
    }
    let metas = items.iter().zip(&configs).map(|(prompt, config)| meta(prompt, &params, config));
    let meta = Meta::new((page, limit), found.total);
    let body = render::json(&Page { data: metas.collect(), meta, pagination: meta })?;
    Ok(respond::json(found.position, body))
}

/// What was found: the items of a page, and how many there are.
struct Found {
    items: Vec<PromptSummary>,
    total: usize,
    /// The point that all of it is of.
    as_of: AsOf,
    position: Option<promptory_events::Position>,
}

/// The newest version that a list is about: of those with the label, if one is asked for.
fn newest(prompt: &PromptSummary, params: &ListParams) -> u32 {
    match &params.label {
        None => prompt.versions,
        Some(label) if label.as_str() == Label::LATEST => head(prompt),
        Some(label) => prompt.labels.get(label).copied().unwrap_or_default(),
    }
}

fn meets(prompt: &PromptSummary, params: &ListParams) -> bool {
    newest(prompt, params) > 0
        && params.tag.as_ref().is_none_or(|tag| prompt.tags.contains(tag))
        && params.from_updated_at.is_none_or(|from| prompt.changed_at >= from)
        && params.to_updated_at.is_none_or(|to| prompt.changed_at < to)
}

fn meta<'a>(prompt: &'a PromptSummary, params: &ListParams, last_config: &'a RawValue) -> PromptMeta<'a> {
    let newest = newest(prompt, params);
    let (versions, labels) = match params.label {
        Some(_) => (vec![newest], labels(&prompt.labels, head(prompt), newest)),
        None => {
            let named = prompt.labels.keys().map(ToString::to_string);
            ((1..=newest).collect(), named.chain([Label::LATEST.to_owned()]).collect())
        }
    };
    PromptMeta {
        name: &prompt.key,
        r#type: prompt.kind,
        versions,
        labels,
        tags: &prompt.tags,
        last_updated_at: prompt.changed_at,
        last_config,
    }
}

struct Asking<'a> {
    app: &'a App,
    presented: &'a Presented,
}

impl Asking<'_> {
    /// The prompt of a name, if there is one that meets the rest.
    async fn named(&self, name: &str, params: &ListParams) -> Result<Found, Problem> {
        let latest = Which::Label(params::latest());
        let none = Found { items: Vec::new(), total: 0, as_of: AsOf::Now, position: None };
        let Ok(key) = name.parse::<PromptKey>() else { return Ok(none) };
        let question = Question::Prompt { prompt: PromptRef::Key(key), which: latest, as_of: AsOf::Now };
        let reply = match self.app.read_side.ask(params::ask(self.presented, None, question)).await {
            Err(AskError::PromptNotFound) => return Ok(none),
            reply => reply.map_err(problem)?,
        };
        let Answer::Prompt(answer) = reply.answer else { return Err(Problem::internal()) };
        let items: Vec<_> = Some(answer.prompt).filter(|prompt| meets(prompt, params)).into_iter().collect();
        let as_of = cursor::pinned(AsOf::Now, reply.as_of);
        Ok(Found { total: items.len(), items, as_of, position: reply.as_of })
    }

    /// All that meet what is asked for, counted, and of them those in a range. All are of one point.
    async fn all(&self, params: &ListParams, wanted: std::ops::Range<usize>) -> Result<Found, Problem> {
        let mut found = Found { items: Vec::new(), total: 0, as_of: AsOf::Now, position: None };
        let (mut after, mut looked_at) = (None, 0);
        loop {
            let limit = limits::PAGE_MAX;
            let question = Question::List { prefix: String::new(), after, limit, as_of: found.as_of };
            let reply = self.app.read_side.ask(params::ask(self.presented, None, question)).await.map_err(problem)?;
            let Answer::List(items) = reply.answer else { return Err(Problem::internal()) };
            found.as_of = cursor::pinned(found.as_of, reply.as_of);
            found.position = found.position.or(reply.as_of);
            looked_at += items.len();
            after = items.last().filter(|_| items.len() == limit || reply.cut).map(|last| last.key.clone());
            for prompt in items.into_iter().filter(|prompt| meets(prompt, params)) {
                if wanted.contains(&found.total) {
                    found.items.push(prompt);
                }
                found.total += 1;
            }
            if after.is_none() {
                return Ok(found);
            }
            if looked_at >= LOOKED_AT_MAX {
                let detail = format!(
                    "there are over {LOOKED_AT_MAX} prompts, which are not counted here; give a `name`, or list them by GET /v1/prompts"
                );
                return Err(Problem::new(ProblemType::LIMIT_REACHED, detail).with("limit", LOOKED_AT_MAX));
            }
        }
    }

    /// The configuration of a version; `{}` if it has none, or if it was erased.
    async fn config(&self, prompt: &PromptSummary, number: u32, as_of: AsOf) -> Result<Box<RawValue>, Problem> {
        let question = Question::Prompt { prompt: PromptRef::Id(prompt.id), which: Which::Number(number), as_of };
        let config = match self.app.read_side.ask(params::ask(self.presented, None, question)).await {
            Err(AskError::Erased) => None,
            reply => match reply.map_err(problem)?.answer {
                Answer::Prompt(answer) => answer.config,
                _ => return Err(Problem::internal()),
            },
        };
        RawValue::from_string(config.unwrap_or_else(|| "{}".to_owned())).map_err(|_| Problem::internal())
    }
}
