//! Reading X.509 for the services that keep certificates: PEM, certificates and what they say, whether a key is a
//! certificate's, chains, revocation lists. It owns no row and decides nothing by itself; it never makes a key or a signature,
//! for that needs randomness that `control/` does not have.

mod certificate;
mod key;
mod pair;
mod pem;
mod revocation;

pub use certificate::{Certificate, KeyAlgorithm, certificates};
pub use key::{KeyError, PrivateKey};
pub use pair::{PairError, ServerPair};
pub use pem::{PemBlock, PemError, blocks};
pub use revocation::{RevocationList, revocation_lists};
