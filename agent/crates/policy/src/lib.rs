//! Cedar policies: which agent may do what to which resource of which target, and who must approve it.
//!
//! Sources and a [`Catalog`] (what the configuration knows of agents and targets) make a [`PolicySet`], or a list of
//! [`Diagnostic`]s. [`PolicySet::rule`] then answers one [`Asked`] with a [`Ruling`]: pure, synchronous, cached.
//!
//! | where | is |
//! |---|---|
//! | `load`, `condition`, `scope`, `lint` | from text to validated rules, and what is suspicious about them |
//! | `uid`, `kind`, `known`, `entities` | how resources are named, and the entities behind the names |
//! | `index`, `visible` | which rules can match at all, and what they can see; whatever is left out could not change Cedar's answer |
//! | `pairs`, `judge`, `hold`, `word` | one operation: its (action, resource) pairs, their judgement, approvals, wording |
//! | `cache` | rulings of operations seen before; lives and dies with its policy set |
//! | [`cases`] | test cases as text |
//!
//! Invariants: what is not permitted is denied; a forbid wins; an error in a policy, an unknown target, an action that was
//! not understood and a pair that the schema does not have are denied. Cedar decides every condition; this crate
//! only decides which policies to ask it about. No clock, no IO, no logging.
#![forbid(unsafe_code)]

mod asked;
mod cache;
pub mod cases;
mod catalog;
mod condition;
mod diagnostic;
mod entities;
mod hold;
mod index;
mod judge;
mod kind;
mod known;
mod lint;
mod load;
mod pairs;
mod ruling;
mod schema;
mod scope;
mod set;
mod uid;
mod visible;
mod word;

pub use asked::{Asked, Place, Principal};
pub use catalog::{AgentFacts, Catalog, Source, TargetFacts};
pub use diagnostic::{Diagnostic, Severity};
pub use ruling::{Effect, Ruling};
pub use schema::SCHEMA;
pub use set::PolicySet;
