//! A client of the instance metadata service, version 2: a token first, then what is asked with it.
//!
//! AWS behaviour: EC2 User Guide, "How Instance Metadata Service Version 2 works".

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::identity::{Identity, Source};
use crate::limits::{METADATA_ANSWER_BYTES_MAX, METADATA_ATTEMPT_MAX, METADATA_ATTEMPTS_MAX};

/// The pause after the first failed attempt; it doubles with each.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until there is an answer or patience ends; the error says why the last attempt failed.
pub async fn ask(service: SocketAddr) -> Result<Identity, String> {
    let mut why = String::new();
    for attempt in 0..METADATA_ATTEMPTS_MAX {
        if attempt > 0 {
            sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        }
        match timeout(METADATA_ATTEMPT_MAX, ask_once(service)).await {
            Ok(Ok(identity)) => return Ok(identity),
            Ok(Err(Failure::Refused(status))) => return Err(format!("the metadata service refuses: it answered {status}")),
            Ok(Err(Failure::Io(e))) => why = e.to_string(),
            Err(_) => why = format!("no answer in {} ms", METADATA_ATTEMPT_MAX.as_millis()),
        }
    }
    Err(format!("the metadata service did not answer {METADATA_ATTEMPTS_MAX} times: {why}"))
}

enum Failure {
    /// It answered, and asking again would not help.
    Refused(u16),
    Io(io::Error),
}

async fn ask_once(service: SocketAddr) -> Result<Identity, Failure> {
    let token = exchange(service, "PUT", "api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n").await?;
    let header = format!("X-aws-ec2-metadata-token: {token}\r\n");
    let instance_id = exchange(service, "GET", "meta-data/instance-id", &header).await?;
    let availability_zone = exchange(service, "GET", "meta-data/placement/availability-zone", &header).await?;
    Ok(Identity { instance_id, availability_zone, source: Source::InstanceMetadata })
}

/// One request on a connection of its own; gives the body's text.
async fn exchange(service: SocketAddr, method: &str, path: &str, header: &str) -> Result<String, Failure> {
    let answer = async {
        let mut stream = TcpStream::connect(service).await?;
        let request = format!("{method} /latest/{path} HTTP/1.1\r\nHost: {service}\r\n{header}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(METADATA_ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
        Ok(answer)
    };
    let answer = answer.await.map_err(Failure::Io)?;
    let (status, body) = parse(&answer).ok_or_else(|| Failure::Io(io::Error::other("its answer is not understood")))?;
    match status {
        200 => Ok(body.into()),
        500.. => Err(Failure::Io(io::Error::other(format!("it answered {status}")))),
        _ => Err(Failure::Refused(status)),
    }
}

/// Status and body of an answer with a length, or that ends with its connection. A token or an id is one printable line.
fn parse(answer: &str) -> Option<(u16, &str)> {
    let (head, rest) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let length = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = match length {
        Some((_, text)) => rest.get(..text.trim().parse().ok()?)?,
        None => rest,
    };
    let body = body.trim();
    let is_line = !body.is_empty() && body.bytes().all(|b| b.is_ascii_graphic());
    (status != 200 || is_line).then_some((status, body))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_answers() {
        for (answer, wanted) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ni-1", Some((200, "i-1"))),
            ("HTTP/1.0 200 OK\r\n\r\ni-1\n", Some((200, "i-1"))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ni-1", None),
            ("HTTP/1.1 200 OK\r\n\r\nx\r\nSet-Cookie: y", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.1 401 Unauthorized\r\n\r\n<html> no", Some((401, "<html> no"))),
            ("HTTP/1.1 2", None),
            ("220 smtp ready\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(parse(answer), wanted, "{answer:?}");
        }
    }
}
