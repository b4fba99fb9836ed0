//! The differences between RabbitMQ 3.10 and 4, each on both.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{Event, Method};
use stunt_double::rabbitmq::{
    BrokerOptions, DeliveryTag, FieldTable, Properties, Publish, QueueOptions, Version,
};

const BOTH: [Version; 2] = [Version::V3_10, Version::V4];

fn server(version: Version) -> Server {
    let sync_time = Duration::from_millis(5);
    Server::with_options(BrokerOptions::default().with_version(version).with_sync_time(sync_time))
}

fn quorum() -> QueueOptions {
    QueueOptions { arguments: FieldTable::new().with("x-queue-type", "quorum"), ..durable() }
}

#[test]
fn a_confirm_follows_the_sync_in_3_10_and_the_write_in_4() {
    let survive = BOTH.map(|version| {
        let mut server = server(version);
        server.declare_with("d", durable());
        server.send(CH, Method::ConfirmSelect { no_wait: false });
        server.send(CH, persistent("d", "m"));
        let at_once = server.settle();
        server.broker.power_loss(server.now);
        server.broker.start(server.now);
        (at_once, server.contents("d").len())
    });
    // In 4, a power loss loses a message that was confirmed.
    assert_eq!(survive, [(vec![], 0), (vec!["ack 1".to_owned()], 0)]);
}

#[test]
fn a_transient_queue_that_is_not_exclusive_is_accepted_in_3_10_and_refused_in_4() {
    let declared = BOTH.map(|version| {
        let mut server = server(version);
        let exclusive = QueueOptions { exclusive: true, ..Default::default() };
        assert_eq!(server.send(CH, declare("mine", exclusive)), ["declare-ok mine 0 0"]);
        server.send(CH, declare("t", QueueOptions::default())).remove(0)
    });
    assert_eq!(declared[0], "declare-ok t 0 0");
    assert!(declared[1].starts_with("CONN 541 50/10 INTERNAL_ERROR - Feature"), "{declared:?}");
    assert!(declared[1].contains("transient_nonexcl_queues"), "{declared:?}");
}

#[test]
fn a_global_prefetch_is_accepted_in_3_10_and_refused_in_4() {
    let answers = BOTH.map(|version| {
        let method = Method::BasicQos { prefetch_size: 0, prefetch_count: 1, global: true };
        server(version).send(CH, method).remove(0)
    });
    assert_eq!(answers[0], "basic.qos-ok");
    assert!(answers[1].starts_with("CONN 541 60/10 INTERNAL_ERROR - Feature `global_qos`"));
}

#[test]
fn a_quorum_queue_gives_a_message_up_never_in_3_10_and_after_20_returns_in_4() {
    let tries = BOTH.map(|version| {
        let mut server = server(version);
        server.declare_with("q", quorum());
        server.publish("q", "poison");
        let mut tag = 0;
        while tag < 50 && server.send(CH, get("q"))[0] != "get-empty" {
            tag += 1;
            server.nack(CH, tag);
        }
        tag
    });
    assert_eq!(tries, [50, 21]);
}

#[test]
fn in_version_4_a_dead_letter_reports_its_last_death() {
    let told = BOTH.map(|version| {
        let mut server = server(version);
        server.declare_with("dead", durable());
        let arguments = FieldTable::new()
            .with("x-dead-letter-exchange", "")
            .with("x-dead-letter-routing-key", "dead");
        server.declare_with("q", QueueOptions { arguments, ..durable() });
        server.publish("q", "m");
        server.send(CH, get("q"));
        server.send(CH, Method::BasicReject { delivery_tag: DeliveryTag(1), requeue: false });
        let method = get("dead");
        server.broker.handle_input(server.now, CH.connection, CH.number, method);
        let Event::GetOk(got) = server.broker.poll_output().unwrap().event else { panic!() };
        let headers = got.message.properties().headers().cloned().unwrap_or_default();
        assert!(headers.get("x-first-death-queue").is_some());
        headers.get("x-last-death-queue").map(ToString::to_string)
    });
    assert_eq!(told, [None, Some("q".to_owned())]);
}

#[test]
fn a_publish_is_the_same_in_both_versions() {
    for version in BOTH {
        let mut server = server(version);
        server.declare_with("d", durable());
        let properties = Properties::default().with_priority(3);
        let publish = Publish { properties, ..Publish::new("", "d", "m") };
        assert!(server.send(CH, Method::BasicPublish(publish)).is_empty());
        assert_eq!(server.contents("d"), ["m"]);
    }
}
