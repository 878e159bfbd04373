//! A VPC as a router namespace: every network interface is a veth pair with one end here, a host route, and an entry
//! in the packet filter. All traffic crosses this namespace, within one subnet too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;

use base::NetworkInterfaceId;
use serde::{Deserialize, Serialize};
use world::{Interface, Network};

use crate::failure::{During, Failure, Result};
use crate::netlink::{self, Counters, End, Hop, Netlink, Request};
use crate::netns::Namespace;
use crate::nft::{self, Cidr, Known, Member};
use crate::nftables::{Filter, Nftables};

/// As on AWS inside a VPC.
const MTU_BYTES: u32 = 9001;
/// The loopback device is always the first.
const LOOPBACK_INDEX: u32 = 1;
/// Index of the device inside the namespace that gets the interface.
const INNER_INDEX: u32 = 2;
pub(crate) const INNER_DEVICE: &str = "eth0";
/// First device index in a router; lower ones belong to what the kernel makes by itself.
const FIRST_INDEX: u32 = 16;
/// How many taken indexes are skipped before giving up.
const INDEX_ATTEMPTS_MAX: u32 = 64;
/// Interfaces of one VPC.
const PORTS_MAX: usize = 4096;

/// What a router's devices inherit and how it forwards.
const ROUTER_SETTINGS: [(&str, &str); 8] = [
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/default/proxy_arp", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// Room for a load balancer's many connections.
const SERVICE_SETTINGS: [(&str, &str); 5] = [
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_tw_reuse", "1"),
    ("ipv4/tcp_max_syn_backlog", "65536"),
    ("core/somaxconn", "65535"),
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// An instance's root has no NET_ADMIN, so these are set for it: ports below 1024 for services that run as a plain
/// user, and `ping` for everyone, as containers have it.
const INSTANCE_SETTINGS: [(&str, &str); 2] =
    [("ipv4/ip_unprivileged_port_start", "0"), ("ipv4/ping_group_range", "0 2147483647")];

/// Who uses the namespace at the other end of the veth pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inner {
    Instance,
    /// Processes of ours that open sockets there.
    Service,
}

/// What becomes of the veth pair of a disconnected interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Removed. The kernel takes some 20 ms for it, in which the host does nothing else.
    Remove,
    /// Left to go with the namespace at its other end, which is ending. No route leads to it any more.
    Leave,
}

/// The router's end of an interface; recorded, so that a new host knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Port {
    pub device: String,
    pub index: u32,
    /// What is connected, as the packet filter has it.
    pub interface: Interface,
}

impl Port {
    fn member(&self) -> Member<'_> {
        Member { device: &self.device, interface: &self.interface }
    }
}

/// What routers need from the machine.
pub(crate) struct Machine {
    /// The namespace in which the host lives.
    pub home: Namespace,
    pub nftables: Nftables,
}

pub(crate) struct Router {
    namespace: Namespace,
    netlink: Netlink,
    filter: Filter,
    network: Option<Network>,
    ports: BTreeMap<NetworkInterfaceId, Port>,
    known: Known,
    gateways: BTreeSet<Ipv4Addr>,
    next_index: u32,
}

impl Router {
    /// Opens the router pinned at `pin`, or makes it.
    pub fn open(machine: &Machine, pin: &Path) -> Result<Self> {
        let existing = Namespace::open(pin).ok();
        let fresh = existing.is_none();
        let namespace = match existing {
            Some(namespace) => namespace,
            None => Namespace::create(pin, &machine.home).during("making a VPC's namespace")?,
        };
        let inside = namespace.enter(&machine.home).during("entering a VPC's namespace")?;
        let mut netlink = Netlink::open().during("opening netlink")?;
        let filter = machine.nftables.open()?;
        if fresh {
            apply_settings(&ROUTER_SETTINGS)?;
            let metadata = netlink::add_address(LOOPBACK_INDEX, nft::METADATA_ADDRESS, 32);
            netlink.transact([netlink::set_up(LOOPBACK_INDEX), metadata]).during("bringing a VPC's loopback up")?;
        }
        drop(inside);
        let mut router = Self {
            namespace,
            netlink,
            filter,
            network: None,
            ports: BTreeMap::new(),
            known: Known::default(),
            gateways: BTreeSet::new(),
            next_index: FIRST_INDEX,
        };
        if fresh {
            router.rebuild(machine)?;
        }
        Ok(router)
    }

    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Whether nothing needs this router any more.
    pub fn is_idle(&self) -> bool {
        self.network.is_none() && self.ports.is_empty()
    }

    /// The interface that has this address.
    pub fn holder(&self, address: Ipv4Addr) -> Option<&NetworkInterfaceId> {
        self.ports.values().map(|port| &port.interface).find(|i| i.address == address).map(|i| &i.id)
    }

    /// What has gone through the router's end of each interface, by its device's index.
    pub fn counters(&mut self) -> Result<HashMap<u32, Counters>> {
        let mut all = HashMap::with_capacity(self.ports.len() + 1);
        let listed = self.netlink.list(netlink::list_counters(), |_, body| all.extend(Counters::parse(body)));
        listed.during("reading the counters of network interfaces")?;
        Ok(all)
    }

    /// Takes over what an earlier host made: to be followed by `rebuild`.
    pub fn adopt_network(&mut self, network: Network) {
        self.network = Some(network);
    }

    /// Takes over an interface that an earlier host made: to be followed by `rebuild`.
    pub fn adopt_port(&mut self, port: Port) {
        self.next_index = self.next_index.max(port.index + 1);
        self.ports.insert(port.interface.id.clone(), port);
    }

    /// Changes the rules for the whole VPC at once; on an error the old ones stay in force.
    pub fn set_network(&mut self, machine: &Machine, network: Option<Network>) -> Result<()> {
        if let Some(bad) = network.iter().flat_map(|n| &n.cidrs).find(|cidr| Cidr::parse(cidr).is_none() && !cidr.contains(':')) {
            return Err(Failure::new(format!("{bad:?} is not a CIDR block")));
        }
        let (new_blocks, old_blocks) = (blocks(network.as_ref()), blocks(self.network.as_ref()));
        let before = std::mem::replace(&mut self.network, network);
        if let Err(failure) = self.rebuild(machine) {
            self.network = before;
            return Err(failure);
        }
        // An address of the VPC without an interface leads nowhere, and never to a default route.
        let gone = old_blocks.iter().filter(|block| !new_blocks.contains(block));
        let gone = gone.map(|b| netlink::remove_route(b.address, b.bits, &Hop::Unreachable));
        self.netlink.transact(gone.collect::<Vec<_>>()).ok();
        let new = new_blocks.iter().map(|b| netlink::add_route(b.address, b.bits, &Hop::Unreachable));
        self.netlink.transact(new.collect::<Vec<_>>()).during("routing a VPC's blocks")
    }

    /// Loads the whole packet filter anew and brings the gateways' addresses in line.
    pub fn rebuild(&mut self, machine: &Machine) -> Result<()> {
        let members: Vec<_> = self.ports.values().map(Port::member).collect();
        let (text, known) = nft::table(self.network.as_ref(), &members)?;
        self.filter(machine, &text)?;
        self.known = known;
        self.sync_gateways()
    }

    /// Connects a namespace to the VPC as `interface`. On an error nothing is left.
    pub fn attach(&mut self, machine: &Machine, interface: &Interface, target: &Namespace, inner: Inner) -> Result<Port> {
        self.admit(interface)?;
        let mac = parse_mac(&interface.mac)?;
        let gateway = gateway(interface);
        let port = self.make_pair(interface, mac, target)?;
        let connected = self.connect(machine, &port, gateway, mac);
        let connected = connected.and_then(|()| furnish(machine, interface, target, inner, gateway, near_mac(port.index)));
        if let Err(failure) = connected {
            self.netlink.transact([netlink::remove_link(port.index)]).ok();
            self.ports.remove(&interface.id);
            self.rebuild(machine).ok();
            return Err(failure);
        }
        Ok(port)
    }

    fn admit(&self, interface: &Interface) -> Result<()> {
        if self.ports.len() >= PORTS_MAX {
            return Err(Failure::new(format!("a VPC holds at most {PORTS_MAX} network interfaces here")));
        }
        if self.ports.contains_key(&interface.id) {
            return Err(Failure::new(format!("the network interface {} is in use", interface.id)));
        }
        if let Some(holder) = self.holder(interface.address) {
            return Err(Failure::new(format!("the address {} belongs to the network interface {holder}", interface.address)));
        }
        Ok(())
    }

    /// Makes the veth pair, its far end already in the target namespace.
    fn make_pair(&mut self, interface: &Interface, mac: [u8; 6], target: &Namespace) -> Result<Port> {
        for _ in 0..INDEX_ATTEMPTS_MAX {
            let index = self.next_index;
            self.next_index += 1;
            let device = format!("v{index}");
            let near = End { name: &device, index, mac: near_mac(index), namespace: None };
            let far = End { name: INNER_DEVICE, index: INNER_INDEX, mac, namespace: Some(target.as_fd()) };
            match self.netlink.transact([netlink::add_veth(&near, &far, MTU_BYTES)]) {
                // A pair that an earlier host made and could not record, or that is just going away.
                Err(e) if matches!(e.raw_os_error(), Some(libc::EEXIST | libc::EBUSY)) => {}
                Err(e) => return Err(e).during("making a veth pair"),
                Ok(()) => return Ok(Port { device, index, interface: interface.clone() }),
            }
        }
        Err(Failure::new("no device index is free in the VPC's namespace"))
    }

    fn connect(&mut self, machine: &Machine, port: &Port, gateway: Ipv4Addr, mac: [u8; 6]) -> Result<()> {
        {
            let _inside = self.namespace.enter(&machine.home).during("entering a VPC's namespace")?;
            // A router that answers for others does so at once.
            set(&format!("ipv4/neigh/{}/proxy_delay", port.device), "0")?;
        }
        let address = port.interface.address;
        let mut requests = vec![
            netlink::add_neighbour(port.index, address, mac),
            netlink::set_up(port.index),
            netlink::add_route(address, 32, &Hop::Device(port.index)),
        ];
        if self.gateways.insert(gateway) {
            requests.push(netlink::add_address(LOOPBACK_INDEX, gateway, 32));
        }
        self.netlink.transact(requests).during("routing a network interface")?;
        let text = nft::add(&port.member(), &mut self.known)?;
        self.filter(machine, &text)?;
        self.ports.insert(port.interface.id.clone(), port.clone());
        Ok(())
    }

    /// Changes the groups or the source check of a connected interface. On an error the old ones stay in force.
    pub fn update(&mut self, machine: &Machine, interface: &Interface) -> Result<Port> {
        let Some(old) = self.ports.get(&interface.id) else {
            return Err(Failure::new(format!("the network interface {} is not connected", interface.id)));
        };
        if old.interface == *interface {
            return Ok(old.clone());
        }
        let fixed = |i: &Interface| (i.address, i.mac.clone(), i.prefix_bits);
        if fixed(&old.interface) != fixed(interface) {
            return Err(Failure::new("the address of a network interface cannot change while it is in use"));
        }
        let new = Port { interface: interface.clone(), ..old.clone() };
        let mut known = self.known.clone();
        let text = nft::remove(&old.member())? + &nft::add(&new.member(), &mut known)?;
        self.filter(machine, &text)?;
        self.known = known;
        self.ports.insert(interface.id.clone(), new.clone());
        Ok(new)
    }

    /// Disconnects an interface at once. Does nothing when there is none.
    pub fn detach(&mut self, machine: &Machine, id: &NetworkInterfaceId, link: Link) {
        let Some(port) = self.ports.remove(id) else {
            return;
        };
        let removed = nft::remove(&port.member()).and_then(|text| self.filter(machine, &text));
        if removed.is_err() {
            // The elements were not as recorded: start over from what is known.
            self.rebuild(machine).inspect_err(|e| tracing::warn!("{e}")).ok();
        }
        let away = match link {
            Link::Remove => netlink::remove_link(port.index),
            Link::Leave => netlink::remove_route(port.interface.address, 32, &Hop::Device(port.index)),
        };
        match self.netlink.transact([away]) {
            // The device went with the namespace at its other end.
            Err(e) if !matches!(e.raw_os_error(), Some(libc::ENODEV | libc::ESRCH)) => {
                tracing::warn!("removing {}: {e}", port.device)
            }
            _ => {}
        }
    }

    fn filter(&self, machine: &Machine, text: &str) -> Result<()> {
        let _inside = self.namespace.enter(&machine.home).during("entering a VPC's namespace")?;
        self.filter.run(text)
    }

    /// Every subnet's first address is the router's.
    fn sync_gateways(&mut self) -> Result<()> {
        let subnets = self.network.iter().flat_map(|n| &n.subnets).filter_map(|s| Cidr::parse(&s.cidr));
        let wanted: BTreeSet<_> =
            subnets.map(first_address).chain(self.ports.values().map(|port| gateway(&port.interface))).collect();
        let gone = self.gateways.difference(&wanted).map(|a| netlink::remove_address(LOOPBACK_INDEX, *a, 32));
        self.netlink.transact(gone.collect::<Vec<_>>()).ok();
        let new = wanted.iter().map(|a| netlink::add_address(LOOPBACK_INDEX, *a, 32));
        self.netlink.transact(new.collect::<Vec<_>>()).during("giving a router its addresses")?;
        self.gateways = wanted;
        Ok(())
    }
}

/// Sets up the namespace that got the interface: addresses, routes and limits, as seen from inside.
fn furnish(
    machine: &Machine,
    interface: &Interface,
    target: &Namespace,
    inner: Inner,
    gateway: Ipv4Addr,
    gateway_mac: [u8; 6],
) -> Result<()> {
    let _inside = target.enter(&machine.home).during("entering an interface's namespace")?;
    let (settings, prefix_bits) = match inner {
        Inner::Instance => (&INSTANCE_SETTINGS[..], interface.prefix_bits),
        // A service needs no neighbours: everything goes through the router, with one fixed entry.
        Inner::Service => (&SERVICE_SETTINGS[..], 32),
    };
    apply_settings(settings)?;
    let requests: [Request; 5] = [
        netlink::set_up(LOOPBACK_INDEX),
        netlink::add_address(INNER_INDEX, interface.address, prefix_bits),
        netlink::set_up(INNER_INDEX),
        netlink::add_neighbour(INNER_INDEX, gateway, gateway_mac),
        netlink::add_route(Ipv4Addr::UNSPECIFIED, 0, &Hop::Gateway(gateway, INNER_INDEX)),
    ];
    let mut netlink = Netlink::open().during("opening netlink")?;
    netlink.transact(requests).during("setting up a network interface")
}

fn apply_settings(settings: &[(&str, &str)]) -> Result<()> {
    settings.iter().try_for_each(|(name, value)| set(name, value))
}

/// Writes a setting of the current network namespace.
fn set(name: &str, value: &str) -> Result<()> {
    let outcome = fs::write(format!("/proc/sys/net/{name}"), value);
    match outcome {
        // A kernel without IPv6 has nothing to turn off.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && name.starts_with("ipv6") => Ok(()),
        other => other.during(format_args!("setting net/{name}")),
    }
}

fn blocks(network: Option<&Network>) -> Vec<Cidr> {
    network.iter().flat_map(|n| &n.cidrs).filter_map(|cidr| Cidr::parse(cidr)).collect()
}

/// The address of the subnet's router, as AWS reserves it: the block's first after its own.
fn gateway(interface: &Interface) -> Ipv4Addr {
    let block = Cidr::parse(&format!("{}/{}", interface.address, interface.prefix_bits.min(30)));
    block.map_or(Ipv4Addr::UNSPECIFIED, first_address)
}

fn first_address(block: Cidr) -> Ipv4Addr {
    Ipv4Addr::from_bits(block.address.to_bits().saturating_add(1))
}

/// A locally administered address for the router's end.
fn near_mac(index: u32) -> [u8; 6] {
    let [a, b, c, d] = index.to_be_bytes();
    [0x0a, 0xa1, a, b, c, d]
}

fn parse_mac(text: &str) -> Result<[u8; 6]> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
    let bytes = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    // A set lowest bit would make it a group's address.
    let good = bytes.filter(|mac| mac[0] & 1 == 0 && mac != &[0; 6]);
    good.ok_or_else(|| Failure::new(format!("{text:?} is not the MAC address of a network interface")))
}

#[cfg(test)]
mod tests {
    use super::parse_mac;

    #[test]
    fn mac_addresses_are_six_bytes_of_one_interface() {
        assert_eq!(parse_mac("06:a0:00:00:00:ff"), Ok([6, 0xa0, 0, 0, 0, 0xff]));
        for bad in ["", "06:a0:00:00:00", "06:a0:00:00:00:00:00", "07:00:00:00:00:01", "00:00:00:00:00:00", "06-a0-00-00-00-01"] {
            assert!(parse_mac(bad).is_err(), "{bad}");
        }
    }
}
