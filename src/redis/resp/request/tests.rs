//! Tests of the request parser: against the answers of a 7.0.15 server to the same bytes, with
//! input in pieces, and with arbitrary bytes.

use super::*;
use proptest::prelude::*;

type Args = Vec<Vec<u8>>;

/// Feeds the bytes in pieces. Returns the requests and how the parser ended.
fn run(
    parser: &mut RequestParser,
    bytes: &[u8],
    piece: usize,
) -> (Vec<Args>, Option<ProtocolError>) {
    let mut requests = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        parser.feed(piece);
        loop {
            match parser.next_request() {
                Ok(Some(request)) => requests.push(request.iter().map(<[u8]>::to_vec).collect()),
                Ok(None) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn requests(bytes: &[u8]) -> Vec<Args> {
    let (requests, error) = run(&mut RequestParser::new(), bytes, usize::MAX);
    assert_eq!(error, None, "{}", bytes.escape_ascii());
    requests
}

/// Returns what is answered to the bytes, apart from the requests in them.
fn answer(parser: &mut RequestParser, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if let (_, Some(error)) = run(parser, bytes, usize::MAX) {
        error.encode(&mut out);
    }
    out
}

/// The answers of a real server, byte for byte. An empty answer means that the server waits for
/// more.
#[test]
fn errors_are_the_servers() {
    let long = |head: &[u8], n: usize| [head, &b"1".repeat(n)].concat();
    let table: &[(&[u8], &str)] = &[
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*2147483647\r\n", ""),
        (b"*1048577\r\n", ""),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*1\n$4\r\nPING\r\n", "invalid multibulk length"),
        (b"*x\r", ""),
        (b"*x\rq", "invalid multibulk length"),
        (b"*1\0\r\n", ""),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$536870912\r\n", ""),
        (b"*1\r\n$4294967297\r\n", "invalid bulk length"),
        (b"*1\r\n:3\r\n", "expected '$', got ':'"),
        (b"*1\r\n:\r", ""),
        (b"*1\r\n:\rz", "expected '$', got ':'"),
        (b"*1\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n$4\0\r\nPING\r\n", ""),
        (&long(b"*", 65_535), ""),
        (&long(b"*", 65_536), "too big mbulk count string"),
        (&long(b"*1\r\n$", 65_535), ""),
        (&long(b"*1\r\n$", 65_536), "too big bulk count string"),
        (&long(b"", 65_536), ""),
        (&long(b"", 65_537), "too big inline request"),
        (b"ping \"a\r\n", "unbalanced quotes in request"),
        (b"ping 'a'b\r\n", "unbalanced quotes in request"),
    ];
    for (bytes, text) in table {
        let expected = match *text {
            "" => Vec::new(),
            text => format!("-ERR Protocol error: {text}\r\n").into_bytes(),
        };
        let found = answer(&mut RequestParser::new(), bytes);
        assert_eq!(found, expected, "{}", bytes[..bytes.len().min(60)].escape_ascii());
    }
    let found = answer(&mut RequestParser::new(), b"*1\r\n\xe9\r\n");
    assert_eq!(found, b"-ERR Protocol error: expected '$', got '\xe9'\r\n");
}

#[test]
fn before_authentication_requests_are_small() {
    for (bytes, text) in [
        (&b"*11\r\n"[..], "-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*10\r\n$4\r\n", ""),
        (b"*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"),
        (b"*1\r\n$16384\r\n", ""),
        (b"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$999999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"ping a a a a a a a a a a a a a a\r\n", ""),
    ] {
        let mut parser = RequestParser::new();
        parser.set_authenticated(false);
        assert_eq!(answer(&mut parser, bytes), text.as_bytes());
    }
    // A request that follows the authenticating one is judged by the new limits.
    let mut parser = RequestParser::new();
    parser.set_authenticated(false);
    parser.feed(b"*2\r\n$4\r\nauth\r\n$2\r\npw\r\n*11\r\n");
    assert!(matches!(parser.next_request(), Ok(Some(request)) if request.get(1) == b"pw"));
    parser.set_authenticated(true);
    assert!(matches!(parser.next_request(), Ok(None)));
}

#[test]
fn lax_where_the_server_is() {
    let ping = || vec![b"PING".to_vec()];
    for bytes in [
        &b"*0\r\n*1\r\n$4\r\nPING\r\n"[..],
        b"*-1\r\n*-99\r\n*1\r\n$4\r\nPING\r\n",
        b"*1\rX$4\rYPINGZZ",
        b"PING\r\n",
        b"PING\n",
        b"\r\n\n   \r\n\r\r\nPING\r\r\n",
        b"\"PING\"\r\n",
    ] {
        assert_eq!(requests(bytes), [ping()], "{}", bytes.escape_ascii());
    }
    assert_eq!(requests(b"PING\r\n*1\r\n$4\r\nPINGxxPING\r\n"), [ping(), ping(), ping()]);
    assert_eq!(requests(b"$4\r\nPING\r\n"), [vec![b"$4".to_vec()], ping()]);
    assert_eq!(requests(b"PING\0a\r\nPING\r\n"), [] as [Args; 0]);
    let long = [b"PING ".to_vec(), b"a".repeat(70_000), b"\r\n".to_vec()].concat();
    assert_eq!(requests(&long)[0][1].len(), 70_000);
}

/// Answers of the real servers. What is not an answer is a request that is not there yet.
#[test]
fn corners_of_later_versions() {
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    let crlf = "-ERR Protocol error: invalid CRLF in request\r\n";
    let (count, length) = (
        "-ERR Protocol error: invalid multibulk length\r\n",
        "-ERR Protocol error: invalid bulk length\r\n",
    );
    let (digit, letter, nul) = (
        "-ERR Protocol error: expected '$', got '4'\r\n",
        "-ERR Protocol error: expected '$', got 'P'\r\n",
        "-ERR Protocol error: expected '$', got '\0'\r\n",
    );
    let table: [(&[u8], &str, &str, &str); 14] = [
        (b"*1\r$4\r\nPING\r\n", digit, digit, crlf),
        (b"*1\rX$4\r\nPING\r\n", "", "", crlf),
        (b"*1\r\n$4\rXPING\r\n", "", "", crlf),
        (b"*1\r\n$4\r\nPINGxx", "", "", crlf),
        (b"*1\r\n$4\r\nPINGx\r", "", "", crlf),
        (b"*1\r\n$4\r\nPINGx", "", "", ""),
        (b"*0\rX", "", "", crlf),
        (b"*x\rX", count, count, crlf),
        (b"*1\r\n$x\rX", length, length, crlf),
        (b"*1\r\nP\rX", letter, letter, letter),
        (b"*1\0\r\n$4\r\nPING\r\n", "", "", count),
        (b"*1\r\n$4\0\r\nPING\r\n", "", length, length),
        (b"*1\r\n\0\r\n", "", nul, nul),
        (b"PI\0NG\r\n", "", "", ""),
    ];
    for (bytes, before, redis_8_6, valkey_8_1) in table {
        for (version, expected) in [
            (Version::Redis8_2, before),
            (Version::Redis8_6, redis_8_6),
            (Version::Valkey8_0, before),
            (Version::Valkey8_1, valkey_8_1),
            (Version::Valkey9_1, valkey_8_1),
        ] {
            let mut parser = RequestParser::new();
            parser.set_version(version);
            let found = answer(&mut parser, bytes);
            let found = String::from_utf8_lossy(&found).into_owned();
            assert_eq!(found, expected, "{version}: {}", bytes.escape_ascii());
            let read = |piece: usize| {
                let mut parser = RequestParser::new();
                parser.set_version(version);
                run(&mut parser, &[PING, bytes].concat(), piece)
            };
            assert_eq!(read(1), read(usize::MAX), "{version}: {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn it_stays_failed_and_keeps_nothing() {
    let mut parser = RequestParser::new();
    parser.feed(b"*x\r\nPING\r\n");
    assert_eq!(parser.next_request().err(), Some(ProtocolError::InvalidMultibulkLength));
    parser.feed(b"PING\r\n");
    assert_eq!(parser.next_request().err(), Some(ProtocolError::InvalidMultibulkLength));
    assert_eq!(parser.buffered(), 0);
}

#[test]
fn an_unfinished_request_is_limited_and_a_pipeline_is_not() {
    let mut parser = RequestParser::new();
    parser.set_query_buffer_limit(100);
    parser.set_max_bulk_len(1000);
    let (requests, error) = run(&mut parser, &b"*1\r\n$4\r\nPING\r\n".repeat(50), usize::MAX);
    assert_eq!((requests.len(), error), (50, None));
    let (_, error) = run(&mut parser, &[&b"*1\r\n$1000\r\n"[..], &[b'x'; 90]].concat(), 10);
    assert_eq!(error, Some(ProtocolError::QueryBufferLimit));
    assert_eq!(error.and_then(|error| error.reply()), None);
}

#[test]
fn announced_lengths_are_not_trusted() {
    let mut parser = RequestParser::new();
    parser.feed(b"*2147483647\r\n$536870912\r\n");
    assert!(matches!(parser.next_request(), Ok(None)));
    assert!(parser.args.capacity() + parser.buffer.capacity() < 100);
}

/// A parser with quadratic cost would take minutes here.
#[test]
fn a_bulk_in_pieces_of_one_byte() {
    let n = 3_000_000;
    let mut parser = RequestParser::new();
    parser.feed(format!("*1\r\n${n}\r\n").as_bytes());
    for _ in 0..n + 1 {
        parser.feed(b"\r");
        assert!(matches!(parser.next_request(), Ok(None)));
    }
    parser.feed(b"\n");
    assert!(matches!(parser.next_request(), Ok(Some(request)) if request.get(0).len() == n));
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        expected in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<Vec<u8>>(), 1..5)), 0..8),
        piece in 1usize..50,
    ) {
        let mut bytes = Vec::new();
        for (inline, args) in &expected {
            if *inline {
                for arg in args {
                    let hex: String = arg.iter().map(|b| format!("\\x{b:02x}")).collect();
                    bytes.extend_from_slice(format!("\"{hex}\" ").as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
            } else {
                bytes.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
                for arg in args {
                    bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
                    bytes.extend_from_slice(arg);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
        }
        let expected: Vec<Args> = expected.into_iter().map(|(_, args)| args).collect();
        let mut parser = RequestParser::new();
        prop_assert_eq!(run(&mut parser, &bytes, piece), (expected, None));
        prop_assert_eq!(parser.buffered(), 0);
    }

    #[test]
    fn any_bytes_end_alike_in_any_pieces(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "([*$][0-9]{0,2}\r\n?|[a\"' \0]{0,3}\n?){0,20}".prop_map(String::into_bytes),
        ],
        piece in 1usize..9,
    ) {
        let whole = run(&mut RequestParser::new(), &bytes, usize::MAX);
        prop_assert_eq!(run(&mut RequestParser::new(), &bytes, piece), whole);
    }
}

#[test]
fn the_first_arguments_of_whole_requests_are_seen_ahead() {
    let mut parser = RequestParser::new();
    let seen = |parser: &RequestParser| -> Vec<Vec<u8>> {
        parser.first_arguments().map(<[u8]>::to_vec).collect()
    };
    parser.feed(b"*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n$1\r\nv\r\n");
    parser.feed(b"*2\r\n$3\r\nGET\r\n$9\r\nhalf");
    assert_eq!(seen(&parser), [b"k1", b"k2"]);
    assert_eq!(parser.next_request().unwrap().unwrap().len(), 2);
    assert_eq!(seen(&parser), [b"k2"]);
    assert_eq!(parser.next_request().unwrap().unwrap().len(), 3);
    assert!(parser.next_request().unwrap().is_none());
    // Within a request there is nothing to see, nor behind one of another form.
    assert!(seen(&parser).is_empty());
    for other in
        [&b"PING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"[..], b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3"]
    {
        let mut parser = RequestParser::new();
        parser.feed(other);
        assert!(seen(&parser).is_empty(), "{}", other.escape_ascii());
    }
}

/// Lengths of one and two digits are read at a glance, and mean what longer ones mean.
#[test]
fn short_lengths_are_read_as_any_others() {
    use ProtocolError::{ExpectedBulk, InvalidBulkLength, InvalidMultibulkLength};
    let word = |text: &str| vec![vec![text.as_bytes().to_vec()]];
    let long = "x".repeat(99);
    let long_bulk = format!("*1\r\n$99\r\n{long}\r\n");
    type Read = Result<Vec<Args>, ProtocolError>;
    let cases: [(&[u8], Read); 10] = [
        (b"*1\r\n$4\r\nPING\r\n", Ok(word("PING"))),
        (b"*1\rX$4\rYPING\r\n", Ok(word("PING"))),
        (b"*1\r\n$0\r\n\r\n", Ok(word(""))),
        (b"*1\r\n$10\r\n0123456789\r\n", Ok(word("0123456789"))),
        (long_bulk.as_bytes(), Ok(word(&long))),
        (b"*0\r\n*1\r\n$1\r\na\r\n", Ok(word("a"))),
        (b"*01\r\n$1\r\na\r\n", Err(InvalidMultibulkLength)),
        (b"*1\r\n$04\r\nPING\r\n", Err(InvalidBulkLength)),
        (b"*1\r\n$-1\r\n", Err(InvalidBulkLength)),
        (b"*1\r\n+3\r\nabc\r\n", Err(ExpectedBulk(b'+'))),
    ];
    for (bytes, expected) in cases {
        for piece in [1, 2, 3, 5, usize::MAX] {
            let (requests, error) = run(&mut RequestParser::new(), bytes, piece);
            let found = error.map_or(Ok(requests), Err);
            assert_eq!(found, expected, "{} in pieces of {piece}", bytes.escape_ascii());
        }
    }
}
