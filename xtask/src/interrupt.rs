//! Ctrl-C: everything that was started is ended before we are.

use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use xtask::rack::scratch;
use xtask::say;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Exit code of a command that was ended by SIGINT, as shells count.
const EXIT_INTERRUPTED: i32 = 130;

/// From now on, SIGINT, SIGTERM and SIGHUP clear up and end the process. A command that runs another may call it again.
pub fn clear_up_first() -> Result<()> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        say::step("Clearing up");
        scratch::end_all();
        say::line("nothing is left behind");
        std::process::exit(EXIT_INTERRUPTED);
    })
    .context("cannot handle signals")
}

/// Waits for the end if a signal came: what fails then fails because its servers are being ended.
pub fn settle() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Waits for a signal.
pub fn wait() -> ! {
    loop {
        std::thread::park();
    }
}
