//! Scripting: the server's two interpreters, its cache of scripts and its libraries of functions.
//!
//! A run is one step: no other client's command, and no expiry, comes between the commands of a
//! script, and the clock stands still. A script's commands run for a client that exists only during
//! the run, in the caller's database and with the caller's permissions; `SELECT` does not outlive
//! it. The interpreters are made when they are first needed.
//!
//! Without the feature `lua`, the commands exist and answer with an error that names the feature.
//!
//! Source: `script.c`, `eval.c`, `functions.c`.

#[cfg(feature = "lua")]
mod busy;
#[cfg(feature = "lua")]
mod dump;
#[cfg(feature = "lua")]
mod functions;
#[cfg(feature = "lua")]
mod host;
#[cfg(not(feature = "lua"))]
mod none;
#[cfg(feature = "lua")]
mod scripts;
#[cfg(feature = "lua")]
mod shebang;

#[cfg(feature = "lua")]
pub(crate) use functions::Functions;
#[cfg(feature = "lua")]
pub(crate) use scripts::Scripts;

/// Numbers for `INFO`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) scripts: usize,
    /// Bytes of the scripts' texts.
    pub(crate) bytes: usize,
    pub(crate) libraries: usize,
    pub(crate) functions: usize,
}

impl Scripting {
    /// Returns the numbers for `INFO`.
    pub(crate) fn sizes(&self) -> Sizes {
        #[cfg(feature = "lua")]
        {
            let (scripts, bytes) = self.scripts.size();
            let (libraries, functions) = self.functions.size();
            Sizes { scripts, bytes, libraries, functions }
        }
        #[cfg(not(feature = "lua"))]
        Sizes::default()
    }

    /// Forgets what ends with the process. The libraries are on disk.
    pub(crate) fn forget_process(&mut self) {
        self.allows_every_command = false;
        #[cfg(feature = "lua")]
        {
            self.scripts = Scripts::default();
            self.functions = Functions::default();
            self.busy = None;
        }
    }
}

/// What the server knows of scripts and functions.
#[derive(Debug, Default)]
pub(crate) struct Scripting {
    /// Scripts may call commands that are otherwise not allowed (`DEBUG`).
    pub(crate) allows_every_command: bool,
    /// Milliseconds that the script has run which calls a command now: `TIME` shows them.
    pub(crate) elapsed: u64,
    #[cfg(feature = "lua")]
    pub(crate) scripts: Scripts,
    #[cfg(feature = "lua")]
    pub(crate) functions: Functions,
    /// The script that runs for longer than others wait.
    #[cfg(feature = "lua")]
    pub(crate) busy: Option<Box<busy::Busy>>,
}
