//! The authority over its socket, as the control plane speaks with it.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use authority::{Authority, open_root_certificate};
use base::Time;
use world::{
    CertificateOrder, Effect, Frame, FrameReader, IssuedCertificate, KeyAlgorithm, Observation, RunPaths, Slot, SlotKind, Want,
};
use x509_parser::pem::parse_x509_pem;

const ID: &str = "arn:aws:acm:eu-central-1:000000000000:certificate/1";

struct Wire {
    stream: UnixStream,
    reader: FrameReader,
}

impl Wire {
    fn open(authority: &Authority) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        authority.start(theirs).unwrap();
        let mut wire = Self { stream: ours, reader: FrameReader::default() };
        assert!(matches!(wire.next(), Frame::Hello { applied, .. } if applied.is_empty()));
        wire
    }

    fn next(&mut self) -> Frame {
        let mut buffer = [0; 4_096];
        loop {
            if let Some(frame) = self.reader.next_frame().unwrap() {
                return frame;
            }
            let n = self.stream.read(&mut buffer).unwrap();
            assert!(n > 0, "it closed the connection");
            self.reader.push(&buffer[..n]);
        }
    }

    fn send(&mut self, want: Option<Want>) {
        let effect = Effect { slot: Slot::new(SlotKind::Certificate, ID), version: 3, want };
        self.stream.write_all(&Frame::Effect(effect).encode().unwrap()).unwrap();
    }

    fn order(&mut self, names: &[&str], algorithm: KeyAlgorithm) -> Result<IssuedCertificate, String> {
        self.send(Some(Want::Certificate(order(names, algorithm))));
        match self.next() {
            Frame::Observation(Observation::Issued { certificate, generation: 7, issued }) if certificate == ID => {
                assert!(matches!(self.next(), Frame::Observation(Observation::Applied { version: 3, .. })));
                Ok(*issued)
            }
            Frame::Observation(Observation::Refused { version: 3, reason, .. }) => Err(reason),
            other => panic!("{other:?}"),
        }
    }
}

fn order(names: &[&str], algorithm: KeyAlgorithm) -> CertificateOrder {
    CertificateOrder {
        id: ID.into(),
        generation: 7,
        names: names.iter().map(|n| (*n).to_string()).collect(),
        algorithm,
        not_before: Time::from_unix_ms(1_800_000_000_000),
        not_after: Time::from_unix_ms(1_834_000_000_000),
    }
}

fn region() -> (tempfile::TempDir, RunPaths) {
    let directory = tempfile::tempdir().unwrap();
    let paths = RunPaths::new(directory.path());
    (directory, paths)
}

#[test]
fn what_it_issues_is_signed_by_the_root_and_says_what_was_ordered() {
    let (_directory, paths) = region();
    let mut wire = Wire::open(&Authority::new(paths.clone()));
    for (algorithm, key_bits) in [(KeyAlgorithm::EcP256, 256), (KeyAlgorithm::EcP384, 384), (KeyAlgorithm::Rsa2048, 2_048)] {
        let issued = wire.order(&["web.example.com", "*.elb.localhost"], algorithm).unwrap();
        let root = open_root_certificate(&paths).unwrap();
        assert_eq!(issued.chain, root);
        let (_, pem) = parse_x509_pem(issued.certificate.as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        let (_, root) = parse_x509_pem(root.as_bytes()).unwrap();
        let root = root.parse_x509().unwrap();
        assert_eq!(certificate.issuer(), root.subject());
        assert!(certificate.issuer().to_string().contains(&issued.issuer), "{}", certificate.issuer());
        assert_eq!(certificate.subject().to_string(), "CN=web.example.com");
        assert_eq!(certificate.raw_serial_as_string(), issued.serial);
        assert_eq!(certificate.validity().not_before.timestamp(), 1_800_000_000);
        assert_eq!(certificate.validity().not_after.timestamp(), 1_834_000_000);
        assert_eq!(certificate.public_key().parsed().unwrap().key_size(), key_bits);
        let names = certificate.subject_alternative_name().unwrap().unwrap().value.general_names.clone();
        assert_eq!(
            names.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["DNSName(web.example.com)", "DNSName(*.elb.localhost)"]
        );
        assert!(!certificate.is_ca() && root.is_ca());
        assert!(!format!("{issued:?}").contains("PRIVATE KEY"), "no log shows a key");
    }
}

#[test]
fn the_root_is_made_once_and_nobody_else_may_read_its_key() {
    let (_directory, paths) = region();
    let first = Wire::open(&Authority::new(paths.clone())).order(&["a.example"], KeyAlgorithm::EcP256).unwrap();
    let second = Wire::open(&Authority::new(paths.clone())).order(&["a.example"], KeyAlgorithm::EcP256).unwrap();
    assert_eq!(first.chain, second.chain);
    assert_ne!(first.key, second.key);
    assert_ne!(first.serial, second.serial);
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(paths.authority()), mode(paths.root_key())), (0o700, 0o600));
    let other = region();
    assert_ne!(open_root_certificate(&other.1).unwrap(), first.chain, "every region has its own");
}

#[test]
fn those_who_want_the_root_at_once_get_the_same_one() {
    let (_directory, paths) = region();
    let roots: Vec<String> = std::thread::scope(|scope| {
        let open = || scope.spawn(|| open_root_certificate(&paths).unwrap());
        let openers: Vec<_> = std::iter::repeat_with(open).take(16).collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });
    assert!(roots.iter().all(|root| *root == roots[0]));
    assert_eq!(std::fs::read_to_string(paths.root_certificate()).unwrap(), roots[0]);
}

#[test]
fn a_root_that_cannot_be_read_is_told_and_never_replaced() {
    let (_directory, paths) = region();
    open_root_certificate(&paths).unwrap();
    std::fs::write(paths.root_key(), "rubbish").unwrap();
    let refused = Wire::open(&Authority::new(paths.clone())).order(&["a.example"], KeyAlgorithm::EcP256).unwrap_err();
    assert!(refused.contains("root-key.pem"), "{refused}");
    assert_eq!(std::fs::read_to_string(paths.root_key()).unwrap(), "rubbish");
}

#[test]
fn bad_orders_are_refused() {
    let (_directory, paths) = region();
    let mut wire = Wire::open(&Authority::new(paths));
    let long = "x".repeat(254);
    for names in [&[][..], &[""], &["a b"], &["*"], &["a..b"], &["a.*.b"], &["é.example"], &[long.as_str()], &["a.example"; 101]]
    {
        assert!(wire.order(names, KeyAlgorithm::EcP256).is_err(), "{names:?}");
    }
    wire.send(None);
    assert!(matches!(wire.next(), Frame::Observation(Observation::Applied { version: 3, .. })));
}
