//! Commands against a region that runs, here: as root.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::{fs, thread};

use serde_json::Value as Json;

use crate::rig::{PATIENCE, Rig, eventually};

const NETWORK: &str =
    "Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: 10.0.0.0/16}\nOutputs:\n  Id: {Value: !Ref Vpc}\n";

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_stack_comes_changes_and_goes() {
    let rig = Rig::started();
    let template = rig.data.with_file_name("net.yaml");
    fs::write(&template, NETWORK).unwrap();
    let path = template.to_str().unwrap();
    let said = rig.good(&["up", path]);
    assert!(said.contains("CREATE_COMPLETE") && said.contains("Stack net created after"), "{said}");
    assert!(said.contains("Id = vpc-"), "{said}");
    let again = json(&rig.good(&["up", path, "--output", "json"]));
    assert_eq!((again["outcome"].as_str(), again["stack"]["StackStatus"].as_str()), (Some("unchanged"), Some("CREATE_COMPLETE")));
    let status = json(&rig.good(&["status", "--output", "json"]));
    assert_eq!(status["stacks"][0]["name"], "net");
    assert_eq!(json(&rig.good(&["image", "list", "--output", "json"])), Json::Array(vec![]));
    assert!(rig.good(&["image", "list"]).trim_start().starts_with("ID "), "a table has its head, also when it is empty");
    // A mistake in the template is told with its place, and nothing is made.
    fs::write(&template, NETWORK.replace("AWS::EC2::VPC", "AWS::EC2::Castle")).unwrap();
    let said = rig.bad(&["up", path, "--stack-name", "other"], 1);
    assert!(said.contains("net.yaml") && said.contains("AWS::EC2::Castle"), "{said}");
    fs::write(&template, NETWORK).unwrap();
    let said = rig.bad(&["up", path, "--stack-name", "not a name"], 1);
    assert!(said.contains("'not a name' at 'stackName' failed to satisfy constraint"), "{said}");
    assert_eq!(json(&rig.good(&["status", "--output", "json"]))["stacks"].as_array().unwrap().len(), 1);
    let said = rig.good(&["down", "--stack-name", "net"]);
    assert!(said.contains("DELETE_COMPLETE"), "{said}");
    assert!(rig.bad(&["down", "--stack-name", "net"], 1).contains("does not exist"));
    let said = rig.good(&["down"]);
    assert!(said.contains("Stopping the region at") && said.ends_with("Nothing runs any more\n"), "{said}");
    rig.bad(&["status"], 3);
}

#[test]
fn what_an_interrupted_up_began_is_followed_to_its_end() {
    let rig = Rig::started();
    let template = rig.data.with_file_name("wait.yaml");
    let wait = "Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: !Ref Handle, Timeout: 2, Count: 1}}\n";
    fs::write(&template, wait).unwrap();
    let path = template.to_str().unwrap();
    let mut first = rig.command(&["up", path]).stdout(Stdio::null()).spawn().unwrap();
    let status = || json(&rig.good(&["status", "--output", "json"]))["stacks"][0]["status"].clone();
    eventually("the stack is being made", || (status() == "CREATE_IN_PROGRESS").then_some(()));
    first.kill().unwrap();
    first.wait().unwrap();
    fs::write(&template, "Resources: {Handle: {Type: AWS::CloudFormation::WaitConditionHandle}}\n").unwrap();
    let said = rig.good(&["up", path]);
    let place = |words: &str| said.find(words).unwrap_or_else(|| panic!("{words}: {said}"));
    assert!(place("WaitCondition timed out") < place("Stack wait created after"), "{said}");
}

#[test]
fn a_region_is_found_looked_at_and_refuses_a_second() {
    let rig = Rig::started();
    let status = json(&rig.good(&["status", "--output", "json"]));
    let endpoint = status["endpoint"].as_str().unwrap().to_string();
    let said = rig.good(&["env"]);
    assert!(
        said.contains(&format!("export AWS_ENDPOINT_URL={endpoint}\n")) && said.contains("export AWS_SECRET_ACCESS_KEY="),
        "{said}"
    );
    // A second is told that there is one, and harms nothing.
    let said = rig.good(&["serve", "--background", "--listen", "127.0.0.1:0"]);
    assert_eq!(said, format!("The region runs already at {endpoint}\n"));
    let said = rig.bad(&["serve", "--listen", "127.0.0.1:0"], 1);
    assert!(said.contains("a region runs in") && said.contains("already"), "{said}");
    assert_eq!(json(&rig.good(&["status", "--output", "json"]))["endpoint"], status["endpoint"]);
    // Nor do instances that are not there have consoles.
    let said = rig.bad(&["console-output", "i-0123456789abcdef0"], 1);
    assert_eq!(said, "allod: InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist\n");
    assert!(rig.bad(&["console-output", "../../etc/passwd"], 1).starts_with("allod: InvalidInstanceID.Malformed: "));
    a_reader_that_goes_away_is_no_error(&rig);
    logs_are_followed(&rig);
    no_secret_is_logged_nor_readable(&rig);
}

fn a_reader_that_goes_away_is_no_error(rig: &Rig) {
    for arguments in [&["status"][..], &["status", "--output", "json"], &["env"], &["logs"], &["image", "list"]] {
        let mut child = rig.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() && err.is_empty(), "{arguments:?} {status}: {err}");
    }
}

fn logs_are_followed(rig: &Rig) {
    let mut child = rig.command(&["logs", "edge", "--follow", "-n", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let log = rig.data.join("logs/edge.log");
    let grow = |text: &str| fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(text.as_bytes()).unwrap();
    let follower = thread::spawn(move || {
        let found = lines.find_map(|line| line.ok().filter(|line| line.starts_with("marker ")));
        (found, lines)
    });
    // It begins at the log's end, whenever that is: marked until it is seen.
    eventually("followed line", || {
        grow("marker 1\n");
        follower.is_finished().then_some(())
    });
    let (found, lines) = follower.join().unwrap();
    assert_eq!(found.as_deref(), Some("marker 1"));
    // It ends when nobody reads on.
    drop(lines);
    let status = eventually("end of the follower", || {
        grow("marker 2\n");
        child.try_wait().unwrap()
    });
    assert!(status.success(), "{status}");
}

fn no_secret_is_logged_nor_readable(rig: &Rig) {
    let credentials = json(&fs::read_to_string(rig.data.join("credentials.json")).unwrap());
    let status = json(&rig.good(&["status", "--output", "json"]));
    let token = status["console"].as_str().unwrap().split_once("token=").unwrap().1.to_string();
    let secret = credentials["secret_access_key"].as_str().unwrap();
    for entry in fs::read_dir(rig.data.join("logs")).unwrap().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(!text.contains(secret) && !text.contains(&token), "{}", entry.path().display());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", entry.path().display());
    }
    for name in ["credentials.json", "region.redb"] {
        let mode = fs::metadata(rig.data.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

/// A password; an endpoint with one, at another spelling of 0.0.0.0, which is never called; and a question with a token.
const SECRETS: &str = "
Parameters:
  Password: {Type: String, NoEcho: true}
Resources:
  P:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Password}
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      Subscription:
        - {Protocol: http, Endpoint: !Sub 'http://me:${Password}@0x0:9/hook'}
        - {Protocol: email, Endpoint: ops@example.com}
";

/// The message that `status` says is lost, for people and for programs.
fn a_lost_message(rig: &Rig) -> Json {
    let lost = eventually("lost message", || {
        let status = json(&rig.good(&["status", "--output", "json"]));
        status["notifications"]["lost"].get(0).cloned()
    });
    let said = rig.good(&["status"]);
    assert!(said.contains("LOST MESSAGE") && said.contains(lost["message_id"].as_str().unwrap()), "{said}");
    lost
}

fn token_of_the_question(rig: &Rig) -> String {
    let letter = eventually("letter", || {
        let letters = json(&rig.good(&["outbox", "--output", "json"]));
        letters.get(0).map(|l| l["name"].as_str().unwrap().to_string())
    });
    let text = rig.good(&["outbox", &letter]);
    let token: String = text.split_once("Token=").unwrap().1.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(token.len(), 128, "{text}");
    token
}

#[test]
fn a_layer_that_is_imported_as_a_whole_image_is_warned_of() {
    let rig = Rig::started();
    let layer = rig.data.with_file_name("layer");
    fs::create_dir_all(layer.join("usr/local/bin")).unwrap();
    fs::write(layer.join("usr/local/bin/app"), "#!/bin/sh\n").unwrap();
    let import = |base: &str| rig.run(&["image", "import", "app", layer.to_str().unwrap(), "--base", base]);
    let said = import("none");
    assert!(said.code == Some(0) && said.out.starts_with("ami-"), "{said:?}");
    assert!(said.err.contains("warning: ") && said.err.contains("--base host"), "{said:?}");
    let said = import("host");
    assert!(said.code == Some(0) && said.err.is_empty(), "{said:?}");
    fs::write(layer.join("usr/local/bin/other"), "").unwrap();
    fs::create_dir_all(layer.join("usr/bin")).unwrap();
    fs::write(layer.join("usr/bin/sh"), "").unwrap();
    let said = import("none");
    assert!(said.code == Some(0) && said.err.is_empty(), "{said:?}");
}

#[test]
fn not_even_the_most_talkative_log_holds_a_secret() {
    let rig = Rig::new();
    let mut command = rig.command(&["serve", "--background", "--listen", "127.0.0.1:0"]);
    let status = command.env("ALLOD_LOG", "trace").stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "run this test as root");
    let template = rig.data.with_file_name("secret.yaml");
    fs::write(&template, SECRETS).unwrap();
    rig.good(&["up", template.to_str().unwrap(), "--parameter", "Password=correct-horse-battery"]);
    let status = rig.good(&["status", "--output", "json"]);
    assert!(!status.contains("correct-horse-battery"), "{status}");
    let told = a_lost_message(&rig);
    assert!(told["reason"].as_str().unwrap().contains("--endpoint-network"), "{told}");
    assert_eq!(told["endpoint"], "http://me:****@0x0:9/hook");
    let token = token_of_the_question(&rig);
    for entry in fs::read_dir(rig.data.join("logs")).unwrap().flatten() {
        let log = fs::read_to_string(entry.path()).unwrap();
        assert!(!log.contains("correct-horse-battery") && !log.contains(&token), "{}", entry.path().display());
    }
    no_secret_is_logged_nor_readable(&rig);
}

#[test]
fn a_port_in_use_is_told() {
    let rig = Rig::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for arguments in [&["serve", "--listen", &address][..], &["serve", "--background", "--listen", &address]] {
        let said = rig.bad(arguments, 1);
        let text = format!("cannot listen on {address}: Address already in use (os error 98); choose another with --listen");
        assert!(said.contains(&text), "{said}");
    }
}

#[test]
fn a_killed_region_comes_back_as_it_was() {
    let rig = Rig::started();
    let template = rig.data.with_file_name("net.yaml");
    fs::write(&template, NETWORK).unwrap();
    rig.good(&["up", template.to_str().unwrap()]);
    let endpoint = json(&fs::read_to_string(rig.data.join("endpoint.json")).unwrap());
    let pid = rustix::process::Pid::from_raw(i32::try_from(endpoint["pid"].as_i64().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    eventually("end of the region", || (rig.run(&["status"]).code == Some(3)).then_some(()));
    let begun = std::time::Instant::now();
    rig.good(&["serve", "--background", "--listen", "127.0.0.1:0"]);
    assert!(begun.elapsed() < PATIENCE / 4);
    let status = json(&rig.good(&["status", "--output", "json"]));
    assert_eq!(status["stacks"][0]["status"], "CREATE_COMPLETE");
    // What a crash leaves is stopped without its region, too.
    let pid = json(&fs::read_to_string(rig.data.join("endpoint.json")).unwrap())["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    eventually("end of the region", || (rig.run(&["status"]).code == Some(3)).then_some(()));
    assert!(rig.good(&["down"]).ends_with("Nothing runs any more\n"));
    assert!(!rig.data.join("run/host.sock").exists());
}
