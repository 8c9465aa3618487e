//! What is on disk when the process is killed between two writes.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use std::fs;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;
use tracker_core::{Event, Naming, Request, Saved, Section};

use super::{GROUPS_FILE, SERVERS_FILE, Saver};
use crate::shell::Shell;
use crate::shell::tests::{joins, shell};
use crate::state;

/// How long a round may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tracker that has saved `group1` with its storage at 10.0.0.1, and where.
async fn saved() -> (Arc<Shell>, Saver, tempfile::TempDir) {
    let (shell, folder) = (Arc::new(shell()), tempfile::tempdir().unwrap());
    let mut saver = Saver::new(Arc::clone(&shell), folder.path().to_owned(), Vec::new(), 0);
    wants(&shell, &[Section::Groups, Section::Servers]);
    timeout(PATIENCE, saver.round()).await.unwrap();
    assert_eq!(on_disk(&folder), ["group1 10.0.0.1"]);
    (shell, saver, folder)
}

/// The next round holds these sections and nothing else.
fn wants(shell: &Shell, sections: &[Section]) {
    let _ = shell.unsaved.take();
    for section in sections {
        shell.unsaved.add(*section);
    }
}

fn happens(shell: &Arc<Shell>, group: &str, storage: [u8; 4]) {
    let (from, ask) = joins(group, storage);
    shell.happened(Event::Request { from, ask: Request::Join(&ask) });
}

/// What a start would find, a line for each storage.
fn on_disk(folder: &tempfile::TempDir) -> Vec<String> {
    let saved = Saved::from_tables(state::read(folder.path()).unwrap(), &Naming::ByAddress).unwrap();
    let groups = saved.groups.iter();
    groups
        .flat_map(|group| group.members.keys().map(|id| format!("{} {}", group.name, id.as_str())))
        .collect()
}

/// With one thread for files, so that a test can be in their way.
fn run(test: impl Future<Output = ()>) {
    Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_group_that_appears_while_groups_are_written_is_named_by_no_file_before_them() {
    run(async {
        let (shell, mut saver, folder) = saved().await;
        let (go, wait) = mpsc::channel::<()>();
        let in_the_way = tokio::task::spawn_blocking(move || wait.recv_timeout(PATIENCE));
        happens(&shell, "group2", [10, 0, 0, 2]);
        let mut round = Box::pin(saver.round());
        // It has begun to write, and is kept from it.
        std::future::poll_fn(|context| {
            assert!(round.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        happens(&shell, "group3", [10, 0, 0, 3]);
        go.send(()).unwrap();
        in_the_way.await.unwrap().unwrap();
        timeout(PATIENCE, round).await.unwrap();
        assert_eq!(on_disk(&folder), ["group1 10.0.0.1", "group2 10.0.0.2"]);
        timeout(PATIENCE, saver.round()).await.unwrap();
        assert_eq!(on_disk(&folder), ["group1 10.0.0.1", "group2 10.0.0.2", "group3 10.0.0.3"]);
    });
}

#[test]
fn a_storage_of_a_new_group_is_not_written_without_its_group() {
    run(async {
        let (shell, mut saver, folder) = saved().await;
        happens(&shell, "group2", [10, 0, 0, 2]);
        wants(&shell, &[Section::Servers]);
        timeout(PATIENCE, saver.round()).await.unwrap();
        assert_eq!(on_disk(&folder), ["group1 10.0.0.1", "group2 10.0.0.2"]);

        happens(&shell, "group3", [10, 0, 0, 3]);
        let in_the_way = folder.path().join(format!("{GROUPS_FILE}.tmp"));
        fs::create_dir(&in_the_way).unwrap();
        timeout(PATIENCE, saver.round()).await.unwrap();
        assert_eq!(on_disk(&folder), ["group1 10.0.0.1", "group2 10.0.0.2"]);
        fs::remove_dir(&in_the_way).unwrap();
        timeout(PATIENCE, saver.round()).await.unwrap();
        assert_eq!(on_disk(&folder), ["group1 10.0.0.1", "group2 10.0.0.2", "group3 10.0.0.3"]);
    });
}

#[test]
fn a_group_that_is_gone_stays_on_disk_until_no_storage_there_is_of_it() {
    run(async {
        let (shell, mut saver, folder) = saved().await;
        let mut tables = state::read(folder.path()).unwrap();
        for group in &mut tables.groups {
            group.group_name = "group9".parse().unwrap();
        }
        for server in &mut tables.servers {
            server.group_name = "group9".parse().unwrap();
        }
        // Nobody has joined since the start.
        shell.closed(joins("group1", [10, 0, 0, 1]).0.conn);
        wants(&shell, &[]);
        let found = Saved::from_tables(tables, &Naming::ByAddress).unwrap();
        shell.happened(Event::StateSought { found: Some(Box::new(found)) });
        let in_the_way = folder.path().join(format!("{SERVERS_FILE}.tmp"));
        fs::create_dir(&in_the_way).unwrap();
        timeout(PATIENCE, saver.round()).await.unwrap();
        assert_eq!(on_disk(&folder), ["group1 10.0.0.1"]);
        fs::remove_dir(&in_the_way).unwrap();
        timeout(PATIENCE, saver.round()).await.unwrap();
        assert_eq!(on_disk(&folder), ["group9 10.0.0.1"]);
        let groups = state::read(folder.path()).unwrap().groups;
        assert_eq!(groups.iter().map(|group| group.group_name.as_str()).collect::<Vec<_>>(), ["group9"]);
    });
}
