//! What the daemon can be asked; the daemon implements it, the server calls it.

use super::message::{AgentStatus, Failure, Place, Prepare, Prepared, Reloaded, Status, Tagged};
use crate::intercept::Check;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::mpsc;

/// An answer on its way.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What the daemon can be asked. Every call may be cancelled at any await, when the client hangs up or time is over.
pub trait Admin: Send + Sync {
    /// Whether a process is in a governed cgroup. `true` where that can't be told: such a client is refused.
    fn peer_is_governed(&self, pid: u32) -> bool;
    /// How the daemon is.
    fn status(&self) -> Answering<'_, Status>;
    /// Which agents there are, and where.
    fn agents(&self) -> Answering<'_, Vec<AgentStatus>>;
    /// Governs an existing cgroup.
    fn tag(&self, agent: String, place: Place) -> Answering<'_, Tagged>;
    /// Stops governing a cgroup.
    fn untag(&self, place: Place) -> Answering<'_, Tagged>;
    /// Makes a fresh governed cgroup.
    fn prepare(&self, prepare: Prepare) -> Answering<'_, (Prepared, Lease)>;
    /// Makes every finished row visible to readers of the spool.
    fn flush(&self) -> Answering<'_, ()>;
    /// Rows as they come. Ends when the sender is dropped; dropping the receiver ends the subscription.
    fn tail(&self, filter: serde_json::Value) -> Answering<'_, mpsc::Receiver<TailItem>>;
    /// Reads configuration and policies again.
    fn reload(&self) -> Answering<'_, Reloaded>;
    /// What only the daemon can check.
    fn doctor(&self) -> Answering<'_, Vec<Check>>;
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq)]
pub enum TailItem {
    /// A row, as the spool's JSON.
    Row(serde_json::Value),
    /// So many rows were left out because the reader was too slow.
    Missed(u64),
}

/// Keeps a fresh cgroup that has no process yet: dropped when the client's connection ends, which an `exec` closes. Whoever
/// made the lease decides in its value's `Drop` what becomes of the cgroup.
pub struct Lease(Box<dyn Any + Send>);

impl Lease {
    /// A lease that lasts as long as this value.
    pub fn new(kept: impl Any + Send) -> Self {
        Self(Box::new(kept))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&(*self.0).type_id()).finish()
    }
}
