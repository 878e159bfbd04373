//! The edge as its neighbours see it: real sockets on loopback addresses that each test has to itself, a `serve` that
//! speaks frames, and targets that do what the test says.

mod algorithms;
mod attributes;
mod changes;
mod client;
mod counting;
mod desync;
mod draining;
mod failures;
mod flow;
mod flow_datagrams;
mod flow_peers;
mod flow_secure;
mod h2;
mod h2_frames;
mod h2_peers;
mod headers;
mod health;
mod logs;
mod mutual_tls;
mod namespaces;
mod nonsense;
mod origin;
mod recovery;
mod retries;
mod rig;
mod routing;
mod rules;
mod secure;
mod servers;
mod smuggling;
mod sticky;
mod takeover;
mod tls;
mod traffic;
