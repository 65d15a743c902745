//! One file of the journal: its name, its header, its records.

use super::SpoolError;
use super::window::Window;
use crate::codec::{self, Bad, MARKER, Record};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// What a segment begins with; the last byte is the version of the layout.
const MAGIC: [u8; 8] = *b"ILKJRNL\x01";
/// Bytes before the first record: magic, number u64, mark u64, salt u32, CRC-32 u32, all little-endian.
pub(super) const HEADER: usize = 32;

/// A window is worth opening for so many appends; groups may go past one before it is used.
const SMALL_MIN: u32 = 16;

/// A segment that is being written.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) file: Arc<File>,
    /// Bytes of it that hold records, so far; the next write goes here.
    pub(super) written: u64,
    pub(super) salt: u32,
    /// Where the next records go, if that part is mapped.
    window: Option<Window>,
    /// Its file system takes windows.
    mappable: bool,
    /// Appends since the window was opened, but for groups.
    small: u32,
    pub(super) made: Instant,
    /// The newest block when the segment was made: rows that begin in it are only in newer ones.
    pub(super) mark: i64,
}

impl Segment {
    /// Makes the segment and its name durable, so that a flush of its data is all that a commit needs.
    pub(super) fn create(dir: &Path, number: u64, mark: i64) -> Result<Self, SpoolError> {
        let path = dir.join(format!("journal-{number:012}.log"));
        let doing = |what: &str| format!("{what} the journal `{}`", path.display());
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(|error| SpoolError::io(doing("make"), &error))?;
        let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
        let salt = u32::from_le_bytes([a, b, c, d]);
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&mark.to_le_bytes());
        header.extend_from_slice(&salt.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        let written = file.write_all_at(&header, 0).and_then(|()| file.sync_all());
        written.and_then(|()| sync_dir(dir)).map_err(|error| SpoolError::io(doing("write"), &error))?;
        Ok(Self {
            number,
            path,
            file: Arc::new(file),
            written: HEADER as u64,
            salt,
            window: None,
            mappable: true,
            small: SMALL_MIN,
            made: Instant::now(),
            mark,
        })
    }

    /// Appends records, by copying them if that is to be had.
    ///
    /// # Errors
    /// None of them counts as written.
    pub(super) fn append(&mut self, records: &[u8]) -> std::io::Result<()> {
        self.small = self.small.saturating_add(1);
        if self.copied(records) {
            return self.wrote(records.len());
        }
        if self.mappable && self.small >= SMALL_MIN && Window::is_for(records.len()) {
            self.small = 0;
            self.window = match Window::open(&self.file, self.written) {
                // No room is no room; whatever else a mapping lacks, a system call may do without.
                Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                    return Err(error);
                }
                opened => opened.unwrap_or_default(),
            };
            self.mappable = self.window.is_some();
            if self.copied(records) {
                return self.wrote(records.len());
            }
        }
        self.write(records)
    }

    /// Appends a group of records that is flushed next. To flush a mapped page makes the next store into it fault, which
    /// costs more than the one system call for all of them.
    ///
    /// # Errors
    /// None of them counts as written.
    pub(super) fn append_group(&mut self, records: &[u8]) -> std::io::Result<()> {
        self.write(records)
    }

    fn copied(&mut self, records: &[u8]) -> bool {
        let at = self.written;
        self.window.as_mut().is_some_and(|window| window.write(at, records))
    }

    fn write(&mut self, records: &[u8]) -> std::io::Result<()> {
        self.file.write_all_at(records, self.written)?;
        self.wrote(records.len())
    }

    fn wrote(&mut self, bytes: usize) -> std::io::Result<()> {
        self.written += bytes as u64;
        Ok(())
    }

    /// Gives back what was allocated ahead; nothing more will be written.
    pub(super) fn close(&mut self) {
        // Before the file is cut.
        if self.window.take().is_some() {
            // Zeros that stay at its end do no harm.
            drop(self.file.set_len(self.written));
        }
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A segment that an earlier process left.
pub(super) struct Left {
    pub(super) number: u64,
    pub(super) path: PathBuf,
}

/// The segments in a directory, oldest first.
pub(super) fn list(dir: &Path) -> Result<Vec<Left>, SpoolError> {
    let doing = || format!("list `{}`", dir.display());
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| SpoolError::io(doing(), &error))? {
        let path = entry.map_err(|error| SpoolError::io(doing(), &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("journal-").and_then(|name| name.strip_suffix(".log"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            all.push(Left { number, path });
        }
    }
    all.sort_by_key(|left| left.number);
    Ok(all)
}

/// What [`scan`] found besides records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Scanned {
    /// Bytes at the end that are no whole record.
    pub(super) torn_bytes: u64,
    /// Places in the middle where bytes had to be passed over to find the next record.
    pub(super) damaged_places: u64,
    /// Their bytes.
    pub(super) damaged_bytes: u64,
    /// Sound records of another version.
    pub(super) unknown_records: u64,
}

/// Reads a header: the mark and the salt.
pub(super) fn header(bytes: &[u8]) -> Option<(i64, u32)> {
    let (header, sum) = bytes.get(..HEADER)?.split_at_checked(HEADER - 4)?;
    let mut reader = codec::bytes::Reader::new(header);
    let sound = reader.array() == Some(MAGIC) && crc32fast::hash(header).to_le_bytes() == sum;
    let _number: [u8; 8] = reader.array()?;
    let (mark, salt) = (i64::from_le_bytes(reader.array()?), u32::from_le_bytes(reader.array()?));
    sound.then_some((mark, salt))
}

/// The mark in the header of a segment, if it has one.
pub(super) fn mark(path: &Path) -> Option<i64> {
    let mut bytes = [0; HEADER];
    File::open(path).ok()?.read_exact_at(&mut bytes, 0).ok()?;
    header(&bytes).map(|(mark, _)| mark)
}

/// Gives every record of a segment to `found`, passing over what is none. Zeros at the end are room that was not used.
pub(super) fn scan<E>(
    bytes: &[u8],
    salt: u32,
    mut found: impl FnMut(Record) -> Result<(), E>,
) -> Result<Scanned, E> {
    let mut scanned = Scanned::default();
    let mut at = HEADER;
    let mut bad: Option<usize> = None;
    // The last record may end in zeros of its own: this only tells where no further one can begin.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty() && at < end) {
        let size = match codec::read(rest, salt) {
            Ok((record, size)) => {
                found(record)?;
                size
            }
            Err(Bad::Version(size)) => {
                scanned.unknown_records += 1;
                size
            }
            Err(Bad::Short | Bad::Damaged) => {
                bad.get_or_insert(at);
                at += 1 + next_marker(rest.get(1..).unwrap_or_default());
                continue;
            }
        };
        if let Some(start) = bad.take() {
            scanned.damaged_places += 1;
            scanned.damaged_bytes += (at - start) as u64;
        }
        at += size;
    }
    if let Some(start) = bad {
        scanned.torn_bytes = end.saturating_sub(start) as u64;
    }
    Ok(scanned)
}

/// Bytes before the next marker, or all of them.
fn next_marker(bytes: &[u8]) -> usize {
    bytes.windows(MARKER.len()).position(|window| window == MARKER).unwrap_or(bytes.len())
}
