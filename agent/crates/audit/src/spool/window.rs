//! The part of a segment that is written next, mapped into memory: to store a record is to copy it.
//!
//! What is copied into a shared mapping of a file is in the page cache at once, as after `write(2)`: it survives the end
//! of this process, however sudden, and `fdatasync` makes it durable. It costs no system call, which is most of what a
//! small row costs otherwise.
//!
//! A store into a mapping can't return an error: what `write(2)` would report comes as SIGBUS. So a window is only
//! opened where its blocks are allocated first (a full disk is then an error of [`Window::open`]) and stay where they
//! are: ext4, xfs, tmpfs. Elsewhere the journal is written by system call. A disk that fails, or a file that someone cuts,
//! still ends the process: governed processes have no network then.

mod sys;

use memmap2::{Advice, MmapMut};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, FsType, TMPFS_MAGIC, XFS_SUPER_MAGIC, fstatfs};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of a window: to open one takes some 100 µs.
const BYTES: usize = 256 << 10;
/// What a new window is filled with, so much at once.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
/// Windows start at multiples of this; the largest page that Linux has is not larger.
const ALIGN: u64 = 64 << 10;
/// File systems of which a file's allocated blocks can be written at any time.
const STEADY: [FsType; 3] = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, TMPFS_MAGIC];

/// A mapped part of a segment.
pub(super) struct Window {
    map: MmapMut,
    start: u64,
}

impl Window {
    /// Maps the part of the file from `at` on, which grows by it. `None` where the file system is none for it.
    ///
    /// # Errors
    /// There is no room, or the file can't be mapped.
    pub(super) fn open(file: &File, at: u64) -> io::Result<Option<Self>> {
        if !STEADY.contains(&fstatfs(file)?.filesystem_type()) {
            return Ok(None);
        }
        let start = at - at % ALIGN;
        let (Ok(offset), Ok(length)) = (i64::try_from(start), i64::try_from(BYTES)) else { return Ok(None) };
        fallocate(file, FallocateFlags::empty(), offset, length)?;
        fill(file, at, start.saturating_add(BYTES as u64))?;
        let map = sys::map(file, start, BYTES)?;
        // Faults that would come one by one later. Older kernels don't know it: then they come one by one.
        drop(map.advise(Advice::PopulateWrite));
        Ok(Some(Self { map, start }))
    }

    /// Can it take so many bytes at that place of the file?
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        let place = at.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let room = place.and_then(|from| self.map.get_mut(from..from.checked_add(bytes.len())?));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            return true;
        }
        false
    }

    /// Is it worth a window to write so many bytes?
    pub(super) const fn is_for(bytes: usize) -> bool {
        bytes <= BYTES / 4
    }
}

/// Writes zeros where zeros are read already, so that the pages are there and whole. A fault on a page that is not
/// would have the kernel read ahead around it, which costs five times as much a page (ext4, Linux 6.18).
fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let left = usize::try_from(to - at).unwrap_or(usize::MAX);
        let piece = ZEROS.get(..left).unwrap_or(&ZEROS);
        file.write_all_at(piece, at)?;
        at = at.saturating_add(piece.len() as u64);
    }
    Ok(())
}
