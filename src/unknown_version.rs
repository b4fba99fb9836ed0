//! The error of a name that belongs to no version of a server.

/// A name that belongs to no version of the server. The text lists those that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion {
    name: String,
    known: String,
}

impl UnknownVersion {
    pub(crate) fn new(name: &str, known: &[impl std::fmt::Display]) -> UnknownVersion {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        UnknownVersion { name: name.to_owned(), known: known.join(", ") }
    }
}

impl std::fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no version {:?}: try one of {}", self.name, self.known)
    }
}

impl std::error::Error for UnknownVersion {}
