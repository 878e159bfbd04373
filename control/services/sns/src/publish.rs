use base::Fault;
use kernel::{Cx, Tx};

/// What another service publishes to a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub subject: Option<String>,
    pub body: String,
}

/// Publishes to a topic by its ARN; what is subscribed gets it after the commit. A topic that does not exist is a
/// fault `NotFound`, which the publishing service notes in its own history.
pub fn publish(_tx: &mut Tx, _cx: &Cx, topic_arn: &str, _message: Message) -> Result<(), Fault> {
    Err(Fault::new(404, "NotFound", format!("Topic does not exist: {topic_arn}")))
}
