//! Hostile bytes from both sides of a PostgreSQL connection, with any answers at any time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};
use wire::Options;
use wire::postgres::Postgres;

static OPTIONS: LazyLock<Options> = LazyLock::new(|| Options::new(Arc::default()));

fuzz_target!(|script: &[u8]| wire::fuzz::hostile(&Postgres, &OPTIONS, script));
