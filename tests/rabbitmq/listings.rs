//! `rabbitmqctl --formatter json`: the output of the real command for the same objects, with the
//! rows sorted and our ids in place of processes and ports.

use crate::support::*;
use stunt_double::rabbitmq::admin::{ApplyTo, Permissions, Policy};
use stunt_double::rabbitmq::broker::{ChannelId, Method};
use stunt_double::rabbitmq::{
    BindOptions, ConnectionOptions, ConsumeOptions, ExchangeBindOptions, ExchangeOptions,
    FieldTable, FieldValue, Properties, Publish, QueueOptions,
};

const SHOP: ChannelId = ChannelId::new(7, 1);

/// A vhost with a queue of each kind, consumers, bindings, policies and a user.
fn shop() -> Server {
    let mut server = Server::new();
    let now = server.now;
    let broker = &mut server.broker;
    broker.add_vhost("js");
    broker.set_permissions("js", "guest", Permissions::all()).unwrap();
    broker.add_user("bob", "pw");
    broker.set_user_tags("bob", &["monitoring", "policymaker"]).unwrap();
    let permissions = Permissions { configure: "^a".into(), write: "b".into(), read: "c".into() };
    broker.set_permissions("js", "bob", permissions).unwrap();
    broker.set_topic_permissions("js", "bob", "amq.topic", "w", "r").unwrap();
    let options = ConnectionOptions { virtual_host: "js".into(), ..Default::default() };
    broker.connection_open(now, SHOP.connection, options).unwrap();
    broker.channel_open(now, SHOP).unwrap();
    let array =
        FieldValue::Array(vec!["a".into(), 1.into(), FieldTable::new().with("k", "v").into()]);
    let arguments = FieldTable::new().with("x-max-length", 5).with("d", 1.5).with("arr", array);
    let durable = QueueOptions { durable: true, arguments, ..Default::default() };
    broker.queue_declare(now, SHOP, "q1", durable).unwrap();
    let exclusive = QueueOptions { exclusive: true, ..Default::default() };
    broker.queue_declare(now, SHOP, "ex", exclusive).unwrap();
    let arguments = FieldTable::new().with("x-queue-type", "quorum");
    let quorum = QueueOptions { durable: true, arguments, ..Default::default() };
    broker.queue_declare(now, SHOP, "qq", quorum).unwrap();
    let properties = Properties::default().persistent().with_timestamp(1_600_000_000);
    let publish = Publish { properties, ..Publish::new("", "q1", "hello") };
    broker.basic_publish(now, SHOP, publish).unwrap();
    broker.basic_qos(now, SHOP, 0, 3, false).unwrap();
    let arguments = FieldTable::new().with("x-priority", 5);
    let consume = ConsumeOptions { consumer_tag: "ctag".into(), arguments, ..Default::default() };
    broker.basic_consume(now, SHOP, "qq", consume).unwrap();
    let consume = ConsumeOptions {
        consumer_tag: "excl".into(),
        no_ack: true,
        exclusive: true,
        ..Default::default()
    };
    broker.basic_consume(now, SHOP, "ex", consume).unwrap();
    let topic = ExchangeOptions {
        kind: "topic".into(),
        durable: true,
        arguments: FieldTable::new().with("alternate-exchange", "ae"),
        ..Default::default()
    };
    broker.exchange_declare(now, SHOP, "e1", topic).unwrap();
    let arguments = FieldTable::new().with("z", 1).with("a", "x");
    let binding = BindOptions { arguments, ..BindOptions::new("q1", "e1", "k.#") };
    broker.queue_bind(now, SHOP, binding).unwrap();
    broker.exchange_bind(now, SHOP, ExchangeBindOptions::new("e1", "amq.direct", "rk")).unwrap();
    let definition = FieldTable::new().with("max-length", 10).with("overflow", "drop-head");
    let policy =
        Policy { apply_to: ApplyTo::Queues, priority: 3, ..Policy::new("pol", "^q1", definition) };
    broker.set_policy(now, "js", policy).unwrap();
    let limit = Policy::new("opol", "^q", FieldTable::new().with("message-ttl", 100_000));
    broker.set_operator_policy(now, "js", limit).unwrap();
    server
}

fn json(server: &Server, command: &str) -> String {
    let printed = server.broker.rabbitmqctl(&format!("{command} --formatter json")).unwrap();
    let lines = printed.strip_prefix("[\n").and_then(|rest| rest.strip_suffix("]\n"));
    lines.expect("it is an array, an object a line").to_owned()
}

#[test]
fn queues() {
    let server = shop();
    let expected = r#"{"name":"ex","messages":0}
,{"name":"q1","messages":1}
,{"name":"qq","messages":0}
"#;
    assert_eq!(json(&server, "list_queues -p js"), expected);
    let columns = "name durable auto_delete arguments policy owner_pid exclusive \
                   exclusive_consumer_pid exclusive_consumer_tag messages_ready \
                   messages_persistent message_bytes head_message_timestamp consumers state type";
    let expected = r#"{"name":"ex","durable":false,"auto_delete":false,"arguments":[],"policy":"","owner_pid":"7","exclusive":true,"exclusive_consumer_pid":"7/1","exclusive_consumer_tag":"excl","messages_ready":0,"messages_persistent":0,"message_bytes":0,"head_message_timestamp":"","consumers":1,"state":"running","type":"classic"}
,{"name":"q1","durable":true,"auto_delete":false,"arguments":[["x-max-length","signedint",5],["d","double",1.5],["arr","array",{"longstr":"a","signedint":1,"table":[["k","longstr","v"]]}]],"policy":"pol","owner_pid":"","exclusive":false,"exclusive_consumer_pid":"","exclusive_consumer_tag":"","messages_ready":1,"messages_persistent":1,"message_bytes":5,"head_message_timestamp":1600000000,"consumers":0,"state":"running","type":"classic"}
,{"name":"qq","durable":true,"auto_delete":false,"arguments":[["x-queue-type","longstr","quorum"]],"policy":"","owner_pid":"","exclusive":"","exclusive_consumer_pid":"","exclusive_consumer_tag":"","messages_ready":0,"messages_persistent":"","message_bytes":"","head_message_timestamp":"","consumers":1,"state":"running","type":"quorum"}
"#;
    assert_eq!(json(&server, &format!("list_queues -p js {columns}")), expected);
}

#[test]
fn exchanges_and_bindings() {
    let server = shop();
    let exchanges =
        json(&server, "list_exchanges -p js name type durable internal arguments policy");
    let expected = r#",{"name":"e1","type":"topic","durable":true,"internal":false,"arguments":[["alternate-exchange","longstr","ae"]],"policy":""}"#;
    assert!(exchanges.lines().any(|line| line == expected), "{exchanges}");
    let bindings = json(&server, "list_bindings -p js");
    let expected = r#",{"source_name":"amq.direct","source_kind":"exchange","destination_name":"e1","destination_kind":"exchange","routing_key":"rk","arguments":[]}
,{"source_name":"e1","source_kind":"exchange","destination_name":"q1","destination_kind":"queue","routing_key":"k.#","arguments":[["a","longstr","x"],["z","signedint",1]]}
"#;
    assert!(bindings.ends_with(expected), "{bindings}");
}

#[test]
fn consumers_connections_and_channels() {
    let server = shop();
    let expected = r#"{"queue_name":"ex","channel_pid":"7/1","consumer_tag":"excl","ack_required":false,"prefetch_count":3,"active":true,"arguments":[]}
,{"queue_name":"qq","channel_pid":"7/1","consumer_tag":"ctag","ack_required":true,"prefetch_count":3,"active":true,"arguments":[["x-priority","signedint",5]]}
"#;
    assert_eq!(json(&server, "list_consumers -p js"), expected);
    let connections = json(&server, "list_connections");
    let expected =
        ",{\"user\":\"guest\",\"peer_host\":[127,0,0,1],\"peer_port\":7,\"state\":\"running\"}\n";
    assert!(connections.ends_with(expected), "{connections}");
    let table = server.broker.rabbitmqctl("list_connections").unwrap();
    assert!(table.starts_with("user\tpeer_host\tpeer_port\tstate\nguest\t127.0.0.1\t1\trunning\n"));
    let protocols = json(&server, "list_connections protocol channels timeout");
    assert!(protocols.ends_with(",{\"protocol\":[0,9,1],\"channels\":1,\"timeout\":0}\n"));
    let expected = ",{\"pid\":\"7/1\",\"user\":\"guest\",\"consumer_count\":2,\
                    \"messages_unacknowledged\":0}\n";
    assert!(json(&server, "list_channels").ends_with(expected));
}

#[test]
fn users_vhosts_permissions_and_policies() {
    let server = shop();
    for (command, expected) in [
        ("list_vhosts", "{\"name\":\"/\"}\n,{\"name\":\"js\"}\n"),
        (
            "list_vhosts name tracing description tags default_queue_type",
            r#"{"name":"/","tracing":false,"description":"Default virtual host","tags":[],"default_queue_type":"undefined"}
,{"name":"js","tracing":false,"description":"","tags":"","default_queue_type":"undefined"}
"#,
        ),
        (
            "list_users",
            r#"{"user":"bob","tags":["monitoring","policymaker"]}
,{"user":"guest","tags":["administrator"]}
"#,
        ),
        (
            "list_permissions -p js",
            r#"{"user":"bob","configure":"^a","write":"b","read":"c"}
,{"user":"guest","configure":".*","write":".*","read":".*"}
"#,
        ),
        (
            "list_user_permissions bob",
            "{\"vhost\":\"js\",\"configure\":\"^a\",\"write\":\"b\",\"read\":\"c\"}\n",
        ),
        (
            "list_topic_permissions -p js",
            "{\"user\":\"bob\",\"exchange\":\"amq.topic\",\"write\":\"w\",\"read\":\"r\"}\n",
        ),
        (
            "list_policies -p js",
            r#"{"vhost":"js","name":"pol","pattern":"^q1","apply-to":"queues","definition":"{\"max-length\":10,\"overflow\":\"drop-head\"}","priority":3}
"#,
        ),
        (
            "list_operator_policies -p js",
            r#"{"vhost":"js","name":"opol","pattern":"^q","apply-to":"all","definition":"{\"message-ttl\":100000}","priority":0}
"#,
        ),
    ] {
        assert_eq!(json(&server, command), expected, "{command}");
    }
}

#[test]
fn no_rows_are_written_in_one_line_or_in_two_as_the_command_does() {
    let mut server = Server::new();
    server.send(ChannelId::new(1, 0), Method::ConnectionClose);
    server.send(ChannelId::new(2, 0), Method::ConnectionClose);
    server.broker.add_user("zoe", "pw");
    server.broker.add_vhost("j3");
    let print = |command| server.broker.rabbitmqctl(&format!("{command} --formatter json"));
    for command in [
        "list_queues",
        "list_exchanges -p nope",
        "list_bindings",
        "list_consumers",
        "list_connections",
        "list_channels",
    ] {
        assert_eq!(print(command).unwrap(), "[\n]\n", "{command}");
    }
    for command in [
        "list_policies",
        "list_operator_policies",
        "list_permissions -p j3",
        "list_user_permissions zoe",
        "list_topic_permissions",
    ] {
        assert_eq!(print(command).unwrap(), "[]\n", "{command}");
    }
}
