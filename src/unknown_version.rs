//! Names of versions, and the error of a name that belongs to no version of a server.

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

/// Returns the newest version with this number or a number that begins with it: `8.6.2`, `8.6`,
/// `8`, or nothing, which every number begins with. The newest is the last one.
pub(crate) fn newest<V: Copy>(
    wanted: &str,
    versions: impl IntoIterator<Item = V>,
    number: impl Fn(V) -> &'static str,
) -> Option<V> {
    let is_wanted = |version: &V| {
        let rest = number(*version).strip_prefix(wanted);
        wanted.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    versions.into_iter().filter(is_wanted).last()
}

/// Returns the number in a name that begins with the name of a product, in lower case: `8.1` of
/// `Valkey 8.1` and of `valkey-8.1`.
pub(crate) fn number_of<'a>(name: &'a str, product: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(product)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(['-', ' ']).filter(|number| !number.is_empty())
    }
}
