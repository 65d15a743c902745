//! Descriptors that were handed to this process when it was started, which have no safe form.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Once;

/// Takes them over, once in the life of the process.
pub(super) fn take(descriptors: impl Iterator<Item = (RawFd, String)>) -> Vec<(String, OwnedFd)> {
    static TAKEN: Once = Once::new();
    let mut taken = Vec::new();
    TAKEN.call_once(|| {
        for (descriptor, name) in descriptors {
            // SAFETY: the service manager says that it is open and for us (`LISTEN_PID` is our own number), nobody else in this
            // process knows it, and it is taken once.
            taken.push((name, unsafe { OwnedFd::from_raw_fd(descriptor) }));
        }
    });
    taken
}
