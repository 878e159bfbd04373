//! Mail: into the outbox, and to a mail server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use courier::{OUTBOX_MAX, Sender, SmtpServer, letters, read_letter, readable};
use world::{Delivery, Destination, MessageForm, MessageKind};

use crate::rig::{Rig, Server, notification};

fn mail(id: &str, address: &str, form: MessageForm) -> Delivery {
    notification(id, Destination::Email { address: address.into() }, form)
}

#[test]
fn mail_lies_in_the_outbox_for_its_owner_alone() {
    let mut rig = Rig::new(None);
    assert_eq!(rig.carry(&mail("0000000000000001", "ops@example.com", MessageForm::Text)), None);
    let mut question = mail("0000000000000002", "ops@example.com", MessageForm::Text);
    (question.kind, question.subject) = (MessageKind::SubscriptionConfirmation, None);
    question.link = format!("http://127.0.0.1:4566/?Token={}", "0123456789".repeat(13));
    assert_eq!(rig.carry(&question), None);
    let listed = letters(&rig.paths.outbox()).unwrap();
    let shown: Vec<(&str, &str)> = listed.iter().map(|l| (l.name.as_str(), l.to.as_str())).collect();
    assert_eq!(shown, [("0000000000000001", "ops@example.com"), ("0000000000000002", "ops@example.com")]);
    assert_eq!(listed[1].subject, "AWS Notification - Subscription Confirmation");
    assert!(listed[0].date.starts_with("Sat, 31 Jan 2026 12:00:00"), "{}", listed[0].date);
    let file = rig.paths.outbox().join("0000000000000001.eml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = String::from_utf8(read_letter(&rig.paths.outbox(), "0000000000000001").unwrap().unwrap()).unwrap();
    assert!(text.contains("Hello") && text.contains("\r\n\r\n") && text.lines().all(|l| l.len() <= 998), "{text}");
    assert_eq!(read_letter(&rig.paths.outbox(), "../region").unwrap(), None);
    assert_eq!(read_letter(&rig.paths.outbox(), "3").unwrap(), None);
}

/// The link of a question is longer than a line of mail may be: encoded, it cannot be copied.
#[test]
fn links_are_whole_in_a_readable_letter() {
    let mut rig = Rig::new(None);
    let mut question = mail("0000000000000001", "ops@example.com", MessageForm::Text);
    question.kind = MessageKind::SubscriptionConfirmation;
    question.link = format!("http://127.0.0.1:4566/?Action=ConfirmSubscription&Token={}", "0123456789".repeat(13));
    assert_eq!(rig.carry(&question), None);
    let letter = read_letter(&rig.paths.outbox(), "0000000000000001").unwrap().unwrap();
    let text = String::from_utf8(readable(&letter)).unwrap();
    assert!(text.lines().any(|line| line == question.link), "{text}");
    assert!(text.starts_with("From: ") && !text.contains("Content-Transfer-Encoding"), "{text}");
}

#[test]
fn letters_are_readable_in_each_encoding() {
    let check = |encoding: &str, body: &str, plain: &str| {
        let letter = format!("To: a@b.c\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}");
        assert_eq!(String::from_utf8(readable(letter.as_bytes())).unwrap(), format!("To: a@b.c\r\n\r\n{plain}"));
    };
    check("quoted-printable", "a=3Db=\r\nc =zz=C3=A4=", "a=bc =zz\u{e4}=");
    check("base64", "SXQg\r\ncmFpbnM=\r\n", "It rains");
    for unchanged in
        ["no head at all", "Content-Transfer-Encoding: 7bit\r\n\r\na=3D", "Content-Transfer-Encoding: base64\r\n\r\n%"]
    {
        assert_eq!(readable(unchanged.as_bytes()), unchanged.as_bytes());
    }
}

#[test]
fn the_outbox_keeps_the_newest_letters() {
    let mut rig = Rig::new(None);
    for n in 0..OUTBOX_MAX + 5 {
        rig.want(&mail(&format!("{n:016}"), "ops@example.com", MessageForm::Envelope));
    }
    for _ in 0..OUTBOX_MAX + 5 {
        assert_eq!(rig.answer().1, None);
    }
    let kept = letters(&rig.paths.outbox()).unwrap();
    assert_eq!(kept.len(), OUTBOX_MAX);
    assert!(kept[0].name.as_str() >= "0000000000000001", "{}", kept[0].name);
}

#[test]
fn a_letter_that_was_written_counts_whatever_becomes_of_older_ones() {
    let mut rig = Rig::new(None);
    let outbox = rig.paths.outbox();
    std::fs::create_dir_all(outbox.join("0.eml/cannot-be-removed")).unwrap();
    for n in 1..OUTBOX_MAX {
        std::fs::write(outbox.join(format!("1{n:015}.eml")), "").unwrap();
    }
    std::fs::write(outbox.join("1.eml"), "").unwrap();
    assert_eq!(rig.carry(&mail("2000000000000000", "ops@example.com", MessageForm::Text)), None);
    assert!(outbox.join("2000000000000000.eml").exists() && !outbox.join("1.eml").exists());
}

/// What could not be written whole leaves nothing behind.
#[test]
fn a_letter_that_cannot_be_put_leaves_no_piece_of_it() {
    let mut rig = Rig::new(None);
    let outbox = rig.paths.outbox();
    // Nothing can take the place of a directory that is not empty.
    std::fs::create_dir_all(outbox.join("0000000000000001.eml/in-the-way")).unwrap();
    let refused = rig.carry(&mail("0000000000000001", "ops@example.com", MessageForm::Text)).unwrap();
    assert!(refused.contains("the outbox: ") && !Delivery::read_refusal(&refused).1, "{refused}");
    let left: Vec<_> = std::fs::read_dir(&outbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["0000000000000001.eml"]);
}

/// Speaks SMTP, notes what it is told, and answers DATA with this.
fn sink(data_answer: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = said.clone();
    let server = Server::start(move |stream| converse(&stream, &notes, data_answer).unwrap_or_default());
    (server, said)
}

fn converse(mut stream: &TcpStream, notes: &Mutex<Vec<String>>, data_answer: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    stream.write_all(b"220 sink\r\n")?;
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_string();
        notes.lock().unwrap().push(line.clone());
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." if in_data => {
                in_data = false;
                data_answer
            }
            _ if in_data => continue,
            "EHLO" => "250-sink\r\n250 AUTH PLAIN LOGIN",
            "AUTH" => "235 welcome",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
    }
}

#[test]
fn mail_goes_to_the_mail_server_too() {
    let (server, said) = sink("250 taken");
    let mut rig = Rig::new(Some(&format!("smtp://me:secret@{}", server.address)));
    assert_eq!(rig.carry(&mail("1", "ops@example.com", MessageForm::Text)), None);
    let said = said.lock().unwrap().join("\n");
    assert!(said.contains("AUTH PLAIN") && said.contains("RCPT TO:<ops@example.com>") && said.contains("Hello"), "{said}");
    assert_eq!(letters(&rig.paths.outbox()).unwrap().len(), 1);
}

#[test]
fn mail_is_from_whom_the_owner_says() {
    for (user, sender, envelope, shown) in [
        ("me:secret@", None, "no-reply@sns.eu-central-1.localhost", "AWS Notifications"),
        ("me%40example.com:secret@", None, "me@example.com", "AWS Notifications"),
        ("me%2Balerts%40example.com:secret@", None, "me+alerts@example.com", "AWS Notifications"),
        ("me%40example.com:secret@", Some("Alerts <alerts@example.org>"), "alerts@example.org", "Alerts <"),
        ("", Some("alerts@example.org"), "alerts@example.org", "From: alerts@example.org"),
    ] {
        let (server, said) = sink("250 taken");
        let mut rig = Rig::with(Some(&format!("smtp://{user}{}", server.address)), sender, &[]);
        assert_eq!(rig.carry(&mail("1", "ops@example.com", MessageForm::Text)), None);
        let said = said.lock().unwrap();
        assert!(said.iter().any(|line| line.starts_with(&format!("MAIL FROM:<{envelope}>"))), "{said:?}");
        let from = said.iter().find(|line| line.starts_with("From: ")).unwrap();
        assert!(from.contains(shown) && from.contains(envelope), "{from}");
    }
    for wrong in ["", "nobody", "a@b\r\nBcc: c@d.e", "a@b.c, d@e.f"] {
        assert!(wrong.parse::<Sender>().is_err(), "{wrong:?}");
    }
}

#[test]
fn what_the_mail_server_refuses_is_told() {
    for (data_answer, for_good) in [("451 later", false), ("554 never", true)] {
        let (server, _) = sink(data_answer);
        let mut rig = Rig::new(Some(&format!("smtp://{}", server.address)));
        let reason = rig.carry(&mail("1", "ops@example.com", MessageForm::Text)).unwrap();
        assert_eq!(Delivery::read_refusal(&reason).1, for_good, "{reason}");
    }
}

#[test]
fn a_mail_server_is_named_by_a_url_and_its_password_is_never_shown() {
    for url in ["", "mail.example.com", "http://host", "smtp://", "smtp://me:secret@"] {
        let told = SmtpServer::parse(url).map(|_| ()).unwrap_err();
        assert!(told.contains("smtp://user:password@host:port") && !told.contains("secret"), "{told}");
    }
    let server = SmtpServer::parse("smtps://me:secret@mail.example.com:465").unwrap();
    assert_eq!(format!("{server:?}"), "SmtpServer(mail.example.com)");
}
