//! AWS Certificate Manager. It owns certificates with their keys, those that users import and those that the region's own
//! authority issues and renews; it never makes a key itself, never tells one to anybody but a service that serves with it,
//! and never knows who that is: services above it say what they use.

mod certificate;
mod domain;
mod error;
mod import;
mod list;
mod operations;
mod reconcile;
mod request;
mod show;
mod stack;
mod tags;
mod validation;

use kernel::{Registry, State};
use shapes::acm::ops;
use world::PrivateKey;

pub use certificate::{Certificate, Contents, Kind, Order, Renewal, RenewalStatus, Status};
pub use error::Error;

/// What a server needs to speak for a certificate's names. PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// The certificate, and those between it and an authority that clients know.
    pub chain: String,
    pub key: PrivateKey,
}

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<Certificate>();
    registry.operation::<ops::RequestCertificate>(operations::request);
    registry.operation::<ops::ImportCertificate>(operations::import);
    registry.operation::<ops::DescribeCertificate>(operations::describe);
    registry.operation::<ops::ListCertificates>(list::list);
    registry.operation::<ops::GetCertificate>(operations::get);
    registry.operation::<ops::DeleteCertificate>(operations::delete);
    registry.operation::<ops::UpdateCertificateOptions>(operations::update_options);
    registry.operation::<ops::RenewCertificate>(operations::renew);
    registry.operation::<ops::ExportCertificate>(operations::export);
    registry.operation::<ops::ResendValidationEmail>(operations::resend);
    registry.operation::<ops::AddTagsToCertificate>(tags::add);
    registry.operation::<ops::RemoveTagsFromCertificate>(tags::remove);
    registry.operation::<ops::ListTagsForCertificate>(tags::list);
    reconcile::register(registry);
    registry.resource(stack::CertificateType);
}

/// Whether there is a certificate of this ARN, issued or not.
pub fn is_known(state: &State, arn: &str) -> bool {
    state.find::<Certificate, str>(arn).is_some()
}

/// What to serve a certificate with; none while there is none of this ARN, or it is not issued yet. One that has expired is
/// still served: clients then say what is wrong.
pub fn material(state: &State, arn: &str) -> Option<Material> {
    let certificate = state.find::<Certificate, str>(arn)?;
    let contents = certificate.contents.as_ref()?;
    // Whoever trusts the region's root has it: sending it would only make handshakes longer.
    let between = contents.chain.as_deref().filter(|_| certificate.kind == Kind::Imported).unwrap_or_default();
    Some(Material { chain: format!("{}{between}", contents.certificate), key: contents.key.clone() })
}
