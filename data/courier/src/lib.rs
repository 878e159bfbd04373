//! The courier carries messages to subscribers: HTTP requests, and mail. It makes single attempts and says how they went;
//! whether and when there is another one is the control plane's to decide. It keeps nothing but copies of the mail that it
//! sent, and knows no topic and no subscription.

mod desk;
mod envelope;
mod failure;
mod http;
mod mail;
mod outbox;
mod resolver;
mod signature;
mod smtp;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use world::{Delivery, Destination, EndpointNetworks, RunPaths};

use failure::Failure;

pub use outbox::{Letter, OUTBOX_MAX, letters, read_letter, readable};
pub use smtp::{Sender, SmtpServer};

/// What the courier needs to know.
pub struct CourierOptions {
    pub paths: RunPaths,
    /// Where HTTP endpoints may be beside the Internet and this machine's loopback.
    pub endpoint_networks: EndpointNetworks,
    /// Where mail goes beside the outbox; none keeps it there alone.
    pub smtp: Option<SmtpServer>,
    /// Whom mail is from; none means the user of the mail server where its name is a mail address, else `no-reply@` a name of
    /// the region's that exists on this machine alone.
    pub sender: Option<Sender>,
}

/// The means of carrying; cheap to clone.
#[derive(Clone)]
pub struct Courier {
    means: Arc<Means>,
}

struct Means {
    http: http::Client,
    signer: signature::Signer,
    post: mail::Post,
}

impl Courier {
    pub fn new(options: CourierOptions) -> io::Result<Self> {
        let CourierOptions { paths, endpoint_networks, smtp, sender } = options;
        let means = Means {
            http: http::Client::new(endpoint_networks),
            signer: signature::Signer::new(&paths),
            post: mail::Post::new(paths.outbox(), smtp, sender)?,
        };
        Ok(Self { means: Arc::new(means) })
    }

    /// Serves one connection of the control plane, in threads of its own, until it ends.
    pub fn start(&self, stream: UnixStream) -> io::Result<()> {
        desk::open(self.clone(), stream)
    }

    /// One attempt.
    fn carry(&self, delivery: &Delivery) -> Result<(), Failure> {
        match &delivery.destination {
            Destination::Http { url, content_type } => {
                let body = envelope::body(delivery, &self.means.signer)?;
                self.means.http.post(delivery, url, content_type, &body)
            }
            Destination::Email { address } => {
                let text = envelope::body(delivery, &self.means.signer)?;
                self.means.post.send(delivery, address, text)
            }
        }
    }
}
