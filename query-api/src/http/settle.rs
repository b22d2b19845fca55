//! Whoever writes by the routes of another product's client reads what he wrote: such clients know no positions, so a write is
//! answered once the read side is where it leads to.

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use promptory_events::Position;
use promptory_platform::Presented;
use promptory_projection::ask::Question;

use crate::http::{params, respond};
use crate::read_side::ReadSide;

/// Where Langfuse's and MLflow's routes are.
const BASES: [&str; 2] = ["/api/public/", "/api/2.0/mlflow/"];

/// Routes that write, whose answers to such clients wait, for at most 2 s, for the read side of the same process.
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
