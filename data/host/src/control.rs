//! The host's one loop, and its conversation with `serve`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

use world::{Frame, FrameReader, Observation};

use crate::events::{Event, Events, Source, Token};
use crate::executor::Executor;
use crate::failure::{During, Failure, Result};

/// Connections at a time: `serve`, its successor, and one for a look.
const CLIENTS_MAX: usize = 4;
/// A `serve` that does not read is let go at this much unsent; it will come back and be told the present state.
const UNSENT_BYTES_MAX: usize = 64 * 1024 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything goes on without a host.
    Leave,
    /// Everything is to be removed.
    Purge,
}

struct Client {
    stream: UnixStream,
    token: Token,
    reader: FrameReader,
    output: Vec<u8>,
}

pub(crate) struct Control {
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
    last: u64,
}

impl Control {
    pub fn listen(path: &Path, events: &mut Events) -> Result<Self> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e).during("removing an old socket"),
            _ => {}
        }
        // Bound under another name and moved when it is private, so that nobody else can connect in between.
        let draft = path.with_extension("draft");
        fs::remove_file(&draft).ok();
        let open = || {
            let listener = UnixListener::bind(&draft)?;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            fs::rename(&draft, path)?;
            Ok(listener)
        };
        let listener = open().during(format_args!("listening on {}", path.display()))?;
        events.watch(&listener, Source::Listener).during("watching the socket")?;
        Ok(Self { listener, clients: BTreeMap::new(), last: 0 })
    }

    /// Turns until someone says to end.
    pub fn run(&mut self, executor: &mut Executor) -> Result<Ending> {
        loop {
            let timeout = executor.due().map(|due| due.saturating_duration_since(Instant::now()));
            for ready in executor.events.wait(timeout).during("waiting for events")? {
                if let Some(event) = executor.events.meaning(ready)
                    && let Some(ending) = self.handle(executor, event)
                {
                    return Ok(ending);
                }
            }
            executor.tick(Instant::now());
            self.report(executor);
        }
    }

    fn handle(&mut self, executor: &mut Executor, event: Event) -> Option<Ending> {
        match event.source {
            Source::Listener => self.accept(executor),
            Source::Client(number) => return self.turn(executor, number, event.readable),
            Source::Answer(id) => executor.answered(&id),
            Source::Exit(id) => executor.exited(&id),
            Source::Remover => executor.remover_ended(),
            Source::Metadata(vpc) => executor.accept_metadata(&vpc),
            Source::MetadataConnection(number) => executor.serve_metadata(number, event.readable),
            Source::Door(id) => executor.accept_relays(&id),
            Source::Relay(number) => executor.relays.turn(&mut executor.events, number),
        }
        None
    }

    fn accept(&mut self, executor: &mut Executor) {
        while let Ok((stream, _)) = executor.events.accept(|| self.listener.accept()) {
            if self.clients.len() >= CLIENTS_MAX {
                tracing::warn!("more than {CLIENTS_MAX} connections to the host: one is refused");
                continue;
            }
            self.last += 1;
            let source = Source::Client(self.last);
            let Ok(token) = stream.set_nonblocking(true).and_then(|()| executor.events.watch(&stream, source)) else {
                continue;
            };
            executor.open_missing_doors();
            // What was observed so far goes to those who were there; the new one is told the present.
            self.report(executor);
            let mut client = Client { stream, token, reader: FrameReader::default(), output: Vec::new() };
            let hello = Frame::Hello { version: env!("CARGO_PKG_VERSION").into(), applied: executor.applied() };
            let missed: Vec<_> = executor.unsent_reports().collect();
            let mut frames = [hello].into_iter().chain(executor.states().into_iter().chain(missed).map(Frame::Observation));
            let queued = frames.try_for_each(|frame| client.queue(&frame));
            self.clients.insert(self.last, client);
            if let Err(failure) = queued {
                tracing::error!("greeting serve: {failure}");
                self.drop_client(executor, self.last);
            } else {
                self.send(executor, self.last);
            }
        }
    }

    /// Reads and carries out what a client says.
    fn turn(&mut self, executor: &mut Executor, number: u64, readable: bool) -> Option<Ending> {
        if readable {
            let frames = match self.clients.get_mut(&number)?.read() {
                Ok(frames) => frames,
                Err(failure) => {
                    if let Some(failure) = failure {
                        tracing::warn!("serve is cut off: {failure}");
                    }
                    self.drop_client(executor, number);
                    return None;
                }
            };
            for frame in frames {
                match frame {
                    Frame::Effect(effect) => executor.apply(effect),
                    Frame::Sync { slots } => executor.sync(slots),
                    Frame::Report { every_ms } => executor.report_every(every_ms),
                    Frame::Shutdown { purge } => return Some(if purge { Ending::Purge } else { Ending::Leave }),
                    Frame::Hello { .. } | Frame::Observation(_) => tracing::warn!("serve sent what only an executor sends"),
                }
            }
        }
        self.send(executor, number);
        None
    }

    /// Tells everyone who listens what was observed.
    fn report(&mut self, executor: &mut Executor) {
        let observations = executor.take_observations();
        if observations.is_empty() {
            return;
        }
        if self.clients.is_empty() {
            executor.keep_reports(observations);
            return;
        }
        for number in self.clients.keys().copied().collect::<Vec<_>>() {
            let Some(client) = self.clients.get_mut(&number) else {
                continue;
            };
            let queue = |observation: &Observation| client.queue(&Frame::Observation(observation.clone()));
            match observations.iter().try_for_each(queue) {
                Ok(()) => self.send(executor, number),
                Err(failure) => {
                    tracing::warn!("serve is cut off: {failure}");
                    self.drop_client(executor, number);
                }
            }
        }
    }

    fn send(&mut self, executor: &mut Executor, number: u64) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        let written = client.write();
        let watched = executor.events.change(&client.stream, client.token, true, !client.output.is_empty());
        if written.is_err() || watched.is_err() {
            self.drop_client(executor, number);
        }
    }

    fn drop_client(&mut self, executor: &mut Executor, number: u64) {
        if let Some(client) = self.clients.remove(&number) {
            executor.events.forget(&client.stream, client.token);
        }
    }
}

impl Client {
    fn queue(&mut self, frame: &Frame) -> Result<()> {
        let bytes = frame.encode().map_err(|e| Failure::new(e.to_string()))?;
        if self.output.len() + bytes.len() > UNSENT_BYTES_MAX {
            return Err(Failure::new("it does not read what it is told"));
        }
        self.output.extend_from_slice(&bytes);
        Ok(())
    }

    /// The whole frames that are there. No failure means that the other end has closed.
    fn read(&mut self) -> std::result::Result<Vec<Frame>, Option<Failure>> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut frames = Vec::new();
        let mut closed = false;
        match self.stream.read(&mut chunk) {
            Ok(0) => closed = true,
            Ok(length) => self.reader.push(&chunk[..length]),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => closed = true,
        }
        while let Some(frame) = self.reader.next_frame().map_err(|e| Some(Failure::new(e.to_string())))? {
            frames.push(frame);
        }
        if closed { Err(None) } else { Ok(frames) }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut written = 0;
        let outcome = loop {
            if written == self.output.len() {
                break Ok(());
            }
            match self.stream.write(&self.output[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => written += length,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.output.drain(..written);
        outcome
    }
}
