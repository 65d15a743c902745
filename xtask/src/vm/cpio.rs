//! Writes the archive that a Linux kernel unpacks into its first file system: cpio's "newc" format
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// An archive under way. Everything in it belongs to root.
pub struct Archive<W> {
    out: W,
    written: u64,
    inode: u32,
    have: BTreeSet<PathBuf>,
}

impl<W: Write> Archive<W> {
    pub fn new(out: W) -> Self {
        Self { out, written: 0, inode: 0, have: BTreeSet::new() }
    }

    /// Whether something is there under this absolute path.
    pub fn has(&self, path: &Path) -> bool {
        self.have.contains(path)
    }

    /// A directory and those above it.
    pub fn directory(&mut self, path: &Path) -> Result<()> {
        let mut above: Vec<&Path> = path.ancestors().filter(|it| it.parent().is_some()).collect();
        above.reverse();
        for directory in above {
            if !self.has(directory) {
                self.entry(directory, DIRECTORY, &[])?;
            }
        }
        Ok(())
    }

    /// A file with this content.
    pub fn file(&mut self, path: &Path, permissions: u32, content: &[u8]) -> Result<()> {
        self.in_directory(path)?;
        self.entry(path, FILE | permissions, content)
    }

    /// A file of this host, wherever it is a link to.
    pub fn copy(&mut self, from: &Path, path: &Path) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        let permissions = fs::metadata(from)?.permissions().mode() & 0o777;
        self.file(path, permissions, &content)
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &Path, to: &str) -> Result<()> {
        self.in_directory(path)?;
        self.entry(path, LINK, to.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<()> {
        self.entry(Path::new("TRAILER!!!"), 0, &[])?;
        self.out.flush()?;
        Ok(())
    }

    fn in_directory(&mut self, path: &Path) -> Result<()> {
        self.directory(path.parent().unwrap_or(Path::new("/")))
    }

    /// A header of hexadecimal numbers, the name, the content; each padded to four bytes.
    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        self.have.insert(path.to_owned());
        let name = path.strip_prefix("/").unwrap_or(path).to_string_lossy();
        self.inode += 1;
        let size = u32::try_from(content.len()).context("a file of more than 4 GiB")?;
        let name_size = u32::try_from(name.len() + 1)?;
        // Inode, mode, uid, gid, links, time, size, four device numbers, length of the name, checksum.
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.write(b"070701")?;
        for field in fields {
            self.write(format!("{field:08x}").as_bytes())?;
        }
        self.write(name.as_bytes())?;
        self.write(b"\0")?;
        self.pad()?;
        self.write(content)?;
        self.pad()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self) -> Result<()> {
        while !self.written.is_multiple_of(4) {
            self.write(b"\0")?;
        }
        Ok(())
    }
}
