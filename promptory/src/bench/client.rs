//! One kept-alive HTTP/1.1 connection: a request, its whole answer, the next request.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use promptory_platform::ApiKey;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::BenchError;

/// A request, made beforehand where it can be: cloning its parts copies no text.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: Uri,
    /// Who asks; nobody for what needs no key.
    pub authorization: Option<HeaderValue>,
    /// JSON, or nothing.
    pub body: Bytes,
}

impl Request {
    /// A read.
    #[must_use]
    pub fn get(target: Uri, authorization: &HeaderValue) -> Self {
        Self { method: Method::GET, target, authorization: Some(authorization.clone()), body: Bytes::new() }
    }

    /// A command.
    #[must_use]
    pub fn post(target: Uri, authorization: &HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, target, authorization: Some(authorization.clone()), body: body.into() }
    }
}

/// The header with which an API key is shown.
///
/// # Errors
/// None in practice: a key is plain ASCII.
pub fn authorization(key: &ApiKey) -> Result<HeaderValue, BenchError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.reveal())).map_err(hyper::http::Error::from)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The path of a prompt, followed by `rest` (`/versions`, `?label=production`, …).
///
/// # Errors
/// `rest` is no path or query.
pub fn prompt(key: &str, rest: &str) -> Result<Uri, BenchError> {
    uri(&format!("/v1/prompts/{}{rest}", utf8_percent_encode(key, NON_ALPHANUMERIC)))
}

/// A path with its query.
///
/// # Errors
/// It is none.
pub fn uri(text: &str) -> Result<Uri, BenchError> {
    Ok(text.parse().map_err(hyper::http::Error::from)?)
}

/// A connection. One request at a time.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Connection {
    /// Connects; the task that drives the connection runs where this is called.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with its sender; what breaks it is told to whoever sends.
        tokio::spawn(async move { drop(connection.await) });
        let host = HeaderValue::try_from(address.to_string()).map_err(hyper::http::Error::from)?;
        Ok(Self { sender, host })
    }

    /// Sends a request and gives the whole body of its answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is not a 2xx.
    pub async fn send(&mut self, request: Request) -> Result<Bytes, BenchError> {
        let method = request.method.clone();
        let mut builder = hyper::Request::builder().method(request.method).uri(request.target);
        builder = builder.header(HOST, self.host.clone());
        if let Some(authorization) = request.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        if !request.body.is_empty() {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.sender.ready().await?;
        let answer = self.sender.send_request(builder.body(Full::new(request.body))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(refused(&method, status.as_u16(), &body)) }
    }
}

/// What a problem document says, without the detail, which could quote a text.
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
}

fn refused(method: &Method, status: u16, body: &[u8]) -> BenchError {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    BenchError::Refused { method: method.to_string(), status, code: problem.code }
}
