//! The codec against another implementation, `amq-protocol`: the broker understands what that one
//! encodes for a client, and that one decodes what the broker sends.

use crate::play::{After, CLIENT, server, take};
use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::basic::{self, AMQPProperties};
use amq_protocol::protocol::{AMQPClass, queue};
use amq_protocol::types::{AMQPValue, DecimalValue, FieldTable, LongString, ShortString};
use proptest::prelude::*;
use stunt_double::Instant;
use stunt_double::sim::service::ByteService as _;

const NOW: Instant = Instant::ZERO;

fn encode(frames: &[AMQPFrame]) -> Vec<u8> {
    frames.iter().fold(Vec::new(), |out, frame| {
        gen_frame(frame)(WriteContext::from(out)).unwrap().into_inner().0
    })
}

fn parse(mut bytes: &[u8]) -> Vec<AMQPFrame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (rest, frame) = parse_frame(bytes).unwrap();
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// Returns the broker's answer to these frames on an open channel.
fn answer(frames: &[AMQPFrame]) -> Vec<AMQPFrame> {
    let mut server = server();
    server.connected(NOW, CLIENT, "test");
    for step in After::Channel.bytes() {
        server.receive(NOW, CLIENT, &step);
    }
    while server.poll_output().is_some() {}
    server.receive(NOW, CLIENT, &encode(frames));
    let mut all = Vec::new();
    take(&mut server, &mut all);
    parse(&all)
}

fn on_queue(method: queue::AMQPMethod) -> AMQPFrame {
    AMQPFrame::Method(1, AMQPClass::Queue(method))
}

fn on_basic(method: basic::AMQPMethod) -> AMQPFrame {
    AMQPFrame::Method(1, AMQPClass::Basic(method))
}

fn text() -> impl Strategy<Value = ShortString> {
    "[a-zA-Z0-9.\u{e4}\u{20ac} -]{0,40}".prop_map(|text| ShortString::from(text.as_str()))
}

fn value() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        prop::num::f32::NORMAL.prop_map(AMQPValue::Float),
        prop::num::f64::NORMAL.prop_map(AMQPValue::Double),
        (any::<u8>(), any::<u32>())
            .prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|octets| AMQPValue::LongString(LongString::from(octets))),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|octets| AMQPValue::ByteArray(octets.into())),
        Just(AMQPValue::Void),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|values| AMQPValue::FieldArray(values.into())),
            prop::collection::btree_map(text(), inner, 0..6)
                .prop_map(|fields| AMQPValue::FieldTable(FieldTable::from(fields))),
        ]
    })
}

fn table() -> impl Strategy<Value = FieldTable> {
    prop::collection::btree_map(text(), value(), 0..8).prop_map(FieldTable::from)
}

/// Any of the fourteen, except those that the server interprets.
fn properties() -> impl Strategy<Value = AMQPProperties> {
    let octet = prop::option::of(any::<u8>());
    let mode = prop::option::of(1..=2_u8);
    let texts = prop::collection::vec(prop::option::of(text()), 8);
    let timestamp = prop::option::of(any::<u64>());
    (prop::option::of(table()), mode, octet, timestamp, texts).prop_map(
        |(headers, mode, priority, timestamp, texts)| {
            let mut properties = AMQPProperties::default();
            if let Some(headers) = headers {
                properties = properties.with_headers(headers);
            }
            if let Some(mode) = mode {
                properties = properties.with_delivery_mode(mode);
            }
            if let Some(priority) = priority {
                properties = properties.with_priority(priority);
            }
            if let Some(timestamp) = timestamp {
                properties = properties.with_timestamp(timestamp);
            }
            let setters: [fn(AMQPProperties, ShortString) -> AMQPProperties; 8] = [
                AMQPProperties::with_content_type,
                AMQPProperties::with_content_encoding,
                AMQPProperties::with_correlation_id,
                AMQPProperties::with_reply_to,
                AMQPProperties::with_message_id,
                AMQPProperties::with_type,
                AMQPProperties::with_app_id,
                AMQPProperties::with_cluster_id,
            ];
            for (set, text) in setters.into_iter().zip(texts) {
                if let Some(text) = text {
                    properties = set(properties, text);
                }
            }
            properties
        },
    )
}

fn declare(arguments: FieldTable) -> AMQPFrame {
    on_queue(queue::AMQPMethod::Declare(queue::Declare {
        queue: "q".into(),
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: true,
        nowait: true,
        arguments,
    }))
}

fn publish(properties: AMQPProperties, body: Vec<u8>) -> Vec<AMQPFrame> {
    let method = basic::Publish {
        exchange: "".into(),
        routing_key: "q".into(),
        mandatory: true,
        immediate: false,
    };
    let header = AMQPContentHeader { class_id: 60, body_size: body.len() as u64, properties };
    let mut frames =
        vec![on_basic(basic::AMQPMethod::Publish(method)), AMQPFrame::Header(1, header)];
    if !body.is_empty() {
        frames.push(AMQPFrame::Body(1, body));
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// After a publish and a get, every property and every type of field arrives as it was sent.
    #[test]
    fn a_message_comes_back_as_it_was_sent(
        properties in properties(),
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut frames = vec![declare(FieldTable::default())];
        frames.extend(publish(properties.clone(), body.clone()));
        let get = basic::Get { queue: "q".into(), no_ack: true };
        frames.push(on_basic(basic::AMQPMethod::Get(get)));
        let mut expected = publish(properties, body);
        let got = basic::GetOk {
            delivery_tag: 1,
            redelivered: false,
            exchange: "".into(),
            routing_key: "q".into(),
            message_count: 0,
        };
        expected[0] = on_basic(basic::AMQPMethod::GetOk(got));
        prop_assert_eq!(answer(&frames), expected);
    }

    /// A binding's arguments are part of its identity. So an unbind with the same table only
    /// succeeds if the table was decoded in the same way twice.
    #[test]
    fn a_table_of_arguments_is_read(arguments in table()) {
        let bind = queue::Bind {
            queue: "q".into(),
            exchange: "amq.fanout".into(),
            routing_key: "k".into(),
            nowait: false,
            arguments: arguments.clone(),
        };
        let unbind = queue::Unbind {
            queue: "q".into(),
            exchange: "amq.fanout".into(),
            routing_key: "k".into(),
            arguments,
        };
        let frames = [
            declare(FieldTable::default()),
            on_queue(queue::AMQPMethod::Bind(bind)),
            on_queue(queue::AMQPMethod::Unbind(unbind)),
        ];
        let expected = [
            on_queue(queue::AMQPMethod::BindOk(queue::BindOk {})),
            on_queue(queue::AMQPMethod::UnbindOk(queue::UnbindOk {})),
        ];
        prop_assert_eq!(answer(&frames), expected);
    }
}

#[test]
fn a_recorded_handshake_is_decoded() {
    let mut server = server();
    server.connected(NOW, CLIENT, "test");
    let mut all = Vec::new();
    for step in After::Channel.bytes() {
        server.receive(NOW, CLIENT, &step);
    }
    take(&mut server, &mut all);
    let frames = parse(&all);
    let [AMQPFrame::Method(0, AMQPClass::Connection(start)), ..] = &frames[..] else {
        panic!("it starts: {frames:?}");
    };
    use amq_protocol::protocol::connection::AMQPMethod;
    let AMQPMethod::Start(start) = start else { panic!("it starts: {start:?}") };
    assert_eq!((start.version_major, start.version_minor), (0, 9));
    let version = &start.server_properties.inner()[&ShortString::from("version")];
    assert_eq!(*version, AMQPValue::LongString("3.10.8".into()));
    assert_eq!(frames.len(), 4);
}
