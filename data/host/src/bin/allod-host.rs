//! Runs a host by itself, for tests and trials: `allod-host DATA-DIRECTORY`.

fn main() {
    let Some(data) = std::env::args().nth(1) else {
        eprintln!("usage: allod-host DATA-DIRECTORY");
        std::process::exit(2);
    };
    if let Err(e) = host::run(host::HostOptions { paths: world::RunPaths::new(data) }) {
        eprintln!("allod-host: {e}");
        std::process::exit(1);
    }
}
