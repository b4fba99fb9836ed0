//! The listings, as rows and as `rabbitmqctl -q` prints them.

use crate::support::*;
use stunt_double::rabbitmq::admin::{
    ActivityStatus, Alarm, ApplyTo, ConnectionState, DestinationKind, Permissions, Policy,
    UserLimits, VHostLimits,
};
use stunt_double::rabbitmq::broker::{ChannelId, Method};
use stunt_double::rabbitmq::{
    ConnectionOptions, ConsumeOptions, ExchangeBindOptions, FieldTable, FieldValue, Properties,
    QueueOptions,
};

#[test]
fn list_queues_shows_ready_and_unacknowledged() {
    let mut server = Server::new();
    server.declare("hello");
    server.declare_with("task_queue", durable());
    server.fill("hello", 5);
    (0..2).for_each(|_| drop(server.send(CH, get("hello"))));
    assert_eq!(
        server
            .broker
            .rabbitmqctl("list_queues name messages_ready messages_unacknowledged")
            .unwrap(),
        "name\tmessages_ready\tmessages_unacknowledged\nhello\t3\t2\ntask_queue\t0\t0\n"
    );
    assert_eq!(
        server.broker.rabbitmqctl("list_queues").unwrap(),
        "name\tmessages\nhello\t5\ntask_queue\t0\n"
    );
    let rows = server.broker.list_queues();
    assert_eq!(
        (rows[0].messages_ready, rows[0].messages_unacknowledged, rows[0].messages()),
        (3, 2, 5)
    );
}

#[test]
fn without_rows_there_is_no_header() {
    let server = Server::new();
    assert_eq!(server.broker.rabbitmqctl("list_queues").unwrap(), "");
    assert_eq!(server.broker.rabbitmqctl("list_consumers").unwrap(), "");
}

#[test]
fn list_exchanges_begins_with_those_of_every_vhost() {
    let server = Server::new();
    assert_eq!(
        server.broker.rabbitmqctl("list_exchanges").unwrap(),
        "name\ttype\n\tdirect\namq.direct\tdirect\namq.fanout\tfanout\namq.headers\theaders\n\
         amq.match\theaders\namq.rabbitmq.trace\ttopic\namq.topic\ttopic\n"
    );
    let rows = server.broker.list_exchanges();
    assert!(rows.iter().all(|row| row.durable && !row.auto_delete));
    let internal: Vec<_> =
        rows.iter().filter(|row| row.internal).map(|row| row.name.as_str()).collect();
    assert_eq!(internal, ["amq.rabbitmq.trace"]);
}

#[test]
fn list_bindings_has_the_default_ones_first_and_shows_arguments() {
    let mut server = Server::new();
    server.declare("hello");
    let arguments =
        FieldTable::new().with("x-match", "all").with("n", 1).with("b", FieldValue::Bool(true));
    server.bind("hello", "amq.headers", "k y", arguments);
    assert_eq!(
        server.broker.rabbitmqctl("list_bindings").unwrap(),
        "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments\n\
         \texchange\thello\tqueue\thello\t[]\n\
         amq.headers\texchange\thello\tqueue\tk y\t[{\"b\",true},{\"n\",1},{\"x-match\",\"all\"}]\n"
    );
}

#[test]
fn list_consumers_shows_tag_acks_and_prefetch() {
    let mut server = Server::new();
    server.declare("hello");
    server.qos(CH, 2, false);
    server.consume(CH, "hello", "ct1");
    let text = server
        .broker
        .rabbitmqctl(
            "list_consumers queue_name consumer_tag ack_required prefetch_count active arguments",
        )
        .unwrap();
    assert_eq!(
        text,
        "queue_name\tconsumer_tag\tack_required\tprefetch_count\tactive\targuments\n\
         hello\tct1\ttrue\t2\ttrue\t[]\n"
    );
    let row = server.broker.list_consumers().remove(0);
    assert_eq!((row.queue.as_str(), row.channel), ("hello", CH));
}

#[test]
fn rows_are_sorted_by_name() {
    let mut server = Server::new();
    for name in ["b", "a", "c"] {
        server.declare_with(name, QueueOptions::default());
    }
    let names: Vec<_> =
        server.broker.list_queues().iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn an_unknown_column_or_command_is_an_error_that_names_it() {
    let server = Server::new();
    let error = server.broker.rabbitmqctl("list_queues name nonsense,memory").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Error (argument validation): Info key(s) nonsense,memory are not supported"
    );
    let error = server.broker.rabbitmqctl("reticulate splines").unwrap_err();
    assert!(error.to_string().contains("reticulate"), "{error}");
}

fn ctl(server: &Server, command: &str) -> String {
    server.broker.rabbitmqctl(command).unwrap()
}

/// A broker with a second vhost and a user who may use it.
fn shop() -> Server {
    let mut server = Server::new();
    let broker = &mut server.broker;
    broker.add_vhost("shop");
    broker.describe_vhost("shop", "The shop", &["prod", "eu"]).unwrap();
    broker.add_user("shop", "secret");
    broker.set_user_tags("shop", &["monitoring", "policymaker"]).unwrap();
    broker.set_permissions("shop", "guest", Permissions::all()).unwrap();
    let own = Permissions::new(r"^shop\.", r"^(shop\.|amq\.default$)", ".*");
    broker.set_permissions("shop", "shop", own).unwrap();
    broker.set_topic_permissions("shop", "shop", "shop.events", r"^order\.", ".*").unwrap();
    server
}

/// Opens a channel to a vhost, on a connection of its own.
fn open(server: &mut Server, ch: ChannelId, vhost: &str) {
    let options = ConnectionOptions { virtual_host: vhost.into(), ..Default::default() };
    let zero = ChannelId::new(ch.connection.0, 0);
    server.send(zero, Method::ConnectionOpen(Box::new(options)));
    server.send(ch, Method::ChannelOpen);
}

// These expectations were copied from the real rabbitmqctl after the same operations; the order of
// rows is ours.

#[test]
fn the_columns_of_queues_are_those_of_the_real_listing() {
    let mut server = Server::new();
    let with = |name: &str, value: FieldValue| FieldTable::new().with(name, value);
    server.declare("hello");
    server.declare_with("ex", QueueOptions { exclusive: true, ..Default::default() });
    server.declare_with("dur", durable());
    let arguments = with("x-queue-type", "quorum".into());
    server.declare_with("qq", QueueOptions { arguments, ..durable() });
    for i in 0..3 {
        let properties = Properties::default().with_timestamp(1_000 + i);
        let properties = if i > 0 { properties.persistent() } else { properties };
        server.send(CH, publish_with("", "hello", "abcde", properties));
    }
    server.send(CH, persistent("dur", "abc"));
    server.send(CH, persistent("qq", "abcd"));
    server.send(CH2, get("hello"));
    let exclusive =
        ConsumeOptions { consumer_tag: "ct-ex".into(), exclusive: true, ..Default::default() };
    server.send(CH, consume_with("ex", exclusive));
    server.consume(CH, "dur", "cd");
    assert_eq!(
        ctl(
            &server,
            "list_queues name owner_pid exclusive exclusive_consumer_pid exclusive_consumer_tag \
             messages_ready messages_unacknowledged messages messages_persistent message_bytes \
             message_bytes_ready message_bytes_unacknowledged message_bytes_persistent \
             head_message_timestamp consumers state type --no-table-headers"
        ),
        "dur\t\tfalse\t\t\t0\t1\t1\t1\t3\t0\t3\t3\t\t1\trunning\tclassic\n\
         ex\t1\ttrue\t1/1\tct-ex\t0\t0\t0\t0\t0\t0\t0\t0\t\t1\trunning\tclassic\n\
         hello\t\tfalse\t\t\t2\t1\t3\t0\t15\t10\t5\t0\t1000\t0\trunning\tclassic\n\
         qq\t\t\t\t\t1\t0\t1\t\t\t\t\t\t\t0\trunning\tquorum\n"
    );
    let contents = server.broker.queue_contents("/", "dur").unwrap();
    assert_eq!((contents.messages_persistent, contents.message_bytes_unacknowledged), (1, 3));
    let contents = server.broker.queue_contents("/", "qq").unwrap();
    assert_eq!(
        (contents.messages_persistent, contents.message_bytes),
        (1, 4),
        "known all the same"
    );
    assert!(server.broker.queue_contents("/", "nope").is_err());
    assert!(server.broker.queue_contents("nope", "dur").is_err());
}

#[test]
fn a_stream_keeps_messages_that_were_read() {
    let mut server = Server::new();
    let arguments = FieldTable::new().with("x-queue-type", "stream");
    server.declare_with("s", QueueOptions { arguments, ..durable() });
    server.fill("s", 3);
    server.qos(CH, 10, false);
    let options = ConsumeOptions {
        consumer_tag: "r".into(),
        arguments: FieldTable::new().with("x-stream-offset", "first"),
        ..Default::default()
    };
    assert_eq!(server.send(CH, consume_with("s", options)).len(), 1 + 3);
    let contents = server.broker.queue_contents("/", "s").unwrap();
    assert_eq!((contents.message_bytes, contents.message_bytes_unacknowledged), (3, 0));
}

#[test]
fn consumers_that_stand_by_are_told_from_the_active_one() {
    let mut server = Server::new();
    let arguments = FieldTable::new().with("x-single-active-consumer", true);
    server.declare_with("sac", QueueOptions { arguments, ..Default::default() });
    server.declare("hello");
    server.consume(CH, "sac", "c1");
    server.consume(CH, "sac", "c2");
    server.consume(CH, "hello", "c3");
    assert_eq!(
        ctl(&server, "list_consumers consumer_tag active activity_status"),
        "consumer_tag\tactive\tactivity_status\n\
         c3\ttrue\tup\nc1\ttrue\tsingle_active\nc2\tfalse\twaiting\n"
    );
    server.send(CH, cancel("c1"));
    let rows = server.broker.list_consumers();
    assert_eq!(rows[1].activity_status, ActivityStatus::SingleActive, "{:?}", rows[1]);
    let active = server.broker.list_queues().remove(1).single_active_consumer;
    assert_eq!(active, Some((CH, "c2".into())));
}

#[test]
fn a_binding_leads_to_a_queue_or_to_an_exchange() {
    let mut server = Server::new();
    server.exchange("a", "topic");
    server.exchange("b", "fanout");
    server.declare("b");
    server.bind("b", "a", "#", FieldTable::new());
    let binding = Box::new(ExchangeBindOptions::new("b", "a", "#"));
    server.send(CH, Method::ExchangeBind { binding, no_wait: false });
    assert_eq!(
        ctl(&server, "list_bindings"),
        "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments\n\
         \texchange\tb\tqueue\tb\t[]\n\
         a\texchange\tb\tqueue\t#\t[]\n\
         a\texchange\tb\texchange\t#\t[]\n"
    );
    server.send(CH, delete_exchange("b", false));
    let kinds: Vec<_> =
        server.broker.list_bindings().iter().map(|row| row.destination_kind).collect();
    assert_eq!(kinds, [DestinationKind::Queue; 2]);
}

#[test]
fn the_text_shows_one_vhost_and_the_rows_show_all() {
    let mut server = shop();
    let ch = ChannelId::new(9, 1);
    open(&mut server, ch, "shop");
    server.declare("hello");
    server.send(ch, declare("orders", QueueOptions::default()));
    assert_eq!(ctl(&server, "list_queues name"), "name\nhello\n");
    assert_eq!(ctl(&server, "list_queues -p shop name"), "name\norders\n");
    assert_eq!(ctl(&server, "list_queues --vhost=nope name"), "", "as the real one");
    let rows = server.broker.list_queues();
    let names: Vec<_> = rows.iter().map(|row| (row.vhost.as_str(), row.name.as_str())).collect();
    assert_eq!(names, [("/", "hello"), ("shop", "orders")]);
    assert_eq!(server.broker.list_exchanges().len(), 14);
    assert_eq!(ctl(&server, "list_exchanges -p shop").lines().count(), 1 + 7);
}

#[test]
fn policies_and_their_effect_on_a_queue_are_listed() {
    let mut server = shop();
    let now = server.now;
    let definition = FieldTable::new().with("dead-letter-exchange", "dead").with("max-length", 60);
    let dlx = Policy {
        priority: 5,
        apply_to: ApplyTo::Queues,
        ..Policy::new("dlx", r"^orders$", definition)
    };
    server.broker.set_policy(now, "/", dlx).unwrap();
    let all = Policy::new("all", ".*", FieldTable::new().with("max-length", 1_000_000));
    server.broker.set_policy(now, "/", all).unwrap();
    let cap = Policy {
        apply_to: ApplyTo::Queues,
        ..Policy::new("cap", "^o", FieldTable::new().with("max-length", 50))
    };
    server.broker.set_operator_policy(now, "/", cap).unwrap();
    server.declare("orders");
    server.declare("hello");
    assert_eq!(
        ctl(&server, "list_policies"),
        "vhost\tname\tpattern\tapply-to\tdefinition\tpriority\n\
         /\tall\t.*\tall\t{\"max-length\":1000000}\t0\n\
         /\tdlx\t^orders$\tqueues\t{\"dead-letter-exchange\":\"dead\",\"max-length\":60}\t5\n"
    );
    assert_eq!(
        ctl(&server, "list_operator_policies -s"),
        "/\tcap\t^o\tqueues\t{\"max-length\":50}\t0\n"
    );
    assert_eq!(ctl(&server, "list_queues -s name policy"), "hello\tall\norders\tdlx\n");
    assert!(ctl(&server, "list_exchanges name policy").contains("\namq.topic\tall\n"));
    let row = server.broker.list_queues().remove(1);
    assert_eq!(row.operator_policy.as_deref(), Some("cap"));
    assert_eq!(
        row.effective_policy_definition,
        FieldTable::new().with("dead-letter-exchange", "dead").with("max-length", 50)
    );
    let error = server.broker.rabbitmqctl("list_policies -p nope").unwrap_err();
    assert_eq!(error.to_string(), "Virtual host 'nope' does not exist");
    let error = server.broker.rabbitmqctl("list_policies name").unwrap_err();
    assert_eq!(error.to_string(), "Error (argument validation): too many arguments.");
}

#[test]
fn vhosts_users_and_permissions_are_listed() {
    let mut server = shop();
    assert_eq!(
        ctl(&server, "list_vhosts name description tags tracing default_queue_type"),
        "name\tdescription\ttags\ttracing\tdefault_queue_type\n\
         /\tDefault virtual host\t[]\tfalse\tundefined\nshop\tThe shop\t[prod, eu]\tfalse\tundefined\n"
    );
    assert_eq!(
        ctl(&server, "list_users"),
        "user\ttags\nguest\t[administrator]\nshop\t[monitoring, policymaker]\n"
    );
    assert_eq!(
        ctl(&server, "list_permissions -p shop"),
        "user\tconfigure\twrite\tread\nguest\t.*\t.*\t.*\n\
         shop\t^shop\\.\t^(shop\\.|amq\\.default$)\t.*\n"
    );
    assert_eq!(
        ctl(&server, "list_user_permissions guest"),
        "vhost\tconfigure\twrite\tread\n/\t.*\t.*\t.*\nshop\t.*\t.*\t.*\n"
    );
    assert_eq!(
        ctl(&server, "list_topic_permissions -p shop"),
        "user\texchange\twrite\tread\nshop\tshop.events\t^order\\.\t.*\n"
    );
    let error = server.broker.rabbitmqctl("list_user_permissions nope").unwrap_err();
    assert_eq!(error.to_string(), "Error:\n{:no_such_user, \"nope\"}");
    assert!(server.broker.rabbitmqctl("list_user_permissions").is_err());

    let limits = UserLimits { max_channels: Some(3), ..Default::default() };
    server.broker.set_user_limits("shop", limits).unwrap();
    let limits = VHostLimits { max_queues: Some(5), ..Default::default() };
    server.broker.set_vhost_limits("shop", limits).unwrap();
    assert_eq!(server.broker.list_users()[1].limits.max_channels, Some(3));
    assert_eq!(server.broker.list_vhosts()[1].limits.max_queues, Some(5));
    server.broker.clear_topic_permissions("shop", "shop").unwrap();
    assert_eq!(server.broker.list_topic_permissions(), []);
}

#[test]
fn connections_and_channels_show_their_state() {
    let mut server = shop();
    open(&mut server, ChannelId::new(9, 7), "shop");
    server.declare("hello");
    server.send(CH, confirm_select());
    server.qos(CH, 5, true);
    server.qos(CH2, 3, false);
    server.send(CH2, Method::TxSelect);
    server.send(CH2, publish("", "hello", "a"));
    server.fill("hello", 0);
    server.send(CH, publish("", "hello", "b"));
    server.send(CH2, get("hello"));
    server.send(CH2, ack(1, false));
    server.consume(CH, "hello", "c");
    assert_eq!(
        ctl(&server, "list_connections pid user vhost channels state timeout channel_max protocol"),
        "pid\tuser\tvhost\tchannels\tstate\ttimeout\tchannel_max\tprotocol\n\
         1\tguest\t/\t2\trunning\t0\t2047\t{0,9,1}\n\
         2\tguest\t/\t1\trunning\t0\t2047\t{0,9,1}\n\
         9\tguest\tshop\t1\trunning\t0\t2047\t{0,9,1}\n"
    );
    assert_eq!(
        ctl(
            &server,
            "list_channels connection number user vhost transactional confirm consumer_count \
             messages_unacknowledged messages_uncommitted acks_uncommitted prefetch_count \
             global_prefetch_count -s"
        ),
        "1\t1\tguest\t/\tfalse\ttrue\t1\t0\t0\t0\t0\t5\n\
         1\t2\tguest\t/\ttrue\tfalse\t0\t0\t1\t1\t3\t0\n\
         2\t1\tguest\t/\tfalse\tfalse\t0\t0\t0\t0\t0\t0\n\
         9\t7\tguest\tshop\tfalse\tfalse\t0\t0\t0\t0\t0\t0\n"
    );
    server.broker.set_alarm(server.now, Alarm::Memory, true);
    server.send(OTHER, publish("", "hello", "c"));
    let states: Vec<_> = server.broker.list_connections().iter().map(|row| row.state).collect();
    let blocking = ConnectionState::Blocking;
    assert_eq!(states, [blocking, ConnectionState::Blocked, blocking]);
}

#[test]
fn publishes_that_wait_for_the_disk_are_listed_as_unconfirmed() {
    let options = stunt_double::rabbitmq::BrokerOptions::default();
    let options = options.with_sync_time(std::time::Duration::from_millis(5));
    let mut server = Server::with_options(options);
    server.declare_with("dur", durable());
    server.send(CH, confirm_select());
    server.send(CH, persistent("dur", "a"));
    server.send(CH, persistent("dur", "b"));
    assert_eq!(server.broker.list_channels()[0].messages_unconfirmed, 2);
    assert_eq!(server.wait(std::time::Duration::from_secs(1)), ["ack 2*"]);
    assert_eq!(server.broker.list_channels()[0].messages_unconfirmed, 0);
}

#[test]
fn a_connection_that_is_closed_by_hand_is_told_why() {
    let mut server = Server::new();
    server.declare_with("mine", QueueOptions { exclusive: true, ..Default::default() });
    server.broker.close_connection(server.now, CH.connection, "maintenance").unwrap();
    assert_eq!(server.drain(), ["CONN 320 0/0 CONNECTION_FORCED - maintenance"]);
    assert_eq!(ctl(&server, "list_queues"), "");
    let error = server.broker.close_connection(server.now, CH.connection, "again").unwrap_err();
    assert_eq!(error.to_string(), "Connection 1 does not exist");
}
