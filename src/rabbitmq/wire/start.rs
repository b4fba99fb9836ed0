//! The protocol header and `connection.start`: what a server says first.
//!
//! Source: AMQP 0-9-1, sections 2.2.4 and 4.2.2; the properties are those of a
//! RabbitMQ 3.10.8 on Erlang/OTP 25, in its order.

use super::encode::method;
use super::table::{with_length, write_table};
use crate::rabbitmq::error::MethodId;
use crate::rabbitmq::options::Version;
use crate::rabbitmq::table::FieldTable;

/// How a client of AMQP 0-9-1 begins, and what any other is answered.
pub(super) const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\0\0\x09\x01";

/// How a client of AMQP 0-9 begins; it is served all the same.
const PROTOCOL_HEADER_0_9: [u8; 8] = *b"AMQP\x01\x01\0\x09";

pub(super) const MECHANISMS: [&str; 2] = ["PLAIN", "AMQPLAIN"];

/// Whether a client that begins so is served.
pub(super) fn is_served(header: [u8; 8]) -> bool {
    [PROTOCOL_HEADER, PROTOCOL_HEADER_0_9].contains(&header)
}

fn server_properties(version: Version) -> FieldTable {
    let capabilities = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ];
    FieldTable::new()
        .with(
            "capabilities",
            capabilities.map(|name| (name, true)).into_iter().collect::<FieldTable>(),
        )
        .with("cluster_name", "rabbit@localhost")
        .with("copyright", "Copyright (c) 2007-2022 VMware, Inc. or its affiliates.")
        .with("information", "Licensed under the MPL 2.0. Website: https://rabbitmq.com")
        .with("platform", "Erlang/OTP 25.2.3")
        .with("product", "RabbitMQ")
        .with("version", version.number())
}

/// Writes `connection.start`.
pub(super) fn start(version: Version, out: &mut Vec<u8>) {
    method(0, MethodId::new(10, 10), out, |out| {
        out.extend_from_slice(&[0, 9]);
        write_table(&server_properties(version), out);
        with_length(out, |out| out.extend_from_slice(MECHANISMS.join(" ").as_bytes()));
        with_length(out, |out| out.extend_from_slice(b"en_US"));
    });
}
