//! Images of archives as real tools write them, and as nobody should. They are unpacked with their owners: run as root.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use host::image::import;
use serde_json::{Value as Json, json};
use tar::{Builder, EntryType, Header};
use world::{Image, Instance, RunPaths};

use crate::support::{Host, instance};

/// An entry of a layer: path, kind, link target or contents, mode.
type Entry<'a> = (&'a str, EntryType, &'a str, u32);

fn file<'a>(path: &'a str, text: &'a str) -> Entry<'a> {
    (path, EntryType::Regular, text, 0o644)
}

fn directory(path: &str) -> Entry<'_> {
    (path, EntryType::Directory, "", 0o755)
}

fn link<'a>(path: &'a str, to: &'a str) -> Entry<'a> {
    (path, EntryType::Symlink, to, 0o777)
}

fn hard<'a>(path: &'a str, to: &'a str) -> Entry<'a> {
    (path, EntryType::Link, to, 0o644)
}

fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (path, kind, text, mode) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        // Written as it is: the library refuses names that lead out, an attacker's does not.
        let name = header.as_old_mut();
        name.name[..path.len()].copy_from_slice(path.as_bytes());
        let linked = matches!(kind, EntryType::Symlink | EntryType::Link);
        if linked {
            name.linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        let contents = if linked { &[][..] } else { text.as_bytes() };
        header.set_size(contents.len() as u64);
        header.set_cksum();
        tar.append(&header, contents).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    format!("sha256:{}", hash.as_ref().iter().map(|b| format!("{b:02x}")).collect::<String>())
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// An archive in the making: its files by name.
#[derive(Default)]
struct Parts(Vec<(String, Vec<u8>)>);

impl Parts {
    /// Adds a blob and gives its descriptor.
    fn blob(&mut self, kind: &str, bytes: Vec<u8>) -> Json {
        let digest = sha256(&bytes);
        let descriptor = json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": bytes.len()});
        self.0.push((format!("blobs/sha256/{}", &digest[7..]), bytes));
        descriptor
    }

    /// A manifest for an image of these layers; some are compressed.
    fn image(&mut self, layers: &[Vec<u8>], config: &Json) -> Json {
        let mut config = config.clone();
        config["rootfs"] = json!({"type": "layers", "diff_ids": layers.iter().map(|l| sha256(l)).collect::<Vec<_>>()});
        let blobs: Vec<Json> = layers
            .iter()
            .enumerate()
            .map(|(n, layer)| match n % 2 {
                0 => self.blob("layer.v1.tar+gzip", gzipped(layer)),
                _ => self.blob("layer.v1.tar", layer.clone()),
            })
            .collect();
        let config = self.blob("config.v1+json", config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": blobs});
        self.blob("manifest.v1+json", manifest.to_string().into_bytes())
    }

    fn index(&mut self, manifests: &[Json]) {
        self.0.push(("index.json".into(), json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes()));
        self.0.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    }

    fn tar(&self) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (name, bytes) in &self.0 {
            let mut header = Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        tar.into_inner().unwrap()
    }
}

fn config() -> Json {
    json!({"architecture": architecture(), "os": "linux", "config": {
        "Entrypoint": ["/bin/app"], "Cmd": ["--serve"], "Env": ["A=b=c", "PATH=/bin"], "WorkingDir": "/srv", "User": "1000:1000"}})
}

fn oci(layers: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = Parts::default();
    let manifest = parts.image(layers, &config());
    parts.index(&[manifest]);
    parts.tar()
}

struct Place {
    directory: tempfile::TempDir,
    paths: RunPaths,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let paths = RunPaths::new(directory.path().join("data"));
        Self { directory, paths }
    }

    /// The image's directory, or why there is none.
    fn import(&self, archive: &[u8]) -> Result<PathBuf, String> {
        let source = self.directory.path().join("archive.tar");
        fs::write(&source, archive).unwrap();
        let imported = import(&self.paths, "test", &source, false).map_err(|e| e.to_string());
        // Whether it went well or not, nothing unfinished lies about.
        for entry in fs::read_dir(self.paths.images()).unwrap().flatten() {
            assert!(!entry.file_name().to_str().unwrap().starts_with("new-"), "{entry:?}");
        }
        imported.map(|image| self.paths.images().join(image.location))
    }

    fn refused(&self, archive: &[u8]) -> String {
        self.import(archive).expect_err("it must be refused")
    }
}

fn text(image: &Path, path: &str) -> String {
    fs::read_to_string(image.join("rootfs").join(path)).unwrap_or_else(|e| format!("{path}: {e}"))
}

/// Names in a directory of the image.
fn names(image: &Path, path: &str) -> Vec<String> {
    let entries = fs::read_dir(image.join("rootfs").join(path)).unwrap();
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn layers_lie_on_top_of_each_other() {
    let place = Place::new();
    let lower = layer(&[
        directory("bin/"),
        ("bin/app", EntryType::Regular, "one", 0o4755),
        file("bin/gone", "x"),
        directory("etc/"),
        file("etc/a", "a"),
        file("etc/b", "b"),
        directory("etc/deep/"),
        file("etc/deep/c", "c"),
        file("replaced-by-directory", "file"),
        directory("replaced-by-file/"),
        file("replaced-by-file/x", "x"),
        link("var", "usr/var"),
    ]);
    let upper = layer(&[
        file("bin/.wh.gone", ""),
        file("bin/.wh.never-was", ""),
        directory("etc/"),
        file("etc/.wh..wh..opq", ""),
        file("etc/new", "new"),
        directory("replaced-by-directory/"),
        file("replaced-by-directory/in", "in"),
        file("replaced-by-file", "now a file"),
        file("nowhere/.wh.x", ""),
        file("bin/.wh.", ""),
        file("bin/.wh..", ""),
        file("bin/.wh...", ""),
    ]);
    let image = place.import(&oci(&[lower.clone(), upper.clone()])).unwrap();
    assert_eq!(names(&image, ""), ["bin", "etc", "replaced-by-directory", "replaced-by-file", "var"]);
    assert_eq!((names(&image, "bin"), names(&image, "etc")), (vec!["app".into()], vec!["new".to_string()]));
    assert_eq!([text(&image, "bin/app"), text(&image, "replaced-by-file")], ["one", "now a file"]);
    let app = fs::metadata(image.join("rootfs/bin/app")).unwrap();
    assert_eq!(app.permissions().mode() & 0o7777, 0o4755, "set-user-id stays");
    assert_eq!(fs::metadata(&image).unwrap().permissions().mode() & 0o777, 0o700, "but nobody of this machine gets at it");
    let manifest: Json = serde_json::from_str(&fs::read_to_string(image.join("image.json")).unwrap()).unwrap();
    assert_eq!(manifest["entrypoint"], json!(["/bin/app", "--serve"]));
    assert_eq!(manifest["env"], json!({"A": "b=c", "PATH": "/bin"}));
    assert_eq!((manifest["working_dir"].as_str(), manifest["user"].as_str()), (Some("/srv"), Some("1000:1000")));
    // The same once more, also with the archive itself compressed, is the same image.
    assert_eq!(place.import(&oci(&[lower.clone(), upper.clone()])).unwrap(), image);
    assert_eq!(place.import(&gzipped(&oci(&[lower, upper]))).unwrap(), image);
}

#[test]
fn entries_may_come_twice_and_links_over_what_is_there() {
    let place = Place::new();
    let lower = layer(&[file("bin/box", "old"), hard("bin/ls", "bin/box"), hard("bin/sh", "./bin/box"), file("bin/cat", "cat")]);
    let upper = layer(&[
        file("bin/box", "first"),
        file("bin/box", "second"),
        hard("bin/ls", "bin/box"),
        hard("bin/ls", "bin/box"),
        hard("bin/box", "bin/box"),
        hard("bin/sh", "/bin/box"),
        link("bin/cat", "box"),
        link("bin/cat", "box"),
        directory("bin/"),
        directory("bin"),
    ]);
    let image = place.import(&oci(&[lower, upper])).unwrap();
    assert_eq!([text(&image, "bin/box"), text(&image, "bin/ls"), text(&image, "bin/sh"), text(&image, "bin/cat")], ["second"; 4]);
    let inode = |name: &str| fs::symlink_metadata(image.join("rootfs/bin").join(name)).unwrap().ino();
    assert_eq!((inode("ls"), inode("sh")), (inode("box"), inode("box")));
    assert_ne!(inode("cat"), inode("box"));
}

#[test]
fn links_are_followed_inside_the_image_and_never_out_of_it() {
    let place = Place::new();
    let precious = place.directory.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("thesis"), "years of work").unwrap();
    let out = precious.to_str().unwrap().to_string();
    let thesis = format!("{out}/thesis");
    // Absolute links lead to the image's own root, as they will in an instance; many images have some.
    let image = place
        .import(&oci(&[
            layer(&[
                directory("bin"),
                directory("run"),
                directory("usr/lib"),
                link("var/run", "/run"),
                link("lib", "../../../usr/lib"),
            ]),
            layer(&[file("var/run/pid", "1"), file("lib/so", "so"), file("lib/gone", "x")]),
            layer(&[file("lib/.wh.gone", ""), link("escape", &out)]),
            layer(&[file("escape/thesis", "mine now"), file("escape/new", "new")]),
            layer(&[file("escape/.wh.thesis", "")]),
        ]))
        .unwrap();
    assert_eq!([text(&image, "run/pid"), text(&image, "usr/lib/so")], ["1", "so"]);
    assert_eq!(names(&image, "usr/lib"), ["so"]);
    // What lies beyond the link was made, and removed again, inside.
    let inside = image.join("rootfs").join(out.trim_start_matches('/'));
    assert_eq!((inside.join("thesis").exists(), fs::read_to_string(inside.join("new")).unwrap().as_str()), (false, "new"));
    for entries in [
        vec![link("escape", &out), file("escape/.wh..wh..opq", "")],
        vec![link("bin/x", &thesis), file("bin/x", "mine now")],
        vec![link("bin/x", &thesis), ("bin/x", EntryType::Directory, "", 0o777)],
        vec![file(&thesis, "mine now")],
    ] {
        let layers: Vec<Vec<u8>> = entries.iter().map(|entry| layer(&[directory("bin"), *entry])).collect();
        place.import(&oci(&layers)).unwrap();
    }
    let up = format!("../../../../../../../../../..{thesis}");
    for entries in [
        vec![file(&up, "mine now")],
        vec![directory("bin"), file("bin/../../../../x", "mine now")],
        vec![directory("bin"), hard("bin/x", &thesis)],
        vec![directory("bin"), hard("bin/x", &up)],
        vec![link("a", "b"), link("b", "a"), file("a/x", "x")],
        vec![file("bin", "x"), file("bin/x", "x")],
    ] {
        let said = place.refused(&oci(&[layer(&entries)]));
        assert!(said.starts_with("unpacking "), "{said}");
    }
    assert!(place.refused(&oci(&[layer(&[directory("bin"), file("../../../.wh.precious", "")])])).starts_with("removing "));
    assert_eq!(fs::read_to_string(precious.join("thesis")).unwrap(), "years of work");
    assert_eq!(fs::read_dir(&precious).unwrap().count(), 1);
    assert_eq!(fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn what_a_digest_names_must_have_it() {
    let place = Place::new();
    let mut parts = Parts::default();
    let manifest = parts.image(&[layer(&[directory("bin"), file("bin/app", "good")])], &config());
    parts.index(&[manifest]);
    place.import(&parts.tar()).unwrap();
    // Any blob that is not what it was is refused: layer, configuration, manifest.
    for n in 0..3 {
        let mut bent = Parts(parts.0.clone());
        let at = bent.0[n].1.len() / 2;
        bent.0[n].1[at] ^= 1;
        let said = place.refused(&bent.tar());
        assert!(said.contains("the archive is damaged: sha256:"), "{said}");
    }
    let mut lacking = Parts(parts.0.clone());
    lacking.0.remove(0);
    assert!(place.refused(&lacking.tar()).contains("which is not in it"));
    for digest in ["sha256:../../../../etc/passwd", "sha256:", "md5:00", "nothing", &format!("sha256:{}", "z".repeat(64))] {
        let mut parts = Parts::default();
        parts.index(&[json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1})]);
        assert!(place.refused(&parts.tar()).contains("is no sha256 digest"));
    }
    // A layer that its own blob's digest fits, but not what the configuration says of it.
    let mut parts = Parts::default();
    let mut config = config();
    config["rootfs"] = json!({"diff_ids": [sha256(b"another")]});
    let blob = parts.blob("layer.v1.tar", layer(&[directory("bin")]));
    let config = parts.blob("config.v1+json", config.to_string().into_bytes());
    let manifest = parts.blob("manifest.v1+json", json!({"config": config, "layers": [blob]}).to_string().into_bytes());
    parts.index(&[manifest]);
    assert!(place.refused(&parts.tar()).contains("layer 1 is damaged"));
}

#[test]
fn an_index_gives_the_image_for_this_machine() {
    let place = Place::new();
    let mut parts = Parts::default();
    let mut all = Vec::new();
    for arch in ["riscv64", architecture(), "s390x"] {
        let mut config = config();
        config["architecture"] = arch.into();
        let mut manifest = parts.image(&[layer(&[directory("bin"), file("bin/arch", arch)])], &config);
        manifest["platform"] = json!({"architecture": arch, "os": "linux"});
        all.push(manifest);
    }
    let inner = parts.blob("index.v1+json", json!({"manifests": all}).to_string().into_bytes());
    parts.index(&[inner]);
    let image = place.import(&parts.tar()).unwrap();
    assert_eq!(text(&image, "bin/arch"), architecture());
    let mut foreign = Parts(parts.0[..3].to_vec());
    foreign.index(&all[..1]);
    assert!(place.refused(&foreign.tar()).contains(&format!("no image for linux/{}", architecture())));
    // One that does not say for which machine it is tells it in its configuration.
    let mut foreign = Parts(parts.0[..3].to_vec());
    all[0]["platform"] = Json::Null;
    foreign.index(&all[..1]);
    assert!(place.refused(&foreign.tar()).contains("the image is for riscv64"));
    // Indexes without end.
    let mut parts = Parts::default();
    let mut inner = parts.blob("index.v1+json", json!({"manifests": []}).to_string().into_bytes());
    for _ in 0..10 {
        inner = parts.blob("index.v1+json", json!({"manifests": [inner]}).to_string().into_bytes());
    }
    parts.index(&[inner]);
    assert!(place.refused(&parts.tar()).contains("too deep"));
}

#[test]
fn what_docker_saves_is_read_too() {
    let place = Place::new();
    let layers = [layer(&[directory("bin"), file("bin/app", "one")]), layer(&[file("bin/app", "two")])];
    let mut config = config();
    config["rootfs"] = json!({"diff_ids": [sha256(&layers[0]), sha256(&layers[1])]});
    let manifest = json!([{"Config": "abc.json", "RepoTags": ["app:latest"], "Layers": ["1/layer.tar", "2/layer.tar"]}]);
    let parts = Parts(vec![
        ("1/layer.tar".into(), layers[0].clone()),
        ("2/layer.tar".into(), gzipped(&layers[1])),
        ("abc.json".into(), config.to_string().into_bytes()),
        ("manifest.json".into(), manifest.to_string().into_bytes()),
    ]);
    let image = place.import(&parts.tar()).unwrap();
    assert_eq!(text(&image, "bin/app"), "two");
    let mut bent = Parts(parts.0.clone());
    bent.0[0].1 = layer(&[directory("bin"), file("bin/app", "evil")]);
    assert!(place.refused(&bent.tar()).contains("layer 1 is damaged"));
    let said = |manifest: Json| {
        let mut other = Parts(parts.0.clone());
        other.0[3].1 = manifest.to_string().into_bytes();
        place.refused(&other.tar())
    };
    let two = json!([{"Config": "abc.json", "Layers": []}, {"Config": "abc.json", "Layers": []}]);
    assert!(said(two).contains("several images"));
    assert!(said(json!([{"Config": "abc.json", "Layers": ["1/layer.tar"]}])).contains("names 2 layers but has 1"));
    assert!(said(json!([{"Config": "../../etc/passwd", "Layers": []}])).contains("which is not in it"));
    assert!(said(json!([{"Config": "/etc/passwd", "Layers": []}])).contains("which is not in it"));
    assert!(said(json!({"no": "list"})).contains("manifest.json"));
}

#[test]
fn what_is_no_image_is_told() {
    let place = Place::new();
    for (bytes, said) in [
        (&b""[..], "this is no OCI image archive"),
        (b"hello, I am a text that is longer than nothing", "reading the archive"),
        (b"\x28\xb5\x2f\xfd....", "zstd"),
        (b"\x1f\x8bnot really", "reading the archive"),
        (&layer(&[file("index.json", "{")]), "index.json"),
        (&layer(&[file("index.json", "{}")]), "index.json"),
        (&layer(&[file("some", "file")]), "no index.json"),
        (&layer(&[link("index.json", "/etc/passwd")]), "index.json"),
        (&oci(&[layer(&[file("readme", "x")])]), "no complete root file system"),
        (&oci(&[b"no tar at all, but long enough to be looked at".to_vec()]), "reading a layer"),
        (&oci(&[layer(&[file("bin/app", "x")])[..700].to_vec()]), ""),
    ] {
        let told = place.refused(bytes);
        assert!(told.contains(said), "{told:?} instead of {said:?}");
    }
    let good = oci(&[layer(&[directory("bin"), file("bin/app", &"x".repeat(5_000))])]);
    // Cut short it is refused, or nothing was lost but what says nothing of the image.
    let whole = place.import(&good).unwrap();
    let cut = (0..good.len()).step_by(512).map(|length| place.import(&good[..length]));
    let taken: Vec<PathBuf> = cut.flatten().collect();
    assert!(taken.len() < 6 && taken.iter().all(|image| *image == whole), "{taken:?}");
    // It would be copied into itself.
    fs::write(place.directory.path().join("data/file"), "x").unwrap();
    let own = import(&place.paths, "test", place.directory.path(), true).unwrap_err().to_string();
    assert!(own.contains("holds the images"), "{own}");
    assert!(import(&place.paths, "test", Path::new("/nowhere"), false).unwrap_err().to_string().contains("opening it"));
}

#[test]
fn what_a_killed_import_left_goes_with_the_next() {
    let place = Place::new();
    let mut other = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let stage = |pid: u32| place.paths.images().join(format!("new-{pid}")).join("rootfs");
    // The greatest number of a process is below this one.
    let (killed, busy) = (stage(1 << 22), stage(other.id()));
    for stage in [&killed, &busy] {
        fs::create_dir_all(stage).unwrap();
    }
    let source = place.directory.path().join("source");
    fs::create_dir(&source).unwrap();
    import(&place.paths, "test", &source, true).unwrap();
    assert!(!killed.exists() && busy.exists());
    other.kill().and_then(|()| other.wait()).unwrap();
}

/// A whole root file system of Debian's `busybox-static` (tools/packages.sh installs it).
#[test]
fn an_instance_boots_from_a_whole_image_of_its_own() {
    let mut host = Host::new();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|p| p.exists());
    let busybox = fs::read(busybox.expect("install busybox-static for this test")).unwrap();
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(busybox.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(0o755);
    tar.append_data(&mut header, "bin/busybox", &busybox[..]).unwrap();
    let base = tar.into_inner().unwrap();
    let rest = layer(&[
        hard("bin/sh", "bin/busybox"),
        link("bin/sleep", "busybox"),
        link("bin/id", "/bin/busybox"),
        link("bin/cat", "busybox"),
        directory("etc"),
        file("etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n"),
        file("etc/group", "root:x:0:\napp:x:1000:\n"),
        ("srv", EntryType::Directory, "", 0o755),
        file("srv/greeting", "good morning"),
    ]);
    let mut config = config();
    config["config"] = json!({
        "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["echo \"$(cat greeting) $WHO from $PWD as $(id -un), kernel $$\"; exec sleep 1000"],
        "Env": ["WHO=Allod", "PATH=/bin"], "WorkingDir": "/srv", "User": "app"});
    let mut parts = Parts::default();
    let manifest = parts.image(&[base, rest], &config);
    parts.index(&[manifest]);
    let source = host.paths.data().join("box.tar");
    File::create(&source).unwrap().write_all(&parts.tar()).unwrap();
    let image = import(&host.paths, "box", &source, false).unwrap();
    let mut whole = instance(201, "#!/bin/sh\necho user data as $(id -un)\n");
    whole.image = Image::Imported { id: "ami-0123456789abcdef0".into(), location: image.location };
    host.run(&whole);
    host.console_has(&whole, "good morning Allod from /srv as app", 1);
    host.console_has(&whole, "user data as root", 1);
    // User data runs once; what the image brings runs at every boot.
    let off = Instance { power: world::Power::Off, ..whole.clone() };
    host.want(world::Want::Instance(Box::new(off.clone())));
    host.state(&off, |state| matches!(state, world::InstanceState::Stopped { .. }));
    let again = Instance { generation: 2, ..whole };
    host.run(&again);
    host.console_has(&again, "good morning Allod from /srv as app", 2);
    assert_eq!(host.console(&again).matches("user data as root").count(), 1);
}
