//! What the repositories promise, on real engines: each test runs on SQLite and on MariaDB.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

/// Makes a test for each engine of functions that take a [`kit::Bed`].
macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::kit::Bed::sqlite().await).await;
            }
        )+}
        mod mariadb {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::kit::Bed::mariadb().await).await;
            }
        )+}
    };
}

mod accounts;
mod check;
mod concurrency;
mod contents;
mod copy;
mod dialect;
mod injection;
mod kit;
mod lists;
mod opening;
mod queue;
mod requests;
mod sessions;
mod shares;
mod sweep;
mod totals;
mod tree;
mod uploads;
