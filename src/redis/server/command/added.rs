//! The commands that a version has and the one before it has not.

use super::table;
use crate::redis::version::Version;

impl Version {
    /// The commands and subcommands that this version has and the one [before](Version::before) it
    /// has not, as `COMMAND LIST` writes them: `zmpop`, `client|setinfo`.
    ///
    /// ```
    /// use stunt_double::redis::Version;
    ///
    /// assert!(Version::Redis7_2.new_commands().contains(&"client|setinfo"));
    /// ```
    #[must_use]
    pub fn new_commands(self) -> Vec<&'static str> {
        self.before().map(|before| self.new_commands_since(before)).unwrap_or_default()
    }

    /// The commands and subcommands that this version has and another one has not.
    #[must_use]
    pub fn new_commands_since(self, other: Version) -> Vec<&'static str> {
        let known = names(other);
        names(self).into_iter().filter(|name| !known.contains(name)).collect()
    }
}

/// Returns the names of all commands and subcommands of a version.
fn names(version: Version) -> Vec<&'static str> {
    let rows = table(version).iter();
    rows.flat_map(|row| std::iter::once(row.name).chain(row.subcommands.iter().map(|sub| sub.name)))
        .collect()
}
