//! Writes that are answered once the read side is where they lead to. Clients of other products know no positions and read what
//! they wrote; and whoever is handed a key need not know where it was issued.

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use promptory_events::Position;
use promptory_platform::Presented;
use promptory_projection::ask::Question;

use crate::http::{params, respond};
use crate::read_side::ReadSide;

/// How their paths begin: Langfuse's routes, MLflow's, and those about keys, old and new.
const BASES: [&str; 3] = ["/api/public/", "/api/2.0/mlflow/", "/v1/keys"];

/// Routes that write, some of whose answers wait, for at most 2 s, for the read side of the same process.
pub fn settled(router: Router, read_side: ReadSide) -> Router {
    router.layer(from_fn_with_state(read_side, settle))
}

async fn settle(State(read_side): State<ReadSide>, request: Request, next: Next) -> Response {
    if !BASES.iter().any(|base| request.uri().path().starts_with(base)) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let presented = Presented::from_request_parts(&mut parts, &()).await;
    let response = next.run(Request::from_parts(parts, body)).await;
    let position = response.headers().get(respond::POSITION).and_then(|value| value.to_str().ok());
    let position = position.and_then(|text| text.parse::<Position>().ok());
    if let (Ok(presented), Some(position)) = (presented, position) {
        // Only the waiting counts. What was written is written, however far the read side is.
        let waited = read_side.ask(params::ask(&presented, Some(position), Question::Status)).await;
        if let Err(error) = waited {
            tracing::debug!(%error, "a write was answered before it can be read");
        }
    }
    response
}
