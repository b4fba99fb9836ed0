//! The modelled version of Redis: the facts that a client can read off the server's build.
//!
//! To model another version, define another value of [`Version`].

/// The facts that distinguish one version of Redis from another.
#[derive(Debug)]
pub(crate) struct Version {
    /// The version number, as `INFO` and `HELLO` show it.
    pub(crate) number: &'static str,
    pub(crate) compiler: &'static str,
    pub(crate) allocator: &'static str,
    pub(crate) memory: Memory,
}

/// Numbers of bytes that `INFO memory` shows for an empty server.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Used by the server itself.
    pub(crate) at_start: usize,
    /// Taken by the allocator beyond that, and by the process from the operating system.
    pub(crate) allocator: usize,
    pub(crate) resident: usize,
    /// The machine's memory.
    pub(crate) system: usize,
    /// Used by the interpreters of scripts and of functions.
    pub(crate) scripts: usize,
    pub(crate) functions: usize,
    /// Used by the tables of scripts and functions.
    pub(crate) tables: usize,
}

/// Redis 7.0.15, as built for Debian 12.
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
