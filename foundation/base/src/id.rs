use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Rng;

/// Declares newtypes over a shared string. With a prefix, `generate` makes a new id as EC2 does: the prefix
/// and 17 hexadecimal digits.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $($prefix:literal)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str { &self.0 }
            $(
                pub const PREFIX: &'static str = $prefix;
                /// A new random id.
                pub fn generate(rng: &mut Rng) -> Self { format!("{}{}", $prefix, rng.hex(17)).into() }
            )?
        }
        impl From<String> for $name { fn from(s: String) -> Self { Self(s.into()) } }
        impl From<&str> for $name { fn from(s: &str) -> Self { Self(s.into()) } }
        impl From<$name> for String { fn from(id: $name) -> Self { id.0.as_ref().into() } }
        impl std::ops::Deref for $name { type Target = str; fn deref(&self) -> &str { &self.0 } }
        impl std::borrow::Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
        impl fmt::Debug for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
        impl PartialEq<str> for $name { fn eq(&self, other: &str) -> bool { &*self.0 == other } }
        impl PartialEq<&str> for $name { fn eq(&self, other: &&str) -> bool { &*self.0 == *other } }
    )*};
}

ids! {
    /// An EC2 instance.
    InstanceId "i-";
    /// A machine image. `ami-host` is this machine's own `/usr`.
    ImageId "ami-";
    VpcId "vpc-";
    SubnetId "subnet-";
    SecurityGroupId "sg-";
    SecurityGroupRuleId "sgr-";
    InternetGatewayId "igw-";
    RouteTableId "rtb-";
    RouteTableAssociationId "rtbassoc-";
    NetworkInterfaceId "eni-";
    NetworkAclId "acl-";
    LaunchTemplateId "lt-";
    ReservationId "r-";
    VolumeId "vol-";
    /// ARN of an application load balancer.
    LoadBalancerArn;
    /// ARN of a target group.
    TargetGroupArn;
    /// ARN of a listener.
    ListenerArn;
    /// ARN of a CloudFormation stack, also called its id.
    StackId;
    /// Name of an Auto Scaling group.
    GroupName;
}
