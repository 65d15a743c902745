//! The boundary under attack: small C programs (`tests/attacks`) try to get a packet to a canary, a host of the test's
//! own behind a pair of virtual interfaces, whose every packet is captured.
//!
//! Each attempt is first made ungoverned, where it must succeed (or the kernel does not have what it uses: then it is
//! reported as skipped, by name). Governed, nothing may arrive, the program gets the expected error, the counter of that
//! reason goes up, and the refusal is told for its row. `cases/boundary/attacks.tsv` lists what the hooks of a cgroup see,
//! `cases/boundary/confined.tsv` what only the system call filter of `interlock exec` does.

mod attacks;
mod confined;
mod host;
mod localhost;
mod pretagged;
mod rows;
mod security;
mod server;
mod unix;
mod world;
