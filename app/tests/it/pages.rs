//! The pages, as a browser without scripts uses them.

use crate::support::start_alone;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[test]
fn the_page_shows_instance_views_and_tasks() {
    let application = start_alone();
    let first = application.get("/");
    assert_eq!(first.status, 200);
    assert!(first.text.contains("<dd>i-test</dd>") && first.text.contains("<dd>eu-test-1a</dd>"), "{}", first.text);
    assert!(first.text.contains("<strong>1</strong> view "), "{}", first.text);
    assert!(first.policy.starts_with("default-src 'none'"), "{}", first.policy);
    let cookie = first.cookie.unwrap();
    let post = |path: &str, body: &str| {
        let answer = application.ask("POST", path, &[("Cookie", &cookie), FORM], body);
        assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/")), "{}", answer.text);
        application.ask("GET", "/", &[("Cookie", &cookie)], "").text
    };
    let page = post("/tasks", "title=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"), "{page}");
    assert!(page.contains("<strong>2</strong> views "), "{page}");
    assert!(post("/tasks/1", "action=done").contains("<li class=\"done\">"));
    assert!(post("/tasks/1", "action=open").contains("<li><span>"));
    assert!(post("/tasks/1", "action=delete").contains("Nothing to do yet"));
    assert!(post("/session/forget", "").contains("<strong>1</strong> view "));
}

#[test]
fn problems_are_pages_too() {
    let application = start_alone();
    for (method, path, body, status, wanted) in [
        ("GET", "/nothing", "", 404, "There is nothing at this address."),
        ("POST", "/tasks", "title=", 400, "A title is one line"),
        ("POST", "/tasks", "name=x", 400, "The form is not understood."),
        ("POST", "/tasks/1", "action=fly", 400, "The form is not understood."),
        ("POST", "/tasks/1", "action=done", 404, "There is no task 1."),
        ("DELETE", "/", "", 405, "does not take that method"),
    ] {
        let answer = application.ask(method, path, &[FORM], body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(answer.text.starts_with("<!DOCTYPE html>") && answer.text.contains(wanted), "{}", answer.text);
    }
    let large = format!("title={}", "x".repeat(10_000));
    assert_eq!(application.ask("POST", "/tasks", &[FORM], &large).status, 413);
}

#[test]
fn the_style_is_its_own() {
    let application = start_alone();
    let style = application.get("/style.css");
    assert!(style.text.contains("prefers-color-scheme: dark") && !style.text.contains("http"), "no asset from elsewhere");
}

#[test]
fn nonsense_on_the_wire_harms_nobody() {
    let application = start_alone();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1_000_000));
    for bytes in
        [&b"\x00\x01\x02 nonsense\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", b"GET /api/tas", long.as_bytes(), &[0xff; 4096]]
    {
        let answer = application.send(bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(application.get("/health").status, 200);
}
