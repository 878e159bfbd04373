//! Doors: where an instance reaches the region's API, at the address that everyone else uses. Inside an instance
//! 127.0.0.1 is the instance, so the host listens there for it and passes connections on.

use std::net::{SocketAddrV4, TcpListener};

use base::InstanceId;

use super::Executor;
use super::held::{Held, Process, Stage};
use crate::endpoint;
use crate::events::{Source, Token};
use crate::failure::{During, Result};
use crate::netns::Namespace;
use crate::sys::process as system;

/// An instance's door.
#[derive(Default)]
pub(super) struct Door {
    /// Where it is or should be: the API's address when the instance started. It stays there when the API moves.
    pub address: Option<SocketAddrV4>,
    open: Option<(TcpListener, Token)>,
}

impl Door {
    pub fn at(address: Option<SocketAddrV4>) -> Self {
        Self { address, open: None }
    }
}

impl Executor {
    /// Listens inside an instance. Without a door it runs all the same.
    pub(super) fn open_door(&mut self, id: &InstanceId, namespace: &Namespace) {
        if let Err(failure) = self.listen(id, namespace) {
            tracing::warn!("{id} does not reach the region's API: {failure}");
        }
    }

    fn listen(&mut self, id: &InstanceId, namespace: &Namespace) -> Result<()> {
        let known = self.instances.get(id).and_then(|held| held.door.address).or_else(|| endpoint::address(&self.paths));
        // While `serve` is away, it is likely to return to where it was.
        let known = known.or_else(|| self.instances.values().find_map(|held| held.door.address));
        let (Some(address), Some(held)) = (known, self.instances.get_mut(id)) else {
            return Ok(());
        };
        let inside = namespace.enter(&self.machine.home).during("entering an instance's namespace")?;
        let listener = TcpListener::bind(address).during(format_args!("listening on {address} inside"))?;
        drop(inside);
        listener.set_nonblocking(true).during("opening its door")?;
        let token = self.events.watch(&listener, Source::Door(id.clone())).during("watching its door")?;
        (held.door.address, held.door.open) = (Some(address), Some((listener, token)));
        Ok(())
    }

    /// Opens what is shut: the doors of instances that an older host started, or that started before `serve` did.
    pub fn open_missing_doors(&mut self) {
        let up = |held: &Held| matches!(&held.process, Some(Process { stage: Stage::Up, .. }));
        let shut = self.instances.iter().filter(|(_, held)| held.door.open.is_none() && up(held));
        for id in shut.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            let Some(process) = self.instances.get(&id).and_then(|held| held.process.as_ref()) else {
                continue;
            };
            let namespace = Namespace::open(format!("/proc/{}/ns/net", process.pid));
            // The number may be another process's by now; as long as this one can be signalled it was its own.
            if let Ok(namespace) = namespace
                && system::signal(&process.pidfd, 0).is_ok()
            {
                let recorded = self.instances.get(&id).and_then(|held| held.door.address);
                self.open_door(&id, &namespace);
                if self.instances.get(&id).is_some_and(|held| held.door.address != recorded) {
                    self.save(&id).inspect_err(|e| tracing::error!("{e}")).ok();
                }
            }
        }
    }

    /// Ends what holds the instance's network namespace.
    pub(super) fn close_door(&mut self, id: &InstanceId) {
        self.relays.close_all(&mut self.events, id);
        if let Some(held) = self.instances.get_mut(id)
            && let Some((listener, token)) = std::mem::take(&mut held.door).open
        {
            self.events.forget(&listener, token);
        }
    }

    /// Takes an instance's connections to the API.
    pub fn accept_relays(&mut self, id: &InstanceId) {
        if let Some((listener, _)) = self.instances.get(id).and_then(|held| held.door.open.as_ref()) {
            self.relays.accept(&mut self.events, id, listener);
        }
    }
}
