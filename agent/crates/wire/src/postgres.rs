//! PostgreSQL's frontend/backend protocol, version 3. See `postgres/README.md` for what is understood and refused.

mod frame;
mod machine;
mod names;
mod reply;
pub mod sql;
mod startup;

use crate::{Detection, Interceptor, Options, Protocol};

/// The PostgreSQL protocol.
#[derive(Debug)]
pub struct Postgres;

impl Protocol for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    /// A first packet has no magic number, but its length and its code together are telling. TLS without a preceding
    /// `SSLRequest` (`sslnegotiation=direct`) looks like any TLS and is not recognised by its first bytes.
    fn detect(&self, first: &[u8]) -> Detection {
        let Some((length, code)) = first.first_chunk::<4>().zip(first.get(4..8)) else {
            return if first.first().is_none_or(|byte| *byte == 0) {
                Detection::NeedMore
            } else {
                Detection::No
            };
        };
        let plausible = (8..=10_000).contains(&i32::from_be_bytes(*length));
        match code {
            [0, 3, _, _] | [0x04, 0xd2, 0x16, 0x2e..=0x30] if plausible => Detection::Match,
            _ => Detection::No,
        }
    }

    fn begin(&self, options: &Options) -> Box<dyn Interceptor> {
        Box::new(machine::Machine::new(options))
    }
}

#[cfg(test)]
mod tests;
