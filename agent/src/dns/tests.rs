//! The parts of a lookup, without sockets.
