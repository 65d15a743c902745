//! The kernel programs' own rare diagnostics (aya-log), passed on to `tracing`.
use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Level, Log, Metadata, Record};
use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, PoisonError},
};

/// The ring buffer the programs write to. They write when memory or a table runs out, so seldom.
pub(super) struct Logs {
    logger: Mutex<EbpfLogger<Tracing>>,
}

impl Logs {
    /// Takes the ring buffer out of the loaded object; none if the programs were built without.
    pub(super) fn take(ebpf: &mut Ebpf) -> Option<Self> {
        match EbpfLogger::init_with_logger(ebpf, Tracing) {
            Ok(logger) => Some(Self { logger: Mutex::new(logger) }),
            Err(error) => {
                tracing::debug!(%error, "the kernel programs have no log");
                None
            }
        }
    }

    /// Passes on what is there.
    pub(super) fn flush(&self) {
        self.logger.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }

    /// Becomes readable when there is something. The descriptor lives as long as `self`.
    pub(super) fn with_fd<T>(&self, then: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        then(self.logger.lock().unwrap_or_else(PoisonError::into_inner).as_fd())
    }
}

/// From the `log` crate's interface, which aya-log speaks, to `tracing`.
struct Tracing;

impl Log for Tracing {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        match record.level() {
            Level::Error | Level::Warn => tracing::warn!(target: "interlock::kernel", "{}", record.args()),
            _ => tracing::info!(target: "interlock::kernel", "{}", record.args()),
        }
    }

    fn flush(&self) {}
}
