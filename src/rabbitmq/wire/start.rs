//! `connection.start`: what a server sends first.
//!
//! Source: AMQP 0-9-1, sections 2.2.4 and 4.2.2; the properties are those of the version, in the
//! server's order.

use super::dialect::Dialect;
use super::encode::method;
use super::table::write_table;
use super::writer::with_length;
use crate::rabbitmq::protocol::error::MethodId;
use crate::rabbitmq::protocol::names::NODE;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::rabbitmq::version::Version;

fn server_properties(dialect: Dialect, version: Version) -> FieldTable {
    let server = &version.profile().server;
    let capabilities: &[&str] = &[
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
            match dialect {
                Dialect::V0_9_1 => capabilities.iter().map(|name| (*name, true)).collect(),
                Dialect::V0_8 => FieldTable::new(),
            },
        )
        .with("cluster_name", NODE)
        .with("copyright", server.copyright)
        .with("information", "Licensed under the MPL 2.0. Website: https://rabbitmq.com")
        .with("platform", server.platform)
        .with("product", "RabbitMQ")
        .with("version", version.number())
}

/// Writes `connection.start`.
pub(super) fn start(dialect: Dialect, version: Version, out: &mut Vec<u8>) {
    let mechanisms = version.profile().server.mechanisms.join(" ");
    method(0, MethodId::new(10, 10), out, |out| {
        out.extend_from_slice(&dialect.version());
        write_table(&server_properties(dialect, version), out);
        with_length(out, |out| out.extend_from_slice(mechanisms.as_bytes()));
        with_length(out, |out| out.extend_from_slice(b"en_US"));
    });
}
