//! Lookups of governed processes: answered by us, as policies say, with rows; and what is remembered of them.
//!
//! The names are a real name server's (dnsmasq), whose log shows what it was asked. The clients are C libraries' own resolvers
//! and programs with one of their own.

mod clients;
mod limits;
mod names;
mod scene;
