//! The dictionary of one LowCardinality column in one block.

use super::{LOW_NEW_KEYS, LOW_OWN_KEYS};
use crate::codec::bytes::put_bytes;
use hashbrown::HashMap;
use std::sync::Arc;

/// Collects texts as indexes into a dictionary.
#[derive(Default)]
pub(super) struct Dictionary<'a> {
    known: HashMap<&'a str, u32>,
    keys: Vec<&'a str>,
    indexes: Vec<u32>,
    last: Option<(&'a Arc<str>, u32)>,
    last_list: Option<(&'a Arc<[Arc<str>]>, usize)>,
}

impl<'a> Dictionary<'a> {
    pub(super) fn push(&mut self, text: &'a Arc<str>) {
        // Rows of one session share their texts: the same pointer is the same text.
        if let Some((last, index)) = self.last
            && Arc::ptr_eq(last, text)
        {
            self.indexes.push(index);
            return;
        }
        let keys = &mut self.keys;
        let index = *self.known.entry(text).or_insert_with(|| {
            keys.push(text);
            // A block has far fewer values than that.
            u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
        });
        self.last = Some((text, index));
        self.indexes.push(index);
    }

    /// Adds all items of a list.
    pub(super) fn extend(&mut self, list: &'a Arc<[Arc<str>]>) {
        if let Some((last, start)) = self.last_list
            && Arc::ptr_eq(last, list)
        {
            self.indexes.extend_from_within(start..start + list.len());
            return;
        }
        let start = self.indexes.len();
        for item in list.iter() {
            self.push(item);
        }
        self.last_list = Some((list, start));
    }

    /// Appends flags, dictionary and indexes; nothing if there are no values.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.indexes.is_empty() {
            return;
        }
        let width = match self.keys.len() {
            0..=0x100 => 0,
            0x101..=0x1_0000 => 1,
            _ => 2,
        };
        out.extend_from_slice(&(LOW_OWN_KEYS | LOW_NEW_KEYS | width).to_le_bytes());
        out.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        for key in &self.keys {
            put_bytes(out, key.as_bytes());
        }
        out.extend_from_slice(&(self.indexes.len() as u64).to_le_bytes());
        match width {
            0 => out.extend(self.indexes.iter().map(|index| *index as u8)),
            1 => out.extend(self.indexes.iter().flat_map(|index| (*index as u16).to_le_bytes())),
            _ => out.extend(self.indexes.iter().flat_map(|index| index.to_le_bytes())),
        }
    }
}
