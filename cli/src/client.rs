//! A client of a running region: any operation of any service, as signed JSON.

use std::fs;
use std::time::Duration;

use serde_json::Value as Json;
use server::{Credentials, Endpoint};
use world::RunPaths;

use crate::Failure;

/// Longest wait for one answer; work that takes longer is asked for again and again.
const ANSWER_MAX: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub struct Client {
    pub endpoint: Endpoint,
    pub credentials: Credentials,
    agent: ureq::Agent,
}

/// An error that AWS's API gave.
pub struct ApiError {
    pub code: String,
    pub message: String,
}

impl From<ApiError> for Failure {
    fn from(e: ApiError) -> Self {
        Self::new(format!("{}: {}", e.code, e.message))
    }
}

impl Client {
    /// Finds the region that runs in this data directory.
    pub fn connect(paths: &RunPaths) -> Result<Self, Failure> {
        let none = || {
            Failure::not_running(format!(
                "no region runs in {}: start one with `allod serve --background`",
                paths.data().display()
            ))
        };
        let endpoint = server::read_endpoint(paths)?.ok_or_else(none)?;
        let credentials = server::read_credentials(paths)?.ok_or_else(none)?;
        let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX)).http_status_as_error(false).build();
        let client = Self { endpoint, credentials, agent: config.into() };
        if client.is_alive() { Ok(client) } else { Err(none()) }
    }

    /// Whether the region answers at all.
    pub fn is_alive(&self) -> bool {
        self.agent.get(format!("{}/_allod/health", self.endpoint.url)).call().is_ok_and(|answer| answer.status() == 200)
    }

    /// Calls an operation; input and answer are JSON with AWS's member names.
    pub fn call(&self, service: &str, operation: &str, input: &Json) -> Result<Json, ApiError> {
        let target = format!("Allod_{service}.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
        self.post(service, "/", &headers, input)
    }

    /// Asks the server itself, beside AWS's operations.
    pub fn ask(&self, path: &str, input: &Json) -> Result<Json, ApiError> {
        self.post("allod", path, &[("content-type", "application/json")], input)
    }

    fn post(&self, service: &str, path: &str, headers: &[(&str, &str)], input: &Json) -> Result<Json, ApiError> {
        let failed = |e: String| ApiError { code: "ConnectionFailed".into(), message: e };
        let body = input.to_string().into_bytes();
        let request = http::Request::post(format!("{}{path}", self.endpoint.url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(body).map_err(|e| failed(e.to_string()))?;
        let key = wire::sigv4::Key {
            access_key_id: &self.credentials.access_key_id,
            secret_access_key: &self.credentials.secret_access_key,
            region: &self.endpoint.region,
            service,
        };
        wire::sigv4::sign(&mut request, &key, server::wall_clock());
        let mut answer = self.agent.run(request).map_err(|e| failed(e.to_string()))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(|e| failed(e.to_string()))?;
        let json: Json =
            if text.is_empty() { Json::Null } else { serde_json::from_str(&text).map_err(|e| failed(e.to_string()))? };
        if status.is_success() {
            return Ok(json);
        }
        let field = |names: [&str; 2]| names.iter().find_map(|n| json[*n].as_str()).unwrap_or_default().to_string();
        Err(ApiError { code: field(["__type", "code"]), message: field(["message", "Message"]) })
    }
}

/// Reads a text file for the user, with a clear error.
pub fn read_text(path: &std::path::Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}
