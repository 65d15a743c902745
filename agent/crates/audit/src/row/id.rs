//! Row ids: UUID version 7 without a system call for each.

use std::cell::Cell;
use uuid::Uuid;

thread_local! {
    /// The random part that this thread counts up from. 0 = not yet drawn.
    static RANDOM: Cell<u128> = const { Cell::new(0) };
}

/// Bits of a version 7 UUID below its timestamp and version: 12 + 62, with the variant between.
const RANDOM_BITS: u32 = 74;

/// A new id for an operation asked at `time` (µs since 1970 UTC). Ids of one thread increase while its clock does not
/// go back. Its 74 random bits are drawn once a thread from the system and counted up after that.
pub fn next_id(time: i64) -> Uuid {
    let random = RANDOM.with(|cell| {
        let mut value = cell.get();
        if value == 0 {
            let seed = Uuid::now_v7().as_u128();
            // The top bits of the counter stay random but low, so that counting up does not wrap soon.
            value = (((seed >> 64) & 0x7ff) << 62) | (seed & ((1 << 62) - 1)) | 1;
        }
        cell.set(value.wrapping_add(1) & ((1 << RANDOM_BITS) - 1));
        value
    });
    let millis = u128::from(u64::try_from(time / 1_000).unwrap_or(0)) & 0xffff_ffff_ffff;
    let high = (random >> 62) & 0xfff;
    let low = random & ((1 << 62) - 1);
    Uuid::from_u128((millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
}
