//! Connections of instances to the region's API, which listens on the machine's loopback where no instance comes. Bytes
//! are passed on as they are: who may do what is checked by the API, as for everyone. It never looks into them.

mod way;

use std::collections::HashMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use base::InstanceId;
use world::RunPaths;

use crate::endpoint;
use crate::events::{Events, Source, Token};
use crate::sys::socket;
use way::{Broken, Way};

/// Connections of all instances together (the API takes 1,024 of everyone), and of one.
const RELAYS_MAX: usize = 256;
const RELAYS_OF_ONE_MAX: usize = 16;
/// Connections taken in one turn of the loop.
const ACCEPTS_MAX: usize = 32;
/// A connection on which nothing moves ends. It is longer than anything that the API waits for.
const IDLE: Duration = Duration::from_secs(120);
/// How long a connection waits for an API that is not there, such as one that starts anew.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(100);

/// What an end is watched for: reading and writing.
type Interest = (bool, bool);

struct End {
    stream: TcpStream,
    watched: Option<(Token, Interest)>,
}

enum Far {
    /// Nobody answers yet.
    Away {
        retry_at: Instant,
    },
    Connecting(End),
    Connected(End),
}

struct Relay {
    instance: InstanceId,
    near: End,
    far: Far,
    to_far: Way,
    to_near: Way,
    deadline: Instant,
}

pub(crate) struct Relays {
    paths: RunPaths,
    relays: HashMap<u64, Relay>,
    last: u64,
}

impl Relays {
    pub fn new(paths: RunPaths) -> Self {
        Self { paths, relays: HashMap::new(), last: 0 }
    }

    /// Takes what instances ask for at their listener. Beyond the limits a connection is reset.
    pub fn accept(&mut self, events: &mut Events, instance: &InstanceId, listener: &TcpListener) {
        for _ in 0..ACCEPTS_MAX {
            let Ok((stream, _)) = events.accept(|| listener.accept()) else {
                return;
            };
            let of_one = self.relays.values().filter(|relay| relay.instance == *instance).count();
            let room = of_one < RELAYS_OF_ONE_MAX && self.relays.len() < RELAYS_MAX;
            if !room || stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).is_err() {
                socket::reset_on_close(&stream).ok();
                continue;
            }
            self.last += 1;
            let now = Instant::now();
            let relay = Relay {
                instance: instance.clone(),
                near: End { stream, watched: None },
                far: Far::Away { retry_at: now },
                to_far: Way::default(),
                to_near: Way::default(),
                deadline: now + PATIENCE,
            };
            self.relays.insert(self.last, relay);
            self.with(events, self.last, |relay, _, paths| {
                relay.reach(paths);
                Ok(())
            });
        }
    }

    /// Passes on what can be without waiting.
    pub fn turn(&mut self, events: &mut Events, number: u64) {
        self.with(events, number, |relay, events, _| relay.turn(events));
    }

    /// When something is to be done although nothing happens.
    pub fn due(&self) -> Option<Instant> {
        self.relays.values().map(Relay::due).min()
    }

    pub fn tick(&mut self, events: &mut Events, now: Instant) {
        let due = self.relays.iter().filter(|(_, relay)| relay.due() <= now).map(|(number, _)| *number);
        for number in due.collect::<Vec<_>>() {
            self.with(events, number, |relay, _, paths| {
                if relay.deadline <= now {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                relay.reach(paths);
                Ok(())
            });
        }
    }

    /// Ends every connection of an instance that goes away: they hold its network namespace.
    pub fn close_all(&mut self, events: &mut Events, instance: &InstanceId) {
        let of_instance = self.relays.iter().filter(|(_, relay)| relay.instance == *instance).map(|(number, _)| *number);
        for number in of_instance.collect::<Vec<_>>() {
            self.with(events, number, |_, _, _| Err(io::ErrorKind::ConnectionAborted.into()));
        }
    }

    /// Takes a step and watches for the next one. An error resets both ends.
    fn with(
        &mut self,
        events: &mut Events,
        number: u64,
        step: impl FnOnce(&mut Relay, &mut Events, &RunPaths) -> io::Result<()>,
    ) {
        let Some(relay) = self.relays.get_mut(&number) else {
            return;
        };
        let taken = step(relay, events, &self.paths).and_then(|()| relay.watch(events, number));
        if (taken.is_err() || relay.is_over())
            && let Some(relay) = self.relays.remove(&number)
        {
            relay.close(events, taken.is_err());
        }
    }
}

impl Relay {
    fn due(&self) -> Instant {
        match &self.far {
            Far::Away { retry_at } => self.deadline.min(*retry_at),
            _ => self.deadline,
        }
    }

    fn is_over(&self) -> bool {
        self.to_far.is_over() && self.to_near.is_over()
    }

    /// Begins to connect, where that is still to be done.
    fn reach(&mut self, paths: &RunPaths) {
        if matches!(self.far, Far::Away { .. }) {
            let stream = endpoint::serving(paths).and_then(|address| socket::connect(address).ok());
            self.far = match stream {
                Some(stream) => Far::Connecting(End { stream, watched: None }),
                None => Far::away(),
            };
        }
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        if matches!(self.far, Far::Connecting(_)) {
            self.settle(events);
        }
        let Far::Connected(far) = &self.far else {
            return Ok(());
        };
        let (near, far) = (&self.near.stream, &far.stream);
        // The answer first: an API that takes no more may have said why.
        let mut moved = self.to_near.pump(far, near).map_err(Broken::error)?;
        match self.to_far.pump(near, far) {
            Ok(some) => moved |= some,
            Err(Broken::Sink) => self.to_far.give_up(),
            Err(broken) => return Err(broken.error()),
        }
        if moved {
            self.deadline = Instant::now() + IDLE;
        }
        Ok(())
    }

    /// The end that connects is the only one watched: now it is connected, or never will be.
    fn settle(&mut self, events: &mut Events) {
        self.far = match std::mem::replace(&mut self.far, Far::away()) {
            Far::Connecting(mut end) => match end.stream.take_error() {
                Ok(None) => {
                    end.stream.set_nodelay(true).ok();
                    self.deadline = Instant::now() + IDLE;
                    Far::Connected(end)
                }
                _ => {
                    end.forget(events);
                    Far::away()
                }
            },
            other => other,
        };
    }

    /// Watches each end for what can be done with it only: one that has failed would wake the loop for ever otherwise.
    fn watch(&mut self, events: &mut Events, number: u64) -> io::Result<()> {
        let (near, far) = match &self.far {
            Far::Away { .. } => ((false, false), (false, false)),
            Far::Connecting(_) => ((false, false), (false, true)),
            Far::Connected(_) => {
                ((self.to_far.wants_source(), self.to_near.wants_sink()), (self.to_near.wants_source(), self.to_far.wants_sink()))
            }
        };
        self.near.watch(events, number, near)?;
        match &mut self.far {
            Far::Away { .. } => Ok(()),
            Far::Connecting(end) | Far::Connected(end) => end.watch(events, number, far),
        }
    }

    fn close(mut self, events: &mut Events, failed: bool) {
        self.near.close(events, failed);
        if let Far::Connecting(mut end) | Far::Connected(mut end) = self.far {
            end.close(events, failed);
        }
    }
}

impl Far {
    fn away() -> Self {
        Far::Away { retry_at: Instant::now() + RETRY }
    }
}

impl End {
    fn watch(&mut self, events: &mut Events, number: u64, interest: Interest) -> io::Result<()> {
        if interest == (false, false) {
            self.forget(events);
            return Ok(());
        }
        let token = match self.watched {
            Some((_, same)) if same == interest => return Ok(()),
            Some((token, _)) => token,
            None => events.watch(&self.stream, Source::Relay(number))?,
        };
        self.watched = Some((token, interest));
        events.change(&self.stream, token, interest.0, interest.1)
    }

    fn forget(&mut self, events: &mut Events) {
        if let Some((token, _)) = self.watched.take() {
            events.forget(&self.stream, token);
        }
    }

    fn close(&mut self, events: &mut Events, failed: bool) {
        self.forget(events);
        if failed {
            socket::reset_on_close(&self.stream).ok();
        }
    }
}
