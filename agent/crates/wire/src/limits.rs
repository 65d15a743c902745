//! A limit on everything that a peer can make grow.

/// Upper bounds for one connection.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one message that must be held whole before it can be decided (a statement with its bind values).
    pub message_bytes_max: usize,
    /// Bytes of the first packet of a connection; PostgreSQL itself takes 10,000.
    pub startup_bytes_max: usize,
    /// Prepared statements, portals and cursors remembered, each.
    pub names_max: usize,
    /// Operations sent to the target and not yet finished.
    pub pipeline_max: usize,
    /// Bytes of a statement that its reader is given; longer ones are not understood (`Certainty::Opaque`).
    pub statement_bytes_max: usize,
    /// Nesting of parentheses and the like in a statement; deeper ones are not understood.
    pub nesting_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 << 20,
            startup_bytes_max: 10_000,
            names_max: 4_096,
            pipeline_max: 65_536,
            statement_bytes_max: 1 << 20,
            nesting_max: 256,
        }
    }
}
