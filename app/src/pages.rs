//! The pages, for people. Every text from outside is escaped on its way in ([`Html`]).

use std::fmt::Write;

use axum::Extension;
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::Problem;
use crate::identity::Identity;
use crate::limits::TITLE_BYTES_MAX;
use crate::routes::{OfSession, Shared};
use crate::session::{Change, Session, Task, Title};

const STYLE: &str = include_str!("style.css");

/// The style changes only with the version, so browsers may keep it.
pub async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLE).into_response()
}

/// Shows a text as text, whatever is in it.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

pub async fn home(State(application): Shared, Extension(id): OfSession) -> Result<Html<String>, Problem> {
    let session = application.sessions.visit(&id).await?;
    let identity = application.identity.get().await;
    Ok(Html(page(&identity, "Web tier", &home_body(&session))))
}

fn home_body(session: &Session) -> String {
    let views = if session.views == 1 { "view".into() } else { "views".to_string() };
    let mut tasks = String::new();
    for task in &session.tasks {
        tasks.push_str(&task_item(task));
    }
    if tasks.is_empty() {
        tasks.push_str("<li class=\"empty\">Nothing to do yet.</li>\n");
    }
    format!(
        "<section class=\"views\"><strong>{}</strong> {views} in this session, as this instance counts them</section>\n\
         <section>\n<h2>Tasks</h2>\n<ul class=\"tasks\">\n{tasks}</ul>\n\
         <form class=\"add\" method=\"post\" action=\"/tasks\">\
         <label for=\"title\">New task</label>\
         <input id=\"title\" name=\"title\" required maxlength=\"{TITLE_BYTES_MAX}\" autocomplete=\"off\" placeholder=\"What is to be done?\">\
         <button>Add</button></form>\n</section>\n\
         <form method=\"post\" action=\"/session/forget\"><button class=\"quiet\">Forget this session</button></form>\n",
        session.views
    )
}

fn task_item(Task { id, title, done }: &Task) -> String {
    let (class, other, label) = if *done { (" class=\"done\"", "open", "Open again") } else { ("", "done", "Done") };
    let title = Text(title);
    let form = |action: &str, label: &str| {
        format!(
            "<form method=\"post\" action=\"/tasks/{id}\">\
             <button class=\"quiet\" name=\"action\" value=\"{action}\" aria-label=\"{label}: {title}\">{label}</button></form>"
        )
    };
    format!("<li{class}><span>{title}</span>{}{}</li>\n", form(other, label), form("delete", "Delete"))
}

/// A problem as a page.
pub fn problem(problem: &Problem, identity: &Identity) -> Response {
    let body = format!("<section><p>{}</p><p><a href=\"/\">Back to the tasks</a></p></section>\n", Text(&problem.message));
    let title = problem.status.canonical_reason().unwrap_or("Problem");
    let mut response = (problem.status, Html(page(identity, title, &body))).into_response();
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

fn page(identity: &Identity, title: &str, body: &str) -> String {
    let (instance, zone) = (Text(&identity.instance_id), Text(&identity.availability_zone));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} - {instance}</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n<link rel=\"icon\" href=\"data:,\">\n</head>\n\
         <body>\n<main>\n<h1>{}</h1>\n<dl class=\"instance\">\
         <div><dt>Instance</dt><dd>{instance}</dd></div><div><dt>Zone</dt><dd>{zone}</dd></div></dl>\n\
         {body}<footer>web-tier {}</footer>\n</main>\n</body>\n</html>\n",
        Text(title),
        Text(title),
        env!("CARGO_PKG_VERSION")
    )
}

#[derive(Deserialize)]
pub struct NewTask {
    title: String,
}

impl From<FormRejection> for Problem {
    fn from(e: FormRejection) -> Self {
        if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::too_large()
        } else {
            Self::bad_request("The form is not understood.")
        }
    }
}

pub async fn add_task(
    State(application): Shared,
    Extension(id): OfSession,
    form: Result<Form<NewTask>, FormRejection>,
) -> Result<Redirect, Problem> {
    let Form(new) = form?;
    application.sessions.add_task(&id, Title::parse(&new.title)?).await?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
pub struct TaskAction {
    action: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Done,
    Open,
    Delete,
}

pub async fn change_task(
    State(application): Shared,
    Extension(id): OfSession,
    task: Result<Path<u64>, PathRejection>,
    form: Result<Form<TaskAction>, FormRejection>,
) -> Result<Redirect, Problem> {
    let (Path(task), Form(TaskAction { action })) = (task?, form?);
    let done = |done| Change { done: Some(done), title: None };
    match action {
        Action::Done => application.sessions.change_task(&id, task, done(true)).await.map(drop)?,
        Action::Open => application.sessions.change_task(&id, task, done(false)).await.map(drop)?,
        Action::Delete => application.sessions.remove_task(&id, task).await?,
    }
    Ok(Redirect::to("/"))
}

pub async fn forget(State(application): Shared, Extension(id): OfSession) -> Result<Redirect, Problem> {
    application.sessions.forget(&id).await?;
    Ok(Redirect::to("/"))
}

#[cfg(test)]
mod tests {
    use super::{Text, page};
    use crate::identity::{Identity, Source};

    #[test]
    fn text_from_outside_is_text() {
        assert_eq!(Text("<a href='x'>\"&\"</a>").to_string(), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;");
        let identity = Identity {
            instance_id: "<script>i</script>".into(),
            availability_zone: "\"><img>".into(),
            source: Source::Environment,
        };
        let page = page(&identity, "<b>", "");
        assert!(!page.contains("<script>") && !page.contains("<img>") && !page.contains("<b>"), "{page}");
    }
}
