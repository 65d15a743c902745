//! Sans-IO wire protocols: bytes go in as [`Event`]s, [`Command`]s come out.
//!
//! A machine recognises whole *operations* in a client's bytes, keeps each one back behind a [`Question`], and only
//! the [`Answer`] made from that question releases, or refuses, the bytes. A machine never does IO, never reads a
//! clock, never logs, never panics on input, and never knows about policies: to it, a hold is only time passing
//! between a question and its answer.
//!
//! | type | is |
//! |---|---|
//! | [`Protocol`] | one wire protocol: its name, how it is recognised, how a connection begins |
//! | [`Interceptor`] | one connection's machine |
//! | [`Operation`], [`Meaning`] | one complete thing asked of a target, and what it means, protocol-neutral |
//! | [`Question`] → [`Answer`] | linear: one question, one answer, no other constructor |
#![forbid(unsafe_code)]

mod command;
mod error;
pub mod fuzz;
mod limits;
mod op;
pub mod postgres;
mod protocol;
pub mod registry;
mod verdict;

pub use command::{CancelKey, Command, Commands, Event, Observation, OpEnd, Side};
pub use error::{Blame, WireError};
pub use limits::Limits;
pub use op::{
    Access, Action, Certainty, Facts, Meaning, OpId, OpMap, Operation, Phase, Resource, ResourceKind,
};
pub use protocol::{Detection, Interceptor, Options, Protocol, Shared};
pub use verdict::{Answer, Denial, Question, Verdict};
