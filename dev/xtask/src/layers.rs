//! Dependencies point down only: pure < io < services < bins; dev sees everything.

use std::path::Path;

use crate::workspace::{Dependency, Package, Workspace};

/// A layer, from the bottom up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Pure,
    Io,
    Services,
    Bins,
    Dev,
}

/// Crates that bring sockets, files, clocks or threads: nothing below `io/` may use them.
const NOT_IN_PURE: [&str; 8] =
    ["tokio", "mio", "rustix", "libc", "socket2", "tempfile", "parking_lot", "tracing-subscriber"];

impl Layer {
    const ALL: [Layer; 5] = [Layer::Pure, Layer::Io, Layer::Services, Layer::Bins, Layer::Dev];

    /// The name of its folder.
    fn name(self) -> &'static str {
        match self {
            Layer::Pure => "pure",
            Layer::Io => "io",
            Layer::Services => "services",
            Layer::Bins => "bins",
            Layer::Dev => "dev",
        }
    }

    /// May a crate of this layer use one of that layer?
    fn may_use(self, other: Layer) -> bool {
        match self {
            Layer::Pure | Layer::Io => other <= self,
            // Two services only ever meet on the wire.
            Layer::Services | Layer::Bins => other < self,
            Layer::Dev => true,
        }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Every arrow that points the wrong way, and every crate that lies elsewhere than it says.
pub(crate) fn faults(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for package in &workspace.packages {
        let Some(layer) = layer_of(package) else {
            faults.push(format!("{}: no known layer in [package.metadata.layer]", package.name));
            continue;
        };
        let place = package.manifest_path.parent().unwrap_or(Path::new(""));
        let folder = workspace.relative(place);
        let expected = Path::new(layer.name()).join(&package.name);
        if folder != expected {
            faults.push(format!(
                "{}: lies in {}, not in {}",
                package.name,
                folder.display(),
                expected.display()
            ));
        }
        faults.extend(
            package.dependencies.iter().filter_map(|dependency| fault(workspace, package, layer, dependency)),
        );
    }
    faults
}

fn fault(workspace: &Workspace, package: &Package, layer: Layer, dependency: &Dependency) -> Option<String> {
    let Package { name, .. } = package;
    let Dependency { name: other, kind } = dependency;
    let for_tests = kind.as_deref() == Some("dev");
    if layer == Layer::Pure && !for_tests && NOT_IN_PURE.contains(&other.as_str()) {
        return Some(format!("{name} (pure) may not depend on {other}, which touches the world"));
    }
    let other_layer = layer_of(workspace.packages.iter().find(|package| package.name == *other)?)?;
    // Tests of any layer may use the test kit.
    if layer.may_use(other_layer) || (for_tests && other_layer == Layer::Dev) {
        return None;
    }
    Some(format!("{name} ({layer}) may not depend on {other} ({other_layer})"))
}

fn layer_of(package: &Package) -> Option<Layer> {
    let name = &package.metadata.as_ref()?.layer.as_ref()?.name;
    Layer::ALL.into_iter().find(|layer| layer.name() == name)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::workspace::{LayerName, Metadata};

    fn package(layer: &str, name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            manifest_path: PathBuf::from(format!("/root-of-it/{layer}/{name}/Cargo.toml")),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
                .collect(),
            metadata: Some(Metadata { layer: Some(LayerName { name: layer.to_owned() }) }),
        }
    }

    fn faults_of(packages: Vec<Package>) -> Vec<String> {
        faults(&Workspace {
            root: "/root-of-it".into(),
            target: "/root-of-it/target".into(),
            packages,
            lints: false,
        })
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        let found = faults_of(vec![
            package("pure", "leaf", &[]),
            package("pure", "core", &[("leaf", None), ("thiserror", None)]),
            package("io", "net", &[("core", None), ("tokio", None)]),
            package("io", "client", &[("net", None)]),
            package("services", "storage", &[("client", None)]),
            package("bins", "cairn", &[("storage", None)]),
            package("dev", "kit", &[("cairn", None)]),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_points_up_names_both_crates() {
        let found = faults_of(vec![package("pure", "core", &[("net", None)]), package("io", "net", &[])]);
        assert_eq!(found, ["core (pure) may not depend on net (io)"]);
    }

    #[test]
    fn services_do_not_depend_on_each_other() {
        let found = faults_of(vec![
            package("services", "tracker", &[("storage", None)]),
            package("services", "storage", &[]),
        ]);
        assert_eq!(found, ["tracker (services) may not depend on storage (services)"]);
    }

    #[test]
    fn pure_crates_use_no_runtime_but_their_tests_may_use_the_kit() {
        let found = faults_of(vec![
            package("pure", "core", &[("tokio", None), ("kit", Some("dev")), ("tempfile", Some("dev"))]),
            package("dev", "kit", &[]),
        ]);
        assert_eq!(found, ["core (pure) may not depend on tokio, which touches the world"]);
    }

    #[test]
    fn nothing_that_ships_depends_on_the_kit() {
        let found = faults_of(vec![package("bins", "cairn", &[("kit", None)]), package("dev", "kit", &[])]);
        assert_eq!(found, ["cairn (bins) may not depend on kit (dev)"]);
    }

    #[test]
    fn a_crate_lies_in_the_folder_of_its_layer_and_name() {
        let mut stray = package("io", "net", &[]);
        stray.manifest_path = "/root-of-it/pure/network/Cargo.toml".into();
        assert_eq!(faults_of(vec![stray]), ["net: lies in pure/network, not in io/net"]);
    }
}
