//! What follows a WebSocket handshake, or a change to any other protocol: bytes in both directions that nobody here understands.

use std::cell::RefCell;

use super::Client;
use super::relay::Relay;
use crate::http::body::{Decoder, Encoding};
use crate::stream::Half;
use crate::worker::Worker;
use crate::worker::buffer::Buffer;
use crate::worker::pool::Upstream;

/// Runs until both sides have ended, one has failed, or neither has said anything for the idle timeout.
pub async fn tunnel(worker: &Worker, client: &mut Client, idle_ms: u64, mut upstream: Upstream, buffer: &mut Buffer) {
    let (target, caller) = (RefCell::new(&mut upstream.stream), RefCell::new(&mut client.stream));
    let (mut from_target, mut to_target) = (Half(&target), Half(&target));
    let (mut from_client, mut to_client) = (Half(&caller), Half(&caller));
    let up = Relay {
        buffers: &worker.buffers,
        idle_ms,
        from: &mut from_client,
        from_watch: &client.watch,
        to: &mut to_target,
        to_watch: &upstream.watch,
        buffer: &mut client.buffer,
        decoder: Decoder::UntilClose,
        encoding: Encoding::Raw,
    };
    let down = Relay {
        buffers: &worker.buffers,
        idle_ms,
        from: &mut from_target,
        from_watch: &upstream.watch,
        to: &mut to_client,
        to_watch: &client.watch,
        buffer,
        decoder: Decoder::UntilClose,
        encoding: Encoding::Raw,
    };
    if let Err(e) = tokio::try_join!(up.run_and_end(), down.run_and_end()) {
        tracing::debug!("a tunnel ended: {e:?}");
    }
}
