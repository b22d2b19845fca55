//! Resolve one prompt, list many.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::{Path, Query};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Arm, PromptSummary, Question};

use super::conditional::IfNoneMatch;
use super::cursor::{self, Cursor};
use super::error::{ListProblems, PromptProblems, problem};
use super::params::{self, ListParams, ResolveParams};
use super::{App, render, respond, wire};

/// One prompt with the text of one version: the newest, or by label or number, now or as of then.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}",
    tag = "prompts",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), ResolveParams),
    responses(
        (status = 200, body = wire::Prompt, headers(
            ("ETag" = String, description = "The version's id, in quotes"),
            ("Promptory-Rollout" = String, description = "The rollout that splits the label, if one does"),
            ("Promptory-Arm" = String, description = "The number of the version that the key gets of it"),
            ("Promptory-Bucket" = String, description = "The bucket of the key, if one was given"),
        )),
        (status = 304, description = "`If-None-Match` names the version"),
        PromptProblems,
    ),
    security(("api_key" = [])),
)]
pub async fn resolve(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<ResolveParams>,
    held: IfNoneMatch,
) -> Result<Response, Problem> {
    let as_of = params::as_of(params.as_of, params.clock);
    let question = Question::Prompt { prompt: params::prompt(&prompt)?, which: params.which()?, as_of };
    let ask = params::ask(&presented, params.at_least, question);
    // Most resolves are of a label, now, and answered without waiting for anything.
    if let Some(hot) = app.read_side.ask_hot(&ask) {
        let hot = hot.map_err(problem)?;
        let id = hot.answer().version.id;
        let response = match held.names(id) {
            true => respond::not_modified(hot.as_of(), id),
            false => respond::version(hot.as_of(), id, hot.body(render::prompt)?),
        };
        return Ok(respond::with_arm(response, arm(&ask.question, &hot.answer().prompt)));
    }
    let question = ask.question.clone();
    let reply = app.read_side.ask(ask).await.map_err(problem)?;
    let Answer::Prompt(answer) = reply.answer else { return Err(Problem::internal()) };
    let id = answer.version.id;
    let response = match held.names(id) {
        true => respond::not_modified(reply.as_of, id),
        false => respond::version(reply.as_of, id, render::prompt(&answer)?),
    };
    Ok(respond::with_arm(response, arm(&question, &answer.prompt)))
}

/// Which version of a split label was chosen: it follows from what the prompt said at that point.
fn arm(question: &Question, prompt: &PromptSummary) -> Option<Arm> {
    let Question::Prompt { which, .. } = question else { return None };
    which.arm(&prompt.labels, &prompt.rollouts)
}

/// The prompts that hold a key, by key, now or as of then.
///
/// All pages of one listing are answered at the index of the first. The last page may be empty.
#[utoipa::path(
    get,
    path = "/v1/prompts",
    tag = "prompts",
    params(ListParams),
    responses((status = 200, body = wire::PromptPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn list(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<ListParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (prefix, as_of, after) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params.prefix.unwrap_or_default(), params::as_of(params.as_of, params.clock), None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::List { prefix, as_of, after }) => {
            if params.prefix.is_some_and(|asked| asked != prefix) {
                return Err(params::fixed("prefix"));
            }
            (prefix, as_of, Some(after))
        }
        Some(_) => return Err(cursor::foreign()),
    };
    let limit = params::limit(params.limit);
    let question = Question::List { prefix: prefix.clone(), after, limit, as_of };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::List(items) = reply.answer else { return Err(Problem::internal()) };
    let as_of = cursor::pinned(as_of, reply.as_of);
    let last = items.last().filter(|_| items.len() == limit || reply.cut).map(|prompt| prompt.key.clone());
    let next = last.map(|after| Cursor::List { prefix, as_of, after }.encode(tenant)).transpose()?;
    let index = reply.as_of.map(|position| position.index);
    Ok(respond::json(reply.as_of, render::prompts(&items, next, index)?))
}
