use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::{Region, Result, fail};

/// Makes the image of the application `program` as the region's `web-tier`. `root` is the workspace, where its recipe is.
pub fn import_web_tier(region: &Region, root: &Path, program: &Path) -> Result<()> {
    let layer = region.data().join("layer");
    let mut build = Command::new("sh");
    build.arg(root.join("app/image/build.sh")).arg(program).arg(&layer);
    if !build.status()?.success() {
        return fail("the image's layer could not be built");
    }
    region.run(&["image", "import", "web-tier", &layer.to_string_lossy(), "--base", "host"]).map(drop)
}

/// Address of the load balancer's first node, and its DNS name, once the state of everything tells them.
pub fn front(status: &Json) -> Option<(SocketAddr, String)> {
    let balancer = &status["load_balancers"][0];
    let address = balancer["zones"][0]["front"].as_str()?.parse().ok()?;
    Some((SocketAddr::new(address, 80), balancer["dns_name"].as_str()?.into()))
}
