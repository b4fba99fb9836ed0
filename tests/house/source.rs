//! The files of the repository.

use std::fs;
use std::path::Path;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the text of a file, by its path from the root.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Returns the paths of every Rust file below `folder`, from the root and in order.
pub(crate) fn rust_files(folder: &str) -> Vec<String> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(name(&path));
            }
        }
    }
    files.sort_unstable();
    files
}

fn name(path: &Path) -> String {
    let inner = path.strip_prefix(root()).unwrap();
    inner.components().map(|c| c.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/")
}
