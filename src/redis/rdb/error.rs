//! The error of bytes that cannot be read.

use std::fmt;

/// Bytes that are not of the format, or that were damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdbError {
    /// Where the reader was, as a number of bytes from the beginning.
    pub offset: usize,
    /// The problem, as text.
    pub problem: String,
}

impl RdbError {
    pub(crate) fn new(offset: usize, problem: impl Into<String>) -> RdbError {
        RdbError { offset, problem: problem.into() }
    }
}

impl fmt::Display for RdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.offset)
    }
}

impl std::error::Error for RdbError {}
