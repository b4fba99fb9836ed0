//! The stream of commands that a master sends: what replicas make of it.

use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::{Latency, Sim};

fn quick() -> ServerOptions {
    ServerOptions::default().with_sync_delay(Duration::ZERO)
}

fn pass(sim: &mut Sim, millis: u64) {
    sim.run_for(Duration::from_millis(millis)).expect_reached();
}

/// A master, a replica, and a replica of that.
fn chain() -> (Sim, Redis, Redis, Redis) {
    let mut sim = Sim::new(1);
    let a = redis::start_named(&mut sim, "redis-a", quick());
    let b = redis::start_replicas(&mut sim, &a, ["redis-b"], quick()).remove(0);
    let c = redis::start_replicas(&mut sim, &b, ["redis-c"], quick()).remove(0);
    pass(&mut sim, 5_000);
    (sim, a, b, c)
}

/// Sends commands on one connection to the master, and lets the replicas have them.
fn send(sim: &mut Sim, a: &Redis, lines: &'static [&'static str]) {
    sim.node_with(&lines.join(", "), (a.clone(), lines), async |node, (a, lines)| {
        let client = Client::connect(&node, &a).await?;
        for line in lines {
            client.call(line.split(' ')).await?;
        }
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    pass(sim, 2_000);
}

#[track_caller]
fn assert_same(servers: [&Redis; 3]) {
    let digests = servers.map(|redis| redis.command(["DEBUG", "DIGEST"]).to_string());
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    servers.iter().for_each(|redis| assert_eq!(redis.inspect(|s| s.check_invariants()), Ok(())));
}

#[test]
fn a_time_to_live_that_arrives_late_removes_nothing() {
    let (mut sim, a, b, c) = chain();
    b.link_to(&a).set_latency(Latency::Constant(Duration::from_millis(500)));
    for key in ["k", "moved"] {
        a.command(["SET", key, "v"]);
        a.command(["PEXPIRE", key, "100"]);
    }
    a.command(["SET", "q", "v", "PX", "100"]);
    let dump = a.command(["DUMP", "k"]);
    a.command([&b"RESTORE"[..], b"restored", b"100", dump.as_bytes().expect("the key exists")]);
    pass(&mut sim, 50);
    for key in ["k", "restored", "q"] {
        a.command(["PERSIST", key]);
    }
    pass(&mut sim, 2_000);
    assert_eq!(a.command(["DBSIZE"]).as_integer(), Some(3));
    assert_same([&a, &b, &c]);
}

#[test]
fn a_file_with_expired_times_may_still_persist_its_keys() {
    use stunt_double::Stream;
    use stunt_double::redis::server::Server;
    let file =
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*3\r\n$9\r\nPEXPIREAT\r\n$1\r\nk\r\n$1\r\n1\r\n\
        *2\r\n$7\r\nPERSIST\r\n$1\r\nk\r\n";
    let random = Stream::calm(stunt_double::Site::new("redis"), 0);
    let mut server = Server::new(ServerOptions::default(), random);
    server.load_append_only_file(stunt_double::Instant::ZERO, file).expect("the file is whole");
    assert_eq!(server.database(0).expect("there are 16").len(), 1);
}

#[test]
fn a_data_set_names_the_database_in_which_the_stream_continues() {
    let (mut sim, a, b, c) = chain();
    send(&mut sim, &a, &["SELECT 1", "SET k 1"]);
    c.stop(Shutdown::Kill);
    c.start();
    pass(&mut sim, 3_000);
    send(&mut sim, &a, &["SELECT 1", "INCR k"]);
    assert_same([&a, &b, &c]);
}

#[test]
fn a_replica_that_restarts_continues_in_its_database() {
    let (mut sim, a, b, c) = chain();
    send(&mut sim, &a, &["SELECT 1", "SET k 1"]);
    b.stop(Shutdown::Clean);
    b.start();
    pass(&mut sim, 3_000);
    send(&mut sim, &a, &["SELECT 1", "INCR k"]);
    assert_same([&a, &b, &c]);
}

#[test]
fn keys_that_expire_while_the_master_is_down_are_removed_from_replicas() {
    let (mut sim, a, b, c) = chain();
    a.command(["SET", "k", "v", "PX", "500"]);
    pass(&mut sim, 100);
    a.stop(Shutdown::Clean);
    pass(&mut sim, 1_000);
    a.start();
    pass(&mut sim, 3_000);
    assert!(a.command(["INFO", "stats"]).to_string().contains("sync_partial_ok:1"));
    assert_same([&a, &b, &c]);
}

#[test]
fn an_approximate_trim_leaves_the_same_entries_everywhere() {
    let (mut sim, a, b, c) = chain();
    for redis in [&a, &b, &c] {
        redis.command(["CONFIG", "SET", "stream-node-max-entries", "2"]);
    }
    send(
        &mut sim,
        &a,
        &[
            "XADD x 1-1 f v",
            "XADD x 2-1 f v",
            "XADD x MAXLEN ~ 1 LIMIT 10 3-1 f v",
            "XADD x MINID ~ 3-0 LIMIT 2 4-1 f v",
            "XTRIM x MAXLEN ~ 1 LIMIT 100",
            "XADD y 1-1 f v",
            "XADD y 2-1 f v",
            "XTRIM y MINID ~ 9",
        ],
    );
    assert_eq!(a.command(["XLEN", "y"]).as_integer(), Some(0));
    assert_same([&a, &b, &c]);
}

#[test]
fn a_pause_does_not_keep_replicas_from_confirming() {
    let (mut sim, a, b, c) = chain();
    a.command(["CLIENT", "PAUSE", "200000"]);
    pass(&mut sim, 150_000);
    let info = a.command(["INFO", "replication"]).to_string();
    assert!(info.contains("connected_slaves:1"), "{info}");
    assert_same([&a, &b, &c]);
}

#[test]
fn a_large_value_and_a_long_transaction_arrive_in_pieces() {
    let (mut sim, a, b, c) = chain();
    a.command(["SET", "k", &"x".repeat(5_000_000)]);
    sim.node_with("client", a.clone(), async |node, a| {
        let client = Client::connect(&node, &a).await?;
        client.call(["MULTI"]).await?;
        for i in 0..5_000 {
            client.call(["RPUSH", "l", &i.to_string()]).await?;
        }
        client.call(["EXEC"]).await?;
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    pass(&mut sim, 5_000);
    assert_eq!(c.command(["LLEN", "l"]).as_integer(), Some(5_000));
    assert_same([&a, &b, &c]);
}

#[test]
fn a_server_that_becomes_a_replica_asks_for_its_own_history() {
    let mut sim = Sim::new(1);
    let a = redis::start_named(&mut sim, "redis-a", quick());
    let b = redis::start_replicas(&mut sim, &a, ["redis-b"], quick()).remove(0);
    b.command(["REPLICAOF", "NO", "ONE"]);
    pass(&mut sim, 3_000);
    b.command(["REPLICAOF", "redis-a", "6379"]);
    pass(&mut sim, 3_000);
    let stats = a.command(["INFO", "stats"]).to_string();
    assert!(stats.contains("sync_partial_err:1"), "{stats}");
    assert_eq!(a.command(["WAIT", "1", "100"]).as_integer(), Some(1));
}

#[test]
fn reads_of_a_group_are_sent_wherever_its_name_stands() {
    let (mut sim, a, b, c) = chain();
    send(
        &mut sim,
        &a,
        &[
            "XGROUP CREATE s streams $ MKSTREAM",
            "XADD s 1-1 f v",
            "XADD s 2-1 f v",
            "XADD s 3-1 f v",
            "XREADGROUP COUNT 1 GROUP streams noack STREAMS s >",
            "XREADGROUP COUNT 1 NOACK GROUP streams group STREAMS s >",
            "XREADGROUP GROUP streams streams COUNT 1 STREAMS s >",
        ],
    );
    let pending = |redis: &Redis| redis.command(["XPENDING", "s", "streams"]).to_string();
    assert!(pending(&a).starts_with("1) (integer) 2\n2) \"1-1\"\n3) \"3-1\""), "{}", pending(&a));
    for replica in [&b, &c] {
        assert_eq!(pending(replica), pending(&a));
        let groups = replica.command(["XINFO", "GROUPS", "s"]).to_string();
        assert!(groups.contains("\"3-1\""), "{groups}");
    }
    assert_same([&a, &b, &c]);
}
