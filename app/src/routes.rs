//! Which path leads where, and what holds for all of them: the session, the longest time, the headers.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::api::Problem;
use crate::identity::{Identity, Known};
use crate::limits::{BODY_BYTES_MAX, REQUEST_MAX, WORK_MS_MAX};
use crate::session::{SessionId, SessionStore, find_cookie, set_cookie};
use crate::work::Work;
use crate::{api, pages};

/// Everything that handlers share.
pub struct Application {
    pub identity: Known,
    pub sessions: Box<dyn SessionStore>,
    pub work: Work,
}

pub type Shared = State<Arc<Application>>;

pub fn router(application: Arc<Application>) -> Router {
    let with_session = Router::new()
        .route("/", get(pages::home))
        .route("/tasks", post(pages::add_task))
        .route("/tasks/{id}", post(pages::change_task))
        .route("/session/forget", post(pages::forget))
        .route("/api/session", get(api::session).delete(api::forget))
        .route("/api/tasks", get(api::tasks).post(api::add_task))
        .route("/api/tasks/{id}", axum::routing::patch(api::change_task).delete(api::remove_task))
        .layer(from_fn(session));
    let without = Router::new()
        .route("/health", get(health))
        .route("/work", get(work).post(work))
        .route("/api/instance", get(api::instance))
        .route("/style.css", get(pages::style));
    with_session
        .merge(without)
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_that_way)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(application.clone(), frame))
        .with_state(application)
}

/// Gives a request its session's id, and the client a cookie: anew each time, for it lasts as long as a session that is not
/// used again.
async fn session(mut request: Request, next: Next) -> Result<Response, Problem> {
    let cookies = request.headers().get_all(header::COOKIE).iter();
    let known = cookies.filter_map(|value| value.to_str().ok()).find_map(find_cookie);
    let id = known.map_or_else(SessionId::generate, Ok).map_err(|_| Problem::no_session())?;
    let cookie = set_cookie(&id, is_https(request.headers()));
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Whether the client speaks TLS with the load balancer.
fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

/// No request lasts without end, and every answer says how it may be used.
async fn frame(State(application): Shared, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let response = match timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::too_slow().into_response(),
    };
    let problem = response.extensions().get::<Problem>().cloned();
    let mut response = match problem {
        Some(problem) if !is_api => pages::problem(&problem, &application.identity.get().await),
        _ => response,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src data:; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Answered without waiting for anything, so that it tells whether the application lives and nothing else.
async fn health() -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
struct WorkQuery {
    ms: Option<u64>,
}

async fn work(
    State(application): Shared,
    query: Result<Query<WorkQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_| Problem::bad_work())?;
    let cpu_ms = query.ms.unwrap_or(100);
    if cpu_ms > WORK_MS_MAX {
        return Err(Problem::bad_work());
    }
    let burnt = application.work.burn(cpu_ms).await.map_err(|_| Problem::busy())?;
    let Identity { instance_id, availability_zone, .. } = application.identity.get().await;
    let answer = json!({
        "instance_id": instance_id, "availability_zone": availability_zone,
        "cpu_ms": burnt.cpu_ms, "elapsed_ms": burnt.elapsed_ms,
    });
    Ok(Json(answer).into_response())
}

async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "NotFound", "There is nothing at this address.")
}

async fn not_that_way() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "This address does not take that method.")
}

/// The session of a request, put there by [`session`].
pub type OfSession = Extension<SessionId>;
