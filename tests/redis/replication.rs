//! Replication in a world: stale reads, `WAIT`, failovers and what they lose.

use std::time::Duration;
use stunt_double::redis::{self, Client, Redis, Reply, ServerOptions};
use stunt_double::sim::{Latency, Sim};

fn quick() -> ServerOptions {
    ServerOptions::default().with_sync_delay(Duration::ZERO)
}

fn pass(sim: &mut Sim, time: Duration) {
    sim.run_for(time).expect_reached();
}

/// A master and two replicas that have its data set.
fn three(seed: u64) -> (Sim, Redis, Redis, Redis) {
    let mut sim = Sim::new(seed);
    let master = redis::start_named(&mut sim, "redis-a", quick());
    let replicas = redis::start_replicas(&mut sim, &master, ["redis-b", "redis-c"], quick());
    pass(&mut sim, Duration::from_secs(2));
    let [b, c] = replicas.try_into().expect("two names were given");
    (sim, master, b, c)
}

fn text(reply: &Reply) -> String {
    reply.to_string()
}

fn info(redis: &Redis, field: &str) -> String {
    let reply = redis.command(["INFO", "replication"]);
    let text = reply.as_text().expect("INFO is text").to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

fn digest(redis: &Redis) -> String {
    text(&redis.command(["DEBUG", "DIGEST"]))
}

#[test]
fn a_replica_receives_the_data_set_and_then_every_write() {
    let mut sim = Sim::new(1);
    let a = redis::start_named(&mut sim, "redis-a", quick());
    a.command(["SET", "before", "1"]);
    let b = redis::start_replicas(&mut sim, &a, ["redis-b"], quick()).remove(0);
    pass(&mut sim, Duration::from_secs(2));
    assert_eq!(b.command(["GET", "before"]).as_text(), Some("1"));
    a.command(["SADD", "s", "x", "y"]);
    a.command(["SPOP", "s"]);
    a.command(["SET", "k", "v", "EX", "100"]);
    pass(&mut sim, Duration::from_secs(1));
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(info(&b, "master_link_status"), "up");
    assert_eq!(info(&a, "connected_slaves"), "1");
    assert!(info(&a, "slave0").starts_with("ip=redis-b,port=6379,state=online,offset="));
    assert_eq!(info(&a, "master_repl_offset"), info(&b, "slave_repl_offset"));
}

#[test]
fn a_write_to_a_replica_is_refused() {
    let (mut sim, _, b, _) = three(1);
    sim.node_with("client", b, async |node, b| {
        let client = Client::connect(&node, &b).await?;
        let error = client.call(["SET", "k", "v"]).await.expect_err("it is refused");
        node.note(error);
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    assert!(sim.trace().notes().contains("READONLY You can't write against a read only replica."));
}

#[test]
fn a_read_from_a_replica_is_stale_for_as_long_as_the_link_is_slow() {
    let (mut sim, a, b, _) = three(1);
    b.link_to(&a).set_latency(Latency::Constant(Duration::from_millis(300)));
    sim.node_with("client", (a, b), async |node, (a, b)| {
        let (writer, reader) =
            (Client::connect(&node, &a).await?, Client::connect(&node, &b).await?);
        writer.call(["SET", "k", "v"]).await?;
        assert!(reader.call(["GET", "k"]).await?.is_nil());
        node.sleep(Duration::from_millis(299)).await;
        assert!(reader.call(["GET", "k"]).await?.is_nil());
        node.sleep(Duration::from_millis(2)).await;
        assert_eq!(reader.call(["GET", "k"]).await?.as_text(), Some("v"));
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
}

#[test]
fn wait_counts_the_replicas_that_have_the_clients_writes() {
    let (mut sim, a, b, c) = three(1);
    c.link_to(&a).partition();
    sim.node_with("client", a.clone(), async |node, a| {
        let client = Client::connect(&node, &a).await?;
        client.call(["SET", "k", "v"]).await?;
        assert_eq!(client.call(["WAIT", "1", "0"]).await?, Reply::Integer(1));
        let before = node.now();
        assert_eq!(client.call(["WAIT", "2", "500"]).await?, Reply::Integer(1));
        assert_eq!(node.now() - before, Duration::from_millis(500));
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    c.link_to(&a).heal();
    pass(&mut sim, Duration::from_secs(2));
    assert_eq!(digest(&c), digest(&b));
}

#[test]
fn a_failover_by_hand_loses_what_the_replica_had_not_received() {
    let (mut sim, a, b, c) = three(1);
    a.command(["SET", "safe", "1"]);
    pass(&mut sim, Duration::from_secs(1));
    b.link_to(&a).partition();
    c.link_to(&a).partition();
    a.command(["SET", "x", "1"]);
    a.command(["INCR", "y"]);
    pass(&mut sim, Duration::from_secs(1));
    b.command(["REPLICAOF", "NO", "ONE"]);
    c.command(["REPLICAOF", "redis-b", "6379"]);
    b.command(["SET", "z", "1"]);
    pass(&mut sim, Duration::from_secs(2));
    assert_eq!(info(&b, "role"), "master");
    b.link_to(&a).heal();
    a.command(["REPLICAOF", "redis-b", "6379"]);
    pass(&mut sim, Duration::from_secs(2));
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(digest(&c), digest(&b));
    assert!(a.command(["GET", "x"]).is_nil());
    assert_eq!(a.command(["GET", "safe"]).as_text(), Some("1"));
    assert_eq!(
        a.discarded().to_string(),
        "failover lost 2 writes that redis-b does not have: SET x 1, INCR y"
    );
    assert!(sim.trace().notes().contains("failover lost 2 writes"), "{}", sim.trace().notes());
}

#[test]
fn a_failover_that_lost_nothing_continues_the_history() {
    let (mut sim, a, b, c) = three(1);
    a.command(["SET", "x", "1"]);
    pass(&mut sim, Duration::from_secs(1));
    let full = |redis: &Redis| {
        let stats = redis.command(["INFO", "stats"]);
        let stats = stats.as_text().expect("INFO is text").to_owned();
        stats.lines().find_map(|line| line.strip_prefix("sync_full:")).map(str::to_owned)
    };
    b.command(["REPLICAOF", "NO", "ONE"]);
    a.command(["REPLICAOF", "redis-b", "6379"]);
    c.command(["REPLICAOF", "redis-b", "6379"]);
    pass(&mut sim, Duration::from_secs(2));
    assert_eq!(full(&b).as_deref(), Some("0"));
    assert_eq!(info(&a, "master_replid"), info(&b, "master_replid"));
    b.command(["SET", "y", "1"]);
    pass(&mut sim, Duration::from_secs(1));
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(digest(&c), digest(&b));
    assert!(a.discarded().writes.is_empty());
}

#[test]
fn failover_hands_the_role_over_without_a_loss() {
    let (mut sim, a, b, _) = three(1);
    sim.node_with("client", a.clone(), async |node, a| {
        let client = Client::connect(&node, &a).await?;
        client.call(["SET", "k", "v"]).await?;
        client.call(["FAILOVER", "TO", "redis-b", "6379"]).await?;
        // Writes wait until the failover is over. Then this server is a replica.
        let error = client.call(["SET", "k", "w"]).await.expect_err("it is a replica by then");
        assert_eq!(error.reply().map(|error| error.code()), Some("READONLY"));
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    pass(&mut sim, Duration::from_secs(2));
    assert_eq!((info(&a, "role"), info(&b, "role")), ("slave".into(), "master".into()));
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(info(&b, "connected_slaves"), "1");
}

#[test]
fn a_master_that_crashed_and_returns_discards_what_only_it_had() {
    let mut sim = Sim::new(1);
    let durable = || quick().with_append_only(redis::AppendFsync::Always);
    let a = redis::start_named(&mut sim, "redis-a", durable());
    let b = redis::start_replicas(&mut sim, &a, ["redis-b"], durable()).remove(0);
    pass(&mut sim, Duration::from_secs(2));
    b.link_to(&a).partition();
    a.command(["SET", "x", "1"]);
    a.stop(stunt_double::Shutdown::Kill);
    b.command(["REPLICAOF", "NO", "ONE"]);
    b.link_to(&a).heal();
    a.start();
    assert_eq!(a.command(["GET", "x"]).as_text(), Some("1"));
    a.command(["REPLICAOF", "redis-b", "6379"]);
    pass(&mut sim, Duration::from_secs(2));
    assert!(a.command(["GET", "x"]).is_nil());
    assert_eq!(
        a.discarded().to_string(),
        "failover lost 1 write that redis-b does not have: SET x 1"
    );
}

#[test]
fn a_replica_that_was_cut_off_for_a_while_misses_nothing() {
    let (mut sim, a, b, c) = three(1);
    b.link_to(&a).sever();
    for i in 0..10 {
        a.command(["RPUSH", "l", &i.to_string()]);
    }
    b.crash();
    pass(&mut sim, Duration::from_secs(3));
    c.stop(stunt_double::Shutdown::Clean);
    a.command(["RPUSH", "l", "last"]);
    c.start();
    pass(&mut sim, Duration::from_secs(3));
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(digest(&a), digest(&c));
}

#[test]
fn keys_of_a_replica_expire_when_the_master_says_so() {
    let (mut sim, a, b, _) = three(1);
    a.command(["SET", "k", "v", "PX", "500"]);
    pass(&mut sim, Duration::from_millis(100));
    b.link_to(&a).partition();
    pass(&mut sim, Duration::from_secs(1));
    // A reader does not see it, but it is there.
    assert!(b.command(["GET", "k"]).is_nil());
    assert_eq!(b.command(["DBSIZE"]), Reply::Integer(1));
    b.link_to(&a).heal();
    pass(&mut sim, Duration::from_secs(1));
    assert_eq!(b.command(["DBSIZE"]), Reply::Integer(0));
}

#[test]
fn a_master_without_enough_replicas_refuses_writes() {
    let (mut sim, a, b, c) = three(1);
    a.command(["CONFIG", "SET", "min-replicas-to-write", "2", "min-replicas-max-lag", "3"]);
    c.stop(stunt_double::Shutdown::Kill);
    b.link_to(&a).partition();
    pass(&mut sim, Duration::from_secs(5));
    sim.node_with("client", a, async |node, a| {
        let client = Client::connect(&node, &a).await?;
        let error = client.call(["SET", "k", "v"]).await.expect_err("it is refused");
        assert_eq!(error.to_string(), "NOREPLICAS Not enough good replicas to write.");
        client.call(["GET", "k"]).await?;
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
}

#[test]
fn messages_are_published_on_replicas_too() {
    let (mut sim, a, b, _) = three(1);
    sim.node_with("listener", (a, b), async |node, (a, b)| {
        let mut listener = redis::Subscription::connect(&node, &b).await?;
        listener.subscribe(["news"]).await?;
        Client::connect(&node, &a).await?.call(["PUBLISH", "news", "hello"]).await?;
        let message = listener.next().await.expect("one message")?;
        node.note(format!("{message:?}"));
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    assert!(sim.trace().notes().contains("hello"), "{}", sim.trace().notes());
}

#[test]
fn a_replica_that_must_not_show_old_data_refuses_everything() {
    let (mut sim, a, b, _) = three(1);
    b.command(["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    a.stop(stunt_double::Shutdown::Kill);
    pass(&mut sim, Duration::from_secs(1));
    sim.node_with("client", b, async |node, b| {
        let client = Client::connect(&node, &b).await?;
        let error = client.call(["GET", "k"]).await.expect_err("it is refused");
        assert_eq!(
            error.to_string(),
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
        );
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
}

#[test]
fn the_same_seed_makes_the_same_history() {
    let run = || {
        let (mut sim, a, b, _) = three(7);
        b.link_to(&a).set_latency(Latency::Uniform {
            min: Duration::from_millis(1),
            max: Duration::from_millis(90),
        });
        for i in 0..20 {
            a.command(["SET", "k", &i.to_string()]);
            pass(&mut sim, Duration::from_millis(137));
        }
        sim.digest()
    };
    assert_eq!(run(), run());
}

/// A client that sends `SYNC` gets the data set at once, without a position, and then the stream:
/// that of redis-server 7.0.15 to the same requests.
#[test]
fn an_old_replica_is_told_no_position() {
    use stunt_double::redis::resp::ByteServer;
    use stunt_double::redis::server::Server;
    use stunt_double::sim::service::{ByteOutput, ByteService};
    use stunt_double::{Instant, Site, Stream};

    let random = Stream::calm(Site::new("redis"), 0);
    let mut server = ByteServer::new(Server::new(ServerOptions::default(), random));
    server.connected(Instant::ZERO, 1, "replica");
    server.connected(Instant::ZERO, 2, "client");
    let mut told = |client: u64, bytes: &[u8]| {
        server.receive(Instant::ZERO, client, bytes);
        let mut received = Vec::new();
        while let Some((to, output)) = server.poll_output() {
            if let (1, ByteOutput::Data(bytes)) = (to, output) {
                received.extend(bytes);
            }
        }
        received
    };
    let file = told(1, b"SYNC\r\n");
    let header = file.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let size: usize = String::from_utf8_lossy(&header[1..]).parse().expect("a length");
    assert_eq!((header[0], file.len()), (b'$', header.len() + 2 + size));
    assert!(file[header.len() + 2..].starts_with(b"REDIS0010"));
    let set = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    assert_eq!(told(2, b"SET k v\r\n"), set);
}
