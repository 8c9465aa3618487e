//! Whose a store is: what a command makes in it has to belong to those who serve it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use daemon::limits;
use daemon::run_as::Identity;
use fdfs_conf::service::RunBy;
use rustix::process::geteuid;

/// Becomes who the store's server runs as, as the configuration says or, where it says nothing and this is root, by the
/// owner of the first store path's `data`; new files and folders get the modes that the server gives them.
///
/// Call it before the first thread is made.
pub(crate) fn become_owner(run_by: &RunBy, store_paths: &[PathBuf]) -> anyhow::Result<()> {
    limits::set_file_modes();
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    let (mut user, mut group) = (text(&run_by.user), text(&run_by.group));
    if user.is_empty() && group.is_empty() && geteuid().is_root() {
        let data = store_paths.first().map(|path| fs::metadata(path.join("data")));
        // A store that is not there is told by who looks for it.
        if let Some(Ok(data)) = data {
            (user, group) = (data.uid().to_string(), data.gid().to_string());
        }
    }
    if let Some(owner) = Identity::resolve(&user, &group)? {
        owner.take_on()?;
    }
    Ok(())
}
