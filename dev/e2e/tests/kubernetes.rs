//! The manifests in `deploy/kubernetes`: no cluster is needed to see whether one would take them, and what its pods would read.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use e2e::confs;
use fdfs_conf::storage_ids::StorageIds;
use serde_json::Value;
use tempfile::TempDir;
use testkit::python;

/// The files that are applied, as kustomization.yaml names them.
fn resources() -> Vec<std::path::PathBuf> {
    let folder = confs::project("deploy/kubernetes");
    let kustomization = confs::yaml(&folder.join("kustomization.yaml")).remove(0);
    let names = kustomization["resources"].as_array().unwrap();
    let files: Vec<_> = names.iter().map(|name| folder.join(name.as_str().unwrap())).collect();
    let there = fs::read_dir(&folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "yaml"));
    assert_eq!(there.count(), files.len() + 1, "one is not applied");
    files
}

fn objects() -> Vec<Value> {
    resources().iter().flat_map(|file| confs::yaml(file)).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// What is mounted at `/etc/cairn`.
fn confs_of(objects: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let map = of_kind(objects, "ConfigMap")[0];
    for (name, text) in map["data"].as_object().unwrap() {
        fs::write(folder.path().join(name), text.as_str().unwrap()).unwrap();
    }
    folder
}

/// The pod template of a workload, and its container.
fn pod(workload: &Value) -> (&Value, &Value) {
    let template = &workload["spec"]["template"];
    (template, &template["spec"]["containers"][0])
}

#[test]
fn a_cluster_would_take_them() {
    let validate = python::interpreter().unwrap().with_file_name("kubernetes-validate");
    let output = Command::new(validate).arg("--strict").args(resources()).output().unwrap();
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaints}");
}

#[test]
fn every_pod_finds_its_configuration_and_every_storage_keeps_its_number() {
    let objects = objects();
    let folder = confs_of(&objects);
    let tracker = confs::tracker(&folder.path().join("tracker.conf"));
    assert!(tracker.identity.storage_ids.is_some());
    confs::drive(&folder.path().join("drive.conf"));
    let ids = fs::read_to_string(folder.path().join("storage_ids.conf")).unwrap();
    let ids = StorageIds::parse("storage_ids.conf", &ids).unwrap();
    let services: BTreeSet<&str> = of_kind(&objects, "Service").into_iter().map(name).collect();
    let mut numbers = BTreeSet::new();
    for set in of_kind(&objects, "StatefulSet") {
        let args = &pod(set).1["args"];
        if args[0] != "storage" {
            continue;
        }
        assert_eq!(args[1], "/etc/cairn/$(POD_NAME).conf");
        let source = &pod(set).1["env"][0];
        assert_eq!(
            (&source["name"], &source["valueFrom"]["fieldRef"]["fieldPath"]),
            (&"POD_NAME".into(), &"metadata.name".into())
        );
        for index in 0..set["spec"]["replicas"].as_u64().unwrap() {
            let pod = format!("{}-{index}", name(set));
            let (conf, http) = confs::storage(&folder.path().join(format!("{pod}.conf")));
            let entry = ids.by_id(conf.server_id.unwrap()).unwrap();
            assert_eq!(Some(entry.group), conf.group_name);
            // The name of a Service, whose address stays when that of the pod does not.
            assert_eq!(entry.addr.to_string(), format!("{pod}:23000"));
            assert!(services.contains(pod.as_str()), "{pod}");
            assert!(conf.gateway_conf.is_some() && http.is_some());
            let trackers: Vec<String> =
                conf.tracker_servers.as_slice().iter().map(ToString::to_string).collect();
            assert_eq!(trackers, ["tracker-0.tracker:22122", "tracker-1.tracker:22122"]);
            numbers.insert(entry.id);
        }
    }
    assert_eq!(numbers.len(), ids.len());
}

#[test]
fn services_select_pods_that_are_there_by_ports_that_they_have() {
    let objects = objects();
    let workloads: Vec<&Value> =
        ["StatefulSet", "Deployment"].into_iter().flat_map(|kind| of_kind(&objects, kind)).collect();
    for service in of_kind(&objects, "Service") {
        let selector = service["spec"]["selector"].as_object().unwrap();
        let selected: Vec<&&Value> = workloads
            .iter()
            .filter(|workload| {
                let labels = &pod(workload).0["metadata"]["labels"];
                selector.iter().all(|(key, value)| match key.as_str() {
                    "statefulset.kubernetes.io/pod-name" => {
                        value.as_str().unwrap().rsplit_once('-').unwrap().0 == name(workload)
                    }
                    key => labels[key] == *value,
                })
            })
            .collect();
        assert!(!selected.is_empty(), "{}", name(service));
        for port in service["spec"]["ports"].as_array().unwrap() {
            let target = if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
            for workload in &selected {
                let ports = pod(workload).1["ports"].as_array().unwrap();
                let has =
                    ports.iter().any(|port| port["containerPort"] == *target || port["name"] == *target);
                assert!(has, "{} has no {target} of {}", name(workload), name(service));
            }
        }
    }
    for backend in of_kind(&objects, "Ingress")[0]["spec"]["rules"][0]["http"]["paths"].as_array().unwrap() {
        let to = &backend["backend"]["service"]["name"];
        assert!(
            of_kind(&objects, "Service").iter().any(|service| service["metadata"]["name"] == *to),
            "{to}"
        );
    }
}

#[test]
fn pods_of_ours_are_asked_how_they_are_where_they_tell_it_and_may_do_nothing_else() {
    let objects = objects();
    let folder = confs_of(&objects);
    let mut seen = 0;
    for workload in ["StatefulSet", "Deployment"].into_iter().flat_map(|kind| of_kind(&objects, kind)) {
        let (template, container) = pod(workload);
        let spec = &template["spec"];
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{}", name(workload));
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{}", name(workload));
        assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL", "{}", name(workload));
        if container["image"] != "cairn" {
            continue;
        }
        seen += 1;
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(spec["automountServiceAccountToken"], false);
        let role = container["args"][0].as_str().unwrap();
        let text = fs::read_to_string(folder.path().join(format!("{role}.conf"))).unwrap();
        let told = text.lines().find_map(|line| line.strip_prefix("status_listen = 0.0.0.0:")).unwrap();
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let asked = &container[probe]["httpGet"];
            assert_eq!(asked["port"], "status", "{role} {probe}");
            assert!(["/healthz", "/readyz"].contains(&asked["path"].as_str().unwrap()));
        }
        let ports = container["ports"].as_array().unwrap();
        let status = ports.iter().find(|port| port["name"] == "status").unwrap();
        assert_eq!(status["containerPort"].to_string(), told, "{role}");
    }
    assert_eq!(seen, 4);
}
