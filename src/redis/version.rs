//! The version that is modelled, and its facts: what a client can read off the server's build.
//!
//! Another version would be another value of [`Version`].

/// What tells one version of Redis from another.
#[derive(Debug)]
pub(crate) struct Version {
    /// As `INFO` and `HELLO` have it.
    pub(crate) number: &'static str,
    pub(crate) compiler: &'static str,
    pub(crate) allocator: &'static str,
    pub(crate) memory: Memory,
}

/// Bytes that `INFO memory` shows for an empty server.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What the server itself uses.
    pub(crate) at_start: usize,
    /// What its allocator has taken beyond that, and the process from the operating system.
    pub(crate) allocator: usize,
    pub(crate) resident: usize,
    /// The machine's.
    pub(crate) system: usize,
    /// The interpreter of scripts, and that of functions.
    pub(crate) scripts: usize,
    pub(crate) functions: usize,
    /// What the tables of scripts and functions use.
    pub(crate) tables: usize,
}

/// Redis 7.0.15, as Debian 12 builds it.
pub(crate) const VERSION: Version = Version {
    number: "7.0.15",
    compiler: "12.2.0",
    allocator: "jemalloc-5.3.0",
    memory: Memory {
        at_start: 876_160,
        allocator: 950_000,
        resident: 5_700_000,
        system: 16 << 30,
        scripts: 32_768,
        functions: 33_792,
        tables: 200,
    },
};
