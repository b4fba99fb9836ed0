//! The folder for reports: `target/stunt-double`, or the one that the environment names.
//!
//! Nothing depends on what is written there. What cannot be written is left out.

use super::environment::report_dir;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A log of sweeps that is longer than this, in bytes, begins anew.
const LONGEST: u64 = 1 << 20;

/// Returns the folder, if there is to be one: a program that cargo has built has a `target`.
fn folder() -> Option<PathBuf> {
    match report_dir() {
        Some(dir) => dir,
        None => {
            let program = std::env::current_exe().ok()?;
            // Cargo marks its target folder, whatever its name and the profile's.
            let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file())?;
            Some(target.join("stunt-double"))
        }
    }
}

/// Writes a file into the folder, and returns its path.
pub(super) fn write(name: &str, text: &str) -> Option<String> {
    let folder = folder()?;
    std::fs::create_dir_all(&folder).ok()?;
    let path = folder.join(name);
    std::fs::write(&path, text).ok()?;
    Some(shown(&path))
}

/// Returns a path as a person may type it here.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Adds a line to the log of sweeps.
pub(super) fn log(line: &str) {
    let Some(folder) = folder() else { return };
    let path = folder.join("sweeps.jsonl");
    let is_long = std::fs::metadata(&path).is_ok_and(|file| file.len() > LONGEST);
    let open = || -> std::io::Result<File> {
        std::fs::create_dir_all(&folder)?;
        let mut options = OpenOptions::new();
        options.create(true).append(!is_long).write(true).truncate(is_long).open(&path)
    };
    if let Ok(mut file) = open() {
        // One write, so that the lines of two programs do not mix.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
