//! Amazon EC2: `network` owns VPCs and everything in them, `compute` owns images, launch templates and instances,
//! `monitoring` tells CloudWatch how instances fare and acts on its alarms.
//!
//! All share the errors, filters, paging and tags at the top of this crate. The crate never does IO: what should
//! be leaves as wishes for `world` slots, what is comes back as observations.

pub mod compute;
mod describe;
mod error;
mod filter;
mod kind;
mod monitoring;
pub mod network;
mod stack;
pub mod tags;

use kernel::Registry;

pub use compute::{
    BlockDevice, Ebs, Instance, InstanceState, InterfaceData, Launch, LaunchData, LaunchTemplate, MetadataOptions, Monitoring,
    ProfileName, TemplateName, check_data, check_launch, find_template, identity_is, launch, launch_data, start, stop, terminate,
    version_number,
};
pub use error::Error;
pub use kind::Kind;
pub use monitoring::{CpuShare, Told, cpu_percent};
pub use network::{
    Cidr, InterfaceOwner, InternetGateway, NetworkInterface, NewInterface, RouteTable, SecurityGroup, SecurityGroupRule, Subnet,
    Vpc, create_interface, default_subnet, default_vpc, delete_interface, ensure_default_network, set_interface_groups,
};

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    tags::register(registry);
    network::register(registry);
    compute::register(registry);
    monitoring::register(registry);
}
