//! The row of an instance: what it was launched as, what is wanted of it, and what was observed. Its state is
//! derived. Transitions live in `lifecycle`, the launch in `launch`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use base::{ImageId, InstanceId, LaunchTemplateId, NetworkInterfaceId, ReservationId, SubnetId, Time, VolumeId, VpcId};
use kernel::Row;
use serde::{Deserialize, Serialize};
use world::{Slot, SlotKind};

use super::launch_data::{MetadataOptions, ShutdownBehavior};

/// An instance, from its launch until an hour after its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    pub reservation: ReservationId,
    /// Place within its reservation, from 0.
    pub launch_index: u32,
    /// What only the instance knows: it proves who asks on its behalf, as `cfn-signal` does. Empty of one that was made before
    /// there was such a thing.
    #[serde(default)]
    pub identity_secret: String,
    /// The last start.
    pub launched_at: Time,
    pub image: ImageId,
    /// The image's directory on the host; none for the host's own image. Kept here, for the image may be deregistered.
    pub image_location: Option<String>,
    pub instance_type: String,
    /// The launch template and version that it came from.
    pub template: Option<TemplateUse>,
    pub zone: String,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub interface: NetworkInterfaceId,
    pub address: Ipv4Addr,
    pub key_name: Option<String>,
    /// Base64, as it was given.
    pub user_data: Option<Arc<str>>,
    pub profile: Option<Profile>,
    pub shutdown_behavior: ShutdownBehavior,
    pub disable_api_termination: bool,
    pub disable_api_stop: bool,
    pub monitoring: bool,
    pub ebs_optimized: bool,
    pub metadata_options: MetadataOptions,
    /// `standard` or `unlimited`, of burstable types.
    pub cpu_credits: Option<String>,
    pub root: RootVolume,
    pub client_token: Option<ClientToken>,
    /// The service that launched it, such as `autoscaling.amazonaws.com`.
    pub requester: Option<String>,

    /// What is wanted. Written by operations, and by an instance that ends itself.
    pub intent: Intent,
    /// Counts boots; observations of an older boot are dropped.
    pub generation: u64,
    /// Why it last changed its course.
    pub cause: Option<Cause>,

    /// What was seen of the present boot. Written by observations only.
    pub observed: Observed,
    /// When everything of it was gone. Written by the reconciler once the world has said so.
    pub gone_at: Option<Time>,
}

/// What is wanted of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    Running,
    /// Running, after a reboot: it counts as running meanwhile, as at AWS.
    Rebooting,
    Stopped,
    Terminated,
}

/// What was seen of an instance's boot `generation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    pub generation: u64,
    pub state: Seen,
    pub at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    Nothing,
    Running,
    Stopped,
}

/// Why an instance stopped or ended, and when that began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    pub why: Why,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// An API call.
    User,
    /// It shut itself down, or its first process ended.
    Itself,
    /// It could not start.
    Failed { reason: String },
}

/// AWS's states of an instance ("Amazon EC2 instance state changes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// AWS's number for the state.
    pub fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateUse {
    pub id: LaunchTemplateId,
    pub version: u64,
}

/// The instance profile that an instance has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub arn: String,
    pub id: String,
    /// `iip-assoc-` and 17 digits.
    pub association: String,
}

/// The instance's disk. It lies in the instance's directory on the host; size and speed are a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootVolume {
    pub id: VolumeId,
    pub device: String,
    pub size_gib: i64,
    pub volume_type: String,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub encrypted: bool,
    pub delete_on_termination: bool,
}

/// Makes a repeated launch answer with the first one's instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    pub token: String,
    /// Digest of the request that it came with.
    pub request: u64,
}

impl Row for Instance {
    const TABLE: &'static str = "ec2.instance";
    type Key = InstanceId;

    fn key(&self) -> InstanceId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("reservation", &self.reservation);
        add("interface", &self.interface);
        add("volume", &self.root.id);
        add("state", self.state().as_str());
        if let Some(token) = &self.client_token {
            add("client-token", &token.token);
        }
    }
}

impl Instance {
    /// The state, from what is wanted and what was seen.
    pub fn state(&self) -> InstanceState {
        let seen = if self.observed.generation == self.generation { self.observed.state } else { Seen::Nothing };
        match (self.intent, seen) {
            (Intent::Terminated, _) if self.gone_at.is_some() => InstanceState::Terminated,
            (Intent::Terminated, _) => InstanceState::ShuttingDown,
            (Intent::Stopped, Seen::Stopped) => InstanceState::Stopped,
            (Intent::Stopped, _) => InstanceState::Stopping,
            (Intent::Rebooting, _) | (Intent::Running, Seen::Running) => InstanceState::Running,
            (Intent::Running, _) => InstanceState::Pending,
        }
    }

    /// Whether its first process is up now, which a reboot interrupts.
    pub fn is_up(&self) -> bool {
        let wanted = matches!(self.intent, Intent::Running | Intent::Rebooting);
        wanted && self.observed.generation == self.generation && self.observed.state == Seen::Running
    }

    /// AWS's word for its detailed monitoring: an instance that is still starting is not monitored yet.
    pub fn monitoring_state(&self) -> &'static str {
        match (self.monitoring, self.state()) {
            (false, _) => "disabled",
            (true, InstanceState::Pending) => "pending",
            (true, _) => "enabled",
        }
    }

    /// Whether it is on its way out, or gone.
    pub fn is_ending(&self) -> bool {
        self.intent == Intent::Terminated
    }

    pub fn slot(&self) -> Slot {
        Slot::new(SlotKind::Instance, self.id.as_str())
    }

    /// `ip-10-0-1-23`.
    pub fn hostname(&self) -> String {
        let [a, b, c, d] = self.address.octets();
        format!("ip-{a}-{b}-{c}-{d}")
    }

    /// The name inside the VPC: `ip-10-0-1-23.eu-central-1.compute.internal`.
    pub fn private_dns_name(&self, region: &str) -> String {
        let domain = if region == "us-east-1" { "ec2.internal".into() } else { format!("{region}.compute.internal") };
        format!("{}.{domain}", self.hostname())
    }

    /// AWS's text for the last change that a user caused; empty when none did.
    pub fn transition_reason(&self) -> String {
        match &self.cause {
            Some(Cause { why: Why::User, at }) => {
                let at = at.iso8601_s();
                format!("User initiated ({} GMT)", at.trim_end_matches('Z').replace('T', " "))
            }
            Some(Cause { why: Why::Failed { .. }, .. }) => "Server.InternalError".into(),
            _ => String::new(),
        }
    }

    /// AWS's code and message for why it stopped or ended.
    pub fn state_reason(&self) -> Option<(&'static str, String)> {
        let (code, text) = match &self.cause.as_ref()?.why {
            Why::User => ("Client.UserInitiatedShutdown", "User initiated shutdown".to_string()),
            Why::Itself => ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown".to_string()),
            Why::Failed { reason } => ("Server.InternalError", format!("Internal error on launch: {reason}")),
        };
        Some((code, format!("{code}: {text}")))
    }
}
