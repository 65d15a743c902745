//! What the programs tell: counts, refusals, programs that begin, connections that end, diagnostics.
use super::{
    closed::{self, Closed},
    entered::{self, Entered},
    error::KernelError,
    executed::{self, Executed},
    foreign::{self, Foreign},
    kernel::Kernel,
    maps,
    refused::{Refused, boot_time},
};
use crate::cgroup::CgroupId;
use interlock_common::{Count, Refusal};
use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
};

impl Kernel {
    /// What the programs counted since the pins were made: redirections, and refusals by reason.
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        maps::sums(&self.counts)
    }

    /// Takes what the programs have refused since the last time, oldest first; at most 4,096 of them, so that it ends. What was refused while there was no host
    /// agent comes too, as far as there was room for it; `refusals_lost` among the [`stats`](Self::stats) counts the rest.
    pub fn take_refused(&self, mut each: impl FnMut(Refused)) {
        let known = self.agents.load_full();
        let booted = boot_time();
        self.refusals.drain(|bytes| {
            let Some(record) = Refusal::from_bytes(bytes) else { return };
            // A reason we don't know: the programs are of a newer host agent.
            let Some(reason) = Count::of(record.reason) else { return };
            let agent = known.get(&record.cgroup).filter(|known| known.generation == record.generation);
            each(Refused::new(&record, reason, agent.map(|known| Arc::clone(&known.name)), booted));
        });
    }

    /// How many refusals found no room to be told, and have not been asked for by this yet; asked once each, also over
    /// restarts.
    pub fn take_lost(&self) -> Result<u64, KernelError> {
        let lost = maps::sum(&self.counts, Count::RefusalsLost);
        self.maps().tell_lost(lost)
    }

    /// A descriptor of its own that becomes readable when [`take_refused`](Self::take_refused) would find something.
    pub fn refused_descriptor(&self) -> Result<OwnedFd, KernelError> {
        self.refusals.descriptor()
    }

    /// Takes the programs that governed processes have begun to run since the last time.
    pub fn take_executed(&self, each: impl FnMut(&Executed)) {
        executed::take(self.executions.ring(), each);
    }

    /// Takes the redirected connections that have ended since the last time.
    pub fn take_closed(&self, each: impl FnMut(Closed)) {
        closed::take(&self.closed, each);
    }

    /// Takes the processes that were moved into governed cgroups since the last time.
    pub fn take_entered(&self, each: impl FnMut(Entered)) {
        entered::take(self.entries.ring(), each);
    }

    /// A descriptor of its own that becomes readable when [`take_entered`](Self::take_entered) would find something.
    pub fn entered_descriptor(&self) -> Result<OwnedFd, KernelError> {
        self.entries.ring().descriptor()
    }

    /// Closes the TCP and UDP sockets of a process that were made outside of governed cgroups.
    pub fn close_foreign(&self, pid: u32) -> Foreign {
        let governed: Vec<_> =
            self.governed().unwrap_or_default().into_iter().filter_map(|it| it.path).collect();
        foreign::close_of_process(pid, |cgroup| {
            let known = self.agents.load().contains_key(&cgroup);
            let path = || self.hierarchy.by_id(CgroupId(cgroup)).ok().flatten().map(|it| it.name());
            known || path().is_some_and(|path| governed.iter().any(|above| path.starts_with(above)))
        })
    }

    /// A descriptor of its own that becomes readable when many are there to be taken: look now and then as well.
    pub fn closed_descriptor(&self) -> Result<OwnedFd, KernelError> {
        self.closed.descriptor()
    }

    /// How many programs the kernel had no room to tell of.
    pub fn executions_lost(&self) -> u64 {
        maps::sum(&self.counts, Count::ExecutionsLost)
    }

    /// A descriptor of its own that becomes readable when [`take_executed`](Self::take_executed) would find something.
    pub fn executed_descriptor(&self) -> Result<OwnedFd, KernelError> {
        self.executions.ring().descriptor()
    }

    /// Passes the programs' diagnostics on to `tracing`. Call it when [`with_log_fd`](Self::with_log_fd)'s descriptor
    /// is readable, or now and then.
    pub fn flush_logs(&self) {
        if let Some(logs) = &self.logs {
            logs.flush();
        }
    }

    /// Lends the descriptor that becomes readable when the programs have written a diagnostic; `None` without one.
    pub fn with_log_fd<T>(&self, then: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        self.logs.as_ref().map(|logs| logs.with_fd(then))
    }
}
