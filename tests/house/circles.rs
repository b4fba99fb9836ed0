//! Imports: files do not import each other in a circle, except a parent and its own children.

use crate::source::{rust_files, text};
use std::collections::{BTreeMap, BTreeSet};

/// A module's path below the crate: `["sim", "net", "wire"]`.
type Module = Vec<String>;

fn module(file: &str) -> Module {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// Returns a file's code without comments and without its unit tests.
fn code(file: &str) -> String {
    let text = text(file);
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the paths in a use tree such as `a::{b, c::{d, e}}`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.trim().to_owned()];
    };
    let (prefix, body) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for character in body.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(character);
    }
    parts.push(part);
    let inner = parts.iter().filter(|part| !part.trim().is_empty());
    inner.flat_map(|part| expand(part)).map(|path| format!("{prefix}{path}")).collect()
}

/// Returns every path that the code imports or names in full.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        if !line.is_empty() && !line.starts_with("pub") {
            continue;
        }
        let tree = code[at + 4..].split(';').next().unwrap_or_default();
        found.extend(expand(tree));
    }
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let is_inner = code[..at].ends_with("::");
            let end = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
            if !is_inner {
                found.push(code[at..].split(end).next().unwrap_or_default().to_owned());
            }
        }
    }
    let words = |path: &String| path.split("::").map(|word| word.trim().to_owned()).collect();
    found.iter().map(words).collect()
}

/// Returns the module that a path leads to, seen from `from`.
fn target(from: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    let full: Module = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "self" => [from, &path[1..]].concat(),
        "super" => [&from[..from.len().checked_sub(ups)?], &path[ups..]].concat(),
        _ => [from, path].concat(),
    };
    let is_module = |length: &usize| modules.contains(&full[..*length]);
    let length = (1..=full.len()).rev().find(is_module)?;
    Some(full[..length].to_vec()).filter(|module| module != from)
}

fn is_family(a: &Module, b: &Module) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// Returns the modules that can be reached from `start`.
fn reachable(start: &Module, arrows: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(module) = next.pop() {
        for other in &arrows[module] {
            if seen.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    seen
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files = rust_files("src");
    let modules: BTreeSet<Module> = files.iter().map(|file| module(file)).collect();
    let mut arrows: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for file in &files {
        let from = module(file);
        let found = paths(&code(file));
        let to = found.iter().filter_map(|path| target(&from, path, &modules));
        let to = to.filter(|to| !is_family(&from, to)).collect();
        arrows.insert(from, to);
    }
    let mut circles = Vec::new();
    for module in &modules {
        let beyond = reachable(module, &arrows);
        for other in &arrows[module] {
            if beyond.contains(module) && reachable(other, &arrows).contains(module) {
                circles.push(format!("{} -> {}", module.join("::"), other.join("::")));
            }
        }
    }
    assert!(circles.is_empty(), "imports in a circle:\n{}", circles.join("\n"));
}

#[test]
fn rabbitmq_and_redis_do_not_import_each_other() {
    for (folder, other) in [("src/rabbitmq", "crate::redis"), ("src/redis", "crate::rabbitmq")] {
        for file in rust_files(folder) {
            assert!(!code(&file).contains(other), "{file} imports {other}");
        }
    }
}
