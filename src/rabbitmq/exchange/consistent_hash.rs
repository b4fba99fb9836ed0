//! Consistent-hash exchanges (`x-consistent-hash`): each message goes to one queue, by a hash of
//! its routing key, of a header or of a property.
//!
//! A binding's routing key is its *weight*: the number of buckets of the ring that its queue gets.
//! Jump consistent hashing maps the hash of a message to a bucket, so that few messages move when a
//! queue is added or removed.
//!
//! Source: the plugin `rabbitmq_consistent_hash_exchange`.

use super::erlang::{Exs1024, TermHash};
use super::{Binding, Destination, Router};
use crate::rabbitmq::protocol::error::Fault;
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::version::Profile;
use smol_str::SmolStr;

/// The part of a message that is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HashOn {
    RoutingKey,
    Header(SmolStr),
    CorrelationId,
    MessageId,
    Timestamp,
}

#[derive(Debug)]
pub(super) struct ConsistentHash {
    hash_on: HashOn,
    /// Whether the type of a header is hashed with its value.
    hashes_types: bool,
    /// The owners of the buckets in order: each destination with its number of buckets.
    runs: Vec<(Destination, u64)>,
}

impl ConsistentHash {
    /// A ring without buckets. The arguments were checked.
    pub(super) fn new(arguments: &FieldTable, profile: &Profile) -> ConsistentHash {
        let text = |name: &str| arguments.get(name).and_then(FieldValue::as_str);
        let hash_on = match (text("hash-header"), text("hash-property")) {
            (Some(header), _) if !header.is_empty() => HashOn::Header(header.into()),
            (_, Some("correlation_id")) => HashOn::CorrelationId,
            (_, Some("message_id")) => HashOn::MessageId,
            (_, Some("timestamp")) => HashOn::Timestamp,
            _ => HashOn::RoutingKey,
        };
        ConsistentHash { hash_on, hashes_types: profile.hashes_header_types, runs: Vec::new() }
    }

    /// The number that decides the bucket of a message.
    fn key(&self, routing_key: &str, properties: &Properties) -> u64 {
        let hash = TermHash::default();
        let text = |text: Option<&str>| match text {
            Some(text) => hash.binary(text.as_bytes()).finish(),
            None => hash.atom("undefined").finish(),
        };
        match &self.hash_on {
            HashOn::RoutingKey => text(Some(routing_key)),
            HashOn::CorrelationId => text(properties.correlation_id()),
            HashOn::MessageId => text(properties.message_id()),
            HashOn::Timestamp => {
                text(properties.timestamp().map(|seconds| seconds.to_string()).as_deref())
            }
            HashOn::Header(name) => match properties.headers().and_then(|h| h.get(name)) {
                None => text(None),
                Some(value) => hash_value(value, self.hashes_types),
            },
        }
    }
}

/// The hash of a header's value, with its type or without.
fn hash_value(value: &FieldValue, with_type: bool) -> u64 {
    let hash = match with_type {
        true => TermHash::default().tuple(2).atom(value.type_name()),
        false => TermHash::default(),
    };
    let whole = match value {
        FieldValue::Timestamp(seconds) if with_type => i64::try_from(*seconds).ok(),
        // In a message container it has milliseconds.
        FieldValue::Timestamp(seconds) => {
            i64::try_from(*seconds).ok().and_then(|seconds| seconds.checked_mul(1_000))
        }
        _ => value.as_integer().and_then(|n| i64::try_from(n).ok()),
    };
    let hash = match (value, whole) {
        (FieldValue::String(bytes) | FieldValue::Bytes(bytes), _) => hash.binary(bytes),
        (FieldValue::Bool(value), _) => hash.atom(if *value { "true" } else { "false" }),
        (FieldValue::Void, _) => hash.atom("undefined"),
        (FieldValue::F32(number), _) => hash.float((*number).into()),
        (FieldValue::F64(number), _) => hash.float(*number),
        // Without its type, a number is not hashed.
        (_, Some(number)) if !with_type => return number.cast_unsigned(),
        (_, Some(number)) => hash.integer(number),
        // The server's hash of other terms is not reproduced.
        _ => hash.binary(value.to_string().as_bytes()),
    };
    hash.finish()
}

/// The bucket of a key, of `buckets` buckets.
fn jump(key: u64, buckets: u64) -> u64 {
    if buckets == 1 {
        return 0;
    }
    let mut generator = Exs1024::seed(key);
    let (mut bucket, mut next) = (0_u64, 0_u64);
    while next < buckets {
        bucket = next;
        // Exact on every machine: a division of two doubles, truncated.
        next = ((bucket + 1) as f64 / generator.uniform()) as u64;
    }
    bucket
}

/// A binding's weight, read as the server reads a number.
fn weight(routing_key: &str) -> Option<i64> {
    routing_key.parse().ok()
}

impl Router for ConsistentHash {
    fn check(&self, routing_key: &str, _: &FieldTable) -> Result<(), Fault> {
        match weight(routing_key) {
            Some(weight) if weight > 0 => Ok(()),
            Some(_) => Err(Fault::precondition("The binding key must be greater than 0")),
            None if routing_key.is_empty() => {
                Err(Fault::precondition("The binding key must be an integer: <<>>"))
            }
            None => Err(Fault::precondition(format!(
                "The binding key must be an integer: <<\"{routing_key}\">>"
            ))),
        }
    }

    fn bind(&mut self, binding: &Binding) {
        // A destination that is bound already keeps its buckets.
        if self.runs.iter().all(|(destination, _)| *destination != binding.destination) {
            let weight = weight(&binding.routing_key).unwrap_or(0);
            self.runs.push((binding.destination, u64::try_from(weight).unwrap_or(0)));
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        self.runs.retain(|(destination, _)| *destination != binding.destination);
    }

    fn route(&mut self, routing_key: &str, properties: &Properties, into: &mut Vec<Destination>) {
        let buckets = self.runs.iter().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
        if buckets == 0 {
            return;
        }
        let mut bucket = jump(self.key(routing_key, properties), buckets);
        for (destination, weight) in &self.runs {
            match bucket.checked_sub(*weight) {
                None => return into.push(*destination),
                Some(rest) => bucket = rest,
            }
        }
    }
}

/// Refuses arguments that specify twice, or incorrectly, what to hash.
pub(super) fn check_arguments(arguments: &FieldTable) -> Result<(), Fault> {
    let (header, property) = (arguments.get("hash-header"), arguments.get("hash-property"));
    if header.is_some() && property.is_some() {
        let reason = "hash-header and hash-property are mutually exclusive";
        return Err(Fault::precondition(reason));
    }
    let is_text = |value: &FieldValue| matches!(value, FieldValue::String(_));
    if !header.into_iter().chain(property).all(is_text) {
        // The server crashes over another type.
        return Err(Fault::internal());
    }
    match property.map(|property| property.as_str().unwrap_or_default()) {
        None | Some("correlation_id" | "message_id" | "timestamp") => Ok(()),
        Some(other) => Err(Fault::precondition(format!("Unsupported property: {other}"))),
    }
}
