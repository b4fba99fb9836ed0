//! What a server refuses because of its role, and what the connection of a replica may do. The
//! replies are those of redis-server 7.0.15.

use crate::support::Rig;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};

const READONLY: &str = "!READONLY You can't write against a read only replica.";
#[cfg(feature = "lua")]
const STALE: &str =
    "!MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";

/// A server of which tests see the bytes that each connection receives.
struct Wire(ByteServer);

impl Wire {
    fn new() -> Wire {
        let random = Stream::calm(Site::new("redis"), 0);
        let mut server = ByteServer::new(Server::new(ServerOptions::default(), random));
        (1..=3).for_each(|client| server.connected(Instant::ZERO, client, "client"));
        Wire(server)
    }

    /// Sends a line, and returns what a connection receives meanwhile, and whether it is closed.
    fn sent_to(&mut self, listener: u64, client: u64, line: &str) -> (String, bool) {
        self.0.receive(Instant::ZERO, client, format!("{line}\r\n").as_bytes());
        let (mut received, mut closed) = (Vec::new(), false);
        while let Some((to, output)) = self.0.poll_output() {
            match output {
                ByteOutput::Data(bytes) if to == listener => received.extend(bytes),
                ByteOutput::Close(_) if to == listener => closed = true,
                _ => {}
            }
        }
        (String::from_utf8_lossy(&received).into_owned(), closed)
    }

    /// The commands that a replica receives meanwhile.
    fn streamed(&mut self, line: &str) -> String {
        let (bytes, _) = self.sent_to(1, 2, line);
        let words = bytes.split("\r\n").filter(|part| !part.starts_with(['*', '$']));
        words.collect::<Vec<_>>().join(" ").trim().to_owned()
    }
}

#[test]
fn the_operator_cannot_write_to_a_replica() {
    use stunt_double::redis;
    let mut sim = stunt_double::sim::Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    redis.command(["REPLICAOF", "nowhere", "1"]);
    assert_eq!(
        format!("!{}", redis.command(["SET", "k", "v"])),
        READONLY.replace("!", "!(error) ")
    );
    redis.command(["CONFIG", "SET", "replica-read-only", "no"]);
    assert_eq!(redis.command(["SET", "k", "v"]).to_string(), "OK");
}

#[cfg(feature = "lua")]
#[test]
fn a_script_is_refused_for_what_it_declares() {
    let mut rig = Rig::new();
    let declared = r##"EVAL "#!lua\x0areturn 1" 0"##;
    let reads = r##"EVAL "#!lua flags=no-writes\x0areturn 1" 0"##;
    let few = "!NOREPLICAS Not enough good replicas to write.";
    rig.script(
        1,
        &[
            ("CONFIG SET min-replicas-to-write 1", "OK"),
            (declared, few),
            (reads, "1"),
            (r##"EVAL_RO "#!lua\x0areturn 1" 0"##, few),
            ("EVAL \"return 1\" 0", "1"),
            ("CONFIG SET min-replicas-to-write 0", "OK"),
            ("REPLICAOF nowhere 1", "OK"),
            (declared, READONLY),
            (r##"EVAL_RO "#!lua\x0areturn 1" 0"##, READONLY),
            (reads, "1"),
            ("CONFIG SET replica-serve-stale-data no", "OK"),
            ("EVAL \"return redis.call('get','a')\" 0", STALE),
            ("EVAL \"return redis.call('set','a','1')\" 0", STALE),
            ("EVAL_RO \"return 1\" 0", STALE),
            (declared, READONLY),
            (reads, STALE),
            (r##"EVAL "#!lua flags=allow-stale\x0areturn 1" 0"##, READONLY),
            (r##"EVAL "#!lua flags=allow-stale,no-writes\x0areturn 1" 0"##, "1"),
        ],
    );
    let reply = rig
        .say(1, r##"EVAL "#!lua flags=allow-stale,no-writes\x0areturn redis.call('get','a')" 0"##);
    assert!(reply.starts_with("!ERR Can not execute the command on a stale replica script: "));
}

#[cfg(feature = "lua")]
#[test]
fn a_script_chooses_what_replicas_are_told() {
    let mut wire = Wire::new();
    wire.sent_to(1, 1, "SYNC");
    let script = |flag: &str| {
        format!("EVAL \"redis.set_repl(redis.{flag}) return redis.call('incr','a')\" 0")
    };
    assert_eq!(wire.streamed(&script("REPL_NONE")), "");
    assert_eq!(wire.streamed(&script("REPL_AOF")), "");
    assert_eq!(wire.streamed(&script("REPL_REPLICA")), "SELECT 0 incr a");
    assert_eq!(wire.streamed(&script("REPL_ALL")), "incr a");
    assert_eq!(wire.streamed("EVAL \"return redis.call('incr','a')\" 0"), "incr a");
}

#[test]
fn a_replica_is_dropped_for_a_command_that_is_answered() {
    for line in ["PING", "GET k", "SET k v", "SUBSCRIBE c", "ECHO x"] {
        let mut wire = Wire::new();
        wire.sent_to(1, 1, "SYNC");
        assert_eq!(wire.sent_to(1, 1, "REPLCONF ACK 0"), (String::new(), false));
        assert_eq!(wire.sent_to(1, 1, line), (String::new(), true), "{line}");
        assert!(wire.sent_to(2, 2, "INFO replication").0.contains("connected_slaves:0"), "{line}");
        assert!(wire.sent_to(2, 2, "EXISTS k").0.contains(":0"));
    }
}

#[test]
fn evicted_keys_are_sent_one_by_one_before_the_command() {
    for (lazily, removal) in [("no", "DEL"), ("yes", "UNLINK")] {
        let mut wire = Wire::new();
        wire.sent_to(1, 1, "SYNC");
        wire.streamed(&format!("CONFIG SET lazyfree-lazy-eviction {lazily}"));
        wire.streamed("CONFIG SET maxmemory-policy allkeys-random");
        for key in ["a", "b"] {
            wire.streamed(&format!("SETRANGE {key} 1000000 x"));
        }
        wire.streamed("CONFIG SET maxmemory 1");
        let sent = wire.streamed("CONFIG SET maxmemory 0");
        assert_eq!(sent, "");
        wire.streamed("CONFIG SET maxmemory 2000000");
        wire.streamed("SETRANGE c 1000000 x");
        wire.streamed("SETRANGE d 1000000 x");
        let sent = wire.streamed("SETRANGE e 10 x");
        assert!(sent.starts_with(removal) && sent.ends_with("SETRANGE e 10 x"), "{sent}");
        assert!(!sent.contains("MULTI"), "{sent}");
    }
}

#[test]
fn a_server_that_never_synced_has_no_history() {
    let mut rig = Rig::new();
    let field = |rig: &mut Rig, name: &str| {
        let info = rig.say(1, "INFO replication");
        let line = info.split("\\r\\n").find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.strip_prefix(':')).unwrap_or("none").to_owned()
    };
    rig.script(1, &[("REPLICAOF nowhere 1", "OK")]);
    assert_eq!(field(&mut rig, "slave_repl_offset"), "0");
    assert_eq!(field(&mut rig, "master_link_down_since_seconds"), "-1");
    assert_eq!(field(&mut rig, "repl_backlog_active"), "0");
    rig.script(1, &[("REPLICAOF NO ONE", "OK")]);
    assert_eq!(field(&mut rig, "repl_backlog_active"), "0");
    assert_eq!(field(&mut rig, "master_repl_offset"), "0");
    assert_eq!(field(&mut rig, "second_repl_offset"), "1");
}

#[test]
fn random_key_of_a_replica_may_have_expired() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v PX 10", "OK"), ("REPLICAOF nowhere 1", "OK")]);
    rig.pass_ms(20);
    rig.script(1, &[("GET k", "nil"), ("RANDOMKEY", "\"k\""), ("DBSIZE", "1")]);
    assert!(rig.say(1, "INFO keyspace").contains("avg_ttl=0"));
}

#[test]
fn words_about_replicas_are_checked() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("REPLCONF rdb-filter-only x", "!ERR Unsupported rdb-filter-only option: x"),
            ("REPLCONF rdb-filter-only functions", "OK"),
            ("REPLCONF rdb-filter-only \"\"", "OK"),
            ("CONFIG SET maxmemory 0 x", "!ERR syntax error"),
            ("CONFIG SET a b c", "!ERR syntax error"),
            ("CONFIG SET maxmemory", "!ERR wrong number of arguments for 'config|set' command"),
        ],
    );
}

#[test]
fn debug_replicate_sends_any_command() {
    let mut wire = Wire::new();
    wire.sent_to(1, 1, "SYNC");
    assert_eq!(wire.streamed("DEBUG REPLICATE set a b"), "set a b");
    assert_eq!(wire.streamed("EXISTS a"), "");
}
