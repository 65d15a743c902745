//! Reading a spool, from any process, while its owner writes.

use crate::filter::Filter;
use crate::row::Row;
use crate::spool::SpoolError;
use crate::spool::store::{path, unpack};
use rusqlite::{Connection, OpenFlags};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A read-only view of a spool: every row that has been folded.
pub struct SpoolReader {
    sqlite: Connection,
}

impl SpoolReader {
    /// Opens the spool in a directory.
    ///
    /// # Errors
    /// [`SpoolError::Missing`] if there is none; otherwise why it can't be read.
    pub fn open(dir: &Path) -> Result<Self, SpoolError> {
        let path = path(dir);
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(SpoolError::Missing { dir: dir.to_owned() }),
            Err(error) => return Err(SpoolError::io(format!("read `{}`", path.display()), &error)),
        }
        let sqlite = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        sqlite.busy_timeout(Duration::from_secs(5))?;
        Ok(Self { sqlite })
    }

    /// The rows that the filter is about, in its order, as they are at this moment. Memory holds a few blocks at a
    /// time, whatever the number of rows.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn rows(&self, filter: &Filter) -> Result<Rows<'_>, SpoolError> {
        // One snapshot for the whole reading: blocks are merged under way. Dropping the rows ends it.
        let snapshot = self.sqlite.unchecked_transaction()?;
        let order = if filter.newest_first { "last DESC, id DESC" } else { "first, id" };
        let mut select = snapshot.prepare(&format!("SELECT id, first, last FROM block ORDER BY {order}"))?;
        let mut found = select.query([])?;
        let mut blocks = VecDeque::new();
        while let Some(block) = found.next()? {
            let (id, first, last) = (block.get(0)?, block.get(1)?, block.get(2)?);
            if filter.overlaps(first, last) {
                blocks.push_back((id, if filter.newest_first { last } else { first }));
            }
        }
        drop(found);
        drop(select);
        Ok(Rows { snapshot, filter: filter.clone(), blocks, ready: BTreeMap::new(), given: 0 })
    }

    /// The number of rows in the store.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn count(&self) -> Result<u64, SpoolError> {
        Ok(self.sqlite.query_row("SELECT coalesce(sum(rows), 0) FROM block", [], |row| row.get(0))?)
    }
}

/// Rows of a spool, one by one. A block that can't be read is an error in its place; the rows after it still come.
pub struct Rows<'a> {
    snapshot: rusqlite::Transaction<'a>,
    filter: Filter,
    /// Blocks to read, with the earliest place in the order that a row of it may have.
    blocks: VecDeque<(i64, i64)>,
    /// Rows read and not given, by their place.
    ready: BTreeMap<(i128, u128), Row>,
    given: usize,
}

impl Rows<'_> {
    /// Is the first ready row before everything in the blocks that are not read yet?
    fn settled(&self) -> bool {
        match (self.ready.first_key_value(), self.blocks.front()) {
            (Some(_), None) => true,
            (Some((_, row)), Some((_, bound))) => {
                if self.filter.newest_first {
                    row.time > *bound
                } else {
                    row.time < *bound
                }
            }
            (None, _) => false,
        }
    }

    fn read(&mut self, id: i64) -> Result<(), SpoolError> {
        let mut select = self.snapshot.prepare_cached("SELECT data FROM block WHERE id = ?1")?;
        let rows = select
            .query_row([id], |block| Ok(unpack(id, block.get_ref(0)?.as_blob().unwrap_or_default())))??;
        for row in rows {
            if self.filter.matches(&row) {
                self.ready.insert(self.filter.place(&row), row);
            }
        }
        if let Some(limit) = self.filter.limit {
            while self.ready.len() > limit.saturating_sub(self.given) {
                self.ready.pop_last();
            }
        }
        Ok(())
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.filter.limit.is_some_and(|limit| self.given >= limit) {
            return None;
        }
        while !self.settled() {
            let (id, _) = self.blocks.pop_front()?;
            if let Err(error) = self.read(id) {
                return Some(Err(error));
            }
        }
        self.given += 1;
        self.ready.pop_first().map(|(_, row)| Ok(row))
    }
}
