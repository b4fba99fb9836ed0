//! A regular expression over names, for permissions and policies.
//!
//! The server uses PCRE. Patterns that people write for names (anchors, classes, alternatives,
//! repetitions) mean the same here. A pattern with look-around or back-references is refused when
//! it is set.

use regex_lite::Regex;
use std::fmt;

/// A compiled pattern.
#[derive(Clone)]
pub(crate) enum Pattern {
    /// Matches everything: `.*`.
    All,
    /// Matches nothing: the empty permission, or `^$`.
    Nothing,
    Regex(Box<Regex>),
}

/// A pattern that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    /// The pattern, as it was given.
    pub pattern: String,
    /// The reason.
    pub why: String,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidPattern { pattern, why } = self;
        write!(f, "{{invalid_regexp,{pattern:?},{why:?}}}")
    }
}

impl std::error::Error for InvalidPattern {}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Pattern, InvalidPattern> {
        if text == ".*" {
            return Ok(Pattern::All);
        }
        let compiled = Regex::new(text).map(|regex| Pattern::Regex(Box::new(regex)));
        compiled.map_err(|why| InvalidPattern { pattern: text.to_owned(), why: why.to_string() })
    }

    /// A permission's pattern. The empty pattern matches nothing.
    pub(crate) fn permission(text: &str) -> Result<Pattern, InvalidPattern> {
        match text {
            "" | "^$" => Ok(Pattern::Nothing),
            _ => Pattern::new(text),
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Nothing => false,
            Pattern::Regex(regex) => regex.is_match(name),
        }
    }

    pub(crate) fn is_all(&self) -> bool {
        matches!(self, Pattern::All)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::All => f.write_str(".*"),
            Pattern::Nothing => f.write_str("^$"),
            Pattern::Regex(regex) => f.write_str(regex.as_str()),
        }
    }
}
