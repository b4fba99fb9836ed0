//! The form of comments: their width, and heads that say what a file is about.

use crate::source::{rust_files, text};

fn every_file() -> Vec<String> {
    ["src", "tests", "examples", "benches"].into_iter().flat_map(rust_files).collect()
}

#[test]
fn comments_wrap_at_100_columns() {
    let mut wide = Vec::new();
    for file in every_file() {
        for (number, line) in (1..).zip(text(&file).lines()) {
            let is_comment = line.trim_start().starts_with("//");
            // A table, a link and a word that is long by itself cannot be wrapped.
            let body = line.trim_start().trim_start_matches(['/', '!']).trim_start();
            let is_whole = body.starts_with('|') || body.starts_with('[') || !body.contains(' ');
            if is_comment && !is_whole && line.chars().count() > 100 {
                wide.push(format!("{file}:{number}"));
            }
        }
    }
    assert!(wide.is_empty(), "comments wider than 100 columns:\n{}", wide.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is() {
    let silent: Vec<String> = every_file()
        .into_iter()
        .filter(|file| !text(file).trim_start().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "files without a head:\n{}", silent.join("\n"));
}

/// Openings of a sentence that make a reader wait for its subject.
const HEADLESS: [&str; 4] = ["Who ", "Whom ", "What is ", "What was "];

#[test]
fn no_comment_opens_without_its_subject() {
    let mut headless = Vec::new();
    for file in rust_files("src") {
        let text = text(&file);
        let mut above_ends = true;
        for (number, line) in (1..).zip(text.lines()) {
            let body = line.trim_start();
            if !body.starts_with("//") {
                above_ends = true;
                continue;
            }
            let body = body.trim_start_matches(['/', '!']).trim();
            if above_ends && HEADLESS.iter().any(|opening| body.starts_with(opening)) {
                headless.push(format!("{file}:{number}: {body}"));
            }
            above_ends = body.is_empty() || body.ends_with(['.', ':', '?']);
        }
    }
    assert!(headless.is_empty(), "sentences without a subject:\n{}", headless.join("\n"));
}
