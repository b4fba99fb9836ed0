//! The commands on streams.
//!
//! `streams/recorded.txt` has conversations with a real server 7.0.15: commands after `>`, each
//! followed by the reply in short form. A title begins with an empty server.

use crate::lists::{events, listening};
use crate::support::Rig;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::redis::database::{
    Database, GroupRead, GroupStart, XaddId, XaddOptions, XreadgroupOptions,
};
use stunt_double::redis::value::{StreamEntry, StreamId, Trim, TrimTo};
use stunt_double::redis::{self, Client, Reply, ServerOptions};
use stunt_double::sim::Sim;

const WRONG_TYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";

impl Rig {
    /// Sends a line whose client has to wait.
    #[track_caller]
    fn blocks(&mut self, client: u64, line: &str) {
        self.send(client, line);
        assert_eq!(self.told(client), [""; 0], "{line}");
    }
}

/// Returns a server with a group `g` of an empty stream `s`.
fn with_group() -> Rig {
    let mut rig = Rig::new();
    rig.say(9, "XGROUP CREATE s g 0 MKSTREAM");
    rig
}

#[test]
fn replies_are_those_of_the_real_server() {
    let mut rig = Rig::new();
    let mut lines = include_str!("streams/recorded.txt").lines();
    let mut compared = 0;
    while let Some(line) = lines.next() {
        match line.strip_prefix("> ") {
            Some(command) => {
                let reply = lines.next().unwrap();
                assert_eq!(rig.say(1, command), reply, "{command}");
                compared += 1;
            }
            None if line.starts_with('#') => rig = Rig::new(),
            None => {}
        }
    }
    assert!(compared > 150, "{compared} replies");
}

#[test]
fn an_id_is_the_time_or_greater_than_the_last() {
    let mut rig = Rig::new();
    rig.pass_ms(1_234);
    let now = rig.server.database(0).unwrap().now_ms();
    rig.script(
        1,
        &[
            ("XADD s * a b", &format!("\"{now}-0\"")),
            ("XADD s * a b", &format!("\"{now}-1\"")),
            ("XADD s 9999999999999-5 a b", "\"9999999999999-5\""),
            ("XADD s * a b", "\"9999999999999-6\""),
        ],
    );
    rig.pass_ms(1);
    assert_eq!(rig.say(1, "XADD t * a b"), format!("\"{}-0\"", now + 1));
}

#[test]
fn every_addition_wakes_the_readers() {
    let mut rig = Rig::new();
    rig.say(9, "XADD s 1-1 n 1");
    rig.blocks(1, "XREAD BLOCK 0 STREAMS s $");
    rig.blocks(2, "XREAD BLOCK 0 COUNT 1 STREAMS none s $ $");
    rig.blocks(3, "XREAD BLOCK 0 STREAMS s 2-1");
    rig.say(9, "XADD s 2-1 n 2");
    let read = r#"[["s", [["2-1", ["n", "2"]]]]]"#;
    assert_eq!((rig.told(1), rig.told(2)), (vec![read.to_owned()], vec![read.to_owned()]));
    assert_eq!(rig.told(3), [""; 0], "it waits for a greater id");
    rig.say(9, "XADD s 3-1 n 3");
    assert_eq!(rig.told(3), [r#"[["s", [["3-1", ["n", "3"]]]]]"#]);
}

#[test]
fn readers_are_served_when_the_transaction_ends() {
    let mut rig = Rig::new();
    rig.blocks(1, "XREAD BLOCK 0 STREAMS s $");
    rig.script(9, &[("MULTI", "OK"), ("XADD s 1-1 n 1", "QUEUED"), ("DEL s", "QUEUED")]);
    rig.say(9, "EXEC");
    assert_eq!(rig.told(1), [""; 0], "nothing is there any more");
    rig.script(9, &[("MULTI", "OK"), ("XADD s 1-1 n 1", "QUEUED"), ("XDEL s 1-1", "QUEUED")]);
    rig.say(9, "EXEC");
    assert_eq!(rig.told(1), [r#"[["s", []]]"#], "what is deleted still wakes");
}

#[test]
fn a_transaction_does_not_block() {
    with_group().script(
        1,
        &[
            ("MULTI", "OK"),
            ("XREAD BLOCK 0 STREAMS s $", "QUEUED"),
            ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "QUEUED"),
            ("EXEC", "[nil array, nil array]"),
        ],
    );
}

#[test]
fn the_consumer_that_waits_longest_is_served_first() {
    let mut rig = with_group();
    rig.blocks(1, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
    rig.blocks(2, "XREADGROUP GROUP g b BLOCK 0 STREAMS s >");
    rig.say(9, "XADD s 1-1 n 1");
    assert_eq!(rig.told(1), [r#"[["s", [["1-1", ["n", "1"]]]]]"#]);
    assert_eq!(rig.told(2), [""; 0]);
    rig.say(9, "XADD s 2-1 n 2");
    assert_eq!(rig.told(2), [r#"[["s", [["2-1", ["n", "2"]]]]]"#]);
    assert_eq!(rig.say(9, "XPENDING s g"), r#"[2, "1-1", "2-1", [["a", "1"], ["b", "1"]]]"#);
}

#[test]
fn a_consumer_is_told_when_its_stream_or_group_is_gone() {
    const GONE: &str = "!UNBLOCKED the stream key no longer exists";
    let ends = [
        ("DEL s", GONE),
        ("SET s x", GONE),
        ("FLUSHALL", GONE),
        ("RENAME s t", GONE),
        ("MOVE s 1", GONE),
        ("SWAPDB 0 1", GONE),
        ("PEXPIREAT s 1", GONE),
        (
            "XGROUP DESTROY s g",
            "!NOGROUP the consumer group this client was blocked on no longer exists",
        ),
    ];
    for (line, told) in ends {
        let mut rig = with_group();
        rig.blocks(1, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        rig.blocks(2, "XREAD BLOCK 0 STREAMS s $");
        rig.say(9, line);
        assert_eq!(rig.told(1), [told], "{line}");
        assert_eq!(rig.told(2), [""; 0], "{line}");
    }
}

#[test]
fn a_consumer_is_told_when_its_stream_expires_by_itself() {
    let mut rig = with_group();
    rig.say(9, "PEXPIRE s 100");
    rig.blocks(1, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    rig.pass_ms(100);
    assert_eq!(rig.told(1), ["!UNBLOCKED the stream key no longer exists"]);
}

#[test]
fn waits_end_in_time_or_by_force() {
    let mut rig = with_group();
    rig.blocks(1, "XREAD BLOCK 100 STREAMS s $");
    rig.blocks(2, "XREADGROUP GROUP g c BLOCK 100 STREAMS s >");
    rig.pass_ms(99);
    assert_eq!((rig.told(1), rig.told(2)), (vec![], vec![]));
    rig.pass_ms(1);
    assert_eq!(
        (rig.told(1), rig.told(2)),
        (vec!["nil array".to_owned()], vec!["nil array".into()])
    );
    assert_eq!(rig.say(9, "XINFO CONSUMERS s g"), "[]", "nothing was read");
    let id: u64 = rig.say(1, "CLIENT ID").parse().unwrap();
    rig.blocks(1, "XREAD BLOCK 0 STREAMS s $");
    assert_eq!(rig.say(9, &format!("CLIENT UNBLOCK {id} ERROR")), "1");
    assert_eq!(rig.told(1), ["!UNBLOCKED client unblocked via CLIENT UNBLOCK"]);
}

#[test]
fn a_consumer_of_the_wrong_type_waits_for_nothing() {
    let mut rig = Rig::new();
    rig.say(9, "SET s x");
    rig.script(
        1,
        &[
            ("XREAD BLOCK 0 STREAMS s $", WRONG_TYPE),
            ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", WRONG_TYPE),
        ],
    );
}

#[test]
fn resp3_has_a_map_of_streams() {
    let mut rig = with_group();
    rig.say(1, "HELLO 3");
    rig.say(9, "XADD s 1-1 n 1");
    rig.say(9, "XADD t 1-1 n 1");
    let read = rig.say(1, "XREAD STREAMS s t 0 0");
    let before = rig.say(1, "XREADGROUP GROUP g c STREAMS s >");
    rig.blocks(1, "XREAD BLOCK 0 STREAMS s $");
    rig.say(9, "XADD s 2-1 n 2");
    for told in [read, before, rig.told(1).remove(0)] {
        assert!(told.starts_with("1) \"s\"\n2) 1) 1) "), "{told}");
    }
}

#[test]
fn idle_times_follow_the_clock() {
    let mut rig = with_group();
    rig.say(1, "XADD s 1-1 n 1");
    rig.say(1, "XADD s 2-1 n 2");
    rig.say(1, "XREADGROUP GROUP g c STREAMS s >");
    rig.pass_ms(1_000);
    let idle = r#"[["name", "c", "pending", 2, "idle", 1000]]"#;
    rig.script(
        1,
        &[
            ("XINFO CONSUMERS s g", idle),
            ("XPENDING s g - + 1", r#"[["1-1", "c", 1000, 1]]"#),
            ("XPENDING s g IDLE 1001 - + 9", "[]"),
            ("XPENDING s g IDLE 1000 - + 1 c", r#"[["1-1", "c", 1000, 1]]"#),
            ("XPENDING s g - + 9 none", "[]"),
            ("XCLAIM s g d 1001 1-1", "[]"),
            ("XCLAIM s g d 1000 1-1 IDLE 500", r#"[["1-1", ["n", "1"]]]"#),
            ("XPENDING s g (1-1 + 9", r#"[["2-1", "c", 1000, 1]]"#),
            ("XPENDING s g - (2-1 9", r#"[["1-1", "d", 500, 2]]"#),
            ("XAUTOCLAIM s g e 1000 -", r#"["0-0", [["2-1", ["n", "2"]]], []]"#),
            ("XPENDING s g 2 + 9", r#"[["2-1", "e", 0, 2]]"#),
            ("XINFO CONSUMERS s g", r#"[["name", "c", "pending", 0, "idle", 1000], ["name", "d", "pending", 1, "idle", 0], ["name", "e", "pending", 1, "idle", 0]]"#),
            ("XREADGROUP GROUP g d STREAMS s 0", r#"[["s", [["1-1", ["n", "1"]]]]]"#),
            ("XPENDING s g - + 1", r#"[["1-1", "d", 0, 3]]"#),
        ],
    );
}

#[test]
fn events_are_those_of_what_was_done() {
    let mut rig = listening();
    let steps: &[(&str, &[&str])] = &[
        ("XADD s 1-1 a b", &["new s", "xadd s"]),
        ("XADD s MAXLEN 1 2-1 a b", &["xadd s", "xtrim s"]),
        ("XADD s MAXLEN 5 3-1 a b", &["xadd s"]),
        ("XADD s 1-1 a b", &[]),
        ("XTRIM s MAXLEN 5", &[]),
        ("XTRIM s MAXLEN 1", &["xtrim s"]),
        ("XDEL s 9-9", &[]),
        ("XDEL s 3-1", &["xdel s"]),
        ("XGROUP CREATE t g 0 MKSTREAM", &["new t", "xgroup-create t"]),
        ("XGROUP CREATE t g 0", &[]),
        ("XGROUP SETID t g 0", &["xgroup-setid t"]),
        ("XGROUP CREATECONSUMER t g c", &["xgroup-createconsumer t"]),
        ("XGROUP CREATECONSUMER t g c", &[]),
        ("XGROUP DELCONSUMER t g c", &["xgroup-delconsumer t"]),
        ("XGROUP DELCONSUMER t g c", &[]),
        ("XADD t 1-1 a b", &["xadd t"]),
        ("XREADGROUP GROUP g c STREAMS t >", &["xgroup-createconsumer t"]),
        ("XCLAIM t g d 0 1-1", &["xgroup-createconsumer t"]),
        ("XAUTOCLAIM t g e 0 -", &["xgroup-createconsumer t"]),
        ("XACK t g 1-1", &[]),
        ("XSETID t 5-1", &["xsetid t"]),
        ("XGROUP DESTROY t g", &["xgroup-destroy t"]),
        ("XGROUP DESTROY t g", &[]),
    ];
    for (line, raised) in steps {
        assert_eq!(events(&mut rig, line), *raised, "{line}");
    }
}

#[test]
fn watch_sees_entries_but_no_groups() {
    let changes = [
        ("XADD s 9-1 a b", true),
        ("XDEL s 1-1", true),
        ("XTRIM s MAXLEN 0", true),
        ("XGROUP CREATE t g 0 MKSTREAM", true),
        ("XTRIM s MAXLEN 9", false),
        ("XSETID s 9-1", false),
        ("XGROUP CREATE s h 0", false),
        ("XGROUP DESTROY s g", false),
        ("XREADGROUP GROUP g c STREAMS s >", false),
        ("XACK s g 1-1", false),
    ];
    for (line, sees) in changes {
        let mut rig = with_group();
        rig.say(9, "XADD s 1-1 a b");
        rig.say(1, "WATCH s t");
        rig.say(9, line);
        rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED")]);
        assert_eq!(rig.say(1, "EXEC"), if sees { "nil array" } else { "[PONG]" }, "{line}");
    }
}

#[test]
fn save_points_count_the_changes() {
    let mut rig = Rig::new();
    let changes = |rig: &mut Rig| -> u64 {
        let info = rig.say(9, "INFO persistence");
        let count = info.split("rdb_changes_since_last_save:").nth(1).unwrap();
        count.split(['\\', '\r']).next().unwrap().parse().unwrap()
    };
    // The numbers are those of the real server.
    for (line, counted) in [
        ("XADD s 1-1 a b", 1),
        ("XADD s MAXLEN 1 2-1 a b", 1),
        ("XADD s 3-1 a b", 1),
        ("XADD s 4-1 a b", 1),
        ("XDEL s 2-1 9-9", 1),
        ("XGROUP CREATE s g 0", 1),
        ("XREADGROUP GROUP g c STREAMS s >", 2),
        ("XREADGROUP GROUP g c STREAMS s 0", 1),
        ("XREADGROUP GROUP g c STREAMS s >", 0),
        ("XCLAIM s g d 0 3-1 4-1", 3),
        ("XCLAIM s g d 0 9-1", 0),
        ("XCLAIM s g d 0 9-1 LASTID 9-1", 1),
        ("XAUTOCLAIM s g d 0 -", 2),
        ("XACK s g 3-1 4-1 5-1", 2),
        ("XSETID s 9-1", 1),
        ("XTRIM s MAXLEN 0", 2),
    ] {
        let before = changes(&mut rig);
        rig.say(1, line);
        assert_eq!(changes(&mut rig) - before, counted, "{line}");
    }
}

#[test]
fn a_crash_undoes_what_was_not_saved() {
    let mut rig = Rig::with(ServerOptions::default());
    rig.say(1, "XGROUP CREATE s g 0 MKSTREAM");
    rig.say(1, "XADD s 1-1 a b");
    rig.say(1, "XREADGROUP GROUP g c STREAMS s >");
    rig.say(1, "SAVE");
    let before = rig.say(1, "XINFO STREAM s FULL");
    rig.say(1, "XACK s g 1-1");
    rig.say(1, "XADD s 2-1 a b");
    rig.server.stop(rig.now, Shutdown::Kill);
    rig.server.start(rig.now);
    assert_eq!(rig.say(2, "XINFO STREAM s FULL"), before);
    assert_eq!(rig.server.losses().keys, [(0, "s".into())]);
    rig.say(2, "XACK s g 1-1");
    rig.server.stop(rig.now, Shutdown::Kill);
    rig.server.start(rig.now);
    assert_eq!(rig.server.losses().keys, [(0, "s".into())], "an acknowledgement is a change");
}

#[test]
fn typed_operations_need_no_server() {
    let mut db = Database::new();
    let fields: &[(&[u8], &[u8])] = &[(b"n", b"1")];
    let trim = Trim::exactly(TrimTo::Length(2));
    let options = XaddOptions { trim: Some(trim), ..XaddOptions::default() };
    for seq in 0..3 {
        let id = StreamId::new(5, seq);
        assert_eq!(db.xadd(b"s", XaddId::AutoSeq(5), fields, options), Ok(Some(id)));
    }
    assert_eq!(db.xlen(b"s"), Ok(2));
    db.xgroup_create(b"s", b"g", GroupStart::After(StreamId::MIN), None, false).unwrap();
    let read = db.xreadgroup(b"s", b"g", b"c", GroupRead::New, XreadgroupOptions::default());
    let ids: Vec<StreamId> = read.unwrap().entries.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [StreamId::new(5, 1), StreamId::new(5, 2)]);
    assert_eq!(db.xack(b"s", b"g", &ids), Ok(2));
}

/// A worker that reads one entry and waits forever with it; the other takes over what nobody has
/// acknowledged for a second.
#[test]
fn what_a_dead_worker_has_read_is_claimed_by_another() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    redis.command(["XGROUP", "CREATE", "jobs", "g", "0", "MKSTREAM"]);
    let dies = sim.node_with("dies", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let read = ["XREADGROUP", "GROUP", "g", "dies", "BLOCK", "0", "STREAMS", "jobs", ">"];
        let read: Vec<(String, Vec<StreamEntry>)> = client.call_as(read).await?;
        assert_eq!(read[0].1[0].fields, [("job".into(), "1".into())]);
        std::future::pending::<()>().await;
        Ok::<(), redis::Error>(())
    });
    sim.node_with("lives", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        node.sleep(Duration::from_millis(10)).await;
        let id: StreamId = client.call_as(["XADD", "jobs", "*", "job", "1"]).await?;
        loop {
            let claim = ["XAUTOCLAIM", "jobs", "g", "lives", "1000", "0"];
            let (_, claimed, _): (StreamId, Vec<StreamEntry>, Vec<StreamId>) =
                client.call_as(claim).await?;
            if let [job] = &claimed[..] {
                assert_eq!(job.id, id);
                let id = id.to_string();
                assert_eq!(client.call_as::<u64, _>(["XACK", "jobs", "g", &id]).await?, 1);
                return Ok::<(), redis::Error>(());
            }
            node.sleep(Duration::from_millis(100)).await;
        }
    });
    sim.run_for(Duration::from_millis(500)).expect_reached();
    dies.kill();
    sim.run().expect_done();
    assert_eq!(redis.command(["XPENDING", "jobs", "g"]).as_array().unwrap()[0], Reply::Integer(0));
}
