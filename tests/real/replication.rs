//! The stream that a master sends: a client asks both servers for it (`PSYNC`), and what follows
//! the data set is compared byte for byte after each step, except for the clock's times in it.

use crate::both::Both;
use crate::differential::{number, shown};
use crate::grammar::{PATTERNS, Picks, build, mutate};
use crate::hash_fields;
use crate::server::{RealServer, RealSocket, request};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::{ClientId, Dial, DialAction, Output, Server};
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Site, Stream};

/// The client that reads the stream.
const REPLICA: u64 = 50;

/// Both servers, each with a client that has received the data set and reads the stream.
struct Streams<'a> {
    both: Both<'a>,
}

/// Returns what follows the answer to `PSYNC` and the data set, if all of that has arrived.
fn after_data_set(bytes: &[u8]) -> Option<&[u8]> {
    let line = |from: usize| {
        let end = bytes[from..].windows(2).position(|pair| pair == b"\r\n")?;
        Some((&bytes[from..from + end], from + end + 2))
    };
    let (answer, mut at) = line(0)?;
    assert!(answer.starts_with(b"+FULLRESYNC "), "{}", answer.escape_ascii());
    while bytes.get(at) == Some(&b'\n') {
        at += 1;
    }
    let (len, at) = line(at)?;
    let len: usize = std::str::from_utf8(len.strip_prefix(b"$")?).unwrap().parse().unwrap();
    bytes.get(at + len..)
}

impl<'a> Streams<'a> {
    fn new(server: &'a RealServer) -> Streams<'a> {
        let mut both = Both::new(server, "");
        both.tell_time();
        both.send(0, &request(&[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"]));
        both.send(0, &request(&[b"CONFIG", b"SET", b"repl-diskless-sync-delay", b"0"]));
        both.send(0, &request(&[b"CONFIG", b"SET", b"repl-ping-replica-period", b"100000"]));
        both.told();
        both.send(REPLICA, &request(&[b"PSYNC", b"?", b"-1"]));
        let (mut real, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..1_000 {
            if let Some((more_real, more_ours)) = both.told().remove(&REPLICA) {
                real.extend(more_real.bytes);
                ours.extend(more_ours.bytes);
            }
            if after_data_set(&real).is_some() && after_data_set(&ours).is_some() {
                // Only the first ping of the real server may be here.
                return Streams { both };
            }
            let _ = Command::new("sleep").arg("0.01").status();
        }
        panic!("no data set: {} and {}", real.escape_ascii(), ours.escape_ascii());
    }

    /// Returns the next part of both streams.
    fn next(&mut self) -> (String, String) {
        let (real, ours) = self.both.told().remove(&REPLICA).expect("it is connected");
        (readable(&real.bytes), readable(&ours.bytes))
    }
}

/// Returns a stream as a line for each command. The clock's times are hidden.
fn readable(mut bytes: &[u8]) -> String {
    let mut lines = String::new();
    let take = |bytes: &mut &[u8]| -> Option<usize> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let number = std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()?;
        *bytes = &bytes[end + 2..];
        Some(number)
    };
    while bytes.first() == Some(&b'*') {
        let Some(count) = take(&mut bytes) else { break };
        let mut words = Vec::new();
        for _ in 0..count {
            let Some(len) = take(&mut bytes) else { break };
            words.push(hidden(&bytes[..len]));
            bytes = &bytes[len + 2..];
        }
        if words != ["PING"] {
            lines += &(words.join(" ") + "\n");
        }
    }
    lines + &bytes.escape_ascii().to_string()
}

/// Returns a word, with a time of about now replaced.
fn hidden(word: &[u8]) -> String {
    let text = word.escape_ascii().to_string();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let is_time =
        digits == 13 && text.starts_with("1") && (rest.is_empty() || rest.starts_with('-'));
    if is_time { format!("<time>{rest}") } else { text }
}

/// Lines of `client: command`, a line for each step.
const CORPUS: &str = "
0: SET a 1
0: SET a 1 EX 100
0: SET a 1 px 100000 nx
0: SET a 2 GET
0: SET a 2 GET EX 50
0: set b 2 keepttl get
0: SET a v NX
0: SETEX a 10 v
0: PSETEX a 10000 v
0: SETNX a v
0: GETSET a w
0: GETDEL a
0: GETDEL a
0: SET a 1
0: GETEX a
0: GETEX a EX 100
0: GETEX a PERSIST
0: GETEX a PERSIST
0: GETEX a EXAT 1
0: SET a 10
0: EXPIRE a 100
0: EXPIRE a 200 GT
0: EXPIRE a 100 GT
0: PEXPIRE a 1000000
0: EXPIREAT a 4102444800
0: pexpireat a 4102444800000
0: PERSIST a
0: EXPIRE a -1
0: EXPIRE a 1
0: INCR n
0: INCRBYFLOAT n 0.1
0: HSET h f 1
0: HINCRBYFLOAT h f 0.25
0: HINCRBY h g 3
0: SADD s a b c
0: SADD s a
0: SPOP t
0: SADD one x
0: SPOP one
0: SADD two x y
0: SPOP two 5
0: SADD three 1
0: SPOP three 0
0: SELECT 1
0: SET a 1
0: SELECT 0
0: MOVE n 1
0: SWAPDB 0 1
0: FLUSHDB
0: FLUSHDB
0: FLUSHALL ASYNC
0: XADD st * f v
0: XADD st 4102444800000-* f v
0: XADD st MAXLEN ~ 1 * f v
0: XADD st MAXLEN 1 NOMKSTREAM 4102444800001-5 f v
0: XADD nost NOMKSTREAM * f v
0: XTRIM st MAXLEN ~ 0 LIMIT 5
0: XTRIM st MINID ~ 5
0: XTRIM st MAXLEN 0
0: XADD q 1-1 f v
0: XADD q 1-2 f v
0: XADD q 1-3 f v
0: XADD q 1-4 f v
0: XGROUP CREATE q g 0
0: XREADGROUP GROUP g c COUNT 2 STREAMS q >
0: XREADGROUP GROUP g c STREAMS q 0
0: XREADGROUP GROUP g d NOACK COUNT 1 STREAMS q >
0: XREADGROUP GROUP g nobody STREAMS q >
0: XREADGROUP GROUP g nobody STREAMS q >
0: XCLAIM q g e 0 1-1
0: XCLAIM q g e 0 1-1 1-2 1-3 JUSTID
0: XDEL q 1-2
0: XCLAIM q g f 0 1-2 1-1
0: XCLAIM q g f 0 9-9 LASTID 5-5
0: XCLAIM q g f 100000 1-1
0: XAUTOCLAIM q g h 0 0
0: XDEL q 1-1
0: XAUTOCLAIM q g h 0 0 COUNT 10 JUSTID
0: XACK q g 1-4
0: XACK q g 1-4
0: XGROUP CREATECONSUMER q g new
0: XGROUP DELCONSUMER q g new
0: XGROUP DESTROY q g
0: XSETID q 9-9
1: BLPOP l 0
0: RPUSH l a b
1: BRPOP l 0
0: RPUSH l a b c d
1: BLMPOP 0 2 nol l RIGHT COUNT 3
0: LMPOP 1 l LEFT
1: BLMPOP 0 1 l LEFT COUNT 3
0: RPUSH l 1 2 3 4 5
1: BLMOVE src dst LEFT RIGHT 0
0: RPUSH src 1
1: BRPOPLPUSH src dst 0
0: RPUSH src 1
0: BLMOVE dst src right left 0
0: BRPOPLPUSH src dst 0
0: DEL l src dst
1: BZPOPMIN z 0
0: ZADD z 1 a 2 b
1: BZPOPMAX z 0
1: BZMPOP 0 1 z MIN COUNT 2
0: ZADD z 1 a 2 b 3 c
0: ZMPOP 1 z MAX
0: ZADD z 5 a
0: BZPOPMIN z 0
0: ZINCRBY z 1 a
0: GEOADD g CH 13.361389 38.115556 p 15.087269 37.502669 q
0: GEOSEARCHSTORE g2 g FROMLONLAT 15 37 BYRADIUS 200 km
0: GEORADIUS g 15 37 200 km STORE g3
0: PFADD p a
0: PFADD p a
0: PFCOUNT p
0: PFMERGE p2 p
0: SORT s BY nosort STORE sorted
0: PUBLISH c hello
0: SPUBLISH c hello
0: MULTI
0: SET a 1
0: EXPIRE a 100
0: EXEC
0: MULTI
0: SET a 1
0: EXEC
0: MULTI
0: GET a
0: EXEC
0: MULTI
0: SELECT 3
0: SET a 1
0: SELECT 0
0: SET b 1
0: EXEC
0: WATCH a
0: SET a 5 PXAT 1
0: GET a
0: SET a 5 PXAT 1
0: SET a 6
0: SET a 5 PXAT 1
0: MULTI
0: GET a
0: SET b 1
0: EXEC
0: SET a 5 PXAT 1
0: SCAN 0
0: SET a 5
0: COPY a b REPLACE
0: RENAME b c
0: RENAMENX c d
0: APPEND d x
0: SETRANGE d 0 y
0: SETBIT bits 3 1
0: BITFIELD bits SET u8 0 7
0: BITFIELD bits GET u8 0
0: LPUSH li a
0: LPUSHX nolist a
0: LTRIM li 0 0
0: LREM li 0 zz
0: LINSERT li BEFORE zz a
0: DEBUG OBJECT a
0: UNLINK a
0: DEL nothing
0: TOUCH d
0: INCR d
0: LPUSH d x
";

/// Scripts, whose effects are those of their commands.
#[cfg(feature = "lua")]
const SCRIPTS: &str = "
0: EVAL return(1) 0
0: EVAL redis.call('set','a',1) 0
0: EVAL redis.call('set','a',1)redis.call('expire','a',100)redis.call('incr','n') 0
0: EVAL redis.call('select',2)redis.call('set','a',1) 0
0: MULTI
0: EVAL redis.call('set','a',1)redis.call('set','b',1) 0
0: SET c 1
0: EXEC
0: SCRIPT LOAD return(1)
0: EVAL redis.call('publish','c','m') 0
0: EVAL redis.call('set','a',1)error('x') 0
0: FUNCTION LOAD #!lua\\x20name=l\\nredis.register_function('f',function()redis.call('set','k',1)end)
0: FCALL f 0
0: FUNCTION DELETE l
0: FUNCTION FLUSH
";

fn compare(corpus: &str) {
    let Some(server) = RealServer::start(&["--save", "", "--appendonly", "no"]) else { return };
    let mut streams = Streams::new(&server);
    let mut log = Vec::new();
    for line in corpus.lines().filter(|line| !line.is_empty()) {
        let (client, words) = line.split_once(": ").unwrap();
        let unescape = |word: &str| word.replace("\\x20", " ").replace("\\n", "\n").into_bytes();
        let words: Vec<Vec<u8>> = words.split(' ').map(unescape).collect();
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        log.push(line);
        streams.both.send(client.parse().unwrap(), &request(&words));
        let (real, ours) = streams.next();
        assert_eq!(ours, real, "after\n{}", log.join("\n"));
    }
}

#[test]
fn each_command_is_sent_to_replicas_as_the_real_server_sends_it() {
    compare(CORPUS);
}

#[test]
#[cfg(feature = "lua")]
fn scripts_are_sent_to_replicas_as_the_real_server_sends_them() {
    compare(SCRIPTS);
}

/// Commands that draw at random, or end their connection or the stream.
const LEFT_OUT: [&[u8]; 8] =
    [b"SPOP", b"HELLO", b"DEBUG", b"CONFIG", b"RESET", b"QUIT", b"CLIENT", b"SHUTDOWN"];

#[test]
fn random_commands_are_sent_to_replicas_as_the_real_server_sends_them() {
    compare_streams(PATTERNS);
}

#[test]
fn random_hash_fields_are_sent_to_replicas_as_the_real_server_sends_them() {
    compare_streams(hash_fields::PATTERNS);
}

fn compare_streams(patterns: &[&str]) {
    let Some(server) = RealServer::start(&["--save", "", "--appendonly", "no"]) else { return };
    let cases = number("STUNT_DOUBLE_REAL_CASES", 60);
    let mut state = number("STUNT_DOUBLE_REAL_SEED", 1);
    let mut draw = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u16
    };
    let mut differences = Vec::new();
    for case in 0..cases {
        let mut streams = Streams::new(&server);
        let mut log = Vec::new();
        for _ in 0..40 {
            let client = u64::from(draw() % 3);
            let pattern = usize::from(draw()) % patterns.len();
            let picks: Vec<u16> = (0..24).map(|_| draw()).collect();
            let mut words = build(patterns[pattern], &mut Picks(&picks));
            if draw() % 8 == 0 {
                mutate(&mut words, draw(), usize::from(draw()), usize::from(draw()));
            }
            if LEFT_OUT.iter().any(|name| words[0].eq_ignore_ascii_case(name)) {
                continue;
            }
            log.push(format!("{client}: {}", shown(&words)));
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            streams.both.send(client, &request(&words));
            let (real, ours) = streams.next();
            if ours != real {
                let log = log.join("\n");
                differences
                    .push(format!("case {case}: ours {ours:?}, real {real:?}, after\n{log}"));
                break;
            }
        }
        streams.both.disconnect(REPLICA);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Runs commands that make keys of every type on a server.
const KEYS: &str = "
SET a 1
SET b 2 EX 1000
RPUSH l a b c
SADD s x y z
SADD i 1 2 3
ZADD z 1 a 2 b
HSET h f v g w
XADD st 1-1 f v
XADD st 2-1 f v
XGROUP CREATE st g 0
XREADGROUP GROUP g c COUNT 1 STREAMS st >
PFADD p a b
GEOADD geo 13.361389 38.115556 p
SETBIT bits 9 1
INCRBYFLOAT a 0.5
SPOP s
EXPIRE l 100
SELECT 3
SET other 1
";

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

fn a_moment() {
    let _ = Command::new("sleep").arg("0.01").status();
}

fn our_server(real: &RealServer) -> Server {
    let random = Stream::seeded(1, Site::new("test.real"), 0);
    let options = ServerOptions::default().with_version(real.version());
    Server::new(options.with_sync_delay(Duration::ZERO), random)
}

fn digest_of(real: &RealServer) -> String {
    let reply = real.connect().request(&[b"DEBUG", b"DIGEST"]);
    String::from_utf8_lossy(&reply).trim_start_matches('+').trim().to_owned()
}

#[test]
fn our_server_follows_a_real_one() {
    let Some(real) = RealServer::start(&["--save", "", "--repl-diskless-sync-delay", "0"]) else {
        return;
    };
    let mut client = real.connect();
    let run = |client: &mut RealSocket| {
        for line in KEYS.lines().filter(|line| !line.is_empty()) {
            client.request(&words(line));
        }
        client.request(&[b"SELECT", b"0"]);
    };
    run(&mut client);
    let mut both = Both::with(&real, ServerOptions::default());
    both.tell_time();
    let mut now = both.now();
    let mut ours = our_server(&real);
    let operator = ClientId(1);
    ours.connected(now, operator, "operator");
    ours.handle_input(now, operator, &[b"REPLICAOF", b"real", b"6379"]);
    let mut line: Option<(u64, RealSocket)> = None;
    let mut synced = false;
    for round in 0..2_000 {
        while let Some(Dial { link, action }) = ours.poll_dial() {
            match action {
                DialAction::Open { .. } => {
                    line = Some((link, real.connect()));
                    ours.dialed(now, link, true);
                }
                DialAction::Send(bytes) => line.as_mut().expect("it is open").1.send(&bytes),
                DialAction::Close => line = None,
            }
        }
        let Some((link, socket)) = &mut line else { panic!("the link was given up") };
        let (bytes, closed) = socket.available();
        assert!(!closed, "the real server has closed the link");
        if !bytes.is_empty() {
            ours.dial_received(now, *link, &bytes);
        }
        ours.handle_timeout(now);
        while ours.poll_output().is_some() {}
        assert_eq!(ours.check_invariants(), Ok(()));
        ours.handle_input(now, operator, &[b"DEBUG", b"DIGEST"]);
        let Some(Output::Reply { reply, .. }) = ours.poll_output() else { panic!("it answers") };
        if reply.as_text() == Some(&digest_of(&real)) {
            if synced {
                assert!(real.connect().request(&[b"WAIT", b"1", b"1000"]).starts_with(b":"));
                return;
            }
            synced = true;
            client.request(&[b"FLUSHALL"]);
            run(&mut client);
            client.request(&[b"SET", b"one more", b"1"]);
        }
        now += Duration::from_millis(10);
        if round > 20 {
            a_moment();
        }
    }
    panic!("the data sets never were the same");
}

#[test]
fn a_real_server_follows_ours() {
    let Some(real) = RealServer::start(&["--save", "", "--bind", "127.0.0.1"]) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("sockets may not block");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let mut ours = ByteServer::new(our_server(&real));
    let mut both = Both::with(&real, ServerOptions::default());
    both.tell_time();
    let mut now = both.now();
    let operator = ClientId(1_000);
    ours.machine_mut().connected(now, operator, "operator");
    let run = |ours: &mut ByteServer, now| {
        for line in KEYS.lines().filter(|line| !line.is_empty()) {
            ours.machine_mut().handle_input(now, operator, &words(line));
        }
        ours.machine_mut().handle_input(now, operator, &[b"SELECT", b"0"]);
    };
    run(&mut ours, now);
    real.connect().request(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()]);
    let mut sockets: BTreeMap<u64, TcpStream> = BTreeMap::new();
    let mut synced = false;
    for _ in 0..1_500 {
        if let Ok((socket, _)) = listener.accept() {
            socket.set_nonblocking(true).expect("sockets may not block");
            let number = sockets.len() as u64 + 1;
            ours.connected(now, number, "127.0.0.1:1");
            sockets.insert(number, socket);
        }
        for (number, socket) in &mut sockets {
            let mut bytes = [0; 4096];
            if let Ok(read) = socket.read(&mut bytes)
                && read > 0
            {
                ours.receive(now, *number, &bytes[..read]);
            }
        }
        ours.handle_timeout(now);
        while let Some((number, output)) = ours.poll_output() {
            if let (ByteOutput::Data(bytes), Some(socket)) = (output, sockets.get_mut(&number)) {
                socket.write_all(&bytes).expect("the real server reads");
            }
        }
        ours.machine_mut().handle_input(now, operator, &[b"DEBUG", b"DIGEST"]);
        let digest = loop {
            match ours.machine_mut().poll_output() {
                Some(Output::Reply { client, reply, .. }) if client == operator => {
                    let text = reply.as_text().unwrap_or_default().to_owned();
                    if text.len() == 40 {
                        break text;
                    }
                }
                Some(_) => {}
                None => panic!("it answers"),
            }
        };
        if digest == digest_of(&real) {
            if synced {
                let role = real.connect().request(&[b"ROLE"]);
                assert!(role.windows(9).any(|part| part == b"connected"));
                return;
            }
            synced = true;
            run(&mut ours, now);
            ours.machine_mut().handle_input(now, operator, &[b"SET", b"one more", b"1"]);
        }
        now += Duration::from_millis(10);
        a_moment();
    }
    panic!("the data sets never were the same");
}
