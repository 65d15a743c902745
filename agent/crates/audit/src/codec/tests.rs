//! Records survive the way to the journal and back; nothing else passes for one.

use super::*;
use crate::row::tests::{any_row, sample};
use proptest::prelude::*;

const SALT: u32 = 0x1234_5678;

fn all(row: &Row) -> [Vec<u8>; 3] {
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    put_asked(&mut out[0], SALT, row);
    put_ended(&mut out[1], SALT, row);
    put_whole(&mut out[2], SALT, row);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_comes_back(row in any_row()) {
        let [asked, ended, whole] = all(&row);
        let mut without = row.clone();
        without.outcome = crate::Outcome::default();
        prop_assert_eq!(read(&asked, SALT), Ok((Record::Asked(Box::new(without)), asked.len())));
        let Ok((Record::Ended(id, end), _)) = read(&ended, SALT) else { panic!("no end") };
        prop_assert_eq!((id, &end.outcome), (row.id, &row.outcome));
        prop_assert_eq!(read(&whole, SALT), Ok((Record::Whole(Box::new(row)), whole.len())));
    }

    #[test]
    fn no_prefix_passes(row in any_row()) {
        for bytes in all(&row) {
            for end in 0..bytes.len() {
                prop_assert_eq!(read(&bytes[..end], SALT), Err(Bad::Short));
            }
        }
    }

    #[test]
    fn any_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0_u8..5) {
        prop_assert!(read(&bytes, SALT).is_err());
        // The same with a checksum that is right.
        let mut forged = Vec::new();
        put(&mut forged, SALT, kind, |out| out.extend_from_slice(&bytes));
        let _ = read(&forged, SALT);
    }
}

#[test]
fn no_flipped_bit_passes() {
    for bytes in all(&sample(3)) {
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad, SALT).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn another_salt_does_not_pass_until_it_is_resalted() {
    let [mut record, ..] = all(&sample(1));
    assert_eq!(read(&record, SALT + 1), Err(Bad::Damaged));
    assert!(resalt(&mut record, SALT + 1));
    assert!(read(&record, SALT + 1).is_ok());
    assert!(!resalt(&mut [0; 5], SALT));
}

#[test]
fn huge_lengths_are_not_believed() {
    let mut record = Vec::new();
    put(&mut record, SALT, WHOLE, |out| out.extend_from_slice(&[0xff; 64]));
    assert_eq!(read(&record, SALT), Err(Bad::Damaged));
    record[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&record, SALT), Err(Bad::Damaged));
}

#[test]
fn a_record_of_another_version_is_passed_over_whole() {
    let [mut record, ..] = all(&sample(1));
    record[3] = VERSION + 1;
    resalt(&mut record, SALT);
    assert_eq!(read(&record, SALT), Err(Bad::Version(record.len())));
}

impl crate::SubjectFields {
    fn forget_what_version_3_added(&mut self) {
        let Self {
            cgroup_id, thread, login_uid, exe_hash, exe_inode, argv, parents, unit, container, ..
        } = crate::SubjectFields::default();
        *self = Self {
            cgroup_id,
            thread,
            login_uid,
            exe_hash,
            exe_inode,
            argv,
            parents,
            unit,
            container,
            ..self.clone()
        };
    }
}

/// Journals outlive the binary that wrote them: these are the bytes of each version. If this fails, the columns have
/// changed: give the new list a new version and keep reading the old ones.
#[test]
fn every_version_is_still_read() {
    let row = Row { id: Uuid::from_u128(7), ..sample(3) };
    let [_, _, written] = all(&row);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&written), include_str!("version4.hex").trim(), "what this version writes");
    let versions = [
        include_str!("version1.hex"),
        include_str!("version2.hex"),
        include_str!("version3.hex"),
        include_str!("version4.hex"),
    ];
    for (version, text) in (1..).zip(versions) {
        let digits: Vec<u8> =
            text.trim().chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        assert_eq!(bytes[3], version);
        let mut row = row.clone();
        if version < 4 {
            let Row { subject, .. } = &mut row;
            let fields = subject.edit();
            (fields.destination_name, fields.degraded) = ("".into(), "".into());
        }
        if version < 3 {
            row.subject.edit().forget_what_version_3_added();
        }
        assert_eq!(read(&bytes, SALT), Ok((Record::Whole(Box::new(row)), bytes.len())));
    }
}
