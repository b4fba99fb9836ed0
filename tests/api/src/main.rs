//! Compares the public API of stunt-double with `tests/api/public-api.txt`.
//!
//! A change of the API then shows in review as a change of that file. `cargo run -p
//! stunt-double-api -- --write` writes it anew; without an argument the program compares, and fails
//! with the lines that differ. The caller sets
//! `RUSTC_BOOTSTRAP=1`, because rustdoc writes JSON only as an unstable option.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Returns the lines of the API as it is now, sorted.
fn present(root: &Path) -> Result<String, Box<dyn Error>> {
    let json = rustdoc_json::Builder::default()
        .manifest_path(root.join("Cargo.toml"))
        .all_features(true)
        .build()?;
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let mut lines: Vec<String> = api.items().map(|item| format!("{item}\n")).collect();
    lines.sort_unstable();
    Ok(lines.concat())
}

/// Returns the first line of a listing: the compiler that wrote it, whose JSON this program reads.
fn compiler() -> Result<String, Box<dyn Error>> {
    let told = Command::new("rustc").arg("--version").output()?.stdout;
    let version = String::from_utf8(told)?;
    let words: Vec<&str> = version.split(' ').take(2).collect();
    Ok(format!("# {}\n", words.join(" ")))
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file: PathBuf = root.join("tests/api/public-api.txt");
    let compiler = compiler()?;
    let writes = std::env::args().nth(1).as_deref() == Some("--write");
    if !writes && !std::fs::read_to_string(&file)?.starts_with(&compiler) {
        println!("skipped: another compiler than this one wrote the listing: {}", compiler.trim());
        return Ok(ExitCode::SUCCESS);
    }
    let present = compiler + &present(&root)?;
    if writes {
        std::fs::write(&file, &present)?;
        return Ok(ExitCode::SUCCESS);
    }
    let listed = std::fs::read_to_string(&file)?;
    let gone = listed.lines().filter(|line| !present.lines().any(|other| other == *line));
    let new = present.lines().filter(|line| !listed.lines().any(|other| other == *line));
    let differences: Vec<String> =
        gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
    if differences.is_empty() {
        println!("the API is the one listed: {} lines", listed.lines().count());
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}\n\nThe public API has changed. If that is meant, run:", differences.join("\n"));
    println!("cargo run -p stunt-double-api -- --write");
    Ok(ExitCode::FAILURE)
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
