//! `allod image`: makes machine images of directories and OCI archives.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value as Json, json};
use world::RunPaths;

use crate::Failure;
use crate::arguments::{ImageBase, ImageImport, Output};
use crate::client::Client;
use crate::looking::print_table;
use crate::output::out;

/// The images of the account's own, newest first.
fn own_images(client: &Client) -> Result<Vec<Json>, Failure> {
    let answer = client.call("ec2", "DescribeImages", &json!({"Owners": ["self"]}))?;
    let mut images = answer["Images"].as_array().cloned().unwrap_or_default();
    images.sort_by_key(|image| std::cmp::Reverse(image["CreationDate"].as_str().unwrap_or_default().to_string()));
    Ok(images)
}

pub fn import(paths: &RunPaths, arguments: &ImageImport) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let imported = host::image::import(paths, &arguments.name, &arguments.source, arguments.base == ImageBase::Host)
        .map_err(|e| Failure::new(format!("{}: {e}", arguments.source.display())))?;
    if arguments.base == ImageBase::None && looks_like_a_layer(&paths.images().join(&imported.location)) {
        warn(&format!(
            "{} has no shell and no program to start: it looks like a layer, whose instances start nothing. If it shall lie on \
             this machine's /usr, import it with --base host",
            arguments.source.display()
        ));
    }
    // The directory's name is made of its content: the same files give the image that is there already.
    let known = own_images(&client)?.into_iter().find(|i| i["Name"] == arguments.name.as_str());
    if let Some(image) = &known {
        if image["ImageLocation"].as_str().is_some_and(|l| l.ends_with(&imported.location)) {
            out!("{} {} is unchanged", text(image, "ImageId"), arguments.name);
            return Ok(());
        }
        // A name stands for the newest import; instances keep the files that they were started from.
        client.call("ec2", "DeregisterImage", &json!({"ImageId": image["ImageId"]}))?;
    }
    let input = json!({"Name": arguments.name, "ImageLocation": imported.location, "RootDeviceName": "/dev/xvda"});
    let answer = client.call("ec2", "RegisterImage", &input)?;
    out!("{} {}", text(&answer, "ImageId"), arguments.name);
    Ok(())
}

/// Whether an image by itself can run nothing that anybody asked for: neither user data, which a shell runs, nor a program that
/// it names itself.
fn looks_like_a_layer(image: &Path) -> bool {
    let is_there = |name: &str| fs::symlink_metadata(image.join("rootfs").join(name)).is_ok();
    let manifest = fs::read(image.join("image.json")).unwrap_or_default();
    let manifest: Json = serde_json::from_slice(&manifest).unwrap_or_default();
    let names_a_program = manifest["entrypoint"].as_array().is_some_and(|program| !program.is_empty());
    !names_a_program && !["bin/sh", "usr/bin/sh"].into_iter().any(is_there)
}

fn warn(text: &str) {
    // Where nobody listens any more there is nobody to warn.
    let _ = writeln!(io::stderr(), "allod: warning: {text}");
}

pub fn list(paths: &RunPaths, output: Output) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let images = own_images(&client)?;
    match output {
        Output::Json => out!("{:#}", Json::Array(images)),
        Output::Table => {
            let rows = images.iter().map(|i| ["ImageId", "Name", "State", "CreationDate"].map(|f| text(i, f)).to_vec());
            print_table(&["ID", "NAME", "STATE", "CREATED"], rows);
        }
    }
    Ok(())
}

pub fn text(json: &Json, field: &str) -> String {
    json[field].as_str().unwrap_or("-").to_string()
}
