//! From a running server, over HTTP, as an operator.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use promptory_ledger::backup::Contents;
use ureq::Agent;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Response};

use super::{BackupRunError, PartFile, finished};
use crate::keys;

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A server that has sent nothing for so long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(120);
const CHUNK_BYTES: usize = 256 * 1024;
/// What is read of a problem document.
const PROBLEM_BYTES: u64 = 64 * 1024;

/// Takes both files from a server. Gives whether keys were taken too.
pub(super) async fn run(
    url: &str,
    key_file: &Path,
    out: PartFile,
    keys_out: Option<PartFile>,
) -> Result<(Contents, bool), BackupRunError> {
    let server = Server::new(url, key_file)?;
    let taking = tokio::task::spawn_blocking(move || {
        let out = server.take("/v1/backups", out)?;
        Ok::<_, BackupRunError>((server, out))
    });
    let (server, out) = taking.await.map_err(|error| BackupRunError::interrupted(&error))??;
    let contents = finished(out).await?;
    let Some(keys_out) = keys_out else { return Ok((contents, false)) };
    let path = format!("/v1/backups/{}/keys", contents.header.backup);
    let taking = tokio::task::spawn_blocking(move || server.take(&path, keys_out)?.finish());
    taking.await.map_err(|error| BackupRunError::interrupted(&error))??;
    Ok((contents, true))
}

struct Server {
    agent: Agent,
    url: String,
    authorization: HeaderValue,
}

impl Server {
    fn new(url: &str, key_file: &Path) -> Result<Self, BackupRunError> {
        let key = keys::read(key_file)?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .map_err(|_| BackupRunError::Usage("the key file holds no API key"))?;
        authorization.set_sensitive(true);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_recv_response(Some(SILENCE_MAX));
        Ok(Self { agent: config.build().new_agent(), url: url.trim_end_matches('/').to_owned(), authorization })
    }

    fn take(&self, path: &str, mut out: PartFile) -> Result<PartFile, BackupRunError> {
        let request = self.agent.post(format!("{}{path}", self.url)).header(AUTHORIZATION, self.authorization.clone());
        let response = request.send_empty().map_err(|error| BackupRunError::Server(error.to_string()))?;
        if response.status() != 200 {
            return Err(refused(response));
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match body.read(&mut chunk) {
                Ok(0) => return Ok(out),
                Ok(len) => {
                    let written = out.write(&chunk[..len]);
                    written.map_err(|error| BackupRunError::File(out.part().to_owned(), error))?;
                }
                Err(error) => return Err(BackupRunError::Server(format!("the stream broke off: {error}"))),
            }
        }
    }
}

/// What the server says that is wrong.
fn refused(response: Response<ureq::Body>) -> BackupRunError {
    let status = response.status();
    let text = response.into_body().into_with_config().limit(PROBLEM_BYTES).read_to_string().unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let said = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    BackupRunError::Server(format!("{status} {}: {}", said("code"), said("detail")))
}
