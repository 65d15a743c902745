//! The audit trail: the row, the durable spool that every row enters first, questions over it, and the batches that a
//! sink ships.
//!
//! | module | is |
//! |---|---|
//! | [`Row`], [`COLUMNS`] | one operation, and the one definition of its columns |
//! | [`Spool`] | journal and store: takes rows, folds them into blocks, hands out batches |
//! | [`SpoolReader`], [`Filter`] | questions, here and as ClickHouse SQL |
//! | [`native`] | ClickHouse's Native format, which the blocks are kept in |
//! | [`schema`] | the tables in ClickHouse, as numbered migrations |
//! | [`render`] | rows as JSON and CSV |
#![deny(unsafe_code)]

mod codec;
mod column;
mod filter;
pub mod native;
mod reader;
pub mod render;
mod row;
pub mod schema;
mod spool;

pub use column::{COLUMNS, Column, Part, column};
pub use filter::{Filter, Select};
pub use reader::{Rows, SpoolReader};
pub use row::{Boundary, End, Outcome, Row, Subject, SubjectFields, Verdict, Word, next_id};
pub use spool::{
    Batch, Begun, Chunk, Live, Recovery, Spool, SpoolError, SpoolOptions, SpoolStatus, Tail, Then,
};
pub use uuid::Uuid;
