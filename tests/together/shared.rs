//! Typed clients, clients that speak bytes, and operators see each other's effects.

use crate::amqp;
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions};
use stunt_double::rabbitmq::{Properties, QueueOptions, RabbitMq};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::{
    ByteConnection, Config, Disconnected, Latency, Node, Sim, Strategy, check_determinism,
};

/// A client of AMQP that knows nothing of this crate but its socket.
pub(crate) struct Amqp {
    socket: ByteConnection,
    decoder: amqp::Decoder,
    /// Frames that were received and not yet expected.
    frames: Vec<(u16, String)>,
}

impl Amqp {
    pub(crate) async fn connect(node: &Node, rabbit: &RabbitMq) -> Result<Amqp, Disconnected> {
        let socket = ByteConnection::connect(node, rabbit).await?;
        socket.write(b"AMQP\0\0\x09\x01")?;
        let decoder = amqp::Decoder::default();
        let mut client = Amqp { socket, decoder, frames: Vec::new() };
        client.expect(0, "connection.start").await?;
        let response = r#"response="\x00guest\x00guest""#;
        client.send(0, &format!("connection.start-ok mechanism=PLAIN {response} locale=en_US"))?;
        client.expect(0, "connection.tune").await?;
        client.send(0, "connection.tune-ok channel-max=10 frame-max=131072")?;
        client.send(0, "connection.open virtual-host=/")?;
        client.expect(0, "connection.open-ok").await?;
        client.send(1, "channel.open")?;
        client.expect(1, "channel.open-ok").await?;
        Ok(client)
    }

    pub(crate) fn send(&self, channel: u16, line: &str) -> Result<(), Disconnected> {
        self.socket.write(&amqp::encode(channel, line).unwrap())
    }

    /// Reads until the connection ends, and returns how.
    pub(crate) async fn ended(&self) -> Disconnected {
        loop {
            match self.socket.read(&mut [0; 64]).await {
                Ok(0) => return Disconnected::Closed,
                Ok(_) => {}
                Err(why) => return why,
            }
        }
    }

    /// Waits for the next frame of this channel, which begins like this, and returns it.
    pub(crate) async fn expect(
        &mut self,
        channel: u16,
        begins: &str,
    ) -> Result<String, Disconnected> {
        loop {
            if let Some(at) = self.frames.iter().position(|(other, _)| *other == channel) {
                let (_, line) = self.frames.remove(at);
                assert!(line.starts_with(begins), "{line} instead of {begins}");
                return Ok(line);
            }
            let mut buffer = [0; 37];
            let read = self.socket.read(&mut buffer).await?;
            assert_ne!(read, 0, "the server closed the connection");
            self.frames.extend(self.decoder.feed(&buffer[..read]).unwrap());
        }
    }
}

/// Reads one reply of exactly these bytes.
async fn expect_reply(socket: &ByteConnection, reply: &str) -> Result<(), Disconnected> {
    let mut read = Vec::new();
    while read.len() < reply.len() {
        let mut byte = [0; 5];
        let count = socket.read(&mut byte).await?;
        read.extend_from_slice(&byte[..count]);
    }
    assert_eq!(String::from_utf8_lossy(&read), reply);
    Ok(())
}

/// Declares, publishes and consumes as bytes what the typed client consumes and publishes.
async fn amqp_bytes(node: Node, rabbit: RabbitMq) -> Result<(), Disconnected> {
    let mut client = Amqp::connect(&node, &rabbit).await?;
    client.send(1, "queue.declare queue=questions")?;
    client.expect(1, "queue.declare-ok queue=questions").await?;
    client.send(1, "queue.declare queue=answers")?;
    client.expect(1, "queue.declare-ok").await?;
    client.send(1, "basic.consume queue=answers consumer-tag=c no-ack=true")?;
    client.expect(1, "basic.consume-ok consumer-tag=c").await?;
    client.send(1, r#"basic.publish routing-key=questions | props | body "six by nine?""#)?;
    let answer = client.expect(1, "basic.deliver").await?;
    assert!(answer.ends_with(r#"body "42""#), "{answer}");
    node.note("answered");
    node.sleep(Duration::from_secs(1)).await;
    client.send(0, "connection.close reply-code=200")?;
    client.expect(0, "connection.close-ok").await?;
    Ok(())
}

async fn typed(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("questions", QueueOptions::default()).await?;
    let mut questions = channel.basic_consume("questions", ConsumeOptions::default()).await?;
    let question = questions.next().await.unwrap()?;
    assert_eq!(question.text(), "six by nine?");
    question.ack()?;
    channel.basic_publish("", "answers", Properties::default(), "42")?;
    node.sleep(Duration::from_secs(1)).await;
    channel.close().await
}

/// Waits in BLPOP, as bytes, for an element that a typed client pushes.
async fn resp_bytes(node: Node, redis: Redis) -> Result<(), Disconnected> {
    let socket = ByteConnection::connect(&node, &redis).await?;
    socket.write(b"SUBSCRIBE news\r\n")?;
    expect_reply(&socket, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n").await?;
    expect_reply(&socket, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n").await?;
    let socket = ByteConnection::connect(&node, &redis).await?;
    socket.write(b"*3\r\n$5\r\nBLPOP\r\n$4\r\njobs\r\n$1\r\n0\r\nINCR n\r\n")?;
    expect_reply(&socket, "*2\r\n$4\r\njobs\r\n$3\r\none\r\n:8\r\n").await?;
    node.note("popped");
    Ok(())
}

async fn commands(node: Node, redis: Redis) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    client.call(["SET", "n", "7"]).await?;
    while client.call_as::<u64, _>(["PUBLISH", "news", "hello"]).await? == 0 {
        node.sleep(Duration::from_millis(10)).await;
    }
    while !client.call_as::<String, _>(["CLIENT", "LIST"]).await?.contains("cmd=blpop") {
        node.sleep(Duration::from_millis(10)).await;
    }
    client.call(["RPUSH", "jobs", "one"]).await?;
    Ok(())
}

/// Everyone at work in one world.
fn everyone(sim: &mut Sim) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let redis = redis::start(sim, ServerOptions::default());
    sim.node_with("amqp-bytes", rabbit.clone(), amqp_bytes);
    sim.node_with("typed", rabbit.clone(), typed);
    sim.node_with("resp-bytes", redis.clone(), resp_bytes);
    sim.node_with("commands", redis.clone(), commands);
    sim.run_for(Duration::from_millis(500)).expect_reached();
    assert_eq!(sim.trace().notes().lines().count(), 2, "{}", sim.trace().notes());

    let connections = rabbit.rabbitmqctl("list_connections user state").unwrap();
    assert_eq!(connections.lines().filter(|line| *line == "guest\trunning").count(), 2);
    let consumers = rabbit.list_consumers();
    let of = |queue: &str| consumers.iter().filter(|row| row.queue == queue).count();
    assert_eq!((of("questions"), of("answers")), (1, 1), "one typed, one of bytes");
    assert_eq!(rabbit.messages_ready("questions"), Some(0));
    assert_eq!(redis.command(["GET", "n"]).to_string(), "\"8\"");
    sim.run().expect_done();
    let queues = rabbit.rabbitmqctl("list_queues name messages consumers").unwrap();
    assert!(queues.contains("answers\t0\t0"), "{queues}");
    sim.check_invariants().unwrap();
}

#[test]
fn typed_clients_byte_clients_and_listings_see_each_others_effects() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        for seed in 0..20 {
            let latency = Latency::Uniform { min: Duration::ZERO, max: Duration::from_millis(3) };
            let config = Config::new(seed).with_strategy(strategy).with_latency(latency);
            check_determinism(config, everyone)
                .unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        }
    }
}
