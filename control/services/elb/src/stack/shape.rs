//! Properties of templates as the API's shapes, so that a resource is made by the same code as by a request. The schema has
//! checked names, types and limits already: what has another type reads as absent.

use serde_json::Value as Json;
use shapes::elbv2 as s;

pub(super) trait FromJson: Default {
    fn from_json(json: &Json) -> Self;
}

impl FromJson for String {
    fn from_json(json: &Json) -> Self {
        json.as_str().unwrap_or_default().into()
    }
}

impl FromJson for i64 {
    fn from_json(json: &Json) -> Self {
        json.as_i64().unwrap_or_default()
    }
}

impl FromJson for bool {
    fn from_json(json: &Json) -> Self {
        json.as_bool().unwrap_or_default()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Json) -> Self {
        (!json.is_null()).then(|| T::from_json(json))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Json) -> Self {
        json.as_array().into_iter().flatten().map(T::from_json).collect()
    }
}

/// What is left out has no property.
macro_rules! from_json {
    ($($shape:ident { $($field:ident: $name:literal),* $(,)? })*) => {
        $(impl FromJson for s::$shape {
            fn from_json(json: &Json) -> Self {
                #[allow(clippy::needless_update)]
                Self { $($field: FromJson::from_json(&json[$name]),)* ..Default::default() }
            }
        })*
    };
}

from_json! {
    CreateLoadBalancerInput {
        name: "Name", subnets: "Subnets", subnet_mappings: "SubnetMappings", security_groups: "SecurityGroups", scheme: "Scheme",
        r#type: "Type", ip_address_type: "IpAddressType", enable_prefix_for_ipv6_source_nat: "EnablePrefixForIpv6SourceNat",
    }
    SubnetMapping {
        subnet_id: "SubnetId", allocation_id: "AllocationId", private_i_pv4_address: "PrivateIPv4Address",
        i_pv6_address: "IPv6Address", source_nat_ipv6_prefix: "SourceNatIpv6Prefix",
    }
    CreateTargetGroupInput {
        name: "Name", protocol: "Protocol", protocol_version: "ProtocolVersion", port: "Port", vpc_id: "VpcId",
        health_check_protocol: "HealthCheckProtocol", health_check_port: "HealthCheckPort",
        health_check_enabled: "HealthCheckEnabled", health_check_path: "HealthCheckPath",
        health_check_interval_seconds: "HealthCheckIntervalSeconds", health_check_timeout_seconds: "HealthCheckTimeoutSeconds",
        healthy_threshold_count: "HealthyThresholdCount", unhealthy_threshold_count: "UnhealthyThresholdCount",
        matcher: "Matcher", target_type: "TargetType", ip_address_type: "IpAddressType",
    }
    Matcher { http_code: "HttpCode", grpc_code: "GrpcCode" }
    TargetDescription { id: "Id", port: "Port", availability_zone: "AvailabilityZone" }
    CreateListenerInput {
        load_balancer_arn: "LoadBalancerArn", protocol: "Protocol", port: "Port", ssl_policy: "SslPolicy",
        certificates: "Certificates", default_actions: "DefaultActions", alpn_policy: "AlpnPolicy",
        mutual_authentication: "MutualAuthentication",
    }
    Certificate { certificate_arn: "CertificateArn" }
    MutualAuthenticationAttributes {
        mode: "Mode", trust_store_arn: "TrustStoreArn", ignore_client_certificate_expiry: "IgnoreClientCertificateExpiry",
        advertise_trust_store_ca_names: "AdvertiseTrustStoreCaNames",
    }
    Action {
        r#type: "Type", target_group_arn: "TargetGroupArn", order: "Order", redirect_config: "RedirectConfig",
        fixed_response_config: "FixedResponseConfig", forward_config: "ForwardConfig",
    }
    ForwardActionConfig { target_groups: "TargetGroups", target_group_stickiness_config: "TargetGroupStickinessConfig" }
    TargetGroupTuple { target_group_arn: "TargetGroupArn", weight: "Weight" }
    TargetGroupStickinessConfig { enabled: "Enabled", duration_seconds: "DurationSeconds" }
    FixedResponseActionConfig { message_body: "MessageBody", status_code: "StatusCode", content_type: "ContentType" }
    RedirectActionConfig {
        protocol: "Protocol", port: "Port", host: "Host", path: "Path", query: "Query", status_code: "StatusCode",
    }
    CreateRuleInput {
        listener_arn: "ListenerArn", conditions: "Conditions", priority: "Priority", actions: "Actions", transforms: "Transforms",
    }
    RuleCondition {
        field: "Field", values: "Values", host_header_config: "HostHeaderConfig", path_pattern_config: "PathPatternConfig",
        http_header_config: "HttpHeaderConfig", query_string_config: "QueryStringConfig",
        http_request_method_config: "HttpRequestMethodConfig", source_ip_config: "SourceIpConfig", regex_values: "RegexValues",
    }
    HostHeaderConditionConfig { values: "Values", regex_values: "RegexValues" }
    PathPatternConditionConfig { values: "Values", regex_values: "RegexValues" }
    HttpHeaderConditionConfig { http_header_name: "HttpHeaderName", values: "Values", regex_values: "RegexValues" }
    HttpRequestMethodConditionConfig { values: "Values" }
    QueryStringConditionConfig { values: "Values" }
    QueryStringKeyValuePair { key: "Key", value: "Value" }
    SourceIpConditionConfig { values: "Values" }
    RuleTransform {
        r#type: "Type", host_header_rewrite_config: "HostHeaderRewriteConfig", url_rewrite_config: "UrlRewriteConfig",
    }
    HostHeaderRewriteConfig { rewrites: "Rewrites" }
    UrlRewriteConfig { rewrites: "Rewrites" }
    RewriteConfig { regex: "Regex", replace: "Replace" }
}
