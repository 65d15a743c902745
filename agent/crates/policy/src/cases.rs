//! Test cases for policies, as text.
