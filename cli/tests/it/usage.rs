//! Help, wrong usage, and what each command says where no region runs.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use crate::rig::{Rig, Said, is_root};

const COMMANDS: [&[&str]; 13] = [
    &["serve"],
    &["up"],
    &["down"],
    &["status"],
    &["env"],
    &["image"],
    &["image", "import"],
    &["image", "list"],
    &["console-output"],
    &["logs"],
    &["simulate"],
    &["outbox"],
    &[],
];

#[test]
fn every_command_explains_itself_with_examples() {
    let rig = Rig::new();
    for command in COMMANDS {
        let said = rig.good(&[command, &["--help"]].concat());
        let example = said.split_once("Examples:\n").unwrap_or_else(|| panic!("{command:?} has no examples: {said}")).1;
        let name = format!("allod {}", command.join(" "));
        assert!(example.contains(name.trim_end()), "{command:?}: {said}");
    }
    assert!(rig.good(&["--help"]).contains("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no region runs here."));
    assert!(rig.good(&["--version"]).starts_with("allod "));
}

#[test]
fn wrong_usage_exits_with_2() {
    let rig = Rig::new();
    for arguments in [
        &[][..],
        &["dance"],
        &["up"],
        &["up", "a.yaml", "--parameter", "no-equals-sign"],
        &["status", "--output", "xml"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--vcpu-cores", "0"],
        &["serve", "--vcpu-cores", "many"],
        &["serve", "--endpoint-network", "10.1.2.3/16"],
        &["serve", "--smtp-from", "nobody"],
        &["down", "--stack-name", "a", "--purge"],
        &["logs", "kernel"],
        &["logs", "-n", "-5"],
        &["console-output"],
        &["image", "import", "a"],
    ] {
        let said = rig.bad(arguments, 2);
        assert!(said.contains("Usage:") || said.contains("error:"), "{said}");
    }
}

#[test]
fn where_no_region_runs_the_exit_code_is_3() {
    let rig = Rig::new();
    let template = rig.data.with_extension("yaml");
    fs::write(&template, "Resources: {}\n").unwrap();
    for arguments in [
        &["status"][..],
        &["status", "--output", "json"],
        &["env"],
        &["up", template.to_str().unwrap()],
        &["down", "--stack-name", "a"],
        &["image", "list"],
        &["image", "import", "a", "/"],
        &["console-output", "i-0123456789abcdef0"],
    ] {
        let said = rig.bad(arguments, 3);
        assert!(said.starts_with("allod: no region runs in") && said.contains("allod serve --background"), "{said}");
    }
    assert!(rig.bad(&["logs"], 3).contains("no logs in"));
    assert!(!rig.data.exists(), "looking makes nothing");
}

#[test]
fn a_template_that_is_not_there_is_told_by_name() {
    let rig = Rig::new();
    let said = rig.bad(&["up", "/nowhere/web.yaml"], 1);
    assert_eq!(said, "allod: /nowhere/web.yaml: No such file or directory (os error 2)\n");
    assert!(rig.bad(&["up", "/etc"], 1).contains("Is a directory"));
}

#[test]
fn down_where_nothing_runs_is_done_at_once() {
    let rig = Rig::new();
    for arguments in [&["down"][..], &["down", "--purge"]] {
        assert_eq!(rig.good(arguments), "Nothing runs any more\n");
        assert!(!rig.data.exists());
    }
}

#[test]
fn a_purge_deletes_nothing_but_a_region() {
    assert!(is_root(), "run this test as root");
    let rig = Rig::new();
    let precious = rig.data.join("precious.txt");
    fs::create_dir(&rig.data).unwrap();
    fs::write(&precious, "a thesis").unwrap();
    let said = rig.bad(&["down", "--purge"], 1);
    assert!(said.contains("holds no region: it is not deleted"), "{said}");
    assert!(precious.exists());
    fs::remove_file(precious).unwrap();
}

#[test]
fn without_root_serve_and_down_say_what_works() {
    assert!(is_root(), "run this test as root: it lays down its rights itself");
    let rig = Rig::new();
    fs::create_dir(&rig.data).unwrap();
    let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    open(rig.data.parent().unwrap());
    open(&rig.data);
    // The test's own binary may lie where nobody else can look.
    let program = rig.data.with_file_name("allod");
    fs::copy(env!("CARGO_BIN_EXE_allod"), &program).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.args(arguments).env("ALLOD_DATA", &rig.data).current_dir("/").uid(65_534).gid(65_534);
        Said::of(command.output().unwrap())
    };
    let said = as_nobody(&["serve"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("instances need root") && said.err.contains("sudo allod serve"), "{said:?}");
    let said = as_nobody(&["down"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("only root can stop a region"), "{said:?}");
    assert_eq!(as_nobody(&["status"]).code, Some(3));
    // Credentials that one may not read are told as such.
    for file in ["credentials.json", "endpoint.json"] {
        fs::write(rig.data.join(file), r#"{"url":"http://127.0.0.1:1","region":"eu-central-1","pid":1}"#).unwrap();
    }
    fs::set_permissions(rig.data.join("credentials.json"), fs::Permissions::from_mode(0o600)).unwrap();
    let said = as_nobody(&["status"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("credentials.json: Permission denied"), "{said:?}");
    fs::remove_dir_all(&rig.data).unwrap();
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let rig = Rig::new();
    fs::create_dir_all(rig.data.join("logs")).unwrap();
    fs::write(rig.data.join("logs/serve.log"), b"one\ntwo \xff\xfe\nthree\n").unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let said = Said::of(rig.command(&["logs", "serve"]).stdout(full).output().unwrap());
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("writing the output: No space left on device"), "{said:?}");
    assert_eq!(rig.good(&["logs", "serve", "-n", "2"]), "two \u{fffd}\u{fffd}\nthree\n");
    assert_eq!(rig.good(&["logs"]), "serve one\nserve two \u{fffd}\u{fffd}\nserve three\n");
    assert_eq!(rig.good(&["logs", "-n", "0"]), "");
    assert!(rig.bad(&["logs", "edge"], 3).contains("no logs in"));
    fs::remove_dir_all(&rig.data).unwrap();
}
