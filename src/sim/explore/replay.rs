//! Replaying one seed: the environment variable, and the command that sets it.
//!
//! Nothing here reaches a world, except as the seed that a test passes to it.

use std::path::Path;

/// The environment variable that names a seed to run. [`Seeds`](crate::sim::Seeds) then runs only
/// that seed, and [`seed_or`] returns it.
pub const SEED_VARIABLE: &str = "STUNT_DOUBLE_SEED";

/// Returns the seed named by [`SEED_VARIABLE`], or `default` if it is not set. A test builds a
/// single world with it, so that the command printed by a failure can replay any seed.
///
/// # Panics
///
/// If the variable is not a number: a typing error must not look like a failure that does not
/// reproduce.
#[must_use]
pub fn seed_or(default: u64) -> u64 {
    forced_seed().unwrap_or(default)
}

pub(crate) fn forced_seed() -> Option<u64> {
    let seed = std::env::var_os(SEED_VARIABLE)?;
    Some(parse(&seed.to_string_lossy()).unwrap_or_else(|problem| panic!("{problem}")))
}

fn parse(seed: &str) -> Result<u64, String> {
    seed.parse().map_err(|_| format!("{SEED_VARIABLE}={seed:?} is not a seed, a number below 2^64"))
}

/// Returns the command that runs this program or this test again with `seed`, or as it is without
/// one, in the usual shell of this system.
pub(crate) fn command(seed: impl Into<Option<u64>>) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let thread = std::thread::current();
    let package = std::env::var("CARGO_PKG_NAME").ok();
    let running = Running {
        program: &program,
        thread: thread.name().unwrap_or("main"),
        package: package.as_deref(),
        nextest: std::env::var_os("NEXTEST").is_some(),
        windows: cfg!(windows),
    };
    running.command(seed.into())
}

/// The running program, and how it was started.
#[derive(Clone, Copy, Debug)]
struct Running<'a> {
    program: &'a Path,
    /// The thread's name. Cargo's own runner and nextest use the test's name.
    thread: &'a str,
    /// The package that cargo runs.
    package: Option<&'a str>,
    nextest: bool,
    windows: bool,
}

impl Running<'_> {
    fn command(&self, seed: Option<u64>) -> String {
        let run = self.run();
        let Some(seed) = seed else { return run };
        match self.windows {
            // PowerShell would keep the variable set.
            true => format!("$env:{SEED_VARIABLE}={seed}; {run}; Remove-Item Env:{SEED_VARIABLE}"),
            false => format!("{SEED_VARIABLE}={seed} {run}"),
        }
    }

    fn run(&self) -> String {
        let stem = self.program.file_stem().and_then(|s| s.to_str()).unwrap_or("program");
        let folder = |path: &Path| Some(path.parent()?.file_name()?.to_str()?.to_owned());
        let profile = match self.program.parent().and_then(folder).as_deref() {
            Some("release") => " --release".to_owned(),
            None | Some("debug") => String::new(),
            // A profile of the workspace's own.
            Some(name) if self.nextest => format!(" --cargo-profile {name}"),
            Some(name) => format!(" --profile {name}"),
        };
        // A workspace needs the package's name; elsewhere it does no harm.
        let package = self.package.map(|name| format!(" -p {name}")).unwrap_or_default();
        let test = self.thread;
        match folder(self.program).as_deref() {
            Some("deps") if self.nextest => {
                format!("cargo nextest run{package}{profile} -E 'test(={test})'")
            }
            // A test without the usual harness runs on the main thread, and its name is unknown.
            Some("deps") if test == "main" => format!("cargo test{package}{profile}"),
            Some("deps") => format!("cargo test{package}{profile} {test} -- --exact"),
            Some("examples") => format!("cargo run{package}{profile} --example {stem}"),
            _ => stem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_is_no_number_is_refused() {
        assert_eq!(parse("18446744073709551615"), Ok(u64::MAX));
        for bad in ["5x", "", "-1"] {
            let problem = parse(bad).unwrap_err();
            assert!(problem.starts_with(&format!("STUNT_DOUBLE_SEED={bad:?} is not")), "{problem}");
        }
    }

    #[test]
    fn the_command_runs_what_is_running() {
        let running = Running {
            program: Path::new("target/debug/deps/sim-0af3"),
            thread: "outbox::never_loses",
            package: None,
            nextest: false,
            windows: false,
        };
        let line = |running: Running<'_>| running.command(Some(7));
        assert_eq!(running.command(None), "cargo test outbox::never_loses -- --exact");
        let own = Running { program: Path::new("target/ci/deps/sim-0af3"), ..running };
        assert!(line(own).contains("cargo test --profile ci outbox"), "{}", line(own));
        let nextest = line(Running { nextest: true, ..own });
        assert!(nextest.contains("cargo nextest run --cargo-profile ci -E"), "{nextest}");
        assert_eq!(line(running), "STUNT_DOUBLE_SEED=7 cargo test outbox::never_loses -- --exact");
        assert_eq!(
            line(Running { package: Some("orders"), ..running }),
            "STUNT_DOUBLE_SEED=7 cargo test -p orders outbox::never_loses -- --exact"
        );
        assert_eq!(
            line(Running { package: Some("orders"), nextest: true, ..running }),
            "STUNT_DOUBLE_SEED=7 cargo nextest run -p orders -E 'test(=outbox::never_loses)'"
        );
        assert_eq!(
            line(Running { windows: true, ..running }),
            "$env:STUNT_DOUBLE_SEED=7; cargo test outbox::never_loses -- --exact; \
             Remove-Item Env:STUNT_DOUBLE_SEED"
        );
        let example = Path::new("target/release/examples/tour");
        assert_eq!(
            line(Running { program: example, thread: "main", ..running }),
            "STUNT_DOUBLE_SEED=7 cargo run --release --example tour"
        );
        let other = Path::new("/usr/bin/thing");
        assert_eq!(
            line(Running { program: other, thread: "main", ..running }),
            "STUNT_DOUBLE_SEED=7 thing"
        );
    }
}
