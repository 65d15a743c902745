//! Blocks come back as they were; bytes that are none do no harm.

use super::*;
use crate::Row;
use crate::row::tests::{any_row, sample};
use proptest::collection::vec;
use proptest::prelude::*;

fn block(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    write_block(rows, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back(rows in vec(any_row(), 0..20)) {
        let bytes = block(&rows);
        let (read, size) = read_block(&bytes).unwrap();
        prop_assert_eq!(read, rows);
        prop_assert_eq!(size, bytes.len());
    }

    #[test]
    fn no_prefix_passes(rows in vec(any_row(), 1..4)) {
        let bytes = block(&rows);
        for end in 0..bytes.len() {
            prop_assert!(read_block(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn damage_is_harmless(rows in vec(any_row(), 1..4), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = block(&rows);
        let at = at.index(bytes.len());
        bytes[at] = with;
        let _ = read_block(&bytes);
    }

    #[test]
    fn any_bytes_are_harmless(bytes in vec(any::<u8>(), 0..600)) {
        let _ = read_block(&bytes);
        prop_assert!(frame::unpack(&bytes).is_err());
    }

    #[test]
    fn frames_come_back(bytes in vec(any::<u8>(), 0..2_000), bit in any::<prop::sample::Index>()) {
        let packed = frame::pack(&bytes);
        prop_assert_eq!(frame::unpack(&packed), Ok(bytes));
        let mut bad = packed.clone();
        let bit = bit.index(bad.len() * 8);
        bad[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(frame::check(&bad).is_err());
        prop_assert!(frame::check(&packed[..packed.len() - 1]).is_err());
    }

    #[test]
    fn pieces_make_the_same_blocks(sizes in vec(0_usize..30, 1..6), cut in 1_usize..700) {
        let blocks: Vec<Vec<Row>> = sizes.iter().map(|size| (0..*size as u64).map(sample).collect()).collect();
        let bytes: Vec<u8> = blocks.iter().flat_map(|rows| block(rows)).collect();
        let (mut reader, mut read) = (BlockReader::default(), Vec::new());
        for piece in bytes.chunks(cut) {
            reader.push(piece);
            while let Some(rows) = reader.next_block(false).unwrap() {
                read.push(rows);
            }
        }
        while let Some(rows) = reader.next_block(true).unwrap() {
            read.push(rows);
        }
        prop_assert_eq!(read, blocks);
    }
}

#[test]
fn wide_dictionaries_come_back() {
    let rows: Vec<Row> = (0..66_000_u64)
        .map(|number| {
            let mut row = sample(number);
            row.subject.edit().task = format!("task {number}").into();
            row.verb = format!("verb {}", number % 300).into();
            row.resources = std::sync::Arc::from([format!("table t{}", number % 5_000).into()]);
            row
        })
        .collect();
    let (read, _) = read_block(&block(&rows)).unwrap();
    assert!(read == rows);
}

#[test]
fn a_column_of_another_type_is_named() {
    let mut bytes = vec![1, 0, 2];
    bytes.extend_from_slice(b"id\x06String");
    let error = read_block(&bytes).unwrap_err();
    assert_eq!(error, NativeError::Column { name: "id".into(), kind: "String".into() });
}

#[test]
fn a_stream_that_ends_inside_a_block_is_an_error() {
    let bytes = block(&[sample(1)]);
    let mut reader = BlockReader::default();
    reader.push(&bytes[..bytes.len() - 1]);
    assert!(reader.next_block(true).is_err());
}
