//! HTTP/2: from clients, and to targets. With clients frames, HPACK and flow control are our own (decision 0017); with targets
//! they are those of the crate `h2`. What a request means and where it goes is decided as for HTTP/1.1.

mod answer;
pub(crate) mod exchange;
mod frames;
pub(crate) mod grpc;
pub(crate) mod hpack;
mod incoming;
mod intake;
mod io;
mod link;
pub(crate) mod outgoing;
mod request;
pub(crate) mod serve;
mod slots;
mod streams;
mod to_http1;
mod to_http2;
