//! The differences between the versions of RabbitMQ, each on all of them. The recordings have many
//! more.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{Event, Method};
use stunt_double::rabbitmq::{
    BrokerOptions, DeliveryTag, DeprecatedFeature, FieldTable, Properties, Publish, QueueOptions,
    Version,
};

const ALL: [Version; 3] = [Version::V3_10, Version::V4_0, Version::V4_3];

fn server(version: Version) -> Server {
    let sync_time = Duration::from_millis(5);
    Server::with_options(BrokerOptions::default().with_version(version).with_sync_time(sync_time))
}

fn quorum() -> QueueOptions {
    QueueOptions { arguments: FieldTable::new().with("x-queue-type", "quorum"), ..durable() }
}

#[test]
fn a_confirm_follows_the_sync_or_since_4_0_the_write_but_in_a_quorum_queue_always_the_sync() {
    let survive = ALL.map(|version| {
        [durable(), quorum()].map(|options| {
            let mut server = server(version);
            server.declare_with("d", options);
            server.send(CH, Method::ConfirmSelect { no_wait: false });
            server.send(CH, persistent("d", "m"));
            let at_once = server.settle();
            server.broker.power_loss(server.now);
            server.broker.start(server.now);
            (at_once.len(), server.contents("d").len())
        })
    });
    // Since 4.0, a power loss loses a message of a classic queue that was confirmed.
    let lost_although_confirmed = (1, 0);
    assert_eq!(survive[0], [(0, 0), (0, 0)]);
    assert_eq!(survive[1], [lost_although_confirmed, (0, 0)]);
    assert_eq!(survive[2], [lost_although_confirmed, (0, 0)]);
}

#[test]
fn a_transient_queue_is_refused_where_the_configuration_or_4_3_denies_it() {
    let feature = DeprecatedFeature::TransientNonexclQueues;
    let declared = ALL.map(|version| {
        let options = BrokerOptions::default().with_version(version);
        let all = [
            options.clone(),
            options.clone().deny_deprecated(feature),
            options.permit_deprecated(feature),
        ];
        all.map(|options| {
            let mut server = Server::with_options(options);
            let exclusive = QueueOptions { exclusive: true, ..Default::default() };
            assert_eq!(server.send(CH, declare("mine", exclusive)), ["declare-ok mine 0 0"]);
            assert_eq!(server.send(CH, declare("d", durable())), ["declare-ok d 0 0"]);
            server.send(CH, declare("t", QueueOptions::default())).remove(0)
        })
    });
    let accepted = "declare-ok t 0 0";
    let denied = "CONN 541 50/10 INTERNAL_ERROR - Feature `transient_nonexcl_queues` is \
                  deprecated.\nIts use is not permitted per the configuration (overriding the \
                  default, which is permitted):\n    \
                  \"deprecated_features.permit.transient_nonexcl_queues = false\"\nIts use will \
                  not be permit...";
    let denied_by_default = "CONN 541 50/10 INTERNAL_ERROR - Feature `transient_nonexcl_queues` \
                             is deprecated.\nBy default, this feature is not permitted \
                             anymore.\nThe feature will be removed from a future major RabbitMQ \
                             version, regardless of the configuration; actual version to be \
                             determined.\nTo...";
    assert_eq!(declared[0], [accepted; 3], "3.10 does not know the setting");
    assert_eq!(declared[1], [accepted, denied, accepted]);
    assert_eq!(declared[2], [denied_by_default, denied_by_default, accepted]);
}

#[test]
fn a_queue_that_is_denied_is_refused_before_its_type_is_looked_at() {
    let feature = DeprecatedFeature::TransientNonexclQueues;
    let transient = QueueOptions { durable: false, ..quorum() };
    let refused = [false, true].map(|permits| {
        let mut options = BrokerOptions::default().with_version(Version::V4_3);
        if permits {
            options = options.permit_deprecated(feature);
        }
        let mut server = Server::with_options(options);
        server.send(CH, declare("q", transient.clone())).remove(0)
    });
    assert!(refused[0].starts_with("CONN 541 "), "{}", refused[0]);
    assert!(refused[1].contains("invalid property 'non-durable'"), "{}", refused[1]);
}

/// Returns what two consumers of a channel get within a limit of 1 that was set with `global`.
fn within_a_global_limit(options: BrokerOptions) -> Vec<String> {
    let mut server = Server::with_options(options);
    server.declare_with("q", durable());
    server.fill("q", 3);
    assert!(server.qos(CH, 1, true).is_empty());
    let mut got = server.consume(CH, "q", "a");
    got.extend(server.consume(CH, "q", "b"));
    got
}

#[test]
fn a_global_prefetch_is_a_limit_of_the_channel_and_since_4_3_of_each_consumer() {
    let feature = DeprecatedFeature::GlobalQos;
    let got = ALL.map(|version| {
        let options = BrokerOptions::default().with_version(version);
        let all = [
            options.clone(),
            options.clone().deny_deprecated(feature),
            options.permit_deprecated(feature),
        ];
        all.map(|options| within_a_global_limit(options).len())
    });
    assert_eq!(got, [[1, 1, 1], [1, 2, 1], [2, 2, 1]]);
}

/// Returns how often a message is delivered that is always given back like this, 50 times at most.
fn tries(version: Version, give_back: impl Fn(&mut Server, u64)) -> u64 {
    let mut server = server(version);
    server.declare_with("q", quorum());
    server.publish("q", "poison");
    let mut tag = 0;
    while tag < 50 && server.send(CH, get("q"))[0] != "get-empty" {
        tag += 1;
        give_back(&mut server, tag);
    }
    tag
}

#[test]
fn a_quorum_queue_gives_a_message_up_after_20_returns_but_since_4_3_not_for_a_nack() {
    let nacked = ALL.map(|version| {
        tries(version, |server, tag| {
            server.nack(CH, tag);
        })
    });
    let rejected = ALL.map(|version| {
        tries(version, |server, tag| {
            let delivery_tag = DeliveryTag(tag);
            server.send(CH, Method::BasicReject { delivery_tag, requeue: true });
        })
    });
    assert_eq!((nacked, rejected), ([50, 21, 50], [50, 21, 21]));
}

#[test]
fn an_exchange_that_is_not_durable_survives_a_restart_since_4_3() {
    let routed = ALL.map(|version| {
        let mut server = server(version);
        server.declare_with("d", durable());
        server.exchange("e", "fanout");
        server.bind("d", "e", "", FieldTable::new());
        server.broker.stop(server.now);
        server.broker.start(server.now);
        server.drain();
        server.connect();
        let said = server.send(CH, publish("e", "", "m"));
        (said.is_empty(), server.contents("d").len())
    });
    assert_eq!(routed, [(false, 0), (false, 0), (true, 1)]);
}

#[test]
fn every_upgrade_changes_something_and_says_so() {
    assert!(Version::V3_10.changes().is_empty());
    for version in [Version::V4_0, Version::V4_3] {
        assert!(version.changes().iter().all(|change| change.ends_with('.')));
        assert!(version.changes().len() > 5, "{version:?}");
    }
    assert_eq!(Version::V4, Version::V4_3);
    assert_eq!(ALL.map(Version::number), ["3.10.8", "4.0.5", "4.3.6"]);
}

#[test]
fn a_move_between_any_two_versions_says_what_changes() {
    let has = |to: Version, from: Version, what: &str| {
        to.changes_since(from).iter().any(|change| change.contains(what))
    };
    // A change that came and went in between is not mentioned.
    for what in ["from the last to the first", "two classes", "names the node"] {
        assert!(has(Version::V4_0, Version::V3_10, what), "{what}");
        assert!(!has(Version::V4_3, Version::V3_10, what), "{what}");
    }
    assert!(has(Version::V4_3, Version::V4_0, "from the first to the last"));
    assert!(!has(Version::V4_3, Version::V3_10, "from the first to the last"));
    assert!(has(Version::V4_3, Version::V3_10, "gives a message up after 20 returns"));
    assert!(has(Version::V4_3, Version::V3_10, "32 priorities"));
    // What only the other version does is told with the version that brought it.
    let undone = "As before RabbitMQ 4.3, which brought: \"A queue that is neither";
    assert!(
        has(Version::V4_0, Version::V4_3, undone) && has(Version::V3_10, Version::V4_3, undone)
    );
    assert!(has(
        Version::V3_10,
        Version::V4_3,
        "As before RabbitMQ 4.0, which brought: \"A quorum"
    ));
    for version in ALL {
        assert!(version.changes_since(version).is_empty());
        let Some(before) = version.before() else { continue };
        assert_eq!(version.changes_since(before), version.changes());
    }
}

#[test]
fn an_unknown_version_is_told_with_the_nearest_one() {
    for (name, nearest) in [("4.1", "4.0"), ("v4.2.1", "4.3"), ("3.13", "3.10"), ("5", "4.3")] {
        let error = name.parse::<Version>().unwrap_err().to_string();
        let expected = format!(
            "there is no version {name:?}: try {nearest}, which is nearest, or another one of \
             3.10, 4.0, 4.3"
        );
        assert_eq!(error, expected);
    }
    let error = "latest".parse::<Version>().unwrap_err().to_string();
    assert_eq!(error, "there is no version \"latest\": try one of 3.10, 4.0, 4.3");
}

#[test]
fn since_4_0_a_dead_letter_reports_its_last_death() {
    let told = ALL.map(|version| {
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
    assert_eq!(told, [None, Some("q".to_owned()), Some("q".to_owned())]);
}

#[test]
fn a_publish_is_the_same_in_all_versions() {
    for version in ALL {
        let mut server = server(version);
        server.declare_with("d", durable());
        let properties = Properties::default().with_priority(3);
        let publish = Publish { properties, ..Publish::new("", "d", "m") };
        assert!(server.send(CH, Method::BasicPublish(publish)).is_empty());
        assert_eq!(server.contents("d"), ["m"]);
    }
}

#[test]
fn a_version_is_found_by_its_name_its_number_or_its_beginning() {
    for (name, version) in [
        ("3", Version::V3_10),
        ("3.10", Version::V3_10),
        ("4", Version::V4_3),
        ("4.0", Version::V4_0),
        ("4.3.6", Version::V4_3),
        ("RabbitMQ 4.0.5", Version::V4_0),
        ("rabbitmq", Version::V4_3),
    ] {
        assert_eq!(name.parse(), Ok(version), "{name}");
    }
    for version in ALL {
        assert_eq!(version.title().parse(), Ok(version));
    }
    for name in ["", "3.1", "4.3.1", "5", "4.", "valkey"] {
        let error = name.parse::<Version>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("there is no version {name:?}: try")), "{error}");
        assert!(error.ends_with("one of 3.10, 4.0, 4.3"), "{error}");
    }
}

#[test]
fn topic_permissions_belong_to_an_exchange_that_exists_since_4_3() {
    let set = ALL.map(|version| {
        let mut server = server(version);
        server.broker.add_user("eve", "secret");
        let set = |server: &mut Server| {
            let set = server.broker.set_topic_permissions("/", "eve", "e", "^a", "^b");
            set.map_err(|error| error.to_string())
        };
        let without = set(&mut server);
        server.exchange("e", "topic");
        let with = set(&mut server);
        server.send(
            CH,
            Method::ExchangeDelete { exchange: "e".into(), if_unused: false, no_wait: false },
        );
        (without, with, server.broker.list_topic_permissions().len())
    });
    let missing = Err("Exchange \"e\" in virtual host \"/\" does not exist".to_owned());
    assert_eq!(set[..2], [(Ok(()), Ok(()), 1), (Ok(()), Ok(()), 1)]);
    assert_eq!(set[2], (missing, Ok(()), 0));
}
