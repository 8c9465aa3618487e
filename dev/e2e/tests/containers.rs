//! The container image, and the compositions of containers in `deploy/compose`: no engine is needed to see whether they would
//! work.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use e2e::composition::{ADMIN_PASSWORD, Member, composition, files_of, members, of_ours, texts};
use e2e::confs;
use e2e::curl::curl;
use e2e::files::{noise, run};
use fdfs_client::{Client, ClientConfig, GroupName, UploadOptions};
use fdfs_conf::storage_ids::StorageIds;
use serde_json::Value;
use tempfile::TempDir;
use testkit::address::Loopback;
use testkit::mariadb::MariaDb;
use testkit::nginx::Nginx;
use testkit::process::Server;
use testkit::redis::Redis;
use testkit::{binary, dist, python, wait};

/// Devices that every engine gives a container, and that the program opens.
const DEVICES: [&str; 3] = ["null", "random", "urandom"];

// ── the image ────────────────────────────────────────────────────────────────────────────────────

/// What is in the image, and what its engine is told.
struct Image {
    root: TempDir,
    config: Value,
}

impl Image {
    fn open() -> Image {
        let (archive, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        untar(&dist::file("-image.tar").unwrap(), archive.path());
        let json = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(archive.path().join(name)).unwrap()).unwrap()
        };
        let manifest = &json("manifest.json")[0];
        for layer in manifest["Layers"].as_array().unwrap() {
            untar(&archive.path().join(layer.as_str().unwrap()), root.path());
        }
        let config = json(manifest["Config"].as_str().unwrap())["config"].clone();
        Image { root, config }
    }

    /// The program in its root, as its user where we may choose one, with those devices that it uses: every engine gives them.
    fn command(&self) -> Vec<String> {
        let devices = self.root.path().join("dev");
        fs::create_dir_all(&devices).unwrap();
        for device in DEVICES {
            File::options().create(true).append(true).open(devices.join(device)).unwrap();
        }
        let root = self.root.path().display();
        let script = |chroot: &str| {
            let binds = DEVICES.map(|device| format!("mount --bind /dev/{device} {root}/dev/{device} && "));
            format!("{} exec {chroot} {root} \"$@\"", binds.concat())
        };
        let (unshare, script) = if rustix::process::geteuid().is_root() {
            (vec!["unshare", "--mount"], script("chroot --userspec=10001:10001"))
        } else {
            (vec!["unshare", "--mount", "--map-root-user"], script("chroot"))
        };
        let words = unshare.into_iter().chain(["sh", "-c", &script, "sh"]);
        words.chain(texts(&self.config["Entrypoint"])).map(str::to_owned).collect()
    }

    fn run(&self, words: &[&str]) -> String {
        let command = self.command();
        let output = Command::new(&command[0]).args(&command[1..]).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn untar(archive: &Path, folder: &Path) {
    let status = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(folder).status().unwrap();
    assert!(status.success(), "{}", archive.display());
}

/// A name server that knows one name, until the process ends.
fn name_server(address: SocketAddr, name: &str, ip: Ipv4Addr) {
    let socket = UdpSocket::bind(address).unwrap();
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    let known: Vec<u8> = labels.chain([0]).collect();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut packet) {
            let Some(question) = packet.get(12..len) else { continue };
            // The name, then type and class; what follows are additions of newer clients.
            let Some(end) = question.iter().position(|&byte| byte == 0).map(|zero| zero + 5) else {
                continue;
            };
            let Some(question) = question.get(..end) else { continue };
            let is_known = question.len() > known.len() && question[..known.len()] == known[..];
            let asks_for_ipv4 = question[end - 4..] == [0, 1, 0, 1];
            let mut answer = packet[..2].to_vec();
            let code = if is_known { 0 } else { 3 };
            answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(is_known && asks_for_ipv4), 0, 0, 0, 0]);
            answer.extend(question);
            if is_known && asks_for_ipv4 {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                answer.extend(ip.octets());
            }
            let _ = socket.send_to(&answer, from);
        }
    });
}

#[test]
fn the_image_has_nothing_but_the_program_which_serves_in_it_and_finds_names() {
    let image = Image::open();
    assert_eq!(image.config["User"], "10001:10001");
    assert_eq!(image.config["StopSignal"], "SIGTERM");
    let mut names: Vec<_> =
        fs::read_dir(image.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["etc", "tmp", "usr", "var"]);
    let about = |path: &str| {
        let meta = fs::metadata(image.root.path().join(path)).unwrap();
        (meta.permissions().mode() & 0o7777, meta.uid())
    };
    assert_eq!(about("tmp").0, 0o1777);
    if rustix::process::geteuid().is_root() {
        assert_eq!(["usr/bin/cairn", "var/lib"].map(about), [(0o755, 0); 2]);
        assert_eq!(about("var/lib/cairn"), (0o755, 10001));
    }
    assert_eq!(image.run(&["--version"]), format!("cairn {}\n", env!("CARGO_PKG_VERSION")));

    let loopback = Loopback::claim().unwrap();
    let ip = loopback.ip().to_string();
    let log = tempfile::tempdir().unwrap();
    let mut words = image.command();
    words.extend(["up", "--data", "/var/lib/cairn", "--listen", &ip].map(str::to_owned));
    let mut up = Server::start("up", Path::new(&words[0]), &words[1..], &log.path().join("up.log")).unwrap();
    up.until_ready(|| {
        fs::read_to_string(log.path().join("up.log")).is_ok_and(|said| said.contains("Ctrl-C"))
    })
    .unwrap();

    // By a name in /etc/hosts, and by one that a name server knows: what a program with shared libraries would load modules
    // for.
    let etc = |name: &str, text: String| fs::write(image.root.path().join("etc").join(name), text).unwrap();
    // A module that is not there, as with a machine's libraries that are not for this program: it is not even asked.
    etc("nsswitch.conf", "hosts: no_such_module [UNAVAIL=return] files dns\n".to_owned());
    etc("hosts", format!("{ip} tracker-in-hosts\n"));
    etc("resolv.conf", format!("nameserver {ip}\noptions timeout:2 attempts:1\n"));
    name_server(loopback.port(53), "tracker.cairn.test", loopback.ip());
    fs::write(image.root.path().join("etc/content"), noise(100_000)).unwrap();
    for name in ["tracker-in-hosts", "tracker.cairn.test"] {
        etc("client.conf", format!("tracker_server = {name}:22122\n"));
        let id = image.run(&["fdfs_upload_file", "/etc/client.conf", "/etc/content"]);
        let (answer, _) = curl(&[&format!("http://{ip}:8888/{}", id.trim_end())]).unwrap();
        assert!(answer.content == noise(100_000), "{name}");
    }
    // It succeeds when the server says that it is well.
    image.run(&["health", &format!("{ip}:9122")]);
    image.run(&["health", "--ready", &format!("{ip}:9122")]);
    assert!(up.terminate().unwrap().success());
}

// ── the compositions ─────────────────────────────────────────────────────────────────────────────

#[test]
fn the_compositions_are_what_engines_take_and_have_what_every_service_needs() {
    let schema = python::interpreter().unwrap().with_file_name("check-jsonschema");
    for name in ["single.yaml", "cluster.yaml"] {
        let file = confs::project("deploy/compose").join(name);
        let output = Command::new(&schema)
            .args(["--builtin-schema", "vendor.compose-spec"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

        let composition = composition(name);
        let named: Vec<&String> = composition["volumes"].as_object().unwrap().keys().collect();
        for (service, about) in composition["services"].as_object().unwrap() {
            assert!(about["healthcheck"]["test"].is_array(), "{service}");
            assert_eq!(about["restart"], "unless-stopped", "{service}");
            assert!(texts(&about["security_opt"]).contains(&"no-new-privileges:true"), "{service}");
            let image = about["image"].as_str().unwrap();
            assert!(image.contains(':') && !image.ends_with(":latest"), "{service}: {image}");
            // The images of others that have a user of their own: nginx (101), Prometheus (nobody), Grafana (472).
            let own_user = ["nginxinc/nginx-unprivileged", "prom/prometheus", "grafana/grafana"];
            let has_user =
                about["user"].as_str().is_some_and(|user| user != "root" && !user.starts_with('0'));
            assert!(has_user || own_user.iter().any(|own| image.starts_with(own)), "{service}");
            // What has to outlive a container is in a volume that has a name.
            let volumes = texts(&about["volumes"]);
            let kept = volumes.iter().filter(|volume| !volume.starts_with('.'));
            assert!(kept.clone().count() > 0, "{service}");
            for volume in kept {
                let name = volume.split(':').next().unwrap();
                assert!(named.iter().any(|known| *known == name), "{service}: {name}");
            }
            for mount in volumes.iter().filter(|volume| volume.starts_with('.')) {
                let file = mount.split(':').next().unwrap();
                assert!(confs::project("deploy/compose").join(file).exists(), "{service}: {file}");
                assert!(mount.ends_with(":ro"), "{service}: {mount}");
            }
        }
    }
}

#[test]
fn storages_are_announced_to_everybody_by_an_address_that_he_reaches() {
    let cluster = composition("cluster.yaml");
    let text = cluster["configs"]["storage_ids"]["content"].as_str().unwrap();
    let ids = StorageIds::parse("storage_ids.conf", text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    files_of(&cluster, folder.path());
    let mut storages = 0;
    for (name, (service, command)) in of_ours(&cluster) {
        if command[0] != "storage" {
            continue;
        }
        storages += 1;
        let (conf, http) = confs::storage(&folder.path().join(command[1].trim_start_matches('/')));
        let entry = ids.by_id(conf.server_id.unwrap()).unwrap();
        let inside = service["networks"]["cairn"]["ipv4_address"].as_str().unwrap();
        let port = conf.listen.inner_port;
        assert_eq!(Some(entry.group), conf.group_name, "{name}");
        assert_eq!(entry.addr.port(), port, "{name}");
        // A container, somebody in another private network, somebody on the internet.
        for (peer, told) in [("172.30.0.41", inside), ("198.51.100.7", "192.0.2.10")] {
            assert_eq!(entry.addr.shown_to(peer.parse().unwrap()).to_string(), told, "{name} to {peer}");
        }
        // The port is the same on both sides, since a storage tells one.
        assert_eq!(texts(&service["ports"]), [format!("{port}:{port}")], "{name}");
        assert_eq!(http.unwrap().listen.port, 8888);
    }
    assert_eq!((storages, ids.len()), (4, 4));
    // The single one has the network of the host: what it listens on is what it announces.
    let single = composition("single.yaml");
    let service = &single["services"]["cairn"];
    assert_eq!(service["network_mode"], "host");
    assert!(texts(&service["command"]).windows(2).any(|words| words == ["--listen", "192.0.2.10"]));
    // Where `up` tells it to this machine, whatever it listens on.
    assert_eq!(texts(&service["healthcheck"]["test"])[3], "127.0.0.1:9122");
}

#[test]
fn health_is_asked_and_figures_are_fetched_where_the_configurations_tell_them() {
    let cluster = composition("cluster.yaml");
    let folder = tempfile::tempdir().unwrap();
    files_of(&cluster, folder.path());
    let prometheus = confs::yaml(&confs::project("deploy/compose/conf/prometheus.yml")).remove(0);
    let mut targets: Vec<String> = Vec::new();
    for job in prometheus["scrape_configs"][0]["static_configs"].as_array().unwrap() {
        targets.extend(texts(&job["targets"]).into_iter().map(str::to_owned));
    }
    targets.sort();
    let mut told = Vec::new();
    for (name, (service, command)) in of_ours(&cluster) {
        let file = folder.path().join(command[1].trim_start_matches('/'));
        let included = file.with_file_name("storage.conf");
        let text = fs::read_to_string(&file).unwrap() + &fs::read_to_string(included).unwrap();
        let port = text.lines().find_map(|line| line.strip_prefix("status_listen = 0.0.0.0:")).unwrap();
        assert_eq!(
            texts(&service["healthcheck"]["test"])[1..],
            ["/usr/bin/cairn", "health", &format!("127.0.0.1:{port}")]
        );
        told.push(format!("{name}:{port}"));
    }
    assert_eq!(targets, told);

    // As Prometheus sees its files.
    let place = tempfile::tempdir().unwrap();
    for file in ["compose/conf/prometheus.yml", "prometheus/alerts.yml"]
        .map(|file| confs::project("deploy").join(file))
    {
        fs::copy(&file, place.path().join(file.file_name().unwrap())).unwrap();
    }
    let check = ["check", "config", "prometheus.yml"];
    let output = Command::new("promtool").args(check).current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The cluster of `cluster.yaml`, as processes on loopback addresses.
struct Site {
    entry: Nginx,
    folder: TempDir,
    members: Vec<Member>,
    _redis: Redis,
    _mariadb: MariaDb,
}

impl Site {
    fn start() -> Site {
        let cluster = composition("cluster.yaml");
        let (mariadb, redis) = (MariaDb::start().unwrap(), Redis::start_durable().unwrap());
        let database = mariadb.database().unwrap();
        let folder = tempfile::tempdir().unwrap();
        files_of(&cluster, folder.path());
        let places = vec![
            ("mysql://cairn@mariadb:3306/cairn".to_owned(), mariadb.url(&database)),
            ("redis:6379".to_owned(), redis.address().to_string()),
        ];
        let mut members = members(&cluster, folder.path(), places, |_, _| String::new()).unwrap();
        members.iter_mut().for_each(|member| member.start().unwrap());
        let conf = fs::read_to_string(folder.path().join("etc/cairn/nginx.conf")).unwrap();
        let entry = Nginx::start(&conf.replace("listen 8080;", "listen 80;")).unwrap();
        Site { entry, folder, members, _redis: redis, _mariadb: mariadb }
    }

    /// A client of both trackers.
    fn client(&self) -> Client {
        let (storage, _) = confs::storage(&self.folder.path().join("etc/cairn/group1-storage1.conf"));
        Client::new(ClientConfig::new(storage.tracker_servers.as_slice().iter().cloned()))
    }
}

#[test]
fn the_cluster_of_the_composition_serves_through_its_entry() {
    let site = Site::start();
    let client = site.client();
    let content = noise(300_000);
    for group in ["group1", "group2"] {
        let options = UploadOptions {
            group: Some(GroupName::parse(group.as_bytes()).unwrap()),
            ..UploadOptions::default()
        };
        let id = wait::until("an upload", wait::READY, || {
            run(client.upload(content.as_slice().into(), &options)).ok().map(|done| done.id.to_string())
        })
        .unwrap();
        assert!(id.starts_with(group));
        let (answer, _) = curl(&[&format!("http://{}/{id}", site.entry.address())]).unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.content == content);
    }
    // What the engine asks each of them, and what a person would.
    for member in &site.members {
        let status = member.status().to_string();
        let asked =
            || Command::new(binary::cairn().unwrap()).args(["health", "--ready", &status]).output().unwrap();
        wait::until("a server that can do its work", wait::READY, || asked().status.success().then_some(()))
            .unwrap();
    }
    let fields = format!("{{\"user_name\":\"admin\",\"password\":\"{ADMIN_PASSWORD}\",\"hand\":\"token\"}}");
    let url = format!("http://{}/api/v1/session", site.entry.address());
    let signed_in = wait::until("the drive", wait::READY, || {
        let (answer, _) =
            curl(&["--header", "content-type: application/json", "--data", &fields, &url]).unwrap();
        (answer.status == 201 || answer.status == 200).then_some(())
    });
    signed_in.unwrap();
    let (page, _) = curl(&[&format!("http://{}/", site.entry.address())]).unwrap();
    assert_eq!(page.status, 200);
}
