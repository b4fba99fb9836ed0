//! Frames that either side sends after a connection's close.

use crate::bytes::*;
use crate::play::After::{Channel, Tune};
use crate::play::{Case, check};

const FAULT: &str = "0: 10.50 505 UNEXPECTED_FRAME - expected method frame, got non method frame \
                     instead 0.0";

fn after_fault(name: &'static str, steps: Vec<Vec<u8>>, what: &str) -> Case {
    let steps = std::iter::once(header(1, 1)).chain(steps).collect();
    (name, Channel, steps, format!("{FAULT} | {what}").leak())
}

#[test]
fn after_the_servers_close() {
    check(vec![
        after_fault("close-ok", vec![close_ok()], "reset at once"),
        after_fault("a close of its own", vec![close(), close_ok()], "0: 10.51 | reset at once"),
        after_fault(
            "anything else",
            vec![declare("pq"), open(), frame(9, 0, b""), header(1, 1), publish()],
            "reset after 30 s",
        ),
        after_fault("a frame too large", vec![announced(3, 1, 131_073)], "reset after 3 s"),
        after_fault(
            "a frame without its end",
            vec![frame_with_end(1, 0, b"", 0)],
            "reset after 3 s",
        ),
        after_fault("no such method", vec![method(0, 99, 99, b"")], "reset at once"),
        after_fault("on a channel", vec![method(1, 99, 99, b"")], "reset after 30 s"),
        after_fault("a close-ok that is none", vec![method(0, 10, 51, b"x")], "reset after 30 s"),
        (
            "when it has given up",
            Channel,
            vec![frame_with_end(1, 0, b"", 0), close_ok()],
            "0: 10.50 501 FRAME_ERROR - type 1, all octets = <<>>: {invalid_frame_end_marker,0} 0.0 | \
             reset after 3 s",
        ),
    ]);
}

#[test]
fn after_the_clients_close() {
    let short_heartbeat = vec![tune_ok_with(2_047, 131_072, 6), open(), close()];
    let mut table: Vec<Case> = vec![
        ("nothing", Channel, vec![close()], "0: 10.51 | reset after 30 s"),
        (
            "a second close",
            Channel,
            vec![close(), close()],
            "0: 10.51 | 0: 10.51 | reset after 30 s",
        ),
        (
            "frames",
            Channel,
            vec![close(), [declare("pq"), open(), body(0, b"x"), close()].concat()],
            "0: 10.51 | 0: 10.51 | reset after 30 s",
        ),
        (
            "close-ok, which it need not send",
            Channel,
            vec![close(), close_ok()],
            "0: 10.51 | reset at once",
        ),
        (
            "exclusive queues are gone before the answer",
            Channel,
            vec![[declare_with(b"ex", 4, b""), close()].concat()],
            "1: 50.11 0265780000000000000000 | 0: 10.51 | reset after 30 s",
        ),
    ];
    // A real server continues with its heartbeats until then.
    if std::env::var("STUNT_DOUBLE_REAL_RABBITMQ").is_err() {
        let expected = "0: 10.41 00 | 0: 10.51 | reset after 6 s";
        table.push(("as long as a heartbeat, if that is shorter", Tune, short_heartbeat, expected));
    }
    check(table);
}
