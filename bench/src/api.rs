use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base::Time;
use http::Request;
use serde_json::Value as Json;
use wire::sigv4::{Key, sign};

use crate::{Connection, Result, fail};

/// How a service is addressed in the protocol that real clients speak with it.
#[derive(Clone, Copy)]
pub enum Service {
    Ec2,
    Ssm,
}

/// A region's API and the root user's key: makes signed requests, as bytes that a [`Connection`] sends.
#[derive(Clone)]
pub struct Api {
    pub address: SocketAddr,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl Api {
    /// Any operation as JSON with AWS's member names, as `allod` itself asks. For preparations, not for measuring.
    pub fn call(&self, service: &str, operation: &str, input: &Json) -> Result<Json> {
        let target = format!("Allod_{service}.{operation}");
        self.ask("/", service, &target, input)
    }

    /// The state of everything on one page.
    pub fn status(&self) -> Result<Json> {
        self.ask("/_allod/status", "allod", "", &Json::Object(serde_json::Map::new()))
    }

    fn ask(&self, path: &str, service: &str, target: &str, input: &Json) -> Result<Json> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let headers = if target.is_empty() { &headers[..1] } else { &headers[..] };
        let request = self.signed(path, service, headers, input.to_string())?;
        let answer = Connection::open(self.address)?.send(&request)?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != 200 {
            return fail(format!("{target}{path}: {} {text}", answer.status));
        }
        Ok(if text.is_empty() { Json::Null } else { serde_json::from_str(&text)? })
    }

    /// A request as an unmodified client sends it: EC2's query for `ec2`, AWS JSON 1.1 for `ssm`. `input` is the
    /// form's parameters or the JSON body.
    pub fn request(&self, service: Service, operation: &str, input: &str) -> Result<Vec<u8>> {
        match service {
            Service::Ec2 => {
                let body = format!("Action={operation}&Version=2016-11-15&{input}");
                let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
                self.signed("/", "ec2", &headers, body)
            }
            Service::Ssm => {
                let target = format!("AmazonSSM.{operation}");
                let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
                self.signed("/", "ssm", &headers, input)
            }
        }
    }

    /// A signed POST to `path` with these headers.
    pub fn signed(&self, path: &str, service: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Result<Vec<u8>> {
        let request = Request::post(format!("http://{}{path}", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(body.into())?;
        let key =
            Key { access_key_id: &self.access_key_id, secret_access_key: &self.secret_access_key, region: &self.region, service };
        sign(&mut request, &key, wall_clock());
        let mut bytes = format!("POST {path} HTTP/1.1\r\ncontent-length: {}\r\n", request.body().len()).into_bytes();
        for (name, value) in request.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(request.body());
        Ok(bytes)
    }
}

fn wall_clock() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_unix_ms(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
