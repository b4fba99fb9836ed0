//! A broker that is up and refuses.

use std::time::Duration;
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::rabbitmq::{
    self, Broker, BrokerOptions, Connection, ConnectionId, Error, Properties, QueueOptions,
    RabbitMq, Refusal, RefusalError, ReplyCode, Scope,
};
use stunt_double::sim::{Config, Node, Seeds, Sim};
use stunt_double::{Instant, Site, Stream};

fn world() -> (Sim, RabbitMq) {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    (sim, rabbit)
}

/// Declares and publishes with a confirm; what becomes of it.
async fn publisher(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let connection = Connection::open(&node, &rabbit).await?;
    let channel = connection.channel().await?;
    channel.queue_declare("q", QueueOptions::default()).await?;
    channel.confirm_select().await?;
    channel.basic_publish("", "q", Properties::default(), "x")?;
    channel.wait_for_confirms().await?;
    Ok(())
}

/// How a publisher fails under a refusal.
fn failure(refusal: Refusal) -> Option<rabbitmq::AmqpError> {
    let (mut sim, rabbit) = world();
    rabbit.refuse(refusal).unwrap();
    let failed = std::rc::Rc::new(std::cell::Cell::new(None));
    sim.node_with("p", (rabbit, std::rc::Rc::clone(&failed)), async |node, (rabbit, failed)| {
        failed.set(publisher(node, rabbit).await.err());
    });
    sim.run().expect_done();
    failed.take().map(|error| error.amqp().expect("the broker said why").clone())
}

#[test]
fn what_is_refused_is_closed_as_the_code_says() {
    let limit = "connection limit (10) is reached";
    for (refusal, scope, text, method) in [
        (
            Refusal::connections(ReplyCode::NotAllowed, limit),
            Scope::Connection,
            "NOT_ALLOWED - connection limit (10) is reached",
            (10, 40),
        ),
        (
            Refusal::channels(ReplyCode::NotAllowed, "channel limit"),
            Scope::Connection,
            "NOT_ALLOWED - channel limit",
            (20, 10),
        ),
        (
            Refusal::method("queue.declare", ReplyCode::ResourceLocked, "busy"),
            Scope::Channel,
            "RESOURCE_LOCKED - busy",
            (50, 10),
        ),
        (
            Refusal::method("basic.publish", ReplyCode::InternalError, "crashed").naming("q"),
            Scope::Connection,
            "INTERNAL_ERROR - crashed",
            (60, 40),
        ),
        (
            Refusal::method("basic.publish", ReplyCode::PreconditionFailed, "no"),
            Scope::Channel,
            "PRECONDITION_FAILED - no",
            (60, 40),
        ),
    ] {
        let error = failure(refusal).expect("it is refused");
        assert_eq!((error.scope, &*error.text), (scope, text));
        assert_eq!((error.class_id, error.method_id), method);
    }
}

#[test]
fn what_does_not_match_is_served() {
    for refusal in [
        Refusal::method("basic.publish", ReplyCode::InternalError, "crashed").naming("other"),
        Refusal::method("basic.get", ReplyCode::InternalError, "crashed"),
        Refusal::method("basic.publish", ReplyCode::InternalError, "crashed").times(0),
    ] {
        assert_eq!(failure(refusal), None);
    }
}

#[test]
fn a_refusal_that_could_never_match_is_an_error() {
    let (_sim, rabbit) = world();
    for name in ["basic.foo", "", "basic.deliver", "channel.close"] {
        let refusal = Refusal::method(name, ReplyCode::InternalError, "crashed");
        assert_eq!(rabbit.refuse(refusal), Err(RefusalError::UnknownMethod(name.into())));
    }
}

#[test]
fn a_refusal_ends_after_its_times_its_time_or_when_it_is_lifted() {
    let (mut sim, rabbit) = world();
    let twice = Refusal::connections(ReplyCode::ConnectionForced, "maintenance").times(2);
    rabbit.refuse(twice).unwrap();
    let long =
        Refusal::channels(ReplyCode::NotAllowed, "none left").lasting(Duration::from_secs(60));
    rabbit.refuse(long).unwrap();
    sim.node_with("p", rabbit.clone(), async |node, rabbit| {
        let mut failures = Vec::new();
        while let Err(error) = publisher(node.clone(), rabbit.clone()).await {
            failures.push(error.amqp().expect("the broker said why").code);
            node.sleep(Duration::from_secs(25)).await;
        }
        let expected =
            [ReplyCode::ConnectionForced, ReplyCode::ConnectionForced, ReplyCode::NotAllowed];
        assert_eq!(failures, expected);
    });
    sim.run().expect_done();
    let for_ever = Refusal::connections(ReplyCode::ConnectionForced, "maintenance");
    rabbit.refuse(for_ever).unwrap();
    rabbit.refuse_nothing();
    sim.node_with("again", rabbit, publisher);
    sim.run().expect_done();
}

/// A frame of a method on channel 0.
fn frame(class: u16, method: u16, arguments: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, 0, 0];
    frame.extend((4 + arguments.len() as u32).to_be_bytes());
    frame.extend(class.to_be_bytes());
    frame.extend(method.to_be_bytes());
    frame.extend(arguments);
    frame.push(0xce);
    frame
}

#[test]
fn a_refusal_is_the_same_on_the_wire() {
    let mut broker = Broker::new(BrokerOptions::default(), Stream::seeded(1, Site::new("t"), 0));
    let refusal = Refusal::connections(ReplyCode::NotAllowed, "vhost '/' is down");
    broker.refuse(Instant::ZERO, refusal).unwrap();
    let mut server = ByteServer::new(broker);
    let id = ConnectionId(1);
    server.connect(Instant::ZERO, id);
    let start_ok = b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US";
    let tune_ok = b"\x07\xff\0\x02\0\0\0\0";
    let open = b"\x01/\0\0";
    let mut bytes = b"AMQP\0\0\x09\x01".to_vec();
    bytes.extend(frame(10, 11, start_ok));
    bytes.extend(frame(10, 31, tune_ok));
    bytes.extend(frame(10, 40, open));
    server.handle_bytes(Instant::ZERO, id, &bytes);
    let mut said = Vec::new();
    server.drain_output(id, &mut said);
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("NOT_ALLOWED - vhost '/' is down"), "{said}");
}

#[test]
fn a_sweep_draws_which_publishes_are_refused_and_calm_none_is() {
    // A publisher that takes a closed channel for a lost message.
    let scenario = |sim: &mut Sim| {
        let rabbit = rabbitmq::start(sim, BrokerOptions::default());
        let refusal = Refusal::method("basic.publish", ReplyCode::PreconditionFailed, "no");
        rabbit.refuse(refusal.one_in(10)).unwrap();
        sim.node_with("p", rabbit.clone(), async |node, rabbit| {
            let _ = publisher(node, rabbit).await;
        });
        sim.run().expect_done();
        assert_eq!(rabbit.messages_ready("q"), Some(1));
    };
    assert!(!Seeds::new(0..200).run(scenario).failures.is_empty(), "it is found");
    Seeds::new(0..50).config(Config::new(0).calm()).run(scenario).expect_none();
}
