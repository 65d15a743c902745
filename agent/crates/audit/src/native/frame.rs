//! ClickHouse's compressed frame around a block. Blocks are stored in it, so that shipping one is copying it: the
//! server checks and unpacks the very bytes that the spool wrote (`decompress=1`).
//!
//! ```text
//! CityHash128 (version 1.0.2) of the rest, 16 bytes | method u8 (0x82 = LZ4) | size of the frame without its hash u32
//! | size unpacked u32 | LZ4 block
//! ```

use cityhash_rs::cityhash_102_128;

const HASH: usize = 16;
const HEAD: usize = 9;
const LZ4: u8 = 0x82;
/// Largest block that is packed or unpacked, in bytes.
pub const UNPACKED_MAX: usize = 256 << 20;

/// Why a frame can't be unpacked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// Its hash does not match its bytes, or it ends early.
    #[error("the block is damaged: its checksum does not match")]
    Checksum,
    /// It was packed by another method, or claims to be huge.
    #[error("the block is damaged: its header makes no sense")]
    Header,
    /// LZ4 itself refused it.
    #[error("the block is damaged: it can't be unpacked")]
    Unpack,
}

/// Packs one block.
pub fn pack(block: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HASH + HEAD + lz4_flex::block::get_maximum_output_size(block.len())];
    let body = frame.get_mut(HASH + HEAD..).unwrap_or_default();
    // The room is the maximum that compression can need.
    let size = lz4_flex::block::compress_into(block, body).unwrap_or_default();
    frame.truncate(HASH + HEAD + size);
    let head = [&[LZ4][..], &word(HEAD + size), &word(block.len())].concat();
    if let Some(place) = frame.get_mut(HASH..HASH + HEAD) {
        place.copy_from_slice(&head);
    }
    let hash = hash(frame.get(HASH..).unwrap_or_default());
    if let Some(place) = frame.get_mut(..HASH) {
        place.copy_from_slice(&hash);
    }
    frame
}

/// Is it exactly one sound frame?
///
/// # Errors
/// It is not.
pub fn check(frame: &[u8]) -> Result<(), FrameError> {
    open(frame).map(|_| ())
}

/// Unpacks one frame.
///
/// # Errors
/// It is not exactly one sound frame.
pub fn unpack(frame: &[u8]) -> Result<Vec<u8>, FrameError> {
    let (body, unpacked) = open(frame)?;
    let block = lz4_flex::block::decompress(body, unpacked).map_err(|_| FrameError::Unpack)?;
    if block.len() == unpacked { Ok(block) } else { Err(FrameError::Unpack) }
}

/// Checks the frame; gives the LZ4 block in it, and its size unpacked.
fn open(frame: &[u8]) -> Result<(&[u8], usize), FrameError> {
    let (sum, rest) = frame.split_at_checked(HASH).ok_or(FrameError::Checksum)?;
    if hash(rest) != sum {
        return Err(FrameError::Checksum);
    }
    let (head, body) = rest.split_first_chunk::<HEAD>().ok_or(FrameError::Header)?;
    let [method, p0, p1, p2, p3, u0, u1, u2, u3] = *head;
    let packed = usize::try_from(u32::from_le_bytes([p0, p1, p2, p3])).unwrap_or(usize::MAX);
    let unpacked = usize::try_from(u32::from_le_bytes([u0, u1, u2, u3])).unwrap_or(usize::MAX);
    if method != LZ4 || packed != rest.len() || unpacked > UNPACKED_MAX {
        return Err(FrameError::Header);
    }
    Ok((body, unpacked))
}

fn hash(bytes: &[u8]) -> [u8; HASH] {
    // ClickHouse writes the high half first, each half little-endian.
    cityhash_102_128(bytes).rotate_left(64).to_le_bytes()
}

fn word(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}
