//! What ARNs of this service look like. Whoever finds nothing by an ARN asks here what to say: AWS tells one that is none apart
//! from one of something that is not there ("'foo' is not a valid load balancer ARN").

use crate::error::Error;

/// What a caller names by an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    LoadBalancer,
    TargetGroup,
    Listener,
    Rule,
    TrustStore,
}

impl Named {
    /// Nothing has this ARN: it may be no ARN of its kind at all.
    pub(crate) fn missing(self, arn: &str) -> Error {
        if let Err(malformed) = self.check(arn) {
            return malformed;
        }
        match self {
            Named::LoadBalancer => Error::NoLoadBalancer(arn.into()),
            Named::TargetGroup => Error::NoTargetGroup(arn.into()),
            Named::Listener => Error::NoListener(arn.into()),
            Named::Rule => Error::NoRule(arn.into()),
            Named::TrustStore => crate::trust_store::missing(arn),
        }
    }

    /// Refuses what cannot be an ARN of its kind, whether there is such a thing or not.
    pub(crate) fn check(self, arn: &str) -> Result<(), Error> {
        if self.fits(arn) {
            return Ok(());
        }
        let what = match self {
            Named::LoadBalancer => "load balancer",
            Named::TargetGroup => "target group",
            Named::Listener => "listener",
            Named::Rule => "listener rule",
            Named::TrustStore => "trust store",
        };
        Err(Error::Validation(format!("'{arn}' is not a valid {what} ARN")))
    }

    /// Service Authorization Reference, "Resource types defined by AWS Elastic Load Balancing V2". A load balancer of the first
    /// generation, `loadbalancer/NAME`, is none of them.
    fn fits(self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "elasticloadbalancing", region, account, resource] = parts[..] else { return false };
        let segments: Vec<&str> = resource.split('/').collect();
        let is_kind = match (self, &segments[..]) {
            (Named::LoadBalancer, ["loadbalancer", kind, _, _])
            | (Named::Listener, ["listener", kind, _, _, _])
            | (Named::Rule, ["listener-rule", kind, _, _, _, _]) => matches!(*kind, "app" | "net" | "gwy"),
            (Named::TargetGroup, ["targetgroup", _, _]) | (Named::TrustStore, ["truststore", _, _]) => true,
            _ => false,
        };
        let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        is_kind && is_account && partition.starts_with("aws") && segments.iter().chain([&region, &partition]).all(is_word)
    }
}

#[cfg(test)]
mod tests {
    use super::Named;

    fn check(named: Named, arn: &str, expected: &str) {
        let fault = base::Fault::from(named.missing(arn));
        assert_eq!(format!("{}: {}", fault.code, fault.message), expected);
    }

    #[test]
    fn an_arn_of_nothing_is_told_apart_from_what_is_no_arn() {
        let of = |resource: &str| format!("arn:aws:elasticloadbalancing:eu-central-1:000000000000:{resource}");
        check(Named::LoadBalancer, "foo", "ValidationError: 'foo' is not a valid load balancer ARN");
        check(Named::TargetGroup, "foo", "ValidationError: 'foo' is not a valid target group ARN");
        check(Named::Listener, "foo", "ValidationError: 'foo' is not a valid listener ARN");
        check(Named::Rule, "foo", "ValidationError: 'foo' is not a valid listener rule ARN");
        check(Named::TrustStore, "foo", "ValidationError: 'foo' is not a valid trust store ARN");
        let group = of("targetgroup/a/0123456789abcdef");
        check(Named::TargetGroup, &group, "TargetGroupNotFound: One or more target groups not found");
        check(Named::Listener, &of("listener/app/a/b/c"), "ListenerNotFound: One or more listeners not found");
        check(Named::Rule, &of("listener-rule/net/a/b/c/d"), "RuleNotFound: One or more rules not found");
        let balancer = of("loadbalancer/app/a/b");
        check(Named::LoadBalancer, &balancer, &format!("LoadBalancerNotFound: Load balancer '{balancer}' not found"));
        let others = [
            of("loadbalancer/a"),
            of("loadbalancer/app/a/"),
            of("loadbalancer/app/a/b/c"),
            of("loadbalancer/web/a/b"),
            of("loadbalancer/app/a b/c"),
            group,
            balancer.replace("000000000000", "0"),
            balancer.replace("elasticloadbalancing", "ec2"),
            balancer.replace("arn:aws", "arn:"),
            balancer.replace("eu-central-1", ""),
            String::new(),
        ];
        for other in others {
            check(Named::LoadBalancer, &other, &format!("ValidationError: '{other}' is not a valid load balancer ARN"));
        }
    }
}
