//! PostgreSQL's frontend/backend protocol, version 3.
pub mod sql;

use crate::{Detection, Interceptor, Options, Protocol};

/// The PostgreSQL protocol.
pub struct Postgres;
