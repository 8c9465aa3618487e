//! The web page is part of this crate: a change of it is a change here.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Of a folder that is not there Cargo would believe each time that it changed.
    let page = Path::new("../../web/dist");
    if page.is_dir() || fs::create_dir_all(page).is_ok() {
        println!("cargo::rerun-if-changed={}", page.display());
    }
}
