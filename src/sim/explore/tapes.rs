//! Saved tapes: the failures of a test that every later run of it tries first.
//!
//! A tape lies beside the source of the test and carries its name and the seed:
//! `tests/limiter.every_counter_expires.6.tape`. It is meant to be committed. It stays when the
//! failure is mended, so that the same failure cannot come back unnoticed. A schedule's tape
//! (`.schedule.tape`) means something only in a search of schedules, so each kind is read only by
//! its own.

use super::folder::shown;
use crate::choice::{ParseTapeError, Tape};
use std::panic::Location;
use std::path::{Path, PathBuf};

/// Where the tapes of one test are.
#[derive(Clone, Debug, Default)]
pub(super) struct Tapes {
    /// The test, in the form of a file's name.
    name: String,
    /// The folder of the test's source, if tapes are kept.
    folder: Option<PathBuf>,
    /// The stem of the test's source.
    stem: String,
    /// Whether reports are written for the test.
    writes: bool,
    /// What the names of its tapes end with.
    suffix: &'static str,
}

/// A tape that was saved.
#[derive(Clone, Debug)]
pub(super) struct SavedTape {
    pub(super) seed: u64,
    pub(super) tape: Tape,
    /// Where it is, as a person may type it.
    pub(super) path: String,
}

/// What the names of tapes end with: those of seeds, and those of schedules, which mean something
/// only in a world of their own settings.
pub(super) const SEED: &str = ".tape";
pub(super) const SCHEDULE: &str = ".schedule.tape";

impl Tapes {
    /// Returns the place for the tapes of the test that runs now, whose source is at `caller`.
    pub(super) fn of(caller: &Location<'_>, writes: bool, suffix: &'static str) -> Tapes {
        let thread = std::thread::current();
        let source = Path::new(caller.file());
        let stem = source.file_stem().and_then(|stem| stem.to_str()).unwrap_or("test").to_owned();
        let test = thread.name().filter(|name| *name != "main");
        // An example, or a test without the usual harness, has no name but its place. Where its
        // next line moves that, a tape would be forgotten unnoticed, so it has no tapes.
        let name = test.map_or_else(|| format!("line-{}", caller.line()), file_name);
        let folder = test.filter(|_| writes).and_then(|_| found(source));
        Tapes { name, folder, stem, writes, suffix }
    }

    /// Returns whether files are written for this test.
    pub(super) fn writes(&self) -> bool {
        self.writes
    }

    /// Returns the name of the test's files.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.stem, self.name)
    }

    /// Returns the saved tapes with their seeds, by rising seed. A file that is no tape is refused,
    /// because a test that passes without it would deceive.
    ///
    /// # Panics
    ///
    /// If a file with the name of a tape is none, or cannot be read.
    pub(super) fn load(&self) -> Vec<SavedTape> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let prefix = format!("{}.", self.name());
        let mut found: Vec<SavedTape> = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let rest = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(self.suffix));
            let Some(seed) = rest.and_then(|seed| seed.parse().ok()) else { continue };
            let (read, path) = (read(&path), shown(&path));
            match read {
                Ok(tape) => found.push(SavedTape { seed, tape, path }),
                Err(error) => panic!("{path} is not a tape: {error}"),
            }
        }
        found.sort_by_key(|saved| saved.seed);
        found
    }

    /// Saves a tape. Returns where it is, or `None` if it is not kept.
    pub(super) fn save(&self, seed: u64, tape: &Tape) -> Option<String> {
        let path = self.folder.as_ref()?.join(format!("{}.{seed}{}", self.name(), self.suffix));
        std::fs::write(&path, tape.to_string()).ok()?;
        Some(shown(&path))
    }
}

fn read(path: &Path) -> Result<Tape, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    // Every tape that was saved has a line that says so.
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    text.parse().map_err(|error: ParseTapeError| error.to_string())
}

/// Returns a test's name as a part of a file's name.
fn file_name(test: &str) -> String {
    let fits = |c: char| if c.is_alphanumeric() || c == '_' || c == '-' { c } else { '.' };
    test.replace("::", ".").chars().map(fits).collect()
}

/// Returns the folder of a source file. The compiler knows it relative to the workspace, while a
/// test runs in the folder of its package.
fn found(source: &Path) -> Option<PathBuf> {
    let start = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = start.or_else(|| std::env::current_dir().ok())?;
    let mut roots = start.ancestors();
    roots.find_map(|root| {
        let path = root.join(source);
        if path.is_file() { path.parent().map(Path::to_path_buf) } else { None }
    })
}
