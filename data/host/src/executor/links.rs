//! Networks and the interfaces that belong to no instance.

use base::{NetworkInterfaceId, VpcId};
use world::{Interface, Network, Slot, SlotKind, Want};

use super::{Executor, HeldInterface, HeldNetwork};
use crate::failure::{During, Result};
use crate::netns::{self, Namespace};
use crate::network::{Inner, Link};
use crate::records::Record;

impl Executor {
    pub(super) fn apply_network(&mut self, version: u64, want: Network) -> Result<()> {
        let id = want.id.clone();
        if self.networks.get(&id).is_none_or(|held| held.want != want) {
            self.vpc(&id)?;
            let (machine, vpcs) = (&self.machine, &mut self.vpcs);
            if let Some(vpc) = vpcs.get_mut(&id) {
                let set = vpc.router.set_network(machine, Some(want.clone()));
                if set.is_err() {
                    self.drop_idle_vpc(&id);
                }
                set?;
            }
        }
        let slot = Slot::new(SlotKind::Network, id.as_str());
        self.gone.remove(&slot);
        let want_recorded = Some(Want::Network(want.clone()));
        self.networks.insert(id, HeldNetwork { version, want });
        self.records.save(&Record { slot, version, removed: false, want: want_recorded, port: None, door: None, boot: None })
    }

    /// What is still connected stays so, without rules that let anything pass.
    pub(super) fn remove_network(&mut self, id: &VpcId) -> Result<()> {
        if self.networks.remove(id).is_some()
            && let Some(vpc) = self.vpcs.get_mut(id)
        {
            vpc.router.set_network(&self.machine, None)?;
        }
        self.drop_idle_vpc(id);
        Ok(())
    }

    pub(super) fn apply_interface(&mut self, version: u64, want: Interface) -> Result<()> {
        let id = want.id.clone();
        let in_place = self.interfaces.get(&id).is_some_and(|held| {
            let changed =
                Interface { groups: want.groups.clone(), source_dest_check: want.source_dest_check, ..held.want.clone() };
            changed == want
        });
        let port = match self.vpcs.get_mut(&want.vpc).filter(|_| in_place) {
            Some(vpc) => vpc.router.update(&self.machine, &want)?,
            None => {
                self.remove_interface(&id)?;
                self.make_interface(&want).inspect_err(|_| {
                    netns::unpin(&self.paths.interface_namespace(&id)).ok();
                    self.drop_idle_vpc(&want.vpc);
                })?
            }
        };
        let slot = Slot::new(SlotKind::Interface, id.as_str());
        self.gone.remove(&slot);
        let recorded = Record {
            slot,
            version,
            removed: false,
            want: Some(Want::Interface(want.clone())),
            port: Some(port),
            door: None,
            boot: None,
        };
        self.interfaces.insert(id, HeldInterface { version, want });
        self.records.save(&recorded)
    }

    fn make_interface(&mut self, want: &Interface) -> Result<crate::network::Port> {
        self.yield_address(want);
        self.vpc(&want.vpc)?;
        let pin = self.paths.interface_namespace(&want.id);
        let namespace = Namespace::create(&pin, &self.machine.home).during("making an interface's namespace")?;
        let (machine, vpcs) = (&self.machine, &mut self.vpcs);
        match vpcs.get_mut(&want.vpc) {
            Some(vpc) => vpc.router.attach(machine, want, &namespace, Inner::Service),
            None => Err(crate::failure::Failure::new("the interface's VPC is missing")),
        }
    }

    pub(super) fn remove_interface(&mut self, id: &NetworkInterfaceId) -> Result<()> {
        if let Some(held) = self.interfaces.remove(id) {
            if let Some(vpc) = self.vpcs.get_mut(&held.want.vpc) {
                vpc.router.detach(&self.machine, id, Link::Remove);
            }
            self.drop_idle_vpc(&held.want.vpc);
        }
        netns::unpin(&self.paths.interface_namespace(id)).during("removing an interface's namespace")
    }

    /// Takes the address away from an instance that is being terminated and no longer owns it. That is recorded: the next
    /// host must not give it back.
    pub(super) fn yield_address(&mut self, want: &Interface) {
        let Some(vpc) = self.vpcs.get_mut(&want.vpc) else {
            return;
        };
        let Some(holder) = vpc.router.holder(want.address).filter(|holder| **holder != want.id).cloned() else {
            return;
        };
        let mut instances = self.instances.values_mut();
        let Some(leaving) = instances.find(|held| held.removed && held.instance.interface.id == holder) else {
            return;
        };
        vpc.router.detach(&self.machine, &holder, Link::Leave);
        leaving.port = None;
        self.records.save(&leaving.record()).inspect_err(|e| tracing::error!("{e}")).ok();
    }
}
