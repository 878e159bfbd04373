//! Names of AWS's own managed policies that can be attached here: those that web stacks commonly use ("AWS Managed
//! Policy Reference"). An ARN that is not in the list is refused, so that a misspelt one is found. Their documents are
//! not kept: nothing evaluates them yet.

use base::Rng;

/// `arn:aws:iam::aws:policy` comes before it.
const PREFIX: &str = "arn:aws:iam::aws:policy";

/// Path and name of each, sorted.
const NAMES: &[&str] = &[
    "/AWSCertificateManagerFullAccess",
    "/AWSCertificateManagerReadOnly",
    "/AWSCloudFormationFullAccess",
    "/AWSCloudFormationReadOnlyAccess",
    "/AWSCloudTrail_FullAccess",
    "/AWSCloudTrail_ReadOnlyAccess",
    "/AWSCodeDeployFullAccess",
    "/AWSKeyManagementServicePowerUser",
    "/AWSLambda_FullAccess",
    "/AWSLambda_ReadOnlyAccess",
    "/AWSWAFFullAccess",
    "/AWSWAFReadOnlyAccess",
    "/AWSXRayDaemonWriteAccess",
    "/AWSXrayReadOnlyAccess",
    "/AWSXrayWriteOnlyAccess",
    "/AdministratorAccess",
    "/AmazonDynamoDBFullAccess",
    "/AmazonDynamoDBReadOnlyAccess",
    "/AmazonEC2ContainerRegistryFullAccess",
    "/AmazonEC2ContainerRegistryPowerUser",
    "/AmazonEC2ContainerRegistryPullOnly",
    "/AmazonEC2ContainerRegistryReadOnly",
    "/AmazonEC2FullAccess",
    "/AmazonEC2ReadOnlyAccess",
    "/AmazonECS_FullAccess",
    "/AmazonEKSClusterPolicy",
    "/AmazonEKSWorkerNodePolicy",
    "/AmazonEKS_CNI_Policy",
    "/AmazonElastiCacheFullAccess",
    "/AmazonElastiCacheReadOnlyAccess",
    "/AmazonElasticFileSystemClientFullAccess",
    "/AmazonElasticFileSystemClientReadOnlyAccess",
    "/AmazonElasticFileSystemClientReadWriteAccess",
    "/AmazonElasticFileSystemFullAccess",
    "/AmazonElasticFileSystemReadOnlyAccess",
    "/AmazonEventBridgeFullAccess",
    "/AmazonRDSDataFullAccess",
    "/AmazonRDSFullAccess",
    "/AmazonRDSReadOnlyAccess",
    "/AmazonRoute53FullAccess",
    "/AmazonRoute53ReadOnlyAccess",
    "/AmazonS3FullAccess",
    "/AmazonS3ReadOnlyAccess",
    "/AmazonSNSFullAccess",
    "/AmazonSNSReadOnlyAccess",
    "/AmazonSQSFullAccess",
    "/AmazonSQSReadOnlyAccess",
    "/AmazonSSMFullAccess",
    "/AmazonSSMManagedEC2InstanceDefaultPolicy",
    "/AmazonSSMManagedInstanceCore",
    "/AmazonSSMPatchAssociation",
    "/AmazonSSMReadOnlyAccess",
    "/AmazonVPCFullAccess",
    "/AmazonVPCReadOnlyAccess",
    "/AutoScalingFullAccess",
    "/AutoScalingReadOnlyAccess",
    "/CloudFrontFullAccess",
    "/CloudFrontReadOnlyAccess",
    "/CloudWatchAgentAdminPolicy",
    "/CloudWatchAgentServerPolicy",
    "/CloudWatchFullAccess",
    "/CloudWatchFullAccessV2",
    "/CloudWatchLogsFullAccess",
    "/CloudWatchLogsReadOnlyAccess",
    "/CloudWatchReadOnlyAccess",
    "/ElasticLoadBalancingFullAccess",
    "/ElasticLoadBalancingReadOnly",
    "/IAMFullAccess",
    "/IAMReadOnlyAccess",
    "/PowerUserAccess",
    "/ReadOnlyAccess",
    "/SecretsManagerReadWrite",
    "/SecurityAudit",
    "/aws-service-role/AWSElasticLoadBalancingServiceRolePolicy",
    "/aws-service-role/AutoScalingServiceRolePolicy",
    "/job-function/Billing",
    "/job-function/DatabaseAdministrator",
    "/job-function/NetworkAdministrator",
    "/job-function/SupportUser",
    "/job-function/SystemAdministrator",
    "/job-function/ViewOnlyAccess",
    "/service-role/AWSBackupServiceRolePolicyForBackup",
    "/service-role/AWSBackupServiceRolePolicyForRestores",
    "/service-role/AWSCodeDeployRole",
    "/service-role/AWSLambdaBasicExecutionRole",
    "/service-role/AWSLambdaVPCAccessExecutionRole",
    "/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
    "/service-role/AmazonEBSCSIDriverPolicy",
    "/service-role/AmazonEC2ContainerServiceRole",
    "/service-role/AmazonEC2ContainerServiceforEC2Role",
    "/service-role/AmazonEC2RoleforAWSCodeDeploy",
    "/service-role/AmazonEC2RoleforSSM",
    "/service-role/AmazonECSTaskExecutionRolePolicy",
    "/service-role/AmazonRDSEnhancedMonitoringRole",
    "/service-role/AmazonSSMMaintenanceWindowRole",
    "/service-role/AutoScalingNotificationAccessRole",
];

/// One of AWS's managed policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AwsPolicy {
    /// Path and name.
    full: &'static str,
}

impl AwsPolicy {
    pub(crate) fn name(self) -> &'static str {
        self.full.rsplit('/').next().unwrap_or_default()
    }

    /// With both slashes.
    pub(crate) fn path(self) -> &'static str {
        self.full.strip_suffix(self.name()).unwrap_or("/")
    }

    pub(crate) fn arn(self) -> String {
        format!("{PREFIX}{}", self.full)
    }

    /// The same in every region of ours; not AWS's.
    pub(crate) fn id(self) -> String {
        let seed = self
            .full
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        format!("ANPA{}", Rng::new(seed).base32(17))
    }
}

pub(crate) fn by_arn(arn: &str) -> Option<AwsPolicy> {
    let wanted = arn.strip_prefix(PREFIX)?;
    NAMES.iter().find(|full| **full == wanted).map(|full| AwsPolicy { full })
}

pub(crate) fn all() -> impl Iterator<Item = AwsPolicy> {
    NAMES.iter().map(|full| AwsPolicy { full })
}

#[cfg(test)]
mod tests {
    use super::{NAMES, all, by_arn};

    #[test]
    fn the_list_is_sorted_and_found_by_arn() {
        assert!(NAMES.is_sorted());
        for policy in all() {
            assert_eq!(by_arn(&policy.arn()), Some(policy));
            assert_eq!(format!("{}{}", policy.path(), policy.name()), policy.full);
        }
        assert_eq!(by_arn("arn:aws:iam::aws:policy/AmazonS3FulAccess"), None);
    }
}
