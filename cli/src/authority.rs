//! `allod ca`: the certificate of the region's own authority, and how clients come to trust it. It reads the data directory; no
//! region has to run.

use std::io::Write;

use serde_json::json;
use world::RunPaths;

use crate::Failure;
use crate::arguments::Output;
use crate::output::{self, out};

pub fn certificate(paths: &RunPaths, output: Output) -> Result<(), Failure> {
    if !paths.data().is_dir() {
        return Err(Failure::not_running(format!("there is no region in {}: `allod serve` makes one", paths.data().display())));
    }
    let pem = ::authority::open_root_certificate(paths).map_err(|e| Failure::new(e.to_string()))?;
    let file = paths.root_certificate().display().to_string();
    match output {
        Output::Json => out!("{:#}", json!({"certificate": pem, "file": file})),
        Output::Table => {
            output::write(pem.as_bytes());
            // The certificate alone goes to standard output, so that it can be sent to a file.
            let _ = std::io::stderr().write_all(how_to_trust(&file).as_bytes());
        }
    }
    Ok(())
}

fn how_to_trust(file: &str) -> String {
    format!(
        "\nWho trusts this certificate, trusts every name that this region issues one for. Its file: {file}\n\
         \x20 curl                 curl --cacert {file} https://...\n\
         \x20 Debian, Ubuntu       allod ca > /usr/local/share/ca-certificates/allod.crt && update-ca-certificates\n\
         \x20 Node.js              export NODE_EXTRA_CA_CERTS={file}\n\
         \x20 Python's requests    export REQUESTS_CA_BUNDLE={file}\n\
         \x20 AWS clients          export AWS_CA_BUNDLE={file}\n"
    )
}
