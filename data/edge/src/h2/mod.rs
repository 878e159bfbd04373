//! HTTP/2: from clients, and to targets. Frames, HPACK and flow control are those of the crate `h2`; what a request means and
//! where it goes is decided as for HTTP/1.1.

mod answer;
pub(crate) mod exchange;
pub(crate) mod grpc;
mod incoming;
mod io;
mod link;
pub(crate) mod outgoing;
mod request;
pub(crate) mod serve;
mod slots;
mod to_http1;
mod to_http2;
