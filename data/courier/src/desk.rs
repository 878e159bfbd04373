//! The desk where deliveries come in: lines them up by destination, gives them to a fixed number of carriers, and tells the
//! control plane how each attempt went. A destination that is slow keeps few carriers busy, so that others go on.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use world::{Delivery, Destination, Effect, Frame, FrameReader, Observation, Slot, Want};

use crate::Courier;
use crate::failure::Failure;

/// Threads that carry.
const CARRIERS: usize = 32;
/// Most of them that one destination may keep busy.
const AT_ONE_PLACE_MAX: usize = 4;
/// Most deliveries that wait; more are refused, and come again.
const WAITING_MAX: usize = 16_384;

struct Job {
    slot: Slot,
    version: u64,
    delivery: Box<Delivery>,
}

/// The deliveries to one destination.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    carried: usize,
}

#[derive(Default)]
struct Lines {
    lines: HashMap<String, Line>,
    /// Destinations that have something waiting and room for a carrier, each once.
    ready: VecDeque<String>,
    /// The newest version of each slot; a delivery of an older one is not carried any more.
    newest: HashMap<String, u64>,
    waiting: usize,
    closed: bool,
}

struct Desk {
    lines: Mutex<Lines>,
    changed: Condvar,
    out: Mutex<UnixStream>,
}

/// Starts to serve a connection.
pub(crate) fn open(courier: Courier, stream: UnixStream) -> io::Result<()> {
    let desk = Arc::new(Desk { lines: Mutex::default(), changed: Condvar::new(), out: Mutex::new(stream.try_clone()?) });
    for _ in 0..CARRIERS {
        let (own, courier) = (desk.clone(), courier.clone());
        let started =
            thread::Builder::new().name("carrier".into()).spawn(move || carry(&own, |delivery| courier.carry(delivery)));
        if let Err(e) = started {
            desk.close();
            return Err(e);
        }
    }
    let listener = desk.clone();
    let started = thread::Builder::new().name("courier".into()).spawn(move || {
        if let Err(e) = listener.listen(stream) {
            tracing::info!(%e, "the courier's connection ended");
        }
        listener.close();
    });
    if started.is_err() {
        desk.close();
    }
    started.map(|_| ())
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing panics while it holds the lock; if something did, the lines are still whole.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn tell(&self, frame: &Frame) -> io::Result<()> {
        let bytes = frame.encode().map_err(io::Error::other)?;
        self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)
    }

    fn listen(&self, mut stream: UnixStream) -> io::Result<()> {
        // It keeps nothing: whatever is wanted is told anew.
        self.tell(&Frame::Hello { version: env!("CARGO_PKG_VERSION").into(), applied: Vec::new() })?;
        let (mut reader, mut buffer) = (FrameReader::default(), vec![0; 64 * 1024]);
        loop {
            let n = match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                n => n?,
            };
            reader.push(&buffer[..n]);
            while let Some(frame) = reader.next_frame().map_err(io::Error::other)? {
                match frame {
                    Frame::Effect(effect) => self.take(effect)?,
                    Frame::Shutdown { .. } => return Ok(()),
                    // It has no slots that outlive their answer, and nothing to report.
                    Frame::Sync { .. } | Frame::Report { .. } | Frame::Hello { .. } | Frame::Observation(_) => {}
                }
            }
        }
    }

    fn take(&self, effect: Effect) -> io::Result<()> {
        let Effect { slot, version, want } = effect;
        let delivery = match want {
            Some(Want::Delivery(delivery)) => delivery,
            Some(_) => return self.refuse(slot, version, "a courier carries messages only"),
            None => {
                self.lock().newest.remove(&slot.id);
                return self.tell(&Frame::Observation(Observation::Applied { slot, version }));
            }
        };
        let mut lines = self.lock();
        if lines.waiting >= WAITING_MAX {
            drop(lines);
            return self.refuse(slot, version, "too many messages wait for the courier");
        }
        // Sent twice: it waits or is carried already.
        if lines.newest.get(&slot.id).is_some_and(|newest| *newest >= version) {
            return Ok(());
        }
        lines.newest.insert(slot.id.clone(), version);
        lines.add(Job { slot, version, delivery });
        drop(lines);
        self.changed.notify_one();
        Ok(())
    }

    fn refuse(&self, slot: Slot, version: u64, reason: &str) -> io::Result<()> {
        self.tell(&Frame::Observation(Observation::Refused { slot, version, reason: reason.into() }))
    }

    /// The next delivery that may be carried; none when the desk is closed.
    fn next(&self) -> Option<Job> {
        let mut lines = self.lock();
        loop {
            if lines.closed {
                return None;
            }
            if let Some(job) = lines.pop() {
                return Some(job);
            }
            lines = self.changed.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Lines {
    fn add(&mut self, job: Job) {
        let place = place(&job.delivery.destination);
        let line = self.lines.entry(place.clone()).or_default();
        line.waiting.push_back(job);
        self.waiting += 1;
        if line.waiting.len() == 1 && line.carried < AT_ONE_PLACE_MAX {
            self.ready.push_back(place);
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let place = self.ready.pop_front()?;
        let line = self.lines.get_mut(&place)?;
        let job = line.waiting.pop_front()?;
        self.waiting -= 1;
        line.carried += 1;
        if !line.waiting.is_empty() && line.carried < AT_ONE_PLACE_MAX {
            self.ready.push_back(place);
        }
        Some(job)
    }

    /// After an attempt: makes room at its destination, and tells whether anybody still asks for it.
    fn done(&mut self, job: &Job) -> bool {
        let place = place(&job.delivery.destination);
        if let Some(line) = self.lines.get_mut(&place) {
            let was_full = line.carried == AT_ONE_PLACE_MAX;
            line.carried -= 1;
            if line.carried == 0 && line.waiting.is_empty() {
                self.lines.remove(&place);
            } else if was_full && !line.waiting.is_empty() {
                self.ready.push_back(place);
            }
        }
        self.is_wanted(job) && self.newest.remove(&job.slot.id).is_some()
    }

    fn is_wanted(&self, job: &Job) -> bool {
        self.newest.get(&job.slot.id) == Some(&job.version)
    }
}

/// Which deliveries share a line: those to one host, and all mail.
fn place(destination: &Destination) -> String {
    match destination {
        Destination::Http { url, .. } => {
            let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
            url[..end].to_string()
        }
        Destination::Email { .. } => "mail".into(),
    }
}

/// The life of a carrier. An attempt that panics has failed, and the carrier goes on: what it holds of its line is given back.
fn carry(desk: &Desk, attempt: impl Fn(&Delivery) -> Result<(), Failure>) {
    while let Some(job) = desk.next() {
        let is_wanted = desk.lock().is_wanted(&job);
        let attempted = catch_unwind(AssertUnwindSafe(|| if is_wanted { attempt(&job.delivery) } else { Ok(()) }));
        let outcome = attempted.unwrap_or_else(|_| Err(Failure::for_now("the courier failed")));
        let is_wanted = desk.lock().done(&job);
        desk.changed.notify_one();
        if !is_wanted {
            continue;
        }
        let Job { slot, version, delivery } = job;
        let observation = match outcome {
            Ok(()) => Observation::Applied { slot, version },
            Err(failure) => {
                let (reason, attempt) = (failure.reason(), delivery.attempt);
                tracing::info!(message_id = delivery.message_id, attempt, reason, "a notification was not delivered");
                Observation::Refused { slot, version, reason }
            }
        };
        if desk.tell(&Frame::Observation(observation)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use world::{Delivery, Destination, Effect, Frame, FrameReader, MessageForm, MessageKind, Observation, Want};

    use super::{Desk, carry};

    fn effect(version: u64) -> Effect {
        let delivery = Delivery {
            id: version.to_string(),
            attempt: 1,
            destination: Destination::Email { address: "ops@example.com".into() },
            form: MessageForm::Text,
            kind: MessageKind::Notification,
            message_id: String::new(),
            topic_arn: String::new(),
            subscription_arn: None,
            subject: None,
            message: String::new(),
            published_at: base::Time::ZERO,
            attributes: BTreeMap::new(),
            link: String::new(),
            token: None,
            certificate_url: String::new(),
        };
        let want = Want::Delivery(Box::new(delivery));
        Effect { slot: want.slot(), version, want: Some(want) }
    }

    #[test]
    fn an_attempt_that_panics_is_refused_and_others_go_on() {
        let (out, mut told) = UnixStream::pair().unwrap();
        told.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let desk = Desk { lines: Mutex::default(), changed: Condvar::new(), out: Mutex::new(out) };
        // More than one place may keep busy at once: each must be given back.
        (1..=6).for_each(|version| desk.take(effect(version)).unwrap());
        std::thread::scope(|scope| {
            let carrier = scope.spawn(|| carry(&desk, |delivery| if delivery.id == "6" { Ok(()) } else { panic!("a bug") }));
            let (mut reader, mut buffer, mut answers) = (FrameReader::default(), [0; 4096], Vec::new());
            while answers.len() < 6 && !carrier.is_finished() {
                let n = told.read(&mut buffer).unwrap();
                reader.push(&buffer[..n]);
                while let Some(Frame::Observation(answer)) = reader.next_frame().unwrap() {
                    answers.push(matches!(answer, Observation::Applied { .. }));
                }
            }
            desk.close();
            assert_eq!(answers, [false, false, false, false, false, true]);
        });
    }
}
