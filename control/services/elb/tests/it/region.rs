//! A region with two zones in which tests make load balancers.

use kernel::{Cx, Progress, Registry, ResourceRequest, StackResource, Trial, Tx, Wanted};
use serde_json::Value as Json;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{InstanceState, Observation, Slot, SlotKind, Want};

pub fn services(registry: &mut Registry) {
    iam::register(registry);
    acm::register(registry);
    cloudwatch::register(registry);
    ec2::register(registry);
    elb::register(registry);
}

pub const ZONES: [&str; 2] = ["eu-central-1a", "eu-central-1b"];

pub struct Region {
    trial: Trial,
    pub vpc: String,
    pub subnets: Vec<String>,
}

impl std::ops::Deref for Region {
    type Target = Trial;
    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl std::ops::DerefMut for Region {
    fn deref_mut(&mut self) -> &mut Trial {
        &mut self.trial
    }
}

fn request<'a>(stack_name: &'a str, properties: &'a Json, tags: &'a base::Tags) -> ResourceRequest<'a> {
    let (creation_policy, update_policy) = (None, None);
    ResourceRequest {
        stack_id: "arn",
        stack_name,
        logical_id: "Thing",
        properties,
        tags,
        old_tags: None,
        creation_policy,
        update_policy,
    }
}

pub fn pairs(pairs: &[(&str, &str)]) -> Vec<(Option<String>, Option<String>)> {
    pairs.iter().map(|(key, value)| (Some((*key).to_string()), Some((*value).to_string()))).collect()
}

pub fn forward(group: &str) -> s::Action {
    s::Action { r#type: "forward".into(), target_group_arn: Some(group.into()), ..Default::default() }
}

pub fn path(values: &[&str]) -> s::RuleCondition {
    let values = values.iter().map(|v| (*v).to_string()).collect();
    s::RuleCondition { field: Some("path-pattern".into()), values, ..Default::default() }
}

impl Region {
    pub fn new() -> Self {
        let mut trial = Trial::new(services);
        trial.run(|tx, cx| Ok(ec2::ensure_default_network(tx, cx)?)).unwrap();
        let subnets: Vec<_> = ZONES.iter().map(|zone| ec2::default_subnet(trial.state(), Some(zone)).unwrap().clone()).collect();
        let vpc = subnets[0].vpc.to_string();
        Self { trial, vpc, subnets: subnets.iter().map(|s| s.id.to_string()).collect() }
    }

    pub fn balancer(&mut self, name: &str, kind: &str) -> s::LoadBalancer {
        let input = s::CreateLoadBalancerInput {
            name: name.into(),
            r#type: Some(kind.into()),
            subnets: self.subnets.clone(),
            ..Default::default()
        };
        self.call::<ops::CreateLoadBalancer>(input).unwrap().load_balancers.remove(0)
    }

    pub fn balancer_arn(&mut self, name: &str, kind: &str) -> String {
        self.balancer(name, kind).load_balancer_arn.unwrap()
    }

    pub fn group_input(&self, name: &str, protocol: &str) -> s::CreateTargetGroupInput {
        s::CreateTargetGroupInput {
            name: name.into(),
            protocol: Some(protocol.into()),
            port: Some(80),
            vpc_id: Some(self.vpc.clone()),
            target_type: Some("ip".into()),
            ..Default::default()
        }
    }

    pub fn group(&mut self, name: &str, protocol: &str) -> String {
        let input = self.group_input(name, protocol);
        self.call::<ops::CreateTargetGroup>(input).unwrap().target_groups.remove(0).target_group_arn.unwrap()
    }

    pub fn listener_input(balancer: &str, protocol: &str, port: i64, action: s::Action) -> s::CreateListenerInput {
        s::CreateListenerInput {
            load_balancer_arn: balancer.into(),
            protocol: Some(protocol.into()),
            port: Some(port),
            default_actions: vec![action],
            ..Default::default()
        }
    }

    pub fn listener(&mut self, balancer: &str, protocol: &str, port: i64, action: s::Action) -> String {
        let input = Self::listener_input(balancer, protocol, port, action);
        self.call::<ops::CreateListener>(input).unwrap().listeners.remove(0).listener_arn.unwrap()
    }

    pub fn rule_input(listener: &str, priority: i64, condition: s::RuleCondition, action: s::Action) -> s::CreateRuleInput {
        s::CreateRuleInput {
            listener_arn: listener.into(),
            priority,
            conditions: vec![condition],
            actions: vec![action],
            ..Default::default()
        }
    }

    pub fn rule(&mut self, listener: &str, priority: i64, pattern: &str, group: &str) -> String {
        let input = Self::rule_input(listener, priority, path(&[pattern]), forward(group));
        self.call::<ops::CreateRule>(input).unwrap().rules.remove(0).rule_arn.unwrap()
    }

    /// Makes a stack's resource and tells how far it is before anything else has happened.
    pub fn make_and_look(&mut self, kind: &str, properties: &Json) -> (String, Progress) {
        let id = self.with_resource(kind, properties, |resource, tx, cx, request| {
            let id = resource.create(tx, cx, request)?;
            let progress = resource.progress(tx, cx, &id, request);
            Ok((id, progress))
        });
        id.unwrap()
    }

    pub fn progress(&mut self, kind: &str, id: &str) -> Progress {
        self.with_resource(kind, &Json::Null, |resource, tx, cx, request| Ok(resource.progress(tx, cx, id, request))).unwrap()
    }

    /// Makes a resource of a stack of this name.
    pub fn make_in(&mut self, stack: &str, kind: &str, properties: &Json) -> Result<String, base::Fault> {
        let tags = base::Tags::new();
        self.run(|tx, cx| {
            let resource = tx.registry().stack_resource(kind).unwrap();
            resource.create(tx, cx, &request(stack, properties, &tags))
        })
    }

    fn with_resource<T>(
        &mut self,
        kind: &str,
        properties: &Json,
        work: impl FnOnce(&dyn StackResource, &mut Tx, &Cx, &ResourceRequest) -> Result<T, base::Fault>,
    ) -> Result<T, base::Fault> {
        let tags = base::Tags::new();
        self.run(|tx, cx| work(tx.registry().stack_resource(kind).unwrap(), tx, cx, &request("web", properties, &tags)))
    }

    /// An instance that runs.
    pub fn instance(&mut self) -> String {
        let input = shapes::ec2::RunInstancesRequest {
            image_id: Some("ami-host".into()),
            instance_type: Some("t3.micro".into()),
            min_count: 1,
            max_count: 1,
            subnet_id: Some(self.subnets[0].clone()),
            ..Default::default()
        };
        let made = self.call::<shapes::ec2::ops::RunInstances>(input).unwrap().instances.pop();
        let id = made.and_then(|instance| instance.instance_id).unwrap();
        self.instance_becomes(&id, InstanceState::Running);
        id
    }

    /// The host tells of an instance's present boot.
    pub fn instance_becomes(&mut self, id: &str, state: InstanceState) {
        let wanted = self.state().get::<Wanted>(&Slot::new(SlotKind::Instance, id)).and_then(|wanted| wanted.want.clone());
        let Some(Want::Instance(instance)) = wanted else { panic!("{wanted:?}") };
        let at = self.now;
        self.observe(&Observation::Instance { id: instance.id, generation: instance.generation, state, at });
    }

    /// The world does what is wished of it, but refuses the load balancer as it is for a reason.
    pub fn world_answers(&mut self, balancer: &str, refusal: Option<&str>) {
        let of_edge = Slot::new(SlotKind::LoadBalancer, balancer);
        let open: Vec<Wanted> = self.state().rows::<Wanted>().filter(|w| !w.applied && w.refused.is_none()).cloned().collect();
        for Wanted { slot, version, .. } in open {
            let answer = match refusal.filter(|_| slot == of_edge) {
                Some(reason) => Observation::Refused { slot, version, reason: reason.into() },
                None => Observation::Applied { slot, version },
            };
            self.observe(&answer);
        }
    }

    /// What the edge is asked to serve.
    pub fn plan(&self, balancer: &str) -> world::LoadBalancer {
        let wanted = self.state().get::<Wanted>(&Slot::new(SlotKind::LoadBalancer, balancer)).unwrap();
        match &wanted.want {
            Some(Want::LoadBalancer(balancer)) => (**balancer).clone(),
            other => panic!("{other:?}"),
        }
    }
}
