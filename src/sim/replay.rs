//! Replaying one seed: the environment variable, and the command that sets it.
//!
//! This is the only code that reads environment variables or the program's
//! path. Nothing here reaches a world, except as the seed a test chooses to build it with.

use std::path::Path;

/// The environment variable that names a seed to run:
/// [`Seeds`](super::Seeds) then runs it alone, and [`seed_or`] gives it.
pub const SEED_VARIABLE: &str = "STUNT_DOUBLE_SEED";

/// The seed named by [`SEED_VARIABLE`], or `default` where it is not set: what
/// a test builds a single world with, so that the line a failure prints can
/// replay any seed.
///
/// # Panics
///
/// If it is set to something that is not a number: a slip of the pen must not
/// look like a failure that does not reproduce.
#[must_use]
pub fn seed_or(default: u64) -> u64 {
    forced_seed().unwrap_or(default)
}

pub(super) fn forced_seed() -> Option<u64> {
    let seed = std::env::var(SEED_VARIABLE).ok()?;
    Some(parse(&seed).unwrap_or_else(|problem| panic!("{problem}")))
}

fn parse(seed: &str) -> Result<u64, String> {
    seed.parse().map_err(|_| format!("{SEED_VARIABLE}={seed:?} is not a seed, a number below 2^64"))
}

/// The line that runs this program or this test again with `seed`.
pub(super) fn command(seed: u64) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let thread = std::thread::current();
    command_for(&program, thread.name().unwrap_or("main"), seed)
}

fn command_for(program: &Path, thread: &str, seed: u64) -> String {
    let stem = program.file_stem().and_then(|s| s.to_str()).unwrap_or("program");
    let folder = |path: &Path| Some(path.parent()?.file_name()?.to_str()?.to_owned());
    let release = program.parent().and_then(folder).is_some_and(|f| f == "release");
    let profile = if release { " --release" } else { "" };
    let run = match folder(program).as_deref() {
        Some("deps") if thread != "main" => format!("cargo test{profile} {thread} -- --exact"),
        Some("deps") => format!("cargo test{profile}"),
        Some("examples") => format!("cargo run{profile} --example {stem}"),
        _ => stem.to_owned(),
    };
    format!("{SEED_VARIABLE}={seed} {run}")
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
        let line = |program: &str, thread| command_for(Path::new(program), thread, 7);
        assert_eq!(
            line("target/debug/deps/sim-0af3", "outbox::never_loses"),
            "STUNT_DOUBLE_SEED=7 cargo test outbox::never_loses -- --exact"
        );
        assert_eq!(
            line("target/release/examples/tour", "main"),
            "STUNT_DOUBLE_SEED=7 cargo run --release --example tour"
        );
        assert_eq!(line("/usr/bin/thing", "main"), "STUNT_DOUBLE_SEED=7 thing");
    }
}
