//! Backups, for operators: two streams, the ledger's and then the keys'.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use promptory_events::BackupId;
use promptory_platform::Presented;
use promptory_platform::extract::Path;
use promptory_platform::problem::{Problem, ProblemDocument};

use crate::service::{Service, Stream};

/// The id of the backup, which the request for its keys names.
const BACKUP: HeaderName = HeaderName::from_static("promptory-backup");

/// A backup of every tenant's ledger as it is now, as one file. Texts in it are sealed. Recorded before it begins.
#[utoipa::path(post, path = "/v1/backups", tag = "backups",
    responses((status = 200, description = "The file. It is whole only if it ends as its format says; the header `Promptory-Backup` has its id", content_type = "application/octet-stream"),
        (status = "4XX", description = "Refused; nothing was recorded", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn ledger(State(service): State<Service>, shown: Presented) -> Result<Response, Problem> {
    let (backup, stream) = service.backup_ledger(&shown).await?;
    let mut response = file(stream);
    let id = HeaderValue::from_str(&backup.to_string()).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(BACKUP, id);
    Ok(response)
}

/// The keys for a backup, encrypted under the server's backup key. Asked for after the ledger's file is there: then no
/// event in it lacks its key. Recorded before it begins.
#[utoipa::path(post, path = "/v1/backups/{backup}/keys", tag = "backups",
    params(("backup" = String, Path, description = "The id of the backup")),
    responses((status = 200, description = "The file. It is whole only if it ends as its format says", content_type = "application/octet-stream"),
        (status = "4XX", description = "Refused; nothing was recorded", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn keys(
    State(service): State<Service>,
    shown: Presented,
    Path(backup): Path<String>,
) -> Result<Response, Problem> {
    let backup: BackupId =
        backup.parse().map_err(|e: promptory_events::id::IdError| Problem::field("/backup", e.to_string()))?;
    Ok(file(service.backup_keys(&shown, backup).await?))
}

fn file(stream: Stream) -> Response {
    let bytes = futures::stream::unfold(stream, |mut stream| async {
        let next = stream.recv().await?;
        Some((next, stream))
    });
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
