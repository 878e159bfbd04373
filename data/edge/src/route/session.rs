//! Stickiness of one request: what its cookies say, and the cookies that its answer carries ("ELB User Guide, Sticky sessions
//! for your Application Load Balancer").
//!
//! Every answer renews the cookies, so that a session lasts for its duration after the last request. They expire after
//! seven days whatever the duration is, as at AWS: how old a bond is stands inside.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use fastrand::Rng;
use world::Stickiness;

use super::action::Forwarding;
use super::cookie::{Bond, Bonds, Kind, Sealer, find};
use crate::clock::{http_date, unix_seconds};
use crate::http::fields::Header;
use crate::target::Group;

const EXPIRES_S: u64 = 7 * 24 * 3600;
/// Cookies with a twin for requests from other sites, which browsers send where they withhold the first.
const TARGET_COOKIES: [&str; 2] = ["AWSALB", "AWSALBCORS"];
const GROUP_COOKIES: [&str; 2] = ["AWSALBTG", "AWSALBTGCORS"];
const APPLICATION_COOKIE: &str = "AWSALBAPP-0";

/// How a target group keeps its clients.
#[derive(Debug)]
pub struct Sticky {
    pub by: Stickiness,
    pub sealer: Arc<Sealer>,
}

/// What is known of a client, from its cookies.
#[derive(Debug)]
pub struct Session {
    /// Of the action, when it is sticky: the scope of the choice and the group.
    group: Option<(Renewal, u64)>,
    /// Of the group, when it is sticky.
    target: Option<Renewal>,
    /// The target that the client belongs to.
    pub wanted: Option<u64>,
    /// The target that got the request.
    chosen: Cell<Option<u64>>,
    /// The client came with the application's cookie and ours.
    came_back: bool,
    https: bool,
}

/// A cookie that the answer renews.
#[derive(Debug)]
struct Renewal {
    sealer: Arc<Sealer>,
    bonds: Bonds,
    scope: u64,
}

/// Chooses the group for a request; with it comes what its cookies have to do with it, when any does.
pub fn begin(
    forwarding: &Forwarding,
    headers: &[Header<'_>],
    https: bool,
    rng: &RefCell<Rng>,
) -> Option<(Arc<Group>, Option<Box<Session>>)> {
    let draw = || forwarding.draw(&mut rng.borrow_mut()).cloned();
    let (group, renewal) = match &forwarding.sticky {
        None => (draw()?, None),
        Some(sticky) => {
            let bonds = came(headers, &GROUP_COOKIES, Kind::Group, &sticky.sealer);
            let stays = valid(&bonds, sticky.scope, sticky.duration_ms).and_then(|chosen| forwarding.group_of(chosen)).cloned();
            let group = stays.or_else(draw)?;
            let renewal = Renewal { sealer: sticky.sealer.clone(), bonds, scope: sticky.scope };
            let scope = group.scope;
            (group, Some((renewal, scope)))
        }
    };
    if renewal.is_none() && group.sticky.is_none() {
        return Some((group, None));
    }
    let mut session = Session { group: renewal, target: None, wanted: None, chosen: Cell::new(None), came_back: false, https };
    if let Some(sticky) = &group.sticky {
        session.belong(sticky, group.scope, headers);
    }
    Some((group, Some(Box::new(session))))
}

fn came(headers: &[Header<'_>], names: &[&str], kind: Kind, sealer: &Sealer) -> Bonds {
    names.iter().find_map(|name| sealer.open(kind, find(headers, name)?)).unwrap_or_default()
}

fn valid(bonds: &Bonds, scope: u64, duration_ms: u64) -> Option<u64> {
    let bond = bonds.find(scope)?;
    let age_s = unix_seconds().saturating_sub(u64::from(bond.at_s));
    (age_s.saturating_mul(1_000) < duration_ms).then_some(bond.chosen)
}

impl Session {
    fn belong(&mut self, sticky: &Sticky, scope: u64, headers: &[Header<'_>]) {
        let sealer = &sticky.sealer;
        let (bonds, wanted) = match &sticky.by {
            Stickiness::BalancerCookie { duration_ms } => {
                let bonds = came(headers, &TARGET_COOKIES, Kind::Target, sealer);
                (bonds, valid(&bonds, scope, *duration_ms))
            }
            Stickiness::ApplicationCookie { name, duration_ms } => {
                let bonds = came(headers, &[APPLICATION_COOKIE], Kind::Application, sealer);
                // "Clients have to send back both cookies."
                let both = find(headers, name).is_some();
                (bonds, valid(&bonds, scope, *duration_ms).filter(|_| both))
            }
            Stickiness::SourceIp => return,
        };
        self.came_back = wanted.is_some();
        self.wanted = wanted;
        self.target = Some(Renewal { sealer: sealer.clone(), bonds, scope });
    }

    /// Its group keeps clients at their targets.
    pub fn is_bound(&self) -> bool {
        self.target.is_some()
    }

    /// This target gets the request.
    pub fn chose(&self, target: u64) {
        self.chosen.set(Some(target));
    }

    /// The values of `Set-Cookie` for an answer with these headers.
    pub fn cookies(&self, group: &Group, answer: &[Header<'_>], rng: &mut Rng) -> Vec<String> {
        let mut values = Vec::with_capacity(4);
        let expires = http_date(unix_seconds() + EXPIRES_S);
        if let Some((renewal, chosen)) = &self.group {
            self.both(&mut values, GROUP_COOKIES, renewal.sealed(Kind::Group, *chosen, rng), &expires);
        }
        let (Some(renewal), Some(chosen), Some(sticky)) = (&self.target, self.chosen.get(), &group.sticky) else { return values };
        match &sticky.by {
            Stickiness::BalancerCookie { .. } => {
                self.both(&mut values, TARGET_COOKIES, renewal.sealed(Kind::Target, chosen, rng), &expires);
            }
            Stickiness::ApplicationCookie { name, .. } => {
                // The application begins a session with its cookie, and goes on with one that the client has.
                if sets(answer, name) || (self.came_back && self.wanted == Some(chosen)) {
                    let sealed = renewal.sealed(Kind::Application, chosen, rng);
                    values.extend(sealed.map(|value| format!("{APPLICATION_COOKIE}={value}; Expires={expires}; Path=/")));
                }
            }
            Stickiness::SourceIp => {}
        }
        values
    }

    /// The cookie, and its twin for requests from other sites.
    fn both(&self, values: &mut Vec<String>, [name, twin]: [&str; 2], sealed: Option<String>, expires: &str) {
        let Some(value) = sealed else { return };
        let secure = if self.https { "; Secure" } else { "" };
        values.push(format!("{name}={value}; Expires={expires}; Path=/"));
        values.push(format!("{twin}={value}; Expires={expires}; Path=/; SameSite=None{secure}"));
    }
}

impl Renewal {
    fn sealed(&self, kind: Kind, chosen: u64, rng: &mut Rng) -> Option<String> {
        let mut bonds = self.bonds;
        bonds.put(Bond { scope: self.scope, chosen, at_s: u32::try_from(unix_seconds()).unwrap_or(u32::MAX) });
        self.sealer.seal(kind, &bonds, rng)
    }
}

/// Whether an answer sets this cookie.
fn sets(answer: &[Header<'_>], name: &str) -> bool {
    let mut lines = answer.iter().filter(|h| h.name.len() == 10 && h.name.eq_ignore_ascii_case(b"set-cookie"));
    lines.any(|h| h.value.trim_ascii_start().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
}
