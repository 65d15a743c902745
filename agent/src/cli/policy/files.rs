//! Reads policy and case files.

use anyhow::{Context as _, bail};
use policy::Source;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes of the largest file.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The files that paths stand for: themselves, and of folders those with this extension, sorted, not those of folders
/// within: as the daemon reads `policies.paths`.
///
/// # Errors
/// A path can't be found, or a folder holds no such file.
pub(super) fn named(paths: &[PathBuf], extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = within(path, extension)?;
        if found.is_empty() {
            bail!("`{}` holds no .{extension} file; folders within it are not looked at", path.display());
        }
        files.append(&mut found);
    }
    Ok(files)
}

/// The files of a folder with this extension, sorted; perhaps none.
///
/// # Errors
/// The folder can't be read.
pub(super) fn within(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("`{}` can't be read", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let file = entry.with_context(unreadable)?.path();
        if file.extension().is_some_and(|it| it == extension) {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads files, in this order.
///
/// # Errors
/// One can't be read, is not UTF-8, or is larger than 16 MiB.
pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    files
        .iter()
        .map(|file| {
            let name = file.display().to_string();
            let unreadable = || format!("`{name}` can't be read");
            let mut text = String::new();
            let opened = File::open(file).with_context(unreadable)?;
            opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).with_context(unreadable)?;
            if text.len() as u64 > FILE_BYTES_MAX {
                bail!("`{name}` is larger than 16 MiB; split it");
            }
            Ok(Source { name, text })
        })
        .collect()
}
