//! `docs/commands.md`, made from the registries.

use crate::fdfs;

/// The page, with the commands as the command line knows them.
pub(crate) fn page(cli: &clap::Command) -> String {
    let mut page = HEAD.to_owned();
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(&mut page, &format!("cairn {}", command.get_name()), command);
    }
    page + TOOLS + &fdfs::reference()
}

/// One command; behind it, those below it.
fn section(page: &mut String, name: &str, command: &clap::Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("### `{name}`\n\n{about}.\n\n"));
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let rows: String = arguments.map(row).collect();
    if !rows.is_empty() {
        page.push_str(&format!("| argument | meaning |\n|---|---|\n{rows}\n"));
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        section(page, &format!("{name} {}", below.get_name()), below);
    }
}

fn row(argument: &clap::Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    format!("| `{}` | {} |\n", name(argument), cell(&help))
}

/// `-c CONF`, `--json`, `DIR`
fn name(argument: &clap::Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().join(" ");
    let takes_values = argument.get_action().takes_values();
    let option = argument
        .get_long()
        .map(|long| format!("--{long}"))
        .or_else(|| argument.get_short().map(|short| format!("-{short}")));
    match (option, takes_values) {
        (Some(option), true) => format!("{option} {values}"),
        (Some(option), false) => option,
        (None, _) => argument.get_value_names().map_or_else(|| argument.get_id().to_string(), |_| values),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const HEAD: &str = "\
# Commands

<!-- Written by `cargo xtask gen` from the registries in bins/cairn; change it there. -->

## `cairn`

";

const TOOLS: &str = "\
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
        assert!(committed == super::page(&crate::cli::command()), "run: cargo xtask gen");
    }
}
