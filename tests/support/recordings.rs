//! The recorded conversations, by version: each folder of `tests/rabbitmq/recorded` is named after
//! a version of RabbitMQ.
//!
//! A folder has the conversations in which its version differs from the one before, and those that
//! only make sense with it. So a conversation of a version is that of its own folder, or else that
//! of the nearest older one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stunt_double::rabbitmq::Version;

/// Every version and its folder, oldest first.
pub(crate) const VERSIONS: [(Version, &str); 3] =
    [(Version::V3_10, "3.10"), (Version::V4_0, "4.0"), (Version::V4_3, "4.3")];

/// A conversation as a version has it.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) text: String,
    /// The conversation that the version would have without a file in its own folder.
    #[allow(dead_code, reason = "only where conversations are recorded")]
    pub(crate) inherited: Option<String>,
}

/// The file of a conversation in the folder of a version.
pub(crate) fn file(version: Version, name: &str) -> PathBuf {
    let (_, folder) = VERSIONS.iter().find(|(known, _)| *known == version).expect("all are here");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rabbitmq/recorded");
    recorded.join(folder).join(format!("{name}.txt"))
}

/// All conversations of a version, or those with `STUNT_DOUBLE_SCENARIO` in their names.
pub(crate) fn recordings(version: Version) -> Vec<Recording> {
    let only = std::env::var("STUNT_DOUBLE_SCENARIO").unwrap_or_default();
    let mut all: BTreeMap<String, Recording> = BTreeMap::new();
    for (of, _) in VERSIONS.iter().filter(|(of, _)| *of <= version) {
        let any = file(*of, "any");
        let folder = any.parent().expect("a file is in a folder");
        // A version without a difference has no folder.
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a folder can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".txt"));
            let Some(name) = name.filter(|name| name.contains(&only)) else { continue };
            let text = std::fs::read_to_string(&path).expect("a recording can be read");
            let older = all.remove(name).map(|recording| recording.text);
            let inherited = if *of == version { older } else { Some(text.clone()) };
            let name = name.to_owned();
            all.insert(name.clone(), Recording { name, text, inherited });
        }
    }
    all.into_values().collect()
}

/// Turns a recording into what can be recorded on another version: a line that closed its channel
/// or connection there, and the lines that opened it again, become a line that opens it again if it
/// is closed. So do lines that closed nothing, because another version may refuse them.
#[allow(dead_code, reason = "only where conversations are recorded")]
pub(crate) fn unrecorded(recorded: &str) -> String {
    let lines: Vec<&str> = recorded.lines().collect();
    let mut written = Vec::new();
    let (mut at, mut together) = (0, false);
    while at < lines.len() {
        let line = lines[at];
        let answers = lines[at + 1..].iter().take_while(|line| line.starts_with("< ")).count();
        let (next, said) = (at + 1 + answers, &lines[at + 1..at + 1 + answers]);
        at = next;
        if let Some(event) = line.strip_prefix("= ") {
            together = event == "together";
        }
        let Some(sent) = line.strip_prefix("> ").filter(|_| !together) else {
            written.push(line.to_owned());
            continue;
        };
        let target = sent.split(' ').next().unwrap_or_default();
        let name = target.split('.').next().unwrap_or_default();
        let has = |what: &str| said.iter().any(|line| line.starts_with(what));
        let failed = has(&format!("< {target} channel.close "));
        let broken =
            has(&format!("< {name}.0 connection.close ")) || has(&format!("< {name} closed"));
        let is_next = |at: usize, line: &str| lines.get(at).is_some_and(|next| *next == line);
        if failed
            && is_next(at, &format!("> {target} channel.close-ok"))
            && is_next(at + 1, &format!("> {target} channel.open"))
        {
            written.push(format!("! {sent}"));
            at += 2 + lines[at + 2..].iter().take_while(|line| line.starts_with("< ")).count();
        } else if broken
            && is_next(at, &format!("> {name}.0 connection.close-ok"))
            && is_next(at + 1, &format!("< {name} closed"))
            && is_next(at + 2, &format!("= connect {name}"))
        {
            written.push(format!("! {sent}"));
            let opens = |line: &&&str| {
                let opened = line.strip_prefix(&format!("> {name}.")[..]);
                opened.is_some_and(|rest| rest.ends_with(" channel.open")) || line.starts_with("< ")
            };
            at += 3 + lines[at + 3..].iter().take_while(opens).count();
        } else if failed || broken || sent.contains("close") || !target.contains('.') {
            written.push(line.to_owned());
        } else {
            written.push(format!("! {sent}"));
        }
    }
    written.join("\n") + "\n"
}
