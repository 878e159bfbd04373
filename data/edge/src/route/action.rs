//! What is done with a request: forwarded to a group that is drawn by weight, answered, or sent elsewhere.

use std::sync::Arc;

use fastrand::Rng;
use world::WeightedGroup;

use super::condition::Subject;
use super::cookie::{Sealer, scope_of};
use crate::target::Group;

#[derive(Debug)]
pub enum Action {
    Forward(Forwarding),
    Fixed { status: u16, content_type: String, body: Vec<u8> },
    Redirect(Redirect),
}

#[derive(Debug)]
pub struct Forwarding {
    groups: Vec<(Arc<Group>, u32)>,
    weights: u32,
    pub sticky: Option<GroupSticky>,
}

/// A client stays with the group that it drew ("ELB User Guide, Sticky sessions: target group stickiness").
#[derive(Debug)]
pub struct GroupSticky {
    pub duration_ms: u64,
    /// Stands for this choice among groups in the cookie `AWSALBTG`.
    pub scope: u64,
    pub sealer: Arc<Sealer>,
}

impl Forwarding {
    /// `group` finds a compiled group by its ARN.
    pub fn compile(
        groups: &[WeightedGroup],
        sticky_ms: Option<u64>,
        sealer: &Arc<Sealer>,
        group: impl Fn(&str) -> Option<Arc<Group>>,
    ) -> Self {
        let mut names: Vec<&str> = groups.iter().map(|w| w.group.as_str()).collect();
        names.sort_unstable();
        let scope = scope_of(&names);
        let groups: Vec<(Arc<Group>, u32)> = groups.iter().filter_map(|w| Some((group(&w.group)?, w.weight))).collect();
        let weights = groups.iter().map(|(_, weight)| weight).sum();
        let sticky = sticky_ms.map(|duration_ms| GroupSticky { duration_ms, scope, sealer: sealer.clone() });
        Self { groups, weights, sticky }
    }

    /// Draws a group by weight; none when all weights are zero. One without healthy targets is drawn all the same ("ELB
    /// User Guide, Listener rules: weighted target groups do not fail over").
    pub fn draw(&self, rng: &mut Rng) -> Option<&Arc<Group>> {
        if let [(only, weight)] = &*self.groups {
            return (*weight > 0).then_some(only);
        }
        let mut drawn = (self.weights > 0).then(|| rng.u32(..self.weights))?;
        self.groups.iter().find_map(|(group, weight)| {
            if drawn < *weight {
                return Some(group);
            }
            drawn -= weight;
            None
        })
    }

    /// The group of this name in cookies, whatever its weight has become.
    pub fn group_of(&self, scope: u64) -> Option<&Arc<Group>> {
        self.groups.iter().map(|(group, _)| group).find(|group| group.scope == scope)
    }
}

/// Another address for the same request ("ELB User Guide, Listener rules: redirect actions").
#[derive(Debug)]
pub struct Redirect {
    pub status: u16,
    protocol: Vec<Piece>,
    host: Vec<Piece>,
    port: Vec<Piece>,
    path: Vec<Piece>,
    query: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Protocol,
    Host,
    Port,
    Path,
    Query,
}

/// What came, beside what conditions look at.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    pub protocol: &'a str,
    /// Stands for a host that the request does not name.
    pub dns_name: &'a str,
    pub port: u16,
}

impl Redirect {
    /// `parts` are protocol, host, port, path and query, as [`world::Action::check`] lets them pass.
    pub fn of(parts: [&str; 5], status: u16) -> Self {
        let [protocol, host, port, path, query] = parts;
        Self {
            status,
            protocol: pieces(&protocol.to_ascii_lowercase()),
            host: pieces(host),
            port: pieces(port),
            path: pieces(path),
            query: pieces(query),
        }
    }

    /// The value of `Location`. An ALB always names the port.
    pub fn location(&self, subject: &Subject<'_>, called: Called<'_>) -> String {
        let mut location = String::with_capacity(64 + subject.path.len() + subject.query.len());
        let fill = |out: &mut String, pieces: &[Piece]| pieces.iter().for_each(|p| p.fill(out, subject, called));
        fill(&mut location, &self.protocol);
        location.push_str("://");
        fill(&mut location, &self.host);
        location.push(':');
        fill(&mut location, &self.port);
        fill(&mut location, &self.path);
        let before = location.len();
        location.push('?');
        fill(&mut location, &self.query);
        if location.len() == before + 1 {
            location.truncate(before);
        }
        location
    }
}

impl Piece {
    fn fill(&self, out: &mut String, subject: &Subject<'_>, called: Called<'_>) {
        match self {
            Piece::Text(text) => out.push_str(text),
            Piece::Protocol => out.push_str(called.protocol),
            Piece::Host if subject.host.is_empty() => out.push_str(called.dns_name),
            Piece::Host => out.push_str(subject.host),
            Piece::Port => out.push_str(&called.port.to_string()),
            Piece::Path => out.push_str(subject.path.strip_prefix('/').unwrap_or(subject.path)),
            Piece::Query => out.push_str(subject.query),
        }
    }
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find("#{") {
        let known = [
            ("#{protocol}", Piece::Protocol),
            ("#{host}", Piece::Host),
            ("#{port}", Piece::Port),
            ("#{path}", Piece::Path),
            ("#{query}", Piece::Query),
        ];
        let found = known.into_iter().find(|(name, _)| rest[at..].starts_with(name));
        let (piece, text_end, end) = match found {
            Some((name, piece)) => (Some(piece), at, at + name.len()),
            None => (None, at + 2, at + 2),
        };
        pieces.extend((text_end > 0).then(|| Piece::Text(rest[..text_end].to_string())));
        pieces.extend(piece);
        rest = &rest[end..];
    }
    pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_string())));
    pieces
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Called, Redirect, Subject};

    fn location(parts: [&str; 5], query: &str) -> String {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let subject = Subject { method: "GET", host: "www.example.com", path: "/a/b", query, headers: &[], client };
        let called = Called { protocol: "http", dns_name: "web.localhost", port: 8080 };
        Redirect::of(parts, 301).location(&subject, called)
    }

    #[test]
    fn redirects_fill_in_what_came() {
        let plain = ["HTTPS", "#{host}", "443", "/#{path}", "#{query}"];
        assert_eq!(location(plain, "x=1"), "https://www.example.com:443/a/b?x=1");
        assert_eq!(location(plain, ""), "https://www.example.com:443/a/b");
        let other = ["#{protocol}", "new.#{host}", "#{port}", "/old/#{path}", "from=#{host}&#{query}"];
        assert_eq!(location(other, "x=1"), "http://new.www.example.com:8080/old/a/b?from=www.example.com&x=1");
        assert_eq!(location(["HTTPS", "a.b", "1", "/#{what}", ""], ""), "https://a.b:1/#{what}");
    }
}
