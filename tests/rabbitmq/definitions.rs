//! Definitions files. Those in the folder `definitions` were written by a real RabbitMQ 3.10.8, and
//! `listings.txt` is the output of its `rabbitmqctl`.

use crate::support::*;
use serde_json::Value;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Method};
use stunt_double::rabbitmq::definitions::{Definitions, DefinitionsError};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConnectionOptions, DeprecatedFeature, Error, FieldTable,
    FieldValue, Properties, QueueOptions, Version,
};
use stunt_double::sim::Sim;
use stunt_double::{Instant, Site, Stream};

/// The file that the management UI downloads.
const SERVER: &str = include_str!("definitions/server.json");
/// The file that it downloads for the vhost `shop`.
const VHOST: &str = include_str!("definitions/vhost_shop.json");
/// The file that `rabbitmqctl export_definitions` writes.
const CTL: &str = include_str!("definitions/rabbitmqctl.json");
/// Commands, each after `> `, and their output.
const LISTINGS: &str = include_str!("definitions/listings.txt");

fn empty() -> Broker {
    Broker::new(BrokerOptions::default(), Stream::calm(Site::new("test.names"), 0))
}

fn import(broker: &mut Broker, text: &str) -> Result<(), DefinitionsError> {
    broker.import_definitions(Instant::ZERO, &Definitions::from_json(text)?)
}

fn imported(text: &str) -> Broker {
    let mut broker = empty();
    import(&mut broker, text).unwrap();
    broker
}

/// A definitions file without anything that only one cluster or one of the two writers has, and
/// without the order of lists.
fn comparable(text: &str) -> Value {
    let mut file: Value = serde_json::from_str(text).unwrap();
    let file_map = file.as_object_mut().unwrap();
    for key in ["product_name", "product_version", "rabbit_version", "rabbitmq_version"] {
        file_map.remove(key);
    }
    for (key, list) in file_map.iter_mut() {
        let list = list.as_array_mut().unwrap();
        list.retain(|object| object["name"] != "internal_cluster_id");
        for object in list.iter_mut().map(|object| object.as_object_mut().unwrap()) {
            let only_once: &[&str] = match key.as_str() {
                "vhosts" => &["limits", "metadata"],
                "queues" => &["type"],
                _ => &[],
            };
            only_once.iter().for_each(|key| drop(object.remove(*key)));
            if object.get("internal") == Some(&Value::Bool(false)) {
                object.remove("internal");
            }
        }
        list.sort_by_key(Value::to_string);
    }
    file
}

#[test]
fn a_real_servers_export_is_exported_again_unchanged() {
    let broker = imported(SERVER);
    assert_eq!(comparable(&broker.export_definitions().to_json()), comparable(SERVER));
    // The import of the export exports the same.
    let again = imported(&broker.export_definitions().to_json());
    assert_eq!(again.export_definitions(), broker.export_definitions());
}

#[test]
fn exports_of_rabbitmqctl_lack_internal_exchanges_and_their_bindings() {
    let broker = imported(CTL);
    let mut expected = comparable(CTL);
    let is_dangling = |binding: &Value| {
        binding["source"] == "shop.audit"
            || binding["destination_type"] == "exchange" && binding["destination"] == "shop.audit"
    };
    let bindings = expected["bindings"].as_array_mut().unwrap();
    let before = bindings.len();
    bindings.retain(|binding| !is_dangling(binding));
    assert_eq!(bindings.len() + 2, before, "the file has them all the same");
    assert_eq!(comparable(&broker.export_definitions().to_json()), expected);
    let shop = &broker.list_vhosts()[1];
    assert_eq!((shop.description.as_str(), shop.tags.len()), ("The shop", 2));
}

#[test]
fn a_vhosts_file_goes_into_any_vhost() {
    let definitions = Definitions::from_json(VHOST).unwrap();
    let mut broker = empty();
    let error = broker.import_vhost_definitions(Instant::ZERO, "copy", &definitions).unwrap_err();
    assert!(error.to_string().contains("\"copy\" does not exist"), "{error}");
    let error = broker.import_definitions(Instant::ZERO, &definitions).unwrap_err();
    assert!(matches!(error, DefinitionsError::VHostNotGiven(_)), "{error}");

    broker.add_vhost("copy");
    broker.import_vhost_definitions(Instant::ZERO, "copy", &definitions).unwrap();
    assert!(broker.list_queues().iter().all(|row| row.vhost == "copy"));
    let exported = broker.export_vhost_definitions("copy").unwrap().to_json();
    assert_eq!(comparable(&exported.replace("\"copy\"", "\"shop\"")), comparable(VHOST));
    assert!(broker.export_vhost_definitions("nope").is_err());
}

#[test]
fn the_listings_afterwards_are_those_of_the_real_server() {
    let broker = imported(FULL.as_str());
    for listing in LISTINGS.split("> ").skip(1) {
        let (command, expected) = listing.split_once('\n').unwrap();
        let ours = broker.rabbitmqctl(command).unwrap();
        let lines = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(String::from).collect();
            lines[1..].sort();
            lines
        };
        assert_eq!(lines(&ours), lines(expected), "{command}");
    }
}

/// The management UI's file, with the properties of vhosts that only rabbitmqctl exports.
pub(crate) static FULL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    let mut server: Value = serde_json::from_str(SERVER).unwrap();
    let ctl: Value = serde_json::from_str(CTL).unwrap();
    server["vhosts"] = ctl["vhosts"].clone();
    server.to_string()
});

#[test]
fn passwords_are_checked_against_their_hashes() {
    let broker = imported(SERVER);
    for (user, password, is_right) in [
        ("shop-app", "s3cret", true),
        ("shop-app", "S3cret", false),
        ("shop-app", "", false),
        ("shop-ops", "pässword", true),
        ("guest", "guest", true),
        ("nobody", "s3cret", false),
    ] {
        assert_eq!(broker.authenticate(user, password), is_right, "{user} {password}");
    }
    let plain = r#"{"users": [{"name": "a", "password": "b"}, {"name": "locked", "tags": ""}]}"#;
    let again = imported(&imported(plain).export_definitions().to_json());
    assert!(again.authenticate("a", "b") && !again.authenticate("a", "c"));
    assert!(!again.authenticate("locked", ""));
    assert!(again.authenticate("guest", "guest"), "an existing user keeps the password");
}

#[test]
fn permissions_and_limits_hold() {
    let mut server = Server::new();
    import(&mut server.broker, SERVER).unwrap();
    let options = ConnectionOptions {
        virtual_host: "shop".into(),
        user: "shop-app".into(),
        password: "s3cret".into(),
        ..Default::default()
    };
    for id in 11..=21 {
        let ch = ChannelId::new(id, 0);
        let said = server.send(ch, Method::ConnectionOpen(Box::new(options.clone())));
        let limit = "user connection limit (10) is reached";
        assert_eq!(said[0].contains(limit), id == 21, "{said:?}");
    }
    let ch = ChannelId::new(11, 1);
    server.send(ch, Method::ChannelOpen);
    let said = server.send(ch, declare("other", QueueOptions::default()));
    assert!(said[0].contains("ACCESS_REFUSED"), "{said:?}");
    server.send(ch, Method::ChannelCloseOk);
    server.send(ch, Method::ChannelOpen);
    let said = server.send(ch, publish("shop.events", "payment.new", "a"));
    assert!(said[0].contains("topic 'payment.new' in exchange 'shop.events'"), "{said:?}");
}

#[test]
fn arguments_keep_their_types_as_far_as_json_has_them() {
    let mut server = Server::new();
    import(
        &mut server.broker,
        r#"{"queues": [{"name": "q", "vhost": "/", "durable": true, "auto_delete": false,
            "arguments": {"x-max-length": 10, "x-note": [1, 1.5, true, "a", {"k": 2}]}}]}"#,
    )
    .unwrap();
    let arguments = server.broker.list_queues()[0].arguments.clone();
    let note = FieldValue::Array(vec![
        FieldValue::I64(1),
        FieldValue::F64(1.5),
        FieldValue::Bool(true),
        "a".into(),
        FieldTable::new().with("k", 2_i64).into(),
    ]);
    assert_eq!(arguments, FieldTable::new().with("x-max-length", 10_i64).with("x-note", note));
    // A client's declaration is equivalent, whatever the width of its integers.
    let arguments = FieldTable::new().with("x-max-length", 10);
    server.declare_with("q", QueueOptions { arguments, ..durable() });
    let arguments = FieldTable::new().with("x-max-length", 11);
    let said = server.send(CH, declare("q", QueueOptions { arguments, ..durable() }));
    assert!(said[0].contains("received '11' but current is '10'"), "{said:?}");
}

#[test]
fn an_import_adds_and_never_deletes() {
    let mut server = Server::new();
    server.declare_with("mine", durable());
    server.exchange("my-exchange", "topic");
    server.publish("mine", "kept");
    import(&mut server.broker, SERVER).unwrap();
    let before = server.broker.export_definitions();
    import(&mut server.broker, SERVER).unwrap();
    assert_eq!(server.broker.export_definitions(), before, "twice is once");
    assert_eq!(server.contents("mine"), ["kept"]);
    // A policy replaces the one with its name.
    let policy = r#"{"policies": [{"vhost": "shop", "name": "ttl", "pattern": "^x",
        "definition": {"expires": 7}}]}"#;
    import(&mut server.broker, policy).unwrap();
    let row = server.broker.list_policies().remove(1);
    assert_eq!((row.policy.pattern.as_str(), row.policy.priority), ("^x", 0));
    assert_eq!(server.broker.list_policies().len(), 2);
}

#[test]
fn an_object_that_exists_and_differs_is_refused_by_name() {
    let mut broker = imported(SERVER);
    for (text, message) in [
        (
            r#"{"queues": [{"name": "shop.dead", "vhost": "shop", "durable": true,
                "auto_delete": false, "arguments": {"x-max-length": 3}}]}"#,
            "queue 'shop.dead' in vhost 'shop': PRECONDITION_FAILED - inequivalent arg \
             'x-max-length' for queue 'shop.dead' in vhost 'shop': received the value '3' of type \
             'long' but current is none",
        ),
        (
            r#"{"exchanges": [{"name": "shop.dead", "vhost": "shop", "type": "direct",
                "durable": true, "auto_delete": false}]}"#,
            "exchange 'shop.dead' in vhost 'shop': PRECONDITION_FAILED - inequivalent arg 'type' \
             for exchange 'shop.dead' in vhost 'shop': received 'direct' but current is 'fanout'",
        ),
        (
            r#"{"queues": [{"name": "q", "vhost": "shop", "durable": true, "auto_delete": false,
                "arguments": {"x-max-length": -1}}]}"#,
            "queue 'q' in vhost 'shop': PRECONDITION_FAILED - invalid arg 'x-max-length' for \
             queue 'q' in vhost 'shop': {value_negative,-1}",
        ),
        (
            r#"{"exchanges": [{"name": "e", "vhost": "shop", "type": "nope", "durable": true,
                "auto_delete": false}]}"#,
            "exchange 'e' in vhost 'shop': COMMAND_INVALID - unknown exchange type 'nope'",
        ),
        (
            r#"{"queues": [{"name": "q", "vhost": "nope", "durable": true, "auto_delete": false}]}"#,
            "queue 'q' in vhost 'nope': Virtual host \"nope\" does not exist",
        ),
        (
            r#"{"queues": [{"name": "q", "durable": true, "auto_delete": false}]}"#,
            "queue 'q' in vhost '': Virtual host does not exist and is not specified in \
             definitions file.",
        ),
        (
            r#"{"queues": [{"name": "q", "vhost": "shop", "durable": true, "auto_delete": false,
                "arguments": {"x-n": null}}]}"#,
            "queue 'q' in vhost 'shop': {unhandled_type,nil}",
        ),
        (
            r#"{"permissions": [{"user": "nope", "vhost": "shop", "configure": "", "write": "",
                "read": ""}]}"#,
            "permissions of user 'nope' in vhost 'shop': User \"nope\" does not exist",
        ),
        (
            r#"{"policies": [{"vhost": "shop", "name": "p", "pattern": "x", "apply-to": "sheep",
                "definition": {}}]}"#,
            "policy 'p' in vhost 'shop': Validation failed\n\napply-to 'sheep' unrecognised; \
             should be 'queues', 'exchanges' or 'all'\n",
        ),
        (
            r#"{"parameters": [{"component": "shovel", "vhost": "shop", "name": "s", "value": {}}]}"#,
            "parameter 'shovel/s' in vhost 'shop': Validation failed\n\ncomponent shovel not \
             found\n",
        ),
        (
            r#"{"users": [{"name": "u", "password_hash": "", "hashing_algorithm":
                "rabbit_password_hashing_md5"}]}"#,
            "user 'u': hashing_algorithm \"rabbit_password_hashing_md5\" is not modelled: only \
             SHA-256 and SHA-512 are",
        ),
    ] {
        let before = broker.export_definitions();
        assert_eq!(import(&mut broker, text).unwrap_err().to_string(), message);
        assert_eq!(broker.export_definitions(), before);
    }
    let error = import(&mut broker, "not json").unwrap_err();
    assert!(matches!(error, DefinitionsError::Syntax(_)), "{error}");
    let text = r#"{"policies": [{"vhost": "/", "name": "p", "pattern": "(", "definition": {}}]}"#;
    let error = import(&mut broker, text).unwrap_err();
    assert!(error.to_string().starts_with("policy 'p' in vhost '/': {invalid_regexp"), "{error}");
}

#[test]
fn a_queue_is_imported_into_4_3_only_where_what_it_uses_is_permitted() {
    let locator = r#""durable": true, "arguments": {"x-queue-master-locator": "min-masters"}"#;
    let uses = [
        (DeprecatedFeature::TransientNonexclQueues, r#""durable": false"#),
        (DeprecatedFeature::QueueMasterLocator, locator),
    ];
    for (feature, what) in uses {
        let options = BrokerOptions::default().with_version(Version::V4_3);
        let permitted = options.clone().permit_deprecated(feature);
        let text = format!(
            r#"{{"queues": [{{"name": "t", "vhost": "/", "auto_delete": false, {what}}}]}}"#
        );
        let [denied, permitted] = [options, permitted].map(|options| {
            let names = Stream::calm(Site::new("test.names"), 0);
            import(&mut Broker::new(options, names), &text).map_err(|error| error.to_string())
        });
        let denied = denied.unwrap_err();
        let name = feature.name();
        let start = format!("queue 't' in vhost '/': INTERNAL_ERROR - Feature `{name}` is");
        assert!(denied.starts_with(&start), "{denied}");
        assert_eq!(permitted, Ok(()));
    }
}

#[test]
fn system_exchanges_and_bindings_to_nowhere_are_skipped() {
    let before = empty().export_definitions();
    let broker = imported(
        r#"{
            "exchanges": [
                {"name": "", "vhost": "/", "type": "direct", "durable": true, "auto_delete": false},
                {"name": "amq.topic", "vhost": "/", "type": "fanout", "durable": true,
                 "auto_delete": false}
            ],
            "queues": [{"name": "amq.gen-x", "vhost": "/", "durable": true, "auto_delete": false}],
            "bindings": [
                {"source": "nope", "vhost": "/", "destination": "amq.fanout",
                 "destination_type": "exchange", "routing_key": ""},
                {"source": "amq.fanout", "vhost": "/", "destination": "nope",
                 "destination_type": "queue", "routing_key": ""}
            ]
        }"#,
    );
    assert_eq!(broker.export_definitions(), before);
}

#[test]
fn a_vhosts_limit_is_checked_before_anything_is_created() {
    let queue = |name: &str| {
        format!(r#"{{"name": "{name}", "vhost": "/", "durable": true, "auto_delete": false}}"#)
    };
    let queues = format!(r#"{{"queues": [{}, {}]}}"#, queue("a"), queue("b"));
    let limit = r#"{"parameters": [{"component": "vhost-limits", "vhost": "/", "name": "limits",
        "value": {"max-queues": 2}}]}"#;
    let mut broker = imported(limit);
    import(&mut broker, &queues).unwrap();
    import(&mut broker, &queues).unwrap();
    let error = import(&mut broker, &format!(r#"{{"queues": [{}]}}"#, queue("c"))).unwrap_err();
    assert!(error.to_string().contains("would exceed the limit of 2 queue(s)"), "{error}");
    assert_eq!(broker.list_queues().len(), 2);
}

#[test]
fn exclusive_queues_are_not_exported() {
    let mut server = Server::new();
    server.declare_with("mine", QueueOptions { exclusive: true, ..Default::default() });
    server.declare("all");
    let exported = server.broker.export_definitions().to_json();
    assert!(!exported.contains("mine") && exported.contains("\"all\""), "{exported}");
}

#[test]
fn a_world_begins_with_a_topology() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    rabbit.import_definitions(&SERVER.parse().unwrap()).unwrap();
    sim.node_with("app", rabbit.clone(), async |node, rabbit| {
        let options = ConnectionOptions {
            virtual_host: "shop".into(),
            user: "shop-app".into(),
            password: "s3cret".into(),
            ..Default::default()
        };
        let channel = Connection::connect_with(&node, &rabbit, options).await?.channel().await?;
        channel.basic_publish("shop.events", "order.new", Properties::default(), "an order")?;
        channel.close().await?;
        Ok::<(), Error>(())
    });
    sim.run_for(Duration::from_secs(1)).expect_reached();
    assert_eq!(rabbit.messages_ready("shop.orders"), Some(1));
    assert_eq!(rabbit.messages_ready("shop.updates"), Some(1));
    assert_eq!(rabbit.messages_ready("shop.payments"), Some(0));
    rabbit.wipe();
    rabbit.add_vhost("other");
    rabbit.import_vhost_definitions("other", &VHOST.parse().unwrap()).unwrap();
    let (whole, one) = (rabbit.export_definitions(), rabbit.export_vhost_definitions("other"));
    assert_eq!(whole.to_json().matches("\"shop.payments\"").count(), 3);
    assert!(!one.unwrap().to_json().contains("\"users\""));
}
