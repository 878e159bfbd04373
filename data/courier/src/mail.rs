//! Deliveries by mail: into the outbox, where the region's owner can read them, and to a mail server when there is one.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes};
use world::{Delivery, MessageForm, MessageKind};

use crate::failure::Failure;
use crate::outbox::Outbox;
use crate::smtp::{SENDER_NAME, Sender, SmtpServer};

pub(crate) struct Post {
    outbox: Outbox,
    smtp: Option<SmtpServer>,
    sender: Option<Mailbox>,
}

/// Subjects of mail without one of its own.
const NOTIFICATION: &str = "AWS Notification Message";
const CONFIRMATION: &str = "AWS Notification - Subscription Confirmation";
const END: &str = "AWS Notification - Unsubscribe Confirmation";

impl Post {
    pub(crate) fn new(outbox: PathBuf, smtp: Option<SmtpServer>, sender: Option<Sender>) -> io::Result<Self> {
        let sender = sender.map(|s| s.0).or_else(|| smtp.as_ref().and_then(|server| server.user.clone()));
        Ok(Self { outbox: Outbox::open(outbox)?, smtp, sender })
    }

    pub(crate) fn send(&self, delivery: &Delivery, address: &str, text: String) -> Result<(), Failure> {
        let mail = compose(delivery, self.sender.as_ref(), address, text)
            .map_err(|e| Failure::for_good(format_args!("no mail can be made of it: {e}")))?;
        self.outbox.put(&delivery.id, &mail.formatted()).map_err(|e| Failure::for_now(format_args!("the outbox: {e}")))?;
        self.smtp.as_ref().map_or(Ok(()), |server| server.send(&mail))
    }
}

fn compose(
    delivery: &Delivery,
    sender: Option<&Mailbox>,
    address: &str,
    text: String,
) -> Result<Message, Box<dyn std::error::Error>> {
    let region = delivery.topic_arn.split(':').nth(3).unwrap_or("local");
    let sender = match sender {
        Some(sender) => sender.clone(),
        None => Mailbox::new(Some(SENDER_NAME.into()), format!("no-reply@sns.{region}.localhost").parse()?),
    };
    let subject = match (&delivery.subject, delivery.kind) {
        (Some(subject), _) => subject.as_str(),
        (None, MessageKind::Notification) => NOTIFICATION,
        (None, MessageKind::SubscriptionConfirmation) => CONFIRMATION,
        (None, MessageKind::UnsubscribeConfirmation) => END,
    };
    let written = u64::try_from(delivery.published_at.unix_ms()).unwrap_or(0);
    let date: SystemTime = UNIX_EPOCH + Duration::from_millis(written);
    let kind = match delivery.form {
        MessageForm::Envelope => ContentType::parse("application/json; charset=utf-8")?,
        MessageForm::Raw | MessageForm::Text => ContentType::TEXT_PLAIN,
    };
    let to: Mailboxes = Mailbox::new(None, address.parse()?).into();
    let mail = Message::builder()
        .from(sender)
        .mailbox(lettre::message::header::To::from(to))
        .subject(subject)
        .date(date)
        .message_id(Some(format!("<{}.{}@sns.{region}.localhost>", delivery.message_id, delivery.id)))
        .header(kind)
        .body(text)?;
    Ok(mail)
}
