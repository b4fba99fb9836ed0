//! How connections of bytes end, as their clients see it.

use crate::shared::Amqp;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::redis::{self, Redis, ServerOptions};
use stunt_double::sim::{ByteConnection, Disconnected, Latency, Node, Outcome, Sim};

const SECOND: Duration = Duration::from_secs(1);

/// Reads until the connection ends, and notes how.
async fn read_to_the_end(node: Node, redis: Redis) -> Result<(), Disconnected> {
    let socket = ByteConnection::connect(&node, &redis).await?;
    socket.write(b"PING\r\n")?;
    let mut buffer = [0; 64];
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) => {
                node.note("end of stream");
                return Ok(());
            }
            Ok(read) => node.note(String::from_utf8_lossy(&buffer[..read]).trim_end()),
            Err(why) => {
                node.note(why);
                return Ok(());
            }
        }
    }
}

fn notes(act: impl FnOnce(&mut Sim, &Node, Redis)) -> Vec<String> {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    let node = sim.node_with("reader", redis.clone(), read_to_the_end);
    sim.run_for(SECOND).expect_reached();
    act(&mut sim, &node, redis);
    let _ = sim.run();
    sim.trace().note_events().map(|event| event.kind.to_string()).collect()
}

#[test]
fn a_server_that_stops_ends_the_stream_and_a_severed_link_resets_it() {
    let stopped = notes(|_, _, redis| redis.stop(Shutdown::Clean));
    assert_eq!(stopped, ["+PONG", "end of stream"]);
    let killed = notes(|_, _, redis| redis.crash());
    assert_eq!(killed, ["+PONG", "end of stream"], "the operating system closes its sockets");
    let severed = notes(|_, node, redis| node.link(&redis).sever());
    assert_eq!(severed, ["+PONG", &Disconnected::Reset.to_string()]);
    let vanished = notes(|sim, _, redis| {
        redis.vanish();
        sim.after(SECOND * 3_600, move || redis.start());
    });
    assert_eq!(vanished, ["+PONG"], "it hears nothing");
}

#[test]
fn a_server_that_is_down_refuses_a_connection_of_bytes() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    redis.stop(Shutdown::Clean);
    sim.node_with("reader", redis, async |node, redis| {
        let refused = ByteConnection::connect(&node, &redis).await;
        assert_eq!(refused.map(drop), Err(Disconnected::Refused));
    });
    sim.run().expect_done();
}

#[test]
fn a_byte_client_that_dies_gives_its_messages_back() {
    async fn worker(node: Node, rabbit: RabbitMq) -> Result<(), Disconnected> {
        let mut client = Amqp::connect(&node, &rabbit).await?;
        client.send(1, "queue.declare queue=tasks")?;
        client.expect(1, "queue.declare-ok").await?;
        client.send(1, r#"basic.publish routing-key=tasks | props | body "work""#)?;
        client.send(1, "basic.consume queue=tasks")?;
        client.expect(1, "basic.consume-ok").await?;
        client.expect(1, "basic.deliver").await?;
        node.sleep(Duration::MAX).await;
        Ok(())
    }
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon_with("worker", rabbit.clone(), worker);
    sim.run_for(SECOND).expect_reached();
    assert_eq!(rabbit.messages_unacknowledged("tasks"), Some(1));
    node.kill();
    sim.run().expect_done();
    assert_eq!(rabbit.messages_ready("tasks"), Some(1));
    assert!(rabbit.list_connections().is_empty());
}

#[test]
fn a_socket_that_never_says_amqp_is_closed_after_the_handshake_timeout() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("silent", rabbit, async |node, rabbit| {
        let socket = ByteConnection::connect(&node, &rabbit).await?;
        let ended = socket.read(&mut [0; 8]).await;
        assert_eq!(ended, Err(Disconnected::Reset), "RabbitMQ resets every connection");
        Ok::<(), Disconnected>(())
    });
    assert_eq!(sim.run(), Outcome::Done);
    assert_eq!(sim.now().to_string(), "10s");
}

#[test]
fn a_dead_process_writes_nothing_and_reads_nothing() {
    struct Guard(Node, ByteConnection);
    impl Drop for Guard {
        fn drop(&mut self) {
            assert_eq!(self.1.write(b"SET k 1\r\n"), Err(Disconnected::ClosedHere));
            self.0.note("dropped");
        }
    }
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    let node = sim.daemon_with("writer", redis.clone(), async |node, redis| {
        let socket = ByteConnection::connect(&node, &redis).await?;
        let _guard = Guard(node.clone(), socket);
        node.sleep(Duration::MAX).await;
        Ok::<(), Disconnected>(())
    });
    sim.run_for(SECOND).expect_reached();
    node.kill();
    sim.run().expect_done();
    assert!(redis.command(["GET", "k"]).is_nil());
    assert_eq!(sim.trace().notes(), "");
}

#[test]
fn a_message_that_takes_forever_is_never_in_flight() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    let node = sim.node_with("reader", redis.clone(), read_to_the_end);
    node.link(&redis).set_latency(Latency::Constant(Duration::MAX));
    assert!(matches!(sim.run(), Outcome::Stuck(_)));
    assert_eq!(sim.check_invariants(), Ok(()));
}

#[test]
#[should_panic(expected = "was used inside a closure")]
fn a_connection_dropped_in_a_closure_of_its_server_panics_once() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let kept = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let keep = std::rc::Rc::clone(&kept);
    sim.daemon_with("client", (rabbit.clone(), keep), async |node, (rabbit, keep)| {
        let connection = rabbitmq::Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        keep.borrow_mut().push((connection, channel));
        node.sleep(Duration::MAX).await;
        Ok::<(), rabbitmq::Error>(())
    });
    sim.run_for(SECOND).expect_reached();
    let both = kept.borrow_mut().pop();
    rabbit.with(|_, _| drop(both));
}

#[test]
fn an_operator_who_closes_a_byte_connection_leaves_it_time_to_answer() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("idle", rabbit.clone(), async |node, rabbit| {
        let mut client = Amqp::connect(&node, &rabbit).await?;
        client.expect(0, "connection.close reply-code=320").await?;
        node.sleep(SECOND).await;
        client.send(0, "connection.close-ok")?;
        assert_eq!(client.ended().await, Disconnected::Reset);
        node.note("answered");
        Ok::<(), Disconnected>(())
    });
    sim.run_for(SECOND * 100).expect_reached();
    let id = rabbit.list_connections()[0].id;
    rabbit.close_connection(id, "maintenance").unwrap();
    sim.run().expect_done();
    assert_eq!(sim.trace().notes(), "  101.000s  idle         answered\n");
}

#[test]
fn a_redis_that_is_killed_in_its_sleep_says_nothing() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.node_with("listener", redis.clone(), async |node, redis| {
        let socket = ByteConnection::connect(&node, &redis).await?;
        socket.write(b"SUBSCRIBE news\r\n")?;
        let mut buffer = [0; 256];
        let read = socket.read(&mut buffer).await?;
        assert!(buffer[..read].ends_with(b"news\r\n:1\r\n"));
        assert_eq!(socket.read(&mut buffer).await?, 0, "nothing comes but the end of the stream");
        Ok::<(), Disconnected>(())
    });
    sim.node_with("speaker", redis.clone(), async |node, redis| {
        let socket = ByteConnection::connect(&node, &redis).await?;
        node.sleep(SECOND).await;
        socket.write(b"MULTI\r\nPUBLISH news hi\r\nDEBUG SLEEP 10\r\nEXEC\r\n")?;
        while socket.read(&mut [0; 64]).await? > 0 {}
        Ok::<(), Disconnected>(())
    });
    sim.run_for(SECOND * 3).expect_reached();
    redis.stop(Shutdown::Kill);
    sim.run().expect_done();
    assert!(!sim.trace().transcript().contains("message"), "{}", sim.trace().transcript());
}
