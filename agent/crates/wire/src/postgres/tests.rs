//! The PostgreSQL machine: conversations, refusals, hostile bytes.

mod attacks;
mod hostile;
mod lookup;
mod pipeline;
mod properties;
mod refusal;
mod script;
mod session;
