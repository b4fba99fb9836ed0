//! Names of versions, and the error of a name that belongs to no version of a server.

/// A name that belongs to no version of the server. The text names the nearest one that is here, if
/// the name has a number, and lists all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion {
    name: String,
    nearest: Option<String>,
    known: String,
    /// The end of the text: more about names.
    note: &'static str,
}

impl UnknownVersion {
    pub(crate) fn new(
        name: &str,
        known: &[impl std::fmt::Display],
        note: &'static str,
    ) -> UnknownVersion {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        let nearest = nearest(&name.to_ascii_lowercase(), &known);
        UnknownVersion { name: name.to_owned(), nearest, known: known.join(", "), note }
    }
}

impl std::fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no version {:?}: try ", self.name)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "{nearest}, which is nearest, or another ")?;
        }
        write!(f, "one of {}{}", self.known, self.note)
    }
}

/// Returns the known version whose number is nearest to the one in a name, of the product that the
/// name begins with, if any.
fn nearest(name: &str, known: &[String]) -> Option<String> {
    let (major, minor) = numbers(name)?;
    let of_product = |known: &str| {
        let (product, _) = known.split_once('-').unwrap_or_default();
        !product.is_empty() && name.starts_with(product)
    };
    let names_product = known.iter().any(|known| of_product(known));
    let candidates = known.iter().filter(|known| !names_product || of_product(known));
    let distance = |known: &&String| {
        let (its_major, its_minor) = numbers(known).unwrap_or_default();
        // Of an older series the last one is nearest, of a newer one the first.
        let minors = match its_major.cmp(&major) {
            std::cmp::Ordering::Less => u32::MAX - its_minor,
            std::cmp::Ordering::Equal => its_minor.abs_diff(minor),
            std::cmp::Ordering::Greater => its_minor,
        };
        (its_major.abs_diff(major), minors)
    };
    candidates.min_by_key(distance).cloned()
}

/// Returns the first two numbers in a name; the second is 0 if there is none.
fn numbers(name: &str) -> Option<(u32, u32)> {
    let number = &name[name.find(|c: char| c.is_ascii_digit())?..];
    // A tag may follow: `8.2-alpine`, `4.3.0-rc1`.
    let digits = |part: &str| part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    let mut parts = number.split('.').map_while(|part| part[..digits(part)].parse().ok());
    Some((parts.next()?, parts.next().unwrap_or(0)))
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
