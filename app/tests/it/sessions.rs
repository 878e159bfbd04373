//! Sessions through the JSON API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::support::{Answer, Application, start_alone};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A client with a session of its own.
struct Client<'a> {
    application: &'a Application,
    cookie: String,
}

impl<'a> Client<'a> {
    fn new(application: &'a Application) -> Self {
        let set = application.get("/").cookie.unwrap();
        assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && !set.contains("Secure"), "{set}");
        Self { application, cookie: set.split(';').next().unwrap().into() }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.application.ask(method, path, &[("Cookie", &self.cookie), JSON], &body);
        let renewed = answer.cookie.as_deref().unwrap_or_default();
        assert!(renewed.starts_with(&self.cookie) && renewed.contains("; Max-Age=43200;"), "{method} {path}: {renewed}");
        answer
    }

    fn session(&self) -> Value {
        self.ask("GET", "/api/session", &Value::Null).json()
    }
}

#[test]
fn views_are_counted_for_each_session() {
    let application = start_alone();
    let (first, second) = (Client::new(&application), Client::new(&application));
    for _ in 0..3 {
        first.ask("GET", "/", &Value::Null);
    }
    assert_eq!(first.session()["views"], 4);
    assert_eq!(second.session()["views"], 1, "another session");
    assert_eq!(first.session()["instance"]["instance_id"], "i-test");
    assert_eq!(first.ask("DELETE", "/api/session", &Value::Null).status, 204);
    assert_eq!(first.session()["views"], 0);
}

#[test]
fn tasks_are_added_changed_and_removed() {
    let application = start_alone();
    let (client, other) = (Client::new(&application), Client::new(&application));
    let made = client.ask("POST", "/api/tasks", &json!({"title": "buy milk"}));
    assert_eq!((made.status, made.location.as_deref()), (201, Some("/api/tasks/1")));
    assert_eq!(made.json(), json!({"id": 1, "title": "buy milk", "done": false}));
    let changed = client.ask("PATCH", "/api/tasks/1", &json!({"done": true}));
    assert_eq!(changed.json(), json!({"id": 1, "title": "buy milk", "done": true}));
    assert_eq!(client.ask("PATCH", "/api/tasks/1", &json!({"title": "tea"})).json()["done"], true);
    assert_eq!(client.ask("GET", "/api/tasks", &Value::Null).json()["tasks"][0]["title"], "tea");
    assert_eq!(other.ask("GET", "/api/tasks", &Value::Null).json(), json!({"tasks": []}));
    assert_eq!(other.ask("DELETE", "/api/tasks/1", &Value::Null).status, 404, "it is not theirs");
    assert_eq!(client.ask("DELETE", "/api/tasks/1", &Value::Null).status, 204);
    assert_eq!(client.ask("DELETE", "/api/tasks/1", &Value::Null).status, 404);
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let application = start_alone();
    let client = Client::new(&application);
    let long = "x".repeat(201);
    let large = format!("{{\"title\": \"{}\"}}", "x".repeat(10_000));
    for (method, path, body, status) in [
        ("POST", "/api/tasks", "{\"title\": ", 400),
        ("POST", "/api/tasks", "[]", 422),
        ("POST", "/api/tasks", "{\"title\": \"a\", \"color\": \"red\"}", 422),
        ("POST", "/api/tasks", "{\"title\": \"  \"}", 400),
        ("POST", "/api/tasks", &format!("{{\"title\": \"{long}\"}}"), 400),
        ("POST", "/api/tasks", &large, 413),
        ("PATCH", "/api/tasks/none", "{\"done\": true}", 404),
        ("PATCH", "/api/tasks/7", "{\"done\": true}", 404),
        ("PUT", "/api/tasks", "{}", 405),
        ("GET", "/api/nothing", "", 404),
    ] {
        let answer = application.ask(method, path, &[("Cookie", &client.cookie), JSON], body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text);
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{}", answer.text);
    }
    let form = application.ask("POST", "/api/tasks", &[("Cookie", &client.cookie)], "title=x");
    assert_eq!(form.status, 415, "another site's form cannot use the API");
    assert_eq!(client.session()["tasks"], json!([]));
}

#[test]
fn a_session_holds_so_many_tasks_and_no_more() {
    let application = start_alone();
    let client = Client::new(&application);
    let add = || client.ask("POST", "/api/tasks", &json!({"title": "again"}));
    for number in 1..=50 {
        assert_eq!(add().status, 201, "task {number}");
    }
    let answer = add();
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (409, Some("TooManyTasks")));
}

#[test]
fn behind_tls_the_cookie_is_secure() {
    let application = start_alone();
    let answer = application.ask("GET", "/", &[("X-Forwarded-Proto", "https")], "");
    assert!(answer.cookie.is_some_and(|cookie| cookie.ends_with("; Secure")));
}

/// A connection that is there is served whatever others take: nothing more is opened for a session.
#[test]
fn a_session_begins_without_a_free_descriptor() {
    let application = start_alone();
    let mut stream = TcpStream::connect(application.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut health = Vec::new();
    while !health.ends_with(b"ok\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        health.push(byte[0]);
    }
    let pid = application.pid();
    // The lowest number that is free is no number that it may have.
    let taken = |number: &u64| std::fs::exists(format!("/proc/{}/fd/{number}", pid.as_raw_nonzero())).unwrap();
    let least = (0..).find(|number| !taken(number));
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: least, maximum: least }).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("set-cookie: "), "{answer}");
}
