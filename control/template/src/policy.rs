//! Which policies a resource may carry. Their inner structure is written in the schema language.

use crate::schema::Schema;
use crate::template::DeletionPolicy;

/// Resource types whose deletion may leave a snapshot (CloudFormation User Guide, "DeletionPolicy attribute").
const SNAPSHOT_TYPES: [&str; 9] = [
    "AWS::DocDB::DBCluster",
    "AWS::EC2::Volume",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Neptune::DBCluster",
    "AWS::Neptune::DBInstance",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
];

/// CloudFormation User Guide, "CreationPolicy attribute".
const CREATION: &str = "
properties
  AutoScalingCreationPolicy      AutoScalingCreationPolicy
  ResourceSignal                 ResourceSignal
structure AutoScalingCreationPolicy
  MinSuccessfulInstancesPercent  integer  range 0..100
structure ResourceSignal
  Count                          integer  range 0..
  Timeout                        string
";

/// CloudFormation User Guide, "UpdatePolicy attribute", as far as it speaks of Auto Scaling groups.
const UPDATE: &str = "
properties
  AutoScalingReplacingUpdate             AutoScalingReplacingUpdate
  AutoScalingRollingUpdate               AutoScalingRollingUpdate
  AutoScalingScheduledAction             AutoScalingScheduledAction
structure AutoScalingReplacingUpdate
  WillReplace                            boolean
structure AutoScalingRollingUpdate
  MaxBatchSize                           integer  range 1..100
  MinActiveInstancesPercent              integer  range 0..100
  MinInstancesInService                  integer  range 0..
  MinSuccessfulInstancesPercent          integer  range 0..100
  PauseTime                              string
  SuspendProcesses                       list string
  WaitOnResourceSignals                  boolean
structure AutoScalingScheduledAction
  IgnoreUnmodifiedGroupSizeProperties    boolean
";

/// The schema of `CreationPolicy`.
pub(crate) fn creation_schema() -> Schema {
    Schema::parse(CREATION).expect("the schema is a part of this file, and a test reads it")
}

/// The schema of `UpdatePolicy`.
pub(crate) fn update_schema() -> Schema {
    Schema::parse(UPDATE).expect("the schema is a part of this file, and a test reads it")
}

/// Whether resources of the type may have the deletion policy.
pub(crate) fn may_have(type_name: &str, policy: DeletionPolicy) -> bool {
    policy != DeletionPolicy::Snapshot || SNAPSHOT_TYPES.contains(&type_name)
}

#[cfg(test)]
mod tests {
    use super::{creation_schema, may_have, update_schema};
    use crate::template::DeletionPolicy;
    use serde_json::json;

    #[test]
    fn schemas_are_read() {
        assert!(creation_schema().coerce(&json!({"ResourceSignal": {"Count": "3", "Timeout": "PT15M"}})).is_ok());
        assert!(creation_schema().coerce(&json!({"ResourceSignals": {}})).is_err());
        assert!(update_schema().coerce(&json!({"AutoScalingRollingUpdate": {"MaxBatchSize": 1}})).is_ok());
    }

    #[test]
    fn only_what_holds_data_leaves_a_snapshot() {
        assert!(may_have("AWS::RDS::DBInstance", DeletionPolicy::Snapshot));
        assert!(!may_have("AWS::EC2::Instance", DeletionPolicy::Snapshot));
        assert!(may_have("AWS::EC2::Instance", DeletionPolicy::Retain));
    }
}
