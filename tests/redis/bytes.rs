//! A server at the level of bytes: pieces of any size, and bytes that are not requests.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::redis::{ServerOptions, Version};
use stunt_double::sim::service::{ByteOutput, ByteService, Hangup};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CLIENT: u64 = 1;

fn server() -> ByteServer {
    let random = Stream::seeded(1, Site::new("test.bytes"), 0);
    ByteServer::new(Server::new(ServerOptions::default(), random))
}

/// Collects the bytes for each client, and whether its connection was closed.
fn drain(server: &mut ByteServer, told: &mut BTreeMap<u64, (Vec<u8>, bool)>) {
    assert_eq!(server.machine().check_invariants(), Ok(()));
    while let Some((client, output)) = server.poll_output() {
        let told = told.entry(client).or_default();
        match output {
            ByteOutput::Data(bytes) => told.0.extend_from_slice(&bytes),
            ByteOutput::Close(_) => told.1 = true,
            other => panic!("{other:?}"),
        }
    }
}

/// Requests that interact. Some block, some are refused, and one is not a request.
const REQUESTS: [&[u8]; 12] = [
    b"SET k v\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    b"*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$3\r\nabc\r\n",
    b"*3\r\n$5\r\nBLPOP\r\n$1\r\nl\r\n$1\r\n0\r\n",
    b"MULTI\r\n",
    b"EXEC\r\n",
    b"*1\r\n$4\r\nNOPE\r\n",
    b"HELLO 3\r\n",
    b"HGETALL none\r\n",
    b"\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5\r\n\r\n\0\xff*\r\n",
    b"APPEND \"a b\" 'c\\'d'\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The way requests are cut into pieces makes no difference.
    #[test]
    fn requests_in_any_pieces_have_the_same_answers(
        requests in proptest::collection::vec(0..REQUESTS.len(), 0..30),
        cuts in proptest::collection::vec(1..9_usize, 1..40),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(|i| REQUESTS[*i]).copied().collect();
        let mut told = [BTreeMap::new(), BTreeMap::new()];
        for (told, in_pieces) in told.iter_mut().zip([false, true]) {
            let mut server = server();
            server.connected(NOW, 1, "one");
            let mut cuts = cuts.iter().cycle();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let len = if in_pieces { *cuts.next().unwrap() } else { rest.len() };
                let (piece, after) = rest.split_at(len.min(rest.len()));
                server.receive(NOW, 1, piece);
                prop_assert_eq!(server.machine().check_invariants(), Ok(()));
                rest = after;
            }
            drain(&mut server, told);
            // Feed the blocked client, which continues with what it had sent.
            server.connected(NOW, 2, "two");
            for _ in 0..30 {
                server.receive(NOW, 2, b"RPUSH l fed\r\n");
            }
            drain(&mut server, told);
        }
        prop_assert_eq!(&told[0], &told[1]);
    }

    /// No input makes the server panic. Bytes that are not a request are answered with an error,
    /// and close the connection.
    #[test]
    fn any_bytes_are_accepted_or_refused(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                (0..REQUESTS.len()).prop_map(|i| REQUESTS[i].to_vec()),
                Just(b"*-1\r\n".to_vec()),
                Just(b"*2\r\n$999999999999\r\n".to_vec()),
                Just(b"*1\r\n$-5\r\n".to_vec()),
                Just(b"*1\r\n:5\r\n".to_vec()),
            ],
            0..20,
        ),
    ) {
        let mut server = server();
        server.connected(NOW, 1, "one");
        let mut told = BTreeMap::new();
        for piece in &pieces {
            server.receive(NOW, 1, piece);
            drain(&mut server, &mut told);
        }
        if let Some((bytes, true)) = told.get(&1) {
            let text = String::from_utf8_lossy(bytes);
            prop_assert!(text.contains("-ERR Protocol error: "), "{}", text);
        }
        server.connected(NOW, 2, "two");
        server.receive(NOW, 2, b"PING\r\n");
        drain(&mut server, &mut told);
        prop_assert_eq!(&told[&2].0[..], b"+PONG\r\n");
    }
}

#[test]
fn a_client_that_is_gone_leaves_no_connection() {
    let mut server = server();
    server.connected(NOW, 1, "one");
    server.receive(NOW, 1, b"QUIT\r\nSET k v\r\n");
    let mut told = BTreeMap::new();
    drain(&mut server, &mut told);
    assert_eq!(told[&1], (b"+OK\r\n".to_vec(), true));
    server.receive(NOW, 1, b"SET k v\r\n");
    assert!(server.poll_output().is_none());
    assert!(server.machine_mut().database(0).unwrap().is_empty());
}

#[test]
fn an_http_request_drops_unsent_replies() {
    for bytes in [&b"PING\r\npOsT\r\nPING\r\n"[..], b"*1\r\n$4\r\nPING\r\n*1\r\n$5\r\nHost:\r\n"] {
        let mut server = server();
        server.connected(NOW, CLIENT, "client");
        server.receive(NOW, CLIENT, bytes);
        assert_eq!(server.poll_output(), Some((CLIENT, ByteOutput::Close(Hangup::Close))));
        assert_eq!(server.poll_output(), None);
    }
}

#[test]
fn a_sleeping_server_reads_the_rest_of_what_it_had_read_before_it_times_out_others() {
    let (sleeper, waiter) = (CLIENT, 99);
    let at = |ms| NOW + Duration::from_millis(ms);
    let mut server = server();
    server.connected(at(0), sleeper, "sleeper");
    server.connected(at(0), waiter, "waiter");
    server.receive(at(0), waiter, b"BLPOP q 0.1\r\n");
    server.receive(at(0), sleeper, b"PING\r\nDEBUG SLEEP 0.4\r\nRPUSH q x\r\n");
    server.receive(at(50), sleeper, b"RPUSH q y\r\n");
    assert_eq!(server.poll_output(), None, "nothing is sent meanwhile");
    server.handle_timeout(at(400));
    let mut told = BTreeMap::new();
    while let Some((client, ByteOutput::Data(bytes))) = server.poll_output() {
        told.entry(client).or_insert_with(Vec::new).extend(bytes);
    }
    assert_eq!(told[&sleeper], b"+PONG\r\n+OK\r\n:1\r\n:1\r\n");
    assert_eq!(told[&waiter], b"*2\r\n$1\r\nq\r\n$1\r\nx\r\n");
}

/// Some requests must not follow others at once: their client would not know where replies end.
#[test]
fn some_requests_are_refused_while_replies_are_pending() {
    let debug: &[u8] = b"SCRIPT DEBUG NO\r\n";
    let told = |requests: &[&[u8]]| {
        let (mut server, mut told) = (server(), BTreeMap::new());
        server.connected(NOW, CLIENT, "one");
        for request in requests {
            server.receive(NOW, CLIENT, request);
            drain(&mut server, &mut told);
        }
        String::from_utf8(told.remove(&CLIENT).expect("there are replies").0).expect("text")
    };
    assert_eq!(told(&[b"PING\r\n", debug]), "+PONG\r\n+OK\r\n");
    assert_eq!(
        told(&[&[b"PING\r\n", debug].concat()]),
        "+PONG\r\n-ERR SCRIPT DEBUG must be called outside a pipeline\r\n"
    );
    assert_eq!(
        told(&[b"MULTI\r\n", debug, b"EXEC\r\n"]),
        "+OK\r\n+QUEUED\r\n*1\r\n-ERR SCRIPT DEBUG must be called outside a pipeline\r\n"
    );
    assert_eq!(
        told(&[b"PING\r\nPSYNC ? -1\r\n"]),
        "+PONG\r\n-ERR SYNC and PSYNC are invalid with pending output\r\n"
    );
}

/// The bytes that a client has sent spare the server the count of each request's bytes, but never
/// hide a large one.
#[test]
fn large_requests_are_noted_however_they_arrive() {
    // A short reply may be large for the lower limit, and is never for the higher one.
    for limit in [100, 400] {
        let long = "x".repeat(limit + 20);
        let lines = [
            format!(
                "CONFIG SET commandlog-request-larger-than {limit} \
                 commandlog-reply-larger-than {limit}"
            ),
            "COMMANDLOG RESET large-request".to_owned(),
            format!("SET {long} 1"),
            format!("SET k {long}"),
            "MULTI".to_owned(),
            format!("GET {long}"),
            "GET k".to_owned(),
            "PING".to_owned(),
            "EXEC".to_owned(),
            format!("BLPOP {long}l 0"),
            "COMMANDLOG LEN large-request".to_owned(),
            "COMMANDLOG LEN large-reply".to_owned(),
        ];
        let bytes = lines.join("\r\n") + "\r\n";
        let told = |pieces: usize| {
            let (mut server, mut told) = (of_valkey(), BTreeMap::new());
            server.connected(NOW, CLIENT, "one");
            server.connected(NOW, 2, "two");
            for piece in bytes.as_bytes().chunks(pieces) {
                server.receive(NOW, CLIENT, piece);
            }
            server.receive(NOW, 2, format!("RPUSH {long}l v\r\n").as_bytes());
            drain(&mut server, &mut told);
            let said = String::from_utf8(told.remove(&CLIENT).expect("there are replies").0);
            said.expect("text").lines().rev().take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        for pieces in [1, 7, 50, 130, bytes.len()] {
            // Both `SET`, `RPUSH` and `BLPOP`; `GET k`, `PING` behind it, and `BLPOP`.
            assert_eq!(told(pieces), [":3", ":4"], "limit {limit}, pieces of {pieces} bytes");
        }
    }
}

/// Each kind of reply is large from its limit on, whatever is plainly small otherwise.
#[test]
fn a_reply_is_large_from_its_limit_on() {
    // Each with the length of its reply.
    let requests = [
        (format!("SET k {}", "v".repeat(500)), "+OK\r\n".len()),
        ("GET k".to_owned(), "$500\r\n\r\n".len() + 500),
        ("GETRANGE k 0 199".to_owned(), "$200\r\n\r\n".len() + 200),
        ("STRLEN k".to_owned(), ":500\r\n".len()),
        ("GET none".to_owned(), "$-1\r\n".len()),
        ("MGET k none".to_owned(), "*2\r\n$500\r\n\r\n$-1\r\n".len() + 500),
        ("NONE".to_owned(), 0),
        ("LPUSH k v".to_owned(), 68),
    ];
    for limit in 1..600 {
        let (mut server, mut told) = (of_valkey(), BTreeMap::new());
        server.connected(NOW, CLIENT, "one");
        let config = format!("CONFIG SET commandlog-reply-larger-than {limit}\r\n");
        server.receive(NOW, CLIENT, config.as_bytes());
        server.receive(NOW, CLIENT, b"COMMANDLOG RESET large-reply\r\n");
        for (request, _) in &requests {
            server.receive(NOW, CLIENT, format!("{request}\r\n").as_bytes());
        }
        server.receive(NOW, CLIENT, b"COMMANDLOG LEN large-reply\r\n");
        drain(&mut server, &mut told);
        let said = String::from_utf8(told.remove(&CLIENT).expect("there are replies").0);
        let noted = said.expect("text").lines().last().map(str::to_owned);
        let large = requests.iter().filter(|(_, length)| *length >= limit).count();
        // The reply to `COMMANDLOG RESET` is there when it is noted itself.
        let large = large + usize::from("+OK\r\n".len() >= limit);
        assert_eq!(noted, Some(format!(":{large}")), "limit {limit}");
    }
}

fn of_valkey() -> ByteServer {
    let options = ServerOptions::default().with_version(Version::Valkey8_1);
    let random = Stream::seeded(1, Site::new("test.bytes"), 0);
    ByteServer::new(Server::new(options, random))
}
