//! The first line of a script: `#!lua flags=no-writes`, and of a library: `#!lua name=lib`.
//!
//! Source: `eval.c` (`evalExtractShebangFlags`), `functions.c` (`functionExtractLibMetaData`),
//! `script.c` (`scriptFlagsToCmdFlags`).

use crate::redis::command::flag;
use crate::redis::resp::inline;
use crate::redis::script::FLAGS;
use crate::redis::version::Profile;

/// What a script may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// It has no first line with flags, as scripts before Redis 7.
    pub(crate) compatible: bool,
    bits: u8,
}

impl Flags {
    /// The flags of a script without a first line.
    pub(crate) const COMPATIBLE: Flags = Flags { compatible: true, bits: 0 };

    /// Returns the flags with these indices of [`FLAGS`].
    pub(crate) fn of(indices: &[usize]) -> Flags {
        let bits = indices.iter().fold(0, |bits, index| bits | 1 << index);
        Flags { compatible: false, bits }
    }

    fn has(self, index: usize) -> bool {
        self.bits & (1 << index) != 0
    }

    pub(crate) fn no_writes(self) -> bool {
        self.has(0)
    }

    pub(crate) fn allows_oom(self) -> bool {
        self.has(1)
    }

    pub(crate) fn allows_stale(self) -> bool {
        self.has(2)
    }

    /// Returns the flags of a command that runs the script, given those of its row: what the script
    /// has declared takes the place of what is assumed of scripts.
    pub(crate) fn of_command(self, row: u32) -> u32 {
        if self.compatible {
            return row;
        }
        let declared = [
            (flag::DENYOOM, !self.no_writes() && !self.allows_oom()),
            (flag::WRITE, !self.no_writes()),
            (flag::STALE, self.allows_stale()),
        ];
        let assumed = flag::STALE | flag::DENYOOM | flag::WRITE | flag::MAY_REPLICATE;
        let declared = declared.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag);
        declared.fold(row & !assumed, |flags, flag| flags | flag)
    }

    /// The names of the flags.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        FLAGS
            .into_iter()
            .enumerate()
            .filter(move |(index, _)| self.has(*index))
            .map(|(_, name)| name)
    }
}

/// Splits a line into words, as a command line is split. Returns `None` if quotes are unbalanced.
fn words(line: &[u8], profile: &Profile) -> Option<Vec<Vec<u8>>> {
    let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
    inline::split(line, profile.requests.inline, &mut bytes, &mut ranges)
        .then(|| ranges.into_iter().map(|range| bytes[range].to_vec()).collect())
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the flags of a script, and its code without the first line. The code keeps the line's
/// end, so that lines keep their numbers.
///
/// In versions where Lua is one of several engines, its name is in any case, and an unknown one is
/// the last error of the line.
pub(super) fn of_script<'a>(
    body: &'a [u8],
    profile: &Profile,
) -> Result<(Flags, &'a [u8]), String> {
    if !body.starts_with(b"#!") {
        return Ok((Flags::COMPATIBLE, body));
    }
    let end = body.iter().position(|byte| *byte == b'\n').ok_or("Invalid script shebang")?;
    let is_an_engine = profile.lua.is_an_engine;
    let words = words(&body[..end], profile).filter(|words| !words.is_empty());
    let words = words.ok_or("Invalid engine in script shebang")?;
    if !is_an_engine && words[0] != b"#!lua" {
        let engine = shown(&words[0]);
        return Err(format!("Unexpected engine in script shebang: {engine}"));
    }
    let mut indices = Vec::new();
    for word in &words[1..] {
        let Some(flags) = word.strip_prefix(b"flags=") else {
            return Err(format!("Unknown lua shebang option: {}", shown(word)));
        };
        for flag in flags.split(|byte| *byte == b',').filter(|_| !flags.is_empty()) {
            let index = FLAGS.iter().position(|name| name.as_bytes() == flag);
            let unknown = || format!("Unexpected flag in script shebang: {}", shown(flag));
            indices.push(index.ok_or_else(unknown)?);
        }
    }
    let engine = &words[0][2..];
    if is_an_engine && !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("Could not find scripting engine '{}'", shown(engine)));
    }
    Ok((Flags::of(&indices), &body[end..]))
}

/// The first line of a library.
#[derive(Debug)]
pub(super) struct Library<'a> {
    pub(super) engine: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) code: &'a [u8],
}

/// Reads the first line of a library.
pub(super) fn of_library<'a>(body: &'a [u8], profile: &Profile) -> Result<Library<'a>, String> {
    const INVALID: &str = "Invalid library metadata";
    if !body.starts_with(b"#!") {
        return Err("Missing library metadata".to_owned());
    }
    let end = body.iter().position(|byte| *byte == b'\n').ok_or(INVALID)?;
    let words = words(&body[..end], profile).filter(|words| !words.is_empty()).ok_or(INVALID)?;
    let mut name = None;
    for word in &words[1..] {
        match word.split_at_checked(5) {
            Some((start, given)) if start.eq_ignore_ascii_case(b"name=") => {
                if name.is_some() {
                    return Err(
                        "Invalid metadata value, name argument was given multiple times".to_owned()
                    );
                }
                name = Some(given.to_vec());
            }
            _ => return Err(format!("Invalid metadata value given: {}", shown(word))),
        }
    }
    let name = name.ok_or("Library name was not given")?;
    Ok(Library { engine: words[0][2..].to_vec(), name, code: &body[end..] })
}
