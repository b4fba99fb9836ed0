//! ARCHITECTURE.md's table from a behaviour to its file.

use crate::source::{root, text};

/// The rows of the table: behaviour, file, item.
fn rows(architecture: &str) -> Vec<[&str; 3]> {
    let table = architecture.split("| behaviour | file | item |").nth(1).expect("the table");
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim());
            std::array::from_fn(|_| cells.next().unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_behaviour_is_in_the_file_that_the_architecture_names() {
    let architecture = text("ARCHITECTURE.md");
    let rows = rows(&architecture);
    assert!(rows.len() >= 40, "only {} behaviours have a row", rows.len());
    for [behaviour, file, item] in rows {
        let (file, item) = (file.trim_matches('`'), item.trim_matches('`'));
        assert!(root().join("src").join(file).is_file(), "{behaviour}: src/{file} does not exist");
        let source = text(&format!("src/{file}"));
        assert!(!item.is_empty(), "{behaviour}: no item is named");
        let defines = ["fn ", "struct ", "enum ", "const ", "trait ", "type ", "mod "];
        let is_defined = source.match_indices(item).any(|(at, _)| {
            let ends =
                !source[at + item.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
            ends && defines.iter().any(|keyword| source[..at].ends_with(keyword))
        });
        assert!(is_defined, "{behaviour}: src/{file} does not define {item}");
    }
}
