//! A region of SNS alone: typed requests in, typed answers out, the world played by the test.

use base::Fault;
use kernel::{Trial, Wanted};
use shapes::sns as s;
use shapes::sns::ops;
use std::collections::BTreeMap;
use world::{Delivery, Observation, SlotKind, Want};

pub const HOOK: &str = "http://127.0.0.1:9/hook";

pub struct Region {
    trial: Trial,
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

impl Region {
    pub fn new() -> Self {
        Self { trial: Trial::new(sns::register) }
    }

    pub fn topic(&mut self, name: &str) -> String {
        let input = s::CreateTopicInput { name: name.into(), ..Default::default() };
        self.call::<ops::CreateTopic>(input).unwrap().topic_arn.unwrap()
    }

    pub fn subscribe(
        &mut self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String, Fault> {
        let input = s::SubscribeInput {
            topic_arn: topic.into(),
            protocol: protocol.into(),
            endpoint: Some(endpoint.into()),
            attributes: map(attributes),
            return_subscription_arn: Some(true),
        };
        self.call::<ops::Subscribe>(input).map(|r| r.subscription_arn.unwrap())
    }

    /// A confirmed subscription; the question has been delivered.
    pub fn subscribed(&mut self, topic: &str, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> String {
        let arn = self.subscribe(topic, protocol, endpoint, attributes).unwrap();
        let question = self.under_way().into_iter().find(|d| d.token.is_some()).unwrap();
        self.deliver(&question);
        let input = s::ConfirmSubscriptionInput {
            topic_arn: topic.into(),
            token: question.token.unwrap(),
            authenticate_on_unsubscribe: None,
        };
        let confirmed = self.call::<ops::ConfirmSubscription>(input).unwrap();
        assert_eq!(confirmed.subscription_arn.as_ref(), Some(&arn));
        arn
    }

    pub fn publish(&mut self, topic: &str, message: &str) -> Result<String, Fault> {
        let input = s::PublishInput { topic_arn: Some(topic.into()), message: message.into(), ..Default::default() };
        self.call::<ops::Publish>(input).map(|r| r.message_id.unwrap())
    }

    /// What the courier has been asked to carry and has not answered, in order.
    pub fn under_way(&self) -> Vec<Delivery> {
        self.wanted().into_iter().map(|(_, delivery)| delivery).collect()
    }

    fn wanted(&self) -> Vec<(Wanted, Delivery)> {
        let open = self.state().rows::<Wanted>().filter(|w| !w.applied && w.refused.is_none());
        open.filter_map(|w| match &w.want {
            Some(Want::Delivery(delivery)) => Some((w.clone(), (**delivery).clone())),
            _ => None,
        })
        .collect()
    }

    fn version(&self, delivery: &Delivery) -> Wanted {
        self.wanted().into_iter().find(|(_, d)| d == delivery).unwrap().0
    }

    pub fn deliver(&mut self, delivery: &Delivery) {
        let wanted = self.version(delivery);
        self.observe(&Observation::Applied { slot: wanted.slot, version: wanted.version });
        self.forget();
    }

    pub fn refuse(&mut self, delivery: &Delivery, reason: &str) {
        let wanted = self.version(delivery);
        self.observe(&Observation::Refused { slot: wanted.slot, version: wanted.version, reason: reason.into() });
        self.forget();
    }

    /// The courier answers every wish that there be no delivery.
    fn forget(&mut self) {
        let gone: Vec<Wanted> = self.state().rows::<Wanted>().filter(|w| w.want.is_none()).cloned().collect();
        for wanted in gone.into_iter().filter(|w| w.slot.kind == SlotKind::Delivery) {
            self.observe(&Observation::Applied { slot: wanted.slot, version: wanted.version });
        }
    }
}

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
