//! The audit as a file: streamed page by page, so that its length costs no memory, up to one fixed event.
//!
//! A client that reads slowly costs one page. What can't be read to its end is not made to look whole: it ends with a line
//! that says so, and without the end that HTTP asks for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use promptory_events::event::AuditForm;
use promptory_events::{Position, TenantId};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem, ProblemType};
use promptory_projection::Reply;
use promptory_projection::ask::{Answer, Ask, AskError, AuditFilter, AuditRecord, Order, Question};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::super::error::{ReadProblems, problem};
use super::super::params::ask;
use super::super::{App, respond};
use super::params::AuditExportParams;
use super::{csv, ocsf, wire};
use crate::read_side::ReadSide;

/// Records asked for at once.
const PAGE: usize = 500;
/// When nobody answers for the moment: how long to wait, and how often, before the export ends.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSES: u32 = 20;
/// Between the line that says that the rest is missing and the breaking off, which throws away what is still waiting to be sent.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How the records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AuditFormat)]
pub enum Format {
    /// The records as in a listing, one a line.
    #[default]
    Ndjson,
    /// RFC 4180, with a line of names first.
    Csv,
    /// Events of OCSF 1.8.0, class Entity Management, one a line.
    Ocsf,
}

impl Format {
    fn form(self) -> AuditForm {
        match self {
            Self::Ndjson => AuditForm::Ndjson,
            Self::Csv => AuditForm::Csv,
            Self::Ocsf => AuditForm::Ocsf,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Ndjson | Self::Ocsf => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        })
    }

    fn head(self) -> Result<Vec<u8>, Problem> {
        if self == Self::Csv { csv::head() } else { Ok(Vec::new()) }
    }

    fn rows(self, tenant: &TenantId, at: Option<Position>, records: &[AuditRecord]) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Csv => csv::rows(records),
            Self::Ocsf => ocsf::rows(tenant, at, records),
            Self::Ndjson => {
                let mut out = Vec::with_capacity(records.len() * 768);
                for record in records {
                    serde_json::to_writer(&mut out, &wire::record(record)?).map_err(|_| Problem::internal())?;
                    out.push(b'\n');
                }
                Ok(out)
            }
        }
    }

    /// The last line of one that could not be read to its end.
    fn error(self, problem: &Problem) -> Vec<u8> {
        let line = match self {
            Self::Csv => csv::error(&problem.detail).ok(),
            Self::Ndjson | Self::Ocsf => {
                serde_json::to_vec(&serde_json::json!({ "error": problem.document() })).ok().map(|mut line| {
                    line.push(b'\n');
                    line
                })
            }
        };
        line.unwrap_or_default()
    }
}

/// All records that a filter means, oldest first, as a file, up to the last event when it began.
///
/// That it was exported is recorded before the first byte leaves. A body that ends without its last chunk is not whole; its
/// last line then says why.
#[utoipa::path(
    get,
    path = "/v1/audit/export",
    tag = "audit",
    params(AuditExportParams),
    responses(
        (
            status = 200,
            content((String = "application/x-ndjson"), (String = "text/csv")),
            description = "A line for each record; CSV begins with a line of names",
        ),
        ReadProblems,
    ),
    security(("api_key" = [])),
)]
pub async fn export(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<AuditExportParams>,
) -> Result<Response, Problem> {
    let place = Arc::clone(&app.exports).try_acquire_owned();
    let place = place.map_err(|_| Problem::new(ProblemType::OVERLOADED, "as many exports as allowed are under way"))?;
    let (filter, format) = (Box::new(params.filter()?), params.format);
    let mut exporting = Exporting {
        read_side: app.read_side.clone(),
        ask: ask(&presented, params.at_least, page(filter.clone(), format, None, None)),
        filter,
        format,
        at: None,
        step: Step::Done,
        _place: place,
    };
    // The first page before the answer begins: who may not, and what can't be, is told as everywhere.
    let first = app.read_side.ask(exporting.ask.clone()).await.map_err(problem)?;
    let (at, name) = (first.as_of, presented.tenant().to_string());
    let mut bytes = format.head()?;
    bytes.extend(exporting.take(first)?);
    let first = stream::once(async { Ok(Bytes::from(bytes)) });
    let rest =
        stream::unfold(exporting, |mut exporting| async { exporting.next().await.map(|item| (item, exporting)) });
    let mut response = Response::new(Body::from_stream(stream::StreamExt::chain(first, rest)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.content_type());
    respond::position(headers, at);
    let ending = if format == Format::Csv { "csv" } else { "ndjson" };
    let end = at.map(|at| at.index).unwrap_or_default();
    let disposition = format!("attachment; filename=\"audit-{name}-{end}.{ending}\"");
    headers.extend(HeaderValue::try_from(disposition).ok().map(|value| (header::CONTENT_DISPOSITION, value)));
    Ok(response)
}

fn page(filter: Box<AuditFilter>, format: Format, end: Option<u64>, from: Option<u64>) -> Question {
    Question::Audit { filter, end, from, order: Order::OldestFirst, limit: PAGE, form: format.form() }
}

/// An export under way.
struct Exporting {
    read_side: ReadSide,
    ask: Ask,
    filter: Box<AuditFilter>,
    format: Format,
    /// What it is as of.
    at: Option<Position>,
    step: Step,
    _place: OwnedSemaphorePermit,
}

enum Step {
    /// There is more from this index on.
    From(u64),
    /// It could not be read on: the body breaks off.
    Broken,
    /// That was all.
    Done,
}

impl Exporting {
    /// The lines of a page, and where to go on.
    fn take(&mut self, reply: Reply) -> Result<Vec<u8>, Problem> {
        let Answer::Audit(page) = reply.answer else { return Err(Problem::internal()) };
        self.at = reply.as_of;
        self.step = page.next.map_or(Step::Done, Step::From);
        self.format.rows(&self.ask.tenant, self.at, &page.records)
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.step {
            Step::Done => None,
            Step::Broken => {
                tokio::time::sleep(LAST_WORD).await;
                self.step = Step::Done;
                Some(Err(io::Error::other("the export could not be read to its end")))
            }
            Step::From(from) => {
                let end = self.at.map(|at| at.index);
                let question = page(self.filter.clone(), self.format, end, Some(from));
                // Another replica may answer than the one that did before, and may be behind it.
                let asked = Ask { at_least: self.at, question, ..self.ask.clone() };
                let lines = match self.patiently(asked).await {
                    Ok(reply) => self.take(reply),
                    Err(error) => Err(problem(error)),
                };
                Some(Ok(lines.map_or_else(|problem| self.broken(&problem), Bytes::from)))
            }
        }
    }

    fn broken(&mut self, problem: &Problem) -> Bytes {
        tracing::warn!(tenant = %self.ask.tenant, detail = %problem.detail, "an export of the audit breaks off");
        self.step = Step::Broken;
        self.format.error(problem).into()
    }

    /// Asks, and again if nobody answers for the moment.
    async fn patiently(&self, asked: Ask) -> Result<Reply, AskError> {
        for _ in 0..PAUSES {
            match self.read_side.ask(asked.clone()).await {
                Err(error) if error.passes() => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
        self.read_side.ask(asked).await
    }
}
