//! Finds values that must not be kept in clear, and replaces them.
//!
//! [`Detectors`] say what to look for and, each with its [`Redactor`], what to put in its place; [`scrub`] does it over
//! bytes of any kind in time linear in their number. Text without such values comes back as it was, borrowed; scrubbing
//! twice gives the same as scrubbing once.
//!
//! Detectors check what can be checked (Luhn, IBAN's mod 97 and length by country, the shape of a JWT, the prefixes that
//! issuers give their keys), because an audit trail full of false redactions is of no use. They do not know about
//! columns: hiding a column by what it is, rather than what it looks like, is not their business.
#![forbid(unsafe_code)]

mod detector;
mod find;
mod redact;
mod scrub;

pub use detector::{Detector, Detectors};
pub use redact::Redactor;
pub use scrub::scrub;
