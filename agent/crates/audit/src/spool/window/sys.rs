//! The one call of a window that has no safe form.

use memmap2::{MmapMut, MmapOptions};
use std::fs::File;
use std::io;

/// Maps a part of a segment's file, shared with the page cache.
#[expect(unsafe_code, reason = "a mapping of a file has no safe form")]
pub(super) fn map(file: &File, start: u64, bytes: usize) -> io::Result<MmapMut> {
    // SAFETY: the file is ours alone: the spool's directory is locked and closed to others, and nothing here cuts a file
    // that is mapped. Nobody else has this memory as a slice.
    unsafe { MmapOptions::new().offset(start).len(bytes).map_mut(file) }
}
