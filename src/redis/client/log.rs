//! Requests and replies in the log of a trace.
//!
//! A request is logged by its words, and the usual replies by their values. Other replies, such as
//! arrays, are logged by their text.

use super::Request;
use super::session::Response;
use crate::redis::reply::Reply;
use crate::sim::compact::{put_bytes, put_number, take_bytes, take_number};
use bytes::Bytes;
use smol_str::SmolStr;

/// The kinds of responses in the log.
const TEXT: u64 = 0;
const SIMPLE: u64 = 1;
const INTEGER: u64 = 2;
const BULK: u64 = 3;
const NIL: u64 = 4;

pub(super) fn log_request(request: &Request, log: &mut Vec<u8>) {
    request.iter().for_each(|word| put_bytes(log, word));
}

pub(super) fn read_request(mut log: &[u8]) -> String {
    let mut words = Vec::new();
    while !log.is_empty() {
        words.push(take_bytes(&mut log).escape_ascii().to_string());
    }
    words.join(" ")
}

pub(super) fn describe_response(response: &Response) -> String {
    match response {
        Response::Reply(reply) => reply.to_string().replace('\n', " "),
        Response::Closed => "closed".to_owned(),
    }
}

pub(super) fn log_response(response: &Response, log: &mut Vec<u8>) {
    let Response::Reply(reply) = response else { return put_text(log, response) };
    match reply {
        Reply::Simple(text) => {
            put_number(log, SIMPLE);
            log.extend_from_slice(text.as_bytes());
        }
        Reply::Integer(n) => {
            put_number(log, INTEGER);
            put_number(log, n.cast_unsigned());
        }
        Reply::Bulk(bytes) => {
            put_number(log, BULK);
            log.extend_from_slice(bytes);
        }
        Reply::Nil | Reply::NilArray => put_number(log, NIL),
        _ => put_text(log, response),
    }
}

fn put_text(log: &mut Vec<u8>, response: &Response) {
    put_number(log, TEXT);
    log.extend_from_slice(describe_response(response).as_bytes());
}

pub(super) fn read_response(mut log: &[u8]) -> String {
    let reply = match take_number(&mut log) {
        SIMPLE => Reply::Simple(SmolStr::new(String::from_utf8_lossy(log))),
        INTEGER => Reply::Integer(take_number(&mut log).cast_signed()),
        BULK => Reply::Bulk(Bytes::copy_from_slice(log)),
        NIL => Reply::Nil,
        _ => return String::from_utf8_lossy(log).into_owned(),
    };
    describe_response(&Response::Reply(reply))
}
