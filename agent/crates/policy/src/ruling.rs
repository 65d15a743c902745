//! The answer to one question.

use std::sync::Arc;

/// What to do with an operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Let it pass.
    Forward,
    /// Refuse it.
    Deny,
    /// Refused as it is, but permitted once a member of every one of these groups has approved it.
    Hold {
        /// A smallest set of groups that suffices, sorted.
        groups: Vec<String>,
    },
}

/// What was decided, by which policies, and why. Cached and shared: it holds nothing of a single operation's text.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// What to do.
    pub effect: Effect,
    /// Ids of the deciding policies, sorted: every permit that let a part of the operation pass, or every forbid (or failed
    /// policy) that refused one. Empty if nothing permitted it.
    pub policies: Arc<[Arc<str>]>,
    /// One sentence: what was refused and by which policy, or that none permits it.
    pub reason: Arc<str>,
    /// What the one who was refused can do about it; empty if it passed.
    pub hint: Arc<str>,
    /// What the operation touches, for the audit row: `read table shop-db/shop/public/orders`. At most
    /// [`Ruling::RESOURCES_MAX`], then how many more there are.
    pub resources: Arc<[Arc<str>]>,
    /// A permit that let it pass asks for bind values to be recorded (`@record("binds")`).
    pub record_binds: bool,
}

impl Ruling {
    /// Most entries in `resources` that name something.
    pub const RESOURCES_MAX: usize = 256;
}
