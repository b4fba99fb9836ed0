//! Messages in the log of the trace: which functions read back what was written.
//!
//! A service writes its own messages ([`Service::log_input`]). Of the bytes of a client library, of
//! which the world knows nothing, the log has the number and the first.

use crate::sim::net::in_flight::{Down, Up};
use crate::sim::service::contract::Service;
use crate::sim::trace::Trace;
use crate::sim::trace::compact::{put_number, take_number};

/// How many of the bytes of a message are shown.
const SHOWN: usize = 48;

/// The numbers of the functions that read a service's messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reads {
    pub(crate) input: u32,
    pub(crate) output: u32,
    pub(crate) bytes: u32,
}

impl Reads {
    pub(crate) fn of<S: Service>(trace: &mut Trace) -> Reads {
        Reads {
            input: trace.add_read(S::read_input),
            output: trace.add_read(S::read_output),
            bytes: trace.add_read(read_bytes),
        }
    }
}

/// Returns what writes the length and the first of some bytes to a log.
pub(crate) fn log_bytes(bytes: &[u8]) -> impl Fn(&mut Vec<u8>) {
    |log| {
        put_number(log, bytes.len() as u64);
        log.extend_from_slice(&bytes[..bytes.len().min(SHOWN)]);
    }
}

/// Describes some bytes, as the log does.
pub(crate) fn describe_bytes(bytes: &[u8]) -> String {
    let mut log = Vec::new();
    log_bytes(bytes)(&mut log);
    read_bytes(&log)
}

fn read_bytes(mut log: &[u8]) -> String {
    let count = take_number(&mut log);
    let more = if count > log.len() as u64 { " …" } else { "" };
    format!("{count} bytes: {}{more}", log.escape_ascii())
}

/// How the words begin that belong to every connection; see [`Service::routine`].
pub(crate) const ROUTINE: &[&str] =
    &["the attempt to connect", "the acceptance of a connection", "the end of a connection"];

/// Returns what a node sends, in words.
pub(crate) fn up_in_words<S: Service>(item: &Up<S::Input>) -> String {
    match item {
        Up::Data(input) => S::describe_input(input),
        Up::Bytes(bytes) => describe_bytes(bytes),
        Up::Open => "the attempt to connect".to_owned(),
        Up::Close => "the end of a connection".to_owned(),
    }
}

/// Returns what a server sends, in words.
pub(crate) fn down_in_words<S: Service>(item: &Down<S::Output>) -> String {
    match item {
        Down::Data(output) => S::describe_output(output),
        Down::Bytes(bytes) => describe_bytes(bytes),
        Down::Accepted => "the acceptance of a connection".to_owned(),
        Down::Refused => "the refusal of a connection".to_owned(),
        Down::Close(_) => "the end of a connection".to_owned(),
    }
}
