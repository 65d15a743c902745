//! One audit row, as `interlock audit query --json` prints it.

use serde_json::Value;

/// An audit row. The accessors panic, with the row, where a field is missing or of another type.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Value);

impl Row {
    /// A field of text.
    #[track_caller]
    pub fn text(&self, field: &str) -> &str {
        self.field(field).as_str().unwrap_or_else(|| self.wrong(field))
    }

    /// A field that is a number.
    #[track_caller]
    pub fn number(&self, field: &str) -> u64 {
        self.field(field).as_u64().unwrap_or_else(|| self.wrong(field))
    }

    #[track_caller]
    fn field(&self, field: &str) -> &Value {
        self.0.get(field).unwrap_or_else(|| self.wrong(field))
    }

    #[track_caller]
    fn wrong<T>(&self, field: &str) -> T {
        panic!("no such `{field}` in this row: {:#}", self.0)
    }
}
