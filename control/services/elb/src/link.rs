//! Links to what trust stores hold. Who has one may open it for ten minutes, as AWS's pre-signed addresses
//! (`GetTrustStoreCaCertificatesBundle`, `GetTrustStoreRevocationContent`).

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::trust_store;

const LIFE: Duration = Duration::from_secs(600);
/// Links that hold at a time; the oldest makes room for one more.
const LINKS_MAX: usize = 1_000;
const SECRET_DIGITS: usize = 48;

/// A link that was given out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    secret: String,
    trust_store: String,
    /// The revocation file it leads to; without one it leads to the certificates of the authorities.
    revocation: Option<i64>,
    ends: Time,
}

impl Row for Link {
    const TABLE: &'static str = "elb.link";
    type Key = String;
    fn key(&self) -> String {
        self.secret.clone()
    }
}

/// Makes a link to something that exists, and returns its address.
pub(crate) fn give_out(tx: &mut Tx, cx: &Cx, trust_store: &str, revocation: Option<i64>) -> Result<String, Fault> {
    let mut all: Vec<(Time, String)> = tx.rows::<Link>().map(|link| (link.ends, link.key())).collect();
    all.sort_unstable();
    let surplus = (all.len() + 1).saturating_sub(LINKS_MAX);
    for (number, (ends, key)) in all.into_iter().enumerate() {
        if ends <= cx.now || number < surplus {
            tx.remove::<Link>(&key);
        }
    }
    let secret = cx.secret_hex(SECRET_DIGITS)?;
    let address = format!("{}/_allod/trust-store/{secret}", cx.settings.endpoint);
    tx.put(Link { secret, trust_store: trust_store.into(), revocation, ends: cx.now + LIFE });
    Ok(address)
}

/// What a link leads to, in PEM. `secret` is the last part of its address.
pub fn linked_content(state: &State, cx: &Cx, secret: &str) -> Result<String, Fault> {
    let gone = |text: &str| Fault::new(403, "AccessDenied", text);
    let link = state.find::<Link, str>(secret).ok_or_else(|| gone("There is no such link"))?;
    if link.ends <= cx.now {
        return Err(gone("Request has expired"));
    }
    let store = trust_store::find(state, &link.trust_store)?;
    Ok(match link.revocation {
        None => store.authorities.clone(),
        Some(id) => trust_store::find_revocation(store, id)?.lists.clone(),
    })
}
