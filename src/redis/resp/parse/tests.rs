//! Tests of the reply parser: round trips in both protocols, input in pieces, and arbitrary bytes.

use super::super::encode;
use super::*;
use crate::redis::Protocol;
use proptest::prelude::*;

fn parse_all(bytes: &[u8], piece: usize) -> Result<Vec<Reply>, MalformedReply> {
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        parser.feed(piece);
        while let Some(reply) = parser.next_reply()? {
            replies.push(reply);
        }
    }
    Ok(replies)
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        "[ -~é]{0,30}".prop_map(|text| Reply::Simple(text.into())),
        "[A-Z]{1,5} [ -~é]{0,30}".prop_map(|text| Reply::Error(ErrorReply(text.into()))),
        any::<i64>().prop_map(Reply::Integer),
        any::<Vec<u8>>().prop_map(|bytes| Reply::Bulk(bytes.into())),
        Just(Reply::Nil),
        Just(Reply::NilArray),
        any::<f64>().prop_filter("NaN equals nothing", |x| !x.is_nan()).prop_map(Reply::Double),
        any::<bool>().prop_map(Reply::Boolean),
        "-?[1-9][0-9]{0,40}".prop_map(|digits| Reply::BigNumber(digits.into())),
        (prop_oneof![Just(*b"txt"), Just(*b"mkd")], any::<Vec<u8>>())
            .prop_map(|(format, bytes)| Reply::Verbatim(format, bytes.into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = proptest::collection::vec(inner.clone(), 0..6);
        let pairs = proptest::collection::vec((inner.clone(), inner), 0..4);
        prop_oneof![
            items.clone().prop_map(Reply::Array),
            items.clone().prop_map(Reply::Set),
            items.prop_map(Reply::Push),
            pairs.clone().prop_map(Reply::Map),
            pairs.prop_map(Reply::Pairs),
        ]
    })
}

fn any_protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Resp2), Just(Protocol::Resp3)]
}

proptest! {
    #[test]
    fn replies_come_back(
        replies in proptest::collection::vec(any_reply(), 1..4),
        protocol in any_protocol(),
        piece in 1usize..40,
    ) {
        let mut bytes = Vec::new();
        for reply in &replies {
            encode(reply, protocol, &mut bytes);
        }
        let expected: Vec<Reply> =
            replies.into_iter().map(|reply| reply.in_protocol(protocol)).collect();
        prop_assert_eq!(parse_all(&bytes, piece), Ok(expected));
    }

    #[test]
    fn encoding_is_in_protocol(reply in any_reply(), protocol in any_protocol()) {
        let (mut direct, mut converted) = (Vec::new(), Vec::new());
        encode(&reply, protocol, &mut direct);
        encode(&reply.in_protocol(protocol), protocol, &mut converted);
        prop_assert_eq!(direct, converted);
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>, piece in 1usize..8) {
        let _ = parse_all(&bytes, piece);
    }

    #[test]
    fn damaged_replies_are_parsed_or_refused(
        bytes in "([-+:$*_#,(!=~%>|](-?[0-9]{1,3}|inf|t)?\r\n?){0,20}",
        piece in 1usize..8,
    ) {
        let _ = parse_all(bytes.as_bytes(), piece);
    }
}

#[test]
fn kinds_that_only_a_server_sends() {
    let attribute = b"|1\r\n+ttl\r\n:3\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n!5\r\nERR x\r\n";
    assert_eq!(
        parse_all(attribute, 3),
        Ok(vec![Reply::Array(vec![Reply::Integer(1), Reply::Error(ErrorReply("ERR x".into()))])])
    );
    assert!(matches!(
        parse_all(b",-nan\r\n,nan\r\n", 1).as_deref(),
        Ok([Reply::Double(a), Reply::Double(b)]) if a.is_nan() && b.is_nan()
    ));
}

#[test]
fn bytes_that_are_not_a_reply() {
    for (bytes, error) in [
        (&b"x"[..], MalformedReply::UnknownKind(b'x')),
        (b"\r\n", MalformedReply::UnknownKind(b'\r')),
        (b"$-2\r\n", MalformedReply::InvalidLength),
        (b"$x\r\n", MalformedReply::InvalidLength),
        (b"*-2\r\n", MalformedReply::InvalidLength),
        (b"%-1\r\n", MalformedReply::InvalidLength),
        (b":x\r\n", MalformedReply::InvalidValue(b':')),
        (b",x\r\n", MalformedReply::InvalidValue(b',')),
        (b"#x\r\n", MalformedReply::InvalidValue(b'#')),
        (b"_x\r\n", MalformedReply::InvalidValue(b'_')),
        (b"=3\r\ntxt\r\n", MalformedReply::InvalidValue(b'=')),
        (b"!-1\r\n", MalformedReply::InvalidLength),
        (b"+a\rb", MalformedReply::MissingLineEnd),
        (b"$1\r\nabc", MalformedReply::MissingLineEnd),
    ] {
        let mut parser = ReplyParser::new();
        parser.feed(bytes);
        assert_eq!(parser.next_reply(), Err(error), "{}", bytes.escape_ascii());
        parser.feed(b"+OK\r\n");
        assert_eq!(parser.next_reply(), Err(error));
    }
}

#[test]
fn depth_is_bounded_and_lengths_are_not_trusted() {
    let deep = |n: usize| [b"*1\r\n".repeat(n), b":1\r\n".to_vec()].concat();
    assert_eq!(parse_all(&deep(ReplyParser::MAX_DEPTH), 7).map(|r| r.len()), Ok(1));
    assert_eq!(parse_all(&deep(ReplyParser::MAX_DEPTH + 1), 7), Err(MalformedReply::TooDeep));
    for huge in [&b"*9223372036854775807\r\n"[..], b"%9223372036854775807\r\n"] {
        let mut parser = ReplyParser::new();
        parser.feed(huge);
        parser.feed(b":1\r\n");
        assert_eq!(parser.next_reply(), Ok(None));
        assert!(parser.open[0].items.capacity() < 10);
    }
    let mut parser = ReplyParser::new();
    parser.feed(b"$9223372036854775807\r\n");
    assert_eq!(parser.next_reply(), Ok(None));
    assert!(parser.buffer.capacity() < 100);
}

/// Compares our encoder with another implementation of RESP, the crate `redis-protocol`.
mod oracle {
    use super::*;
    use redis_protocol::{resp2, resp3};
    use resp2::types::{OwnedFrame as Frame, Resp2Frame};

    /// Replaces both nulls of RESP2 with one, because the other implementation has only one.
    fn one_null(reply: Reply) -> Reply {
        match reply {
            Reply::NilArray => Reply::Nil,
            Reply::Array(items) => Reply::Array(items.into_iter().map(one_null).collect()),
            other => other,
        }
    }

    fn reply(frame: Frame) -> Reply {
        match frame {
            Frame::SimpleString(bytes) => Reply::Simple(text(&bytes)),
            Frame::Error(error) => Reply::Error(ErrorReply(error.into())),
            Frame::Integer(n) => Reply::Integer(n),
            Frame::BulkString(bytes) => Reply::Bulk(bytes.into()),
            Frame::Array(frames) => Reply::Array(frames.into_iter().map(reply).collect()),
            Frame::Null => Reply::Nil,
        }
    }

    /// Makes a reply into a key of a hash. The other implementation accepts only these kinds.
    fn key(reply: Reply) -> Reply {
        match reply {
            Reply::Bulk(_) | Reply::Integer(_) => reply,
            _ => Reply::Integer(0),
        }
    }

    fn with_such_keys(reply: Reply) -> Reply {
        let each = |items: Vec<Reply>| items.into_iter().map(with_such_keys).collect();
        match reply {
            // The other implementation knows pushes only at the top level.
            Reply::Array(items) | Reply::Push(items) => Reply::Array(each(items)),
            Reply::Set(items) => Reply::Set(items.into_iter().map(key).collect()),
            Reply::Map(pairs) => Reply::Map(
                pairs.into_iter().map(|(k, value)| (key(k), with_such_keys(value))).collect(),
            ),
            other => other,
        }
    }

    proptest! {
        #[test]
        fn resp2_there_and_back(ours in any_reply()) {
            let ours = one_null(ours.in_protocol(Protocol::Resp2));
            let mut bytes = Vec::new();
            encode(&ours, Protocol::Resp2, &mut bytes);
            let (frame, length) = resp2::decode::decode(&bytes).unwrap().unwrap();
            prop_assert_eq!(length, bytes.len());

            let mut theirs = vec![0; frame.encode_len(false)];
            resp2::encode::encode(&mut theirs, &frame, false).unwrap();
            prop_assert_eq!(&theirs, &bytes);
            prop_assert_eq!(reply(frame), ours);
        }

        #[test]
        fn resp3_is_read_to_its_end(ours in any_reply()) {
            let ours = with_such_keys(ours.in_protocol(Protocol::Resp3));
            let mut bytes = Vec::new();
            encode(&ours, Protocol::Resp3, &mut bytes);
            let read = resp3::decode::complete::decode_range(&bytes);
            prop_assert!(matches!(read, Ok(Some((_, length))) if length == bytes.len()), "{read:?}");
        }
    }
}
