//! What is secret stays in files that only their owner reads.

use std::os::unix::fs::PermissionsExt;

use crate::rig::Rig;

#[test]
fn secret_files_are_their_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    let body = r#"{"Name":"/password","Value":"the-parameters-secret","Type":"SecureString"}"#;
    rig.json("ssm", "AmazonSSM.PutParameter", body);
    for file in [rig.paths.credentials(), rig.paths.journal()] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[test]
fn the_console_wants_its_token() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    let get = |path: &str, more: &str| {
        rig.exchange(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{more}Connection: close\r\n\r\n", rig.address).as_bytes())
    };
    // The page itself tells nothing; what it shows needs the token.
    assert_eq!(get("/_allod/", "").status, 200);
    assert_eq!(get("/_allod/status", "").status, 400);
    assert_eq!(get("/_allod/?token=0123456789abcdef0123456789abcdef", "").status, 403);
    assert_eq!(get("/_allod/?token=", "").status, 403);
    assert_eq!(get("/_allod/trust-store/0123456789abcdef", "").status, 403);
    let signed = rig.exchange(&rig.signed("allod", "/_allod/status", &[], b"{}"));
    assert_eq!(signed.status, 200);
    assert!(!signed.body.contains(&rig.credentials.secret_access_key));
    let token = signed.body.split_once("?token=").unwrap().1.split('"').next().unwrap().to_string();
    let let_in = get(&format!("/_allod/?token={token}"), "");
    assert_eq!(let_in.status, 303);
    assert!(let_in.head.contains("location: /_allod/\r\n") && let_in.head.contains("httponly; samesite=strict"), "{let_in:?}");
    // Cookies are shared by the ports of a host: each region's has a name of its own.
    let ours = format!("allod-{}={token}", rig.address.port());
    assert!(let_in.head.contains(&format!("set-cookie: {ours}; path=/_allod/;")), "{let_in:?}");
    let others = "allod-4567=0123456789abcdef0123456789abcdef";
    assert_eq!(get("/_allod/status", &format!("Cookie: a=b; {others}; {ours}\r\n")).status, 200);
    assert_eq!(get("/_allod/status", &format!("Cookie: {others}\r\n")).status, 400);
    // A browser that was let in looks; it cannot act.
    let stop = format!(
        "POST /_allod/shutdown HTTP/1.1\r\nHost: {}\r\nCookie: {ours}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}",
        rig.address
    );
    assert_eq!(rig.exchange(stop.as_bytes()).status, 400);
    rig.is_well();
}
