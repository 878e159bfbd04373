//! The cookie that carries a session's id.

use crate::limits::SESSION_IDLE_MAX;
use crate::session::SessionId;

const NAME: &str = "web-tier-session";

/// The session that a `Cookie` header names, if it names one.
pub fn find(header: &str) -> Option<SessionId> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .and_then(|(_, id)| SessionId::parse(id))
}

/// The value of a `Set-Cookie` header. Scripts and other sites' forms do not get to use the cookie; with `secure` nor
/// do connections without TLS.
pub fn set(id: &SessionId, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", id.as_str(), SESSION_IDLE_MAX.as_secs())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_well_formed_ids_only() {
        let id = "0123456789abcdef0123456789abcdef";
        for (header, found) in [
            (format!("web-tier-session={id}"), true),
            (format!("a=b; web-tier-session={id}; AWSALB=x"), true),
            (format!("xweb-tier-session={id}"), false),
            (format!("web-tier-session={id}0"), false),
            ("web-tier-session=0123456789ABCDEF0123456789ABCDEF".into(), false),
            ("web-tier-session=<script>".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(find(&header).is_some(), found, "{header}");
        }
    }
}
