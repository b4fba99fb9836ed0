//! The protocol itself: the same raw bytes to both, whole and in pieces, must give the same bytes
//! back, and close the connection on both or on neither.

use crate::both::{Both, Told};
use crate::differential::without_ids;
use crate::server::{RealServer, request};
use stunt_double::redis::{ServerOptions, Version};

pub(crate) fn server() -> Option<RealServer> {
    RealServer::start(&["--save", ""])
}

fn shown(told: &Told) -> String {
    let bytes = told.bytes.escape_ascii();
    format!("{bytes}{}", if told.closed { " and closed" } else { "" })
}

/// Sends pieces to both, one after the other. Returns everything that the real server sent.
fn pieces(both: &mut Both<'_>, client: u64, pieces: &[&[u8]]) -> Result<Told, String> {
    let mut all = Told::default();
    for piece in pieces {
        both.send(client, piece);
        let mut told = Told::default();
        for (to, (mut real, mut ours)) in both.told() {
            real.bytes = without_ids(&real.bytes);
            ours.bytes = without_ids(&ours.bytes);
            if real != ours {
                return Err(format!(
                    "{}, told to {to}\n  real {}\n  ours {}",
                    piece.escape_ascii(),
                    shown(&real),
                    shown(&ours)
                ));
            }
            if to == client {
                told = real;
            }
        }
        all.bytes.extend(told.bytes);
        all.closed |= told.closed;
        if all.closed {
            break;
        }
    }
    Ok(all)
}

/// Sends each case to both as a client of its own, whole. Asserts that the replies are equal.
fn alike(both: &mut Both<'_>, first_client: u64, cases: &[Vec<u8>]) {
    let mut failures = Vec::new();
    for (client, case) in (first_client..).zip(cases) {
        failures.extend(pieces(both, client, &[case]).err());
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Sends lines of words as requests of one client.
pub(crate) fn lines(both: &mut Both<'_>, client: u64, lines: &[&str]) {
    let mut failures = Vec::new();
    for line in lines {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        failures.extend(pieces(both, client, &[&request(&words)]).err());
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

const INLINE: [&[u8]; 30] = [
    b"PING\r\n",
    b"PING\n",
    b"\r\nPING\r\n",
    b"\n\n\nPING\n",
    b"   PING   \r\n",
    b"\tPING\t hello \r\n",
    b"ping\r\n",
    b"ECHO \"hello world\"\r\n",
    b"ECHO 'hello world'\r\n",
    b"ECHO \"a\\x41\\n\\r\\t\\b\\a\\\\\\\"z\"\r\n",
    b"ECHO \"\\xzz\\x4\"\r\n",
    b"ECHO 'it\\'s \\n'\r\n",
    b"ECHO \"\"\r\n",
    b"ECHO ''\r\n",
    b"ECHO a\"b\"\r\n",
    b"ECHO \"a\"b\r\n",
    b"ECHO 'a'b\r\n",
    b"ECHO \"a\r\n",
    b"ECHO 'a\r\n",
    b"ECHO \"a\\\"\r\n",
    b"ECHO a\0b\r\n",
    b"ECHO a\rb\r\n",
    b"ECHO \xff\xfe\r\n",
    b"\0\r\n",
    b"nosuch 'a b' c\r\n",
    b"+OK\r\n",
    b"$3\r\nGET\r\n",
    b"-1\r\n",
    b"SET k v\r\nGET k\r\nDEL k\r\n",
    b"PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n",
];

#[test]
fn inline_requests() {
    let Some(real) = server() else { return };
    let cases: Vec<Vec<u8>> = INLINE.iter().map(|case| case.to_vec()).collect();
    alike(&mut Both::new(&real, ""), 1, &cases);
}

/// Redis 8.6 says nothing about a request that turns out wrong after a part of it was read, and the
/// client waits. Ours answers as in all other versions.
fn is_silent_about_parts(real: &RealServer) -> bool {
    real.version() == Version::Redis8_6
}

fn long(before: &[u8], byte: u8, times: usize) -> Vec<u8> {
    let mut bytes = before.to_vec();
    bytes.resize(before.len() + times, byte);
    bytes
}

const MULTIBULK: [&[u8]; 38] = [
    b"*0\r\n",
    b"*0\r\n*1\r\n$4\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"*-99999\r\nPING\r\n",
    b"*\r\n",
    b"*a\r\n",
    b"*1a\r\n",
    b"* 1\r\n",
    b"*+1\r\n",
    b"*01\r\n",
    b"*-0\r\n",
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*-9223372036854775808\r\nPING\r\n",
    b"*1\n$4\r\nPING\r\n",
    b"*1\r$4\r\nPING\r\n",
    b"*1\r\nPING\r\n",
    b"*1\r\n:4\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n\0\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n\xff\r\n",
    b"*1\r\n*1\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$a\r\n",
    b"*1\r\n$4a\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$536870912\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"*1\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n",
    b"*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
];

#[test]
fn multibulk_requests_valid_and_invalid() {
    let Some(real) = server() else { return };
    let mut cases: Vec<Vec<u8>> = MULTIBULK.iter().map(|case| case.to_vec()).collect();
    for times in [65_535, 65_536, 65_537] {
        cases.push(long(b"", b'a', times));
        cases.push(long(b"*", b'1', times));
        if !is_silent_about_parts(&real) {
            cases.push(long(b"*1\r\n$", b'1', times));
        }
    }
    alike(&mut Both::new(&real, ""), 1, &cases);
}

#[test]
fn pipelines_in_pieces() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    let pipelines: [&[u8]; 5] = [
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        b"PING\r\n*1\r\n$4\r\nPING\r\nECHO \"a b\"\r\n*0\r\nPING\n",
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nEXEC\r\nDEL n\r\n",
        b"*1\r\n$4\r\nPING\r\n*1\r\nPING\r\n",
        b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*1\r\n$4\r\nQUIT\r\nPING\r\n",
    ];
    let mut client = 0;
    let is_wrong = |pipeline: &[u8]| pipeline.ends_with(b"*1\r\nPING\r\n");
    for pipeline in pipelines {
        if is_silent_about_parts(&real) && is_wrong(pipeline) {
            continue;
        }
        let whole = pieces(&mut both, 1_000_000, &[pipeline]).unwrap();
        both.disconnect(1_000_000);
        for at in 1..pipeline.len() {
            client += 1;
            let (first, second) = pipeline.split_at(at);
            let said = pieces(&mut both, client, &[first, second]).unwrap();
            assert_eq!(said, whole, "{} split at {at}", pipeline.escape_ascii());
            both.disconnect(client);
        }
        client += 1;
        let bytes: Vec<&[u8]> = pipeline.chunks(1).collect();
        assert_eq!(pieces(&mut both, client, &bytes).unwrap(), whole, "byte by byte");
        both.disconnect(client);
    }
}

/// Commands whose replies have a special kind in RESP3, or look like it.
const TYPED: &[&str] = &[
    "DEBUG PROTOCOL string",
    "DEBUG PROTOCOL integer",
    "DEBUG PROTOCOL double",
    "DEBUG PROTOCOL bignum",
    "DEBUG PROTOCOL null",
    "DEBUG PROTOCOL array",
    "DEBUG PROTOCOL set",
    "DEBUG PROTOCOL map",
    "DEBUG PROTOCOL push",
    "DEBUG PROTOCOL verbatim",
    "DEBUG PROTOCOL true",
    "DEBUG PROTOCOL false",
    "DEBUG PROTOCOL nosuch",
    "GET none",
    "LPOP none 2",
    "HSET h f v",
    "HGETALL h",
    "HGETALL none",
    "HRANDFIELD h 1 WITHVALUES",
    "HRANDFIELD h",
    "HMGET h f none",
    "SADD s a",
    "SMEMBERS s",
    "SMEMBERS none",
    "SPOP s 1",
    "SADD s a",
    "SINTER s s",
    "SRANDMEMBER s 1",
    "SMISMEMBER s a b",
    "ZADD z 1.5 a inf b -inf c 1e20 d",
    "ZRANGE z 0 -1 WITHSCORES",
    "ZRANGE z 0 -1",
    "ZSCORE z a",
    "ZSCORE z none",
    "ZMSCORE z a b c none",
    "ZADD z INCR 1 a",
    "ZADD z NX INCR 1 a",
    "ZINCRBY z 0.1 a",
    "ZRANK z none",
    "ZUNION 1 z WITHSCORES",
    "ZDIFF 1 z WITHSCORES",
    "ZRANDMEMBER none",
    "ZRANDMEMBER z 0 WITHSCORES",
    "ZPOPMIN z",
    "ZPOPMIN z 1",
    "ZMPOP 1 z MIN COUNT 2",
    "ZMPOP 1 none MIN",
    "ZADD z 1 a",
    "BZPOPMAX z 0",
    "ZADD z 1 a",
    "ZSCAN z 0",
    "HSCAN h 0",
    "MSET x abc y bcd",
    "LCS x y IDX WITHMATCHLEN",
    "CONFIG GET save",
    "CONFIG GET nosuch",
    "PUBSUB NUMSUB a",
    "PUBSUB CHANNELS",
    "INCRBYFLOAT f 1.5",
    "COMMAND INFO nosuch",
    "MULTI",
    "HGETALL h",
    "SMEMBERS s",
    "GET none",
    "EXEC",
    "WATCH f",
    "SET f 1",
    "MULTI",
    "EXEC",
    "SUBSCRIBE ch",
    "PUBLISH ch hello",
    "PING",
    "PING hello",
    "GET f",
    "PSUBSCRIBE c*",
    "PUBLISH ch hello",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE sh",
    "SPUBLISH sh hello",
    "SUNSUBSCRIBE",
    "RESET",
    "GET none",
];

#[test]
fn replies_of_each_kind_in_both_protocols() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    lines(&mut both, 1, &["HELLO 3"]);
    lines(&mut both, 1, TYPED);
    let mut both = Both::new(&real, "");
    // A RESP2 client that listens may send few commands.
    let answered = |line: &&str| !line.contains("SUBSCRIBE") && !line.contains("PUBLISH");
    let resp2: Vec<&str> = TYPED.iter().copied().filter(answered).collect();
    lines(&mut both, 1, &resp2);
    lines(&mut both, 2, &["HELLO 3", "HELLO 2", "HELLO", "HELLO 3", "HELLO"]);
}

#[test]
fn replies_switched_off_and_skipped() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    for protocol in ["HELLO 2", "HELLO 3"] {
        lines(
            &mut both,
            1,
            &[
                protocol,
                "CLIENT REPLY SKIP",
                "PING",
                "PING",
                "CLIENT REPLY SKIP",
                "CLIENT REPLY SKIP",
                "PING",
                "PING",
                "CLIENT REPLY OFF",
                "PING",
                "NOSUCH",
                "MULTI",
                "PING",
                "EXEC",
                "CLIENT REPLY SKIP",
                "CLIENT REPLY NOSUCH",
                "CLIENT REPLY ON",
                "PING",
                "CLIENT REPLY NOSUCH",
                "CLIENT REPLY",
                // Left out in a transaction, where the real server's reply announces more elements
                // than it has.
            ],
        );
    }
    // A protocol error is sent to a client that receives no other replies, or not.
    lines(&mut both, 2, &["CLIENT REPLY OFF"]);
    pieces(&mut both, 2, &[b"*1\r\n$x\r\n"]).unwrap();
    lines(&mut both, 3, &["CLIENT REPLY OFF", "SUBSCRIBE ch", "PUBLISH ch x"]);
    lines(&mut both, 4, &["CLIENT REPLY OFF", "SUBSCRIBE ch", "QUIT"]);
    pieces(&mut both, 4, &[b"CLIENT REPLY ON\r\nPING\r\n"]).unwrap();
    lines(&mut both, 6, &["PUBLISH ch x"]);
    lines(&mut both, 7, &["CLIENT REPLY SKIP", "QUIT", "PING"]);
    lines(&mut both, 5, &["HELLO 3", "CLIENT REPLY OFF", "SUBSCRIBE ch", "PUBLISH ch x"]);
}

#[test]
fn clients_that_have_not_authenticated() {
    let Some(real) = RealServer::start(&["--save", "", "--requirepass", "secret"]) else { return };
    let options = ServerOptions::default().with_save_points([]).with_password("secret");
    let mut both = Both::with(&real, options);
    both.authenticate_barrier("secret");
    let mut cases: Vec<Vec<u8>> = [
        &b"PING\r\n"[..],
        b"*10\r\n",
        b"*11\r\n",
        b"*1\r\n$16384\r\n",
        b"*1\r\n$16385\r\n",
        b"QUIT\r\n",
        b"NOSUCH\r\n",
        b"GET\r\n",
        b"GET k\r\n",
        b"RESET\r\nPING\r\n",
        b"MULTI\r\nEXEC\r\nDISCARD\r\n",
        b"HELLO\r\n",
        b"HELLO 3\r\n",
        b"HELLO 9\r\n",
        b"HELLO 3 AUTH default wrong\r\nPING\r\n",
        b"HELLO 3 AUTH default secret\r\nPING\r\n",
        b"HELLO 3 AUTH nobody secret SETNAME me\r\nPING\r\n",
        b"HELLO 2 SETNAME me\r\n",
        b"AUTH wrong\r\nPING\r\n",
        b"AUTH secret\r\nPING\r\n",
        b"AUTH default secret\r\nPING\r\nRESET\r\nPING\r\n",
        b"AUTH nobody secret\r\n",
        b"AUTH a b c\r\n",
        b"AUTH\r\n",
        b"AUTH secret\r\n*11\r\n$4\r\nECHO\r\n",
        b"SUBSCRIBE ch\r\n",
        b"CLIENT ID\r\n",
        b"COMMAND COUNT\r\n",
    ]
    .iter()
    .map(|case| case.to_vec())
    .collect();
    cases.push(long(b"", b'a', 65_537));
    alike(&mut both, 1, &cases);
}

#[test]
fn a_password_that_is_not_configured_is_not_required() {
    let Some(real) = server() else { return };
    lines(&mut Both::new(&real, ""), 1, &["AUTH secret", "AUTH default any", "AUTH nobody any"]);
}

#[test]
fn more_bytes_than_a_client_may_send_ahead() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    lines(&mut both, 1, &["CONFIG SET client-query-buffer-limit 1mb", "SET k 1"]);
    let cases = [
        long(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n", b'a', 1_000_000),
        long(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n", b'a', 1_100_000),
    ];
    alike(&mut both, 2, &cases);
    lines(&mut both, 1, &["CONFIG GET client-query-buffer-limit", "GET k"]);
}
