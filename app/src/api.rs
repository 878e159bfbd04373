//! The JSON API.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::limits::{BODY_BYTES_MAX, TASKS_MAX, TITLE_BYTES_MAX, WORK_MS_MAX};
use crate::routes::{Application, OfSession, Shared};
use crate::session::{Change, SessionId, StoreError, Title};

/// What went wrong, for the client.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    code: &'static str,
    pub message: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub fn bad_work() -> Self {
        Self::bad_request(format!("ms must be a number from 0 to {WORK_MS_MAX}."))
    }

    pub fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", "Too many requests wait for work already. Try again soon.")
    }

    pub fn too_slow() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TimedOut", "The request took too long.")
    }

    pub fn no_session() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "No session can be made.")
    }
}

impl IntoResponse for Problem {
    /// JSON; the problem stays with the response, so that a page can show it as one.
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::BadTitle => Self::bad_request(format!("A title is one line of 1 to {TITLE_BYTES_MAX} bytes.")),
            StoreError::NoTask(id) => Self::new(StatusCode::NOT_FOUND, "NoSuchTask", format!("There is no task {id}.")),
            StoreError::TooManyTasks => {
                Self::new(StatusCode::CONFLICT, "TooManyTasks", format!("A session holds at most {TASKS_MAX} tasks."))
            }
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(e: JsonRejection) -> Self {
        if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::too_large();
        }
        Self::new(e.status(), "BadRequest", e.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchTask", "A task's id is a number.")
    }
}

impl Problem {
    pub fn too_large() -> Self {
        let message = format!("A body has at most {BODY_BYTES_MAX} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message)
    }
}

pub async fn instance(State(application): Shared) -> Json<Value> {
    Json(instance_json(&application).await)
}

async fn instance_json(application: &Application) -> Value {
    let identity = application.identity.get().await;
    json!({
        "instance_id": identity.instance_id,
        "availability_zone": identity.availability_zone,
        "source": identity.source,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

pub async fn session(State(application): Shared, Extension(id): OfSession) -> Result<Json<Value>, Problem> {
    let session = application.sessions.read(&id).await?;
    let instance = instance_json(&application).await;
    Ok(Json(json!({"views": session.views, "tasks": session.tasks, "instance": instance})))
}

pub async fn forget(State(application): Shared, Extension(id): OfSession) -> Result<StatusCode, Problem> {
    application.sessions.forget(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn tasks(State(application): Shared, Extension(id): OfSession) -> Result<Json<Value>, Problem> {
    let session = application.sessions.read(&id).await?;
    Ok(Json(json!({"tasks": session.tasks})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    title: String,
}

type Created = (StatusCode, [(HeaderName, String); 1], Json<Value>);

pub async fn add_task(
    State(application): Shared,
    Extension(id): OfSession,
    body: Result<Json<NewTask>, JsonRejection>,
) -> Result<Created, Problem> {
    let Json(new) = body?;
    let task = application.sessions.add_task(&id, Title::parse(&new.title)?).await?;
    let location = [(header::LOCATION, format!("/api/tasks/{}", task.id))];
    Ok((StatusCode::CREATED, location, Json(json!(task))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedTask {
    title: Option<String>,
    done: Option<bool>,
}

pub async fn change_task(
    State(application): Shared,
    Extension(id): OfSession,
    task: Result<Path<u64>, PathRejection>,
    body: Result<Json<ChangedTask>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(task), Json(changed)) = (task?, body?);
    let title = changed.title.map(|title| Title::parse(&title)).transpose()?;
    let task = application.sessions.change_task(&id, task, Change { title, done: changed.done }).await?;
    Ok(Json(json!(task)))
}

pub async fn remove_task(
    State(application): State<Arc<Application>>,
    Extension(id): Extension<SessionId>,
    task: Result<Path<u64>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(task) = task?;
    application.sessions.remove_task(&id, task).await?;
    Ok(StatusCode::NO_CONTENT)
}
