//! The console's files, embedded in the binary, and the token that lets a browser in.

use aws_lc_rs::hmac;

use crate::identity::Credentials;

/// A file of the console: its media type and bytes.
pub(crate) fn file(name: &str) -> Option<(&'static str, &'static [u8])> {
    match name {
        "" | "index.html" => Some(("text/html; charset=utf-8", include_bytes!("../../../console/index.html"))),
        "app.js" => Some(("text/javascript; charset=utf-8", include_bytes!("../../../console/app.js"))),
        "charts.js" => Some(("text/javascript; charset=utf-8", include_bytes!("../../../console/charts.js"))),
        "page.js" => Some(("text/javascript; charset=utf-8", include_bytes!("../../../console/page.js"))),
        "picture.js" => Some(("text/javascript; charset=utf-8", include_bytes!("../../../console/picture.js"))),
        "style.css" => Some(("text/css; charset=utf-8", include_bytes!("../../../console/style.css"))),
        _ => None,
    }
}

/// What a Prometheus shows as its bearer token to read the region's metrics, and nothing else.
pub(crate) fn metrics_token(credentials: &Credentials) -> String {
    derive(credentials, b"allod metrics")
}

/// What a browser shows to prove that its user may read the region's data directory. It is derived from the root
/// key, and tells nothing about it.
pub(crate) fn token(credentials: &Credentials) -> String {
    derive(credentials, b"allod console")
}

fn derive(credentials: &Credentials, purpose: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, credentials.secret_access_key.as_bytes());
    let tag = hmac::sign(&key, purpose);
    tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
