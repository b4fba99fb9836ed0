//! The defaults of the configuration that later versions changed, as data.
//!
//! Source: `CONFIG GET *` of the real servers.

use super::{Version, Versions};

#[rustfmt::skip]
const DEFAULTS: &[(&str, &str, Versions)] = &[
    ("hide-user-data-from-log", "yes", Versions::VALKEY),
    ("io-threads-do-reads", "yes", Versions::VALKEY_8_0),
    ("lazyfree-lazy-eviction", "yes", Versions::VALKEY),
    ("lazyfree-lazy-expire", "yes", Versions::VALKEY),
    ("lazyfree-lazy-server-del", "yes", Versions::VALKEY),
    ("lazyfree-lazy-user-del", "yes", Versions::VALKEY),
    ("lazyfree-lazy-user-flush", "yes", Versions::VALKEY),
    ("repl-backlog-size", "10485760", Versions::VALKEY),
    ("replica-lazy-flush", "yes", Versions::VALKEY),
    ("syslog-ident", "valkey", Versions::VALKEY),
];

/// Returns the default of a parameter in a version, if it is another than in 7.0.
pub(crate) fn default_since(name: &str, version: Version) -> Option<&'static str> {
    let other = |of: &&(&str, &'static str, Versions)| of.0 == name && of.2.has(version);
    DEFAULTS.iter().find(other).map(|(_, default, _)| *default)
}
