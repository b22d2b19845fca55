//! The reads that MLflow's client sends for prompts (`/api/2.0/mlflow`): the same questions as of our own routes, answered in its
//! form.

use axum::extract::State;
use axum::response::Response;
use promptory_compat::mlflow::send::{key, number};
use promptory_compat::mlflow::{
    Filter, MlflowError, ModelVersion, ModelVersionAnswer, ModelVersions, RegisteredModel, RegisteredModelAnswer,
    RegisteredModels, Shown,
};
use promptory_events::{Label, PromptKey, TenantId, Timestamp, limits};
use promptory_platform::extract::Query;
use promptory_platform::problem::ProblemDocument;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{
    Answer, AsOf, AskError, PromptAnswer, PromptRef, PromptSummary, Question, Reply, Which,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::cursor::{self, Cursor};
use super::error::problem;
use super::{App, params, render, respond};

/// Prompts or versions on a page, whatever more is asked for: the client asks for the next page.
const PAGE_MAX: usize = 100;
/// What MLflow allows.
const RESULTS_MAX: usize = 1000;

/// Which prompt. Parameters that nobody here knows are ignored, as MLflow does.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfPrompt {
    /// Its key.
    #[param(example = "greet")]
    name: String,
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfVersion {
    /// The prompt's key.
    #[param(example = "greet")]
    name: String,
    /// The version's number.
    #[param(example = "1")]
    version: String,
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfAlias {
    /// The prompt's key.
    #[param(example = "greet")]
    name: String,
    /// The label that points to the version; `latest` is the newest one of `main`.
    #[param(value_type = String, example = "production")]
    alias: Label,
}

/// What is searched for, and which page of it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `name` and `tags.key` compared by `=`, `!=`, `LIKE` or `ILIKE` with a quoted text, joined by `AND`.
    #[param(example = "tags.`mlflow.prompt.is_prompt` = 'true' AND name LIKE 'gr%'")]
    filter: String,
    /// At most so many, 1 to 1,000. A page has 100 at most, and may have fewer although there are more.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    max_results: Option<u64>,
    /// Prompts come by name (`name ASC`), versions from the newest on (`version_number DESC`), and in no other order.
    order_by: Option<String>,
    /// `next_page_token` of the page before.
    page_token: Option<String>,
}

impl Wanted {
    /// Reads the filter, sees that the order is the only one, and says how many are wanted.
    fn read(&self, order: &str) -> Result<(Filter, usize), Problem> {
        let asked = self.max_results.map_or(Some(PAGE_MAX), |results| usize::try_from(results).ok());
        let asked = asked.filter(|results| (1..=RESULTS_MAX).contains(results));
        let asked = asked.ok_or_else(|| Problem::field("max_results", format!("must be from 1 to {RESULTS_MAX}")))?;
        let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
        let (ordered, by) = (self.order_by.as_deref().map(words).unwrap_or_default(), words(order));
        if !ordered.is_empty() && ordered != by && !(ordered == ["name"] && by[0] == "name") {
            return Err(Problem::field("order_by", format!("they come in the order `{order}`")));
        }
        Ok((Filter::read(&self.filter)?, asked.min(PAGE_MAX)))
    }

    fn place(&self, tenant: &TenantId) -> Result<Option<Cursor>, Problem> {
        let text = self.page_token.as_deref().filter(|text| !text.is_empty());
        text.map(|text| Cursor::decode(text, tenant)).transpose().map_err(|_| foreign())
    }
}

fn foreign() -> Problem {
    Problem::field("page_token", "is not a `next_page_token` of this search; begin again without it")
}

/// A prompt.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/get", tag = "mlflow", operation_id = "mlflow_get_registered_model",
    params(OfPrompt),
    responses((status = 200, description = "The prompt", body = RegisteredModelAnswer),
        (status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn get(
    State(app): State<App>,
    presented: Presented,
    Query(of): Query<OfPrompt>,
) -> Result<Response, Problem> {
    let (asking, key) = (Asking { app: &app, presented: &presented }, key("name", &of.name)?);
    // No content is opened: a prompt is there even if a text of it was erased.
    let (created, position) = asking.created(PromptRef::Key(key.clone()), AsOf::Now).await?;
    let as_of = cursor::pinned(AsOf::Now, position);
    let question = Question::List { prefix: key.to_string(), after: None, limit: 1, as_of };
    let Answer::List(items) = asking.ask(question).await?.answer else { return Err(Problem::internal()) };
    let prompt = items.into_iter().find(|prompt| prompt.key == key).ok_or_else(|| problem(AskError::PromptNotFound))?;
    let body = render::json(&RegisteredModelAnswer { registered_model: model(&prompt, created) })?;
    Ok(respond::json(position, body))
}

fn model(prompt: &PromptSummary, created: Timestamp) -> RegisteredModel<'_> {
    RegisteredModel::there(&prompt.key, &prompt.tags, &prompt.labels, [created, prompt.changed_at])
}

/// Prompts, by name.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/search", tag = "mlflow", operation_id = "mlflow_search_registered_models",
    params(Wanted),
    responses((status = 200, description = "A page", body = RegisteredModels),
        (status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn search(
    State(app): State<App>,
    presented: Presented,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let (filter, results) = wanted.read("name ASC")?;
    let prefix = filter.prefix().to_owned();
    let (as_of, after) = match wanted.place(presented.tenant())? {
        None => (AsOf::Now, None),
        Some(Cursor::List { prefix: of, as_of, after }) if of == prefix => (as_of, Some(after)),
        Some(_) => return Err(foreign()),
    };
    let asking = Asking { app: &app, presented: &presented };
    // So many are looked at for one page, however few of them are meant.
    let once = filter.is_one_name() || !filter.asks_for_prompts();
    let limit = if once { 1 } else { limits::PAGE_MAX };
    let reply = asking.ask(Question::List { prefix: prefix.clone(), after, limit, as_of }).await?;
    let Answer::List(items) = reply.answer else { return Err(Problem::internal()) };
    let as_of = cursor::pinned(as_of, reply.as_of);
    let more = !once && (items.len() == limit || reply.cut);
    let (page, last) =
        page(&items, results, more, |prompt| filter.asks_for_prompts() && filter.fits(&prompt.key, &prompt.tags));
    let mut registered_models = Vec::with_capacity(page.len());
    for prompt in page {
        let (created, _) = asking.created(PromptRef::Id(prompt.id), as_of).await?;
        registered_models.push(model(prompt, created));
    }
    let next = last.map(|after| Cursor::List { prefix, as_of, after: after.clone() }.encode(presented.tenant()));
    let body = render::json(&RegisteredModels { registered_models, next_page_token: next.transpose()? })?;
    Ok(respond::json(reply.as_of, body))
}

/// Those of the items that fit, as many as are wanted, and the key after which it goes on, if it does.
fn page(
    items: &[PromptSummary],
    results: usize,
    more: bool,
    fits: impl Fn(&PromptSummary) -> bool,
) -> (Vec<&PromptSummary>, Option<&PromptKey>) {
    let mut page = Vec::new();
    for (at, prompt) in items.iter().enumerate() {
        if fits(prompt) {
            page.push(prompt);
        }
        let last = at + 1 == items.len();
        if page.len() == results || last {
            return (page, Some(&prompt.key).filter(|_| more || !last));
        }
    }
    (page, None)
}

/// A version by its number.
#[utoipa::path(get, path = "/api/2.0/mlflow/model-versions/get", tag = "mlflow", operation_id = "mlflow_get_model_version",
    params(OfVersion),
    responses((status = 200, description = "The version", body = ModelVersionAnswer),
        (status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn get_version(
    State(app): State<App>,
    presented: Presented,
    Query(of): Query<OfVersion>,
) -> Result<Response, Problem> {
    let which = Which::Number(number("version", &of.version)?);
    Asking { app: &app, presented: &presented }.version(&of.name, which).await
}

/// A version by a label.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/alias", tag = "mlflow", operation_id = "mlflow_get_alias",
    params(OfAlias),
    responses((status = 200, description = "The version", body = ModelVersionAnswer),
        (status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn get_alias(
    State(app): State<App>,
    presented: Presented,
    Query(of): Query<OfAlias>,
) -> Result<Response, Problem> {
    Asking { app: &app, presented: &presented }.version(&of.name, Which::Label(of.alias)).await
}

/// Versions of a prompt, the newest first. Those whose text was erased are left out.
#[utoipa::path(get, path = "/api/2.0/mlflow/model-versions/search", tag = "mlflow", operation_id = "mlflow_search_model_versions",
    params(Wanted),
    responses((status = 200, description = "A page", body = ModelVersions),
        (status = "4XX", description = "Refused", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available", content((MlflowError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn search_versions(
    State(app): State<App>,
    presented: Presented,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let (filter, limit) = wanted.read("version_number DESC")?;
    let prompt = PromptRef::Key(key("filter", filter.versions_of()?)?);
    let (as_of, below) = match wanted.place(presented.tenant())? {
        None => (AsOf::Now, None),
        Some(Cursor::Versions { as_of, below }) => (as_of, Some(below)),
        Some(_) => return Err(foreign()),
    };
    let asking = Asking { app: &app, presented: &presented };
    let reply = asking.ask(Question::Versions { prompt: prompt.clone(), below, limit, as_of }).await?;
    let Answer::Versions(items) = reply.answer else { return Err(Problem::internal()) };
    let as_of = cursor::pinned(as_of, reply.as_of);
    let mut model_versions = Vec::with_capacity(items.len());
    for version in &items {
        let which = Which::Number(version.number);
        let question = Question::Prompt { prompt: prompt.clone(), which, as_of };
        match app.read_side.ask(params::ask(&presented, None, question)).await {
            Err(AskError::Erased) => {}
            reply => match reply.map_err(problem)?.answer {
                Answer::Prompt(found) => model_versions.push(shown(&found)?),
                _ => return Err(Problem::internal()),
            },
        }
    }
    // Numbers are dense, so after number 1 there is no other page.
    let last = items.last().map(|version| version.number);
    let last = last.filter(|number| (items.len() == limit || reply.cut) && *number > 1);
    let next = last.map(|below| Cursor::Versions { as_of, below }.encode(presented.tenant())).transpose()?;
    let body = render::json(&ModelVersions { model_versions, next_page_token: next })?;
    Ok(respond::json(reply.as_of, body))
}

/// A version as MLflow's client reads it.
fn shown(found: &PromptAnswer) -> Result<ModelVersion, Problem> {
    let PromptAnswer { prompt, version, content, config, .. } = found;
    let author = version.stamp.author.as_ref();
    let version = Shown {
        key: &prompt.key,
        labels: &prompt.labels,
        kind: prompt.kind,
        number: version.number,
        content,
        config: config.as_deref(),
        message: version.stamp.message.as_deref(),
        at: version.stamp.occurred_at.unwrap_or(version.stamp.recorded_at),
        by: author.map_or_else(|| version.stamp.actor.to_string(), ToString::to_string),
    };
    // What the read side hands out is JSON where it should be.
    version.version().map_err(|_| Problem::internal())
}

struct Asking<'a> {
    app: &'a App,
    presented: &'a Presented,
}

impl Asking<'_> {
    async fn ask(&self, question: Question) -> Result<Reply, Problem> {
        self.app.read_side.ask(params::ask(self.presented, None, question)).await.map_err(problem)
    }

    /// When the first version of a prompt was written, and what that is as of.
    async fn created(
        &self,
        prompt: PromptRef,
        as_of: AsOf,
    ) -> Result<(Timestamp, Option<promptory_events::Position>), Problem> {
        let reply = self.ask(Question::Versions { prompt, below: Some(2), limit: 1, as_of }).await?;
        let Answer::Versions(items) = reply.answer else { return Err(Problem::internal()) };
        let stamp = &items.first().ok_or_else(Problem::internal)?.stamp;
        Ok((stamp.occurred_at.unwrap_or(stamp.recorded_at), reply.as_of))
    }

    /// The answer about one version.
    async fn version(&self, name: &str, which: Which) -> Result<Response, Problem> {
        let prompt = PromptRef::Key(key("name", name)?);
        let ask = params::ask(self.presented, None, Question::Prompt { prompt, which, as_of: AsOf::Now });
        // As on our own route: most are answered from memory.
        if let Some(hot) = self.app.read_side.ask_hot(&ask) {
            let hot = hot.map_err(problem)?;
            return answer(hot.answer(), hot.as_of());
        }
        let reply = self.app.read_side.ask(ask).await.map_err(problem)?;
        let Answer::Prompt(found) = reply.answer else { return Err(Problem::internal()) };
        answer(&found, reply.as_of)
    }
}

fn answer(found: &PromptAnswer, as_of: Option<promptory_events::Position>) -> Result<Response, Problem> {
    let body = render::json(&ModelVersionAnswer { model_version: shown(found)? })?;
    Ok(respond::version(as_of, found.version.id, body))
}
