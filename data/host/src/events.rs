//! What the one loop waits for, and what each descriptor means.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use base::{InstanceId, VpcId};

use crate::sys::epoll::Epoll;

/// What the spare descriptor is open on.
const SPARE: &str = "/dev/null";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Where `serve` connects.
    Listener,
    /// A connection of `serve`, by number.
    Client(u64),
    /// What a starting instance's init answers.
    Answer(InstanceId),
    /// The end of an instance's init.
    Exit(InstanceId),
    /// The end of the process that deletes old disks.
    Remover,
    /// Where the instances of a VPC ask for metadata.
    Metadata(VpcId),
    /// A connection to the metadata service, by number.
    MetadataConnection(u64),
    /// Where an instance connects to the region's API.
    Door(InstanceId),
    /// Either end of a connection of an instance to the API, by number.
    Relay(u64),
}

/// A watched descriptor's name; it never comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(u64);

pub(crate) struct Events {
    epoll: Epoll,
    sources: HashMap<u64, Source>,
    last: u64,
    /// Given up for a moment where no descriptor is left, to turn a connection away.
    spare: Option<File>,
}

/// A token and whether its descriptor can be read; writing is tried on every event anyway.
pub(crate) type Ready = (Token, bool);

/// Something to look after.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub source: Source,
    pub readable: bool,
}

impl Events {
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new()?, sources: HashMap::new(), last: 0, spare: Some(File::open(SPARE)?) })
    }

    /// Takes a connection. Where no descriptor is left it is closed at once: one that is left waiting would wake the loop
    /// for ever.
    pub fn accept<T>(&mut self, accept: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let accepted = accept();
        if let Err(e) = &accepted
            && matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
        {
            self.spare = None;
            drop(accept());
            self.spare = File::open(SPARE).ok();
        }
        accepted
    }

    /// Watches `fd` for reading.
    pub fn watch(&mut self, fd: impl AsFd, source: Source) -> io::Result<Token> {
        self.last += 1;
        self.epoll.add(fd, self.last)?;
        self.sources.insert(self.last, source);
        Ok(Token(self.last))
    }

    pub fn change(&self, fd: impl AsFd, token: Token, readable: bool, writable: bool) -> io::Result<()> {
        self.epoll.change(fd, token.0, readable, writable)
    }

    /// Must be called before a watched descriptor is closed.
    pub fn forget(&mut self, fd: impl AsFd, token: Token) {
        self.epoll.remove(fd);
        self.sources.remove(&token.0);
    }

    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
        Ok(self.epoll.wait(timeout)?.into_iter().map(|ready| (Token(ready.token), ready.readable)).collect())
    }

    /// What a token means; none when an earlier event of the same turn has made it meaningless.
    pub fn meaning(&self, (token, readable): Ready) -> Option<Event> {
        self.sources.get(&token.0).map(|source| Event { source: source.clone(), readable })
    }
}
