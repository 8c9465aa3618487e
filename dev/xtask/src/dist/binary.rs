//! The binary with everything in it: no shared library is needed to run it (docs/decisions/0012-static-binary.md).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace::{Workspace, run};

/// Builds it into `folder`. What it is made of is what every build of this profile is made of; only its linking differs,
/// and its name, so that neither build is in the way of the other.
pub(super) fn build(workspace: &Workspace, profile: &str, folder: &Path) -> Result<PathBuf> {
    let binary = folder.join("cairn");
    let mut cargo =
        workspace.cargo(["rustc", "--quiet", "--package", "cairn", "--bin", "cairn", "--profile"]);
    // Names of functions are for reports of what broke, and a third of the bytes that a test packs and looks at.
    let strip = if profile == "release" { "strip=debuginfo" } else { "strip=symbols" };
    cargo.arg(profile).args(["--", "-C", "target-feature=+crt-static", "-C", strip, "--emit"]);
    // Where `deploy/install.sh` finds it, too.
    let kept = workspace.target.join(format!("dist/cairn-{profile}"));
    std::fs::create_dir_all(workspace.target.join("dist")).context("make target/dist")?;
    let mut emit = std::ffi::OsString::from("link=");
    emit.push(&kept);
    run(cargo.arg(emit))?;
    std::fs::copy(&kept, &binary).with_context(|| format!("copy {}", kept.display()))?;
    ensure!(!asks_for_loader(&binary)?, "{} needs shared libraries", binary.display());
    Ok(binary)
}

/// Whether a program for Linux names a dynamic loader (`PT_INTERP`), as all do that need shared libraries.
fn asks_for_loader(program: &Path) -> Result<bool> {
    const PT_INTERP: [u8; 4] = 3u32.to_le_bytes();
    let bytes = std::fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let number = |at: usize, len: usize| -> Option<usize> {
        let mut value = [0; 8];
        value.get_mut(..len)?.copy_from_slice(bytes.get(at..at + len)?);
        usize::try_from(u64::from_le_bytes(value)).ok()
    };
    ensure!(bytes.starts_with(b"\x7fELF\x02\x01"), "{} is no 64-bit little-endian ELF", program.display());
    // Offset, size and number of the program headers (ELF-64).
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let (start, size, count) =
        start.zip(size).zip(count).map(|((a, b), c)| (a, b, c)).context("a cut ELF")?;
    Ok((0..count)
        .any(|index| bytes.get(start + index * size..).is_some_and(|rest| rest.starts_with(&PT_INTERP))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_shared_libraries_is_told_from_one_without() {
        assert!(asks_for_loader(Path::new("/bin/sh")).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        let mut elf = vec![0; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56], elf[64]) = (64, 56, 1, 1);
        std::fs::write(&program, &elf).unwrap();
        assert!(!asks_for_loader(&program).unwrap());
        elf[64] = 3;
        std::fs::write(&program, &elf).unwrap();
        assert!(asks_for_loader(&program).unwrap());
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        assert!(asks_for_loader(&program).is_err());
    }
}
