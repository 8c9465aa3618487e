//! `docs/commands.md`, made from the registries.

use crate::fdfs;

/// The page.
pub(crate) fn page() -> String {
    format!("{}{}", HEAD, fdfs::reference())
}

const HEAD: &str = "\
# Commands

<!-- generated: `cargo run -p cairn -- reference > docs/commands.md`; a test compares -->

## The classic tools

Each runs under its own name (after `cairn install-tools DIR`) or as `cairn NAME …`. Arguments, output and
exit status are those of FastDFS 6.16.1; the differences are listed in [compat.md](compat.md).

";

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_the_generated_one() {
        let committed =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md")).unwrap();
        assert!(committed == super::page(), "run: cargo run -p cairn -- reference > docs/commands.md");
    }
}
