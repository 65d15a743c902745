//! What wakes a session besides its sockets: an alarm, and the word that the daemon drains.

use super::drive::Happening;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Sleep;

/// The alarm and the drain of one session.
///
/// Both keep the waker that they were given first, so they are polled again only when they have something to say: a
/// session asks at every message, and both together would cost more than the message. All calls must come from one task.
pub(super) struct Bells {
    alarm: Pin<Box<Sleep>>,
    drain: watch::Receiver<bool>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Both hold our waker.
    armed: bool,
}

impl Bells {
    pub(super) fn new(timers: &Handle, drain: watch::Receiver<bool>, first: Instant) -> Self {
        let mut waits = drain.clone();
        let drained = Box::pin(async move {
            // An error means that the daemon is gone without asking: the same.
            drop(waits.wait_for(|drain| *drain).await);
        });
        let _clock = timers.enter();
        Self { alarm: Box::pin(tokio::time::sleep_until(first.into())), drain, drained, armed: false }
    }

    /// Rings again at that time.
    pub(super) fn ring_at(&mut self, when: Instant) {
        self.alarm.as_mut().reset(when.into());
        self.armed = false;
    }

    /// Rings again after that time.
    pub(super) fn ring_after(&mut self, wait: Duration) {
        self.ring_at(Instant::now() + wait);
    }

    /// What rings. `draining`: the drain was heard already.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, draining: bool) -> Poll<Happening> {
        let drains = !draining && self.drain.has_changed().unwrap_or(true);
        if self.armed && !drains && !self.alarm.is_elapsed() {
            return Poll::Pending;
        }
        if !draining && self.drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Happening::Drain);
        }
        if self.alarm.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Happening::Tick);
        }
        self.armed = true;
        Poll::Pending
    }
}
