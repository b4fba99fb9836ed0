//! Producers that send again, and consumers that claim what others do not acknowledge: what depends
//! on time, and what replicas are sent. The replies alone are in `tests/recorded/additions`.

use crate::support::{Rig, sent};
use std::time::Duration;
use stunt_double::redis::{self, AppendFsync, ServerOptions, Version};
use stunt_double::sim::Sim;

fn rig() -> Rig {
    Rig::with(ServerOptions::default().with_version(Version::Redis8_6))
}

/// Returns a field of `XINFO STREAM`.
fn info(rig: &mut Rig, field: &str) -> String {
    let told = rig.say(1, "XINFO STREAM s");
    let (_, rest) = told.split_once(&format!("\"{field}\", ")).expect("there is such a field");
    rest.split([',', ']']).next().unwrap_or_default().to_owned()
}

#[test]
fn a_message_that_comes_again_is_not_added_again() {
    let mut rig = rig();
    let first = rig.say(1, "XADD s IDMP p order-7 * a 1");
    rig.pass_ms(50);
    assert_eq!(rig.say(1, "XADD s IDMP p order-7 * a 1"), first);
    // The content does not matter if there is a name, and nothing is trimmed.
    assert_eq!(rig.say(1, "XADD s MAXLEN 0 IDMP p order-7 * b 2"), first);
    assert_eq!(rig.say(1, "XLEN s"), "1");
    // Another producer has names of its own.
    assert_ne!(rig.say(1, "XADD s IDMP q order-7 * a 1"), first);
    assert_eq!(info(&mut rig, "pids-tracked"), "2");
    assert_eq!(info(&mut rig, "iids-duplicates"), "2");
}

#[test]
fn content_names_a_message_whatever_the_order_of_its_fields() {
    let mut rig = rig();
    let first = rig.say(1, "XADD s IDMPAUTO p * a 1 b 2");
    assert_eq!(rig.say(1, "XADD s IDMPAUTO p * b 2 a 1"), first);
    assert_ne!(rig.say(1, "XADD s IDMPAUTO p * a 2 b 1"), first);
    assert_ne!(rig.say(1, "XADD s IDMPAUTO p * a 1 b 2 a 1"), first);
    assert_eq!(rig.say(1, "XLEN s"), "3");
}

#[test]
fn a_message_is_forgotten_when_its_time_is_over() {
    let mut rig = rig();
    rig.say(1, "XADD s 1-1 a 1");
    rig.say(1, "XCFGSET s IDMP-DURATION 2");
    let first = rig.say(1, "XADD s IDMP p i * a 1");
    rig.pass_ms(1_999);
    assert_eq!(rig.say(1, "XADD s IDMP p i * a 1"), first);
    rig.pass_ms(1);
    assert_eq!(info(&mut rig, "iids-tracked"), "0");
    assert_ne!(rig.say(1, "XADD s IDMP p i * a 1"), first);
    assert_eq!(info(&mut rig, "iids-tracked"), "1");
    assert_eq!(info(&mut rig, "iids-added"), "2");
}

#[test]
fn the_oldest_name_of_a_producer_makes_room() {
    let mut rig = rig();
    rig.say(1, "CONFIG SET stream-idmp-maxsize 2");
    let ids: Vec<String> =
        (0..3).map(|n| rig.say(1, &format!("XADD s IDMP p i{n} * a 1"))).collect();
    // To be asked for is no use: the first one goes.
    assert_eq!(rig.say(1, "XADD s IDMP p i1 * a 1"), ids[1]);
    assert_ne!(rig.say(1, "XADD s IDMP p i0 * a 1"), ids[0]);
    assert_ne!(rig.say(1, "XADD s IDMP p i1 * a 1"), ids[1]);
    assert_eq!(info(&mut rig, "iids-tracked"), "2");
}

#[test]
fn a_message_that_comes_again_is_a_change_that_nobody_watches() {
    let mut rig = rig();
    rig.say(1, "CONFIG SET notify-keyspace-events EA");
    rig.say(1, "XADD s IDMP p i * a 1");
    rig.say(2, "PSUBSCRIBE __key*");
    rig.say(3, "WATCH s");
    let changes = |rig: &mut Rig| {
        let told = rig.say(1, "INFO persistence");
        let (_, rest) = told.split_once("rdb_changes_since_last_save:").expect("it has the field");
        rest.split('\\').next().unwrap_or_default().parse::<u64>().expect("a number")
    };
    let before = changes(&mut rig);
    rig.say(1, "XADD s IDMP p i * a 1");
    rig.say(1, "XCFGSET s IDMP-DURATION 7");
    rig.say(1, "XCFGSET s IDMP-DURATION 7");
    assert_eq!(changes(&mut rig), before + 2);
    assert!(rig.told(2).is_empty());
    rig.script(3, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "[PONG]")]);
}

#[test]
fn replicas_are_sent_the_new_message_with_its_id_and_an_old_one_as_it_came() {
    let lines = [
        "XADD s 9999999999999-1 a 1",
        "XADD s IDMP p i MAXLEN ~ 100 * a 1",
        "XADD s IDMP p i MAXLEN ~ 100 * a 1",
        "XADD s IDMPAUTO p * a 1",
        "XCFGSET s IDMP-MAXSIZE 100",
        "XCFGSET s IDMP-MAXSIZE 50",
        "XIDMPRECORD s p j 9999999999999-1",
        "XIDMPRECORD s p j 9999999999999-1",
    ];
    // The helper leaves out words that begin with an asterisk.
    let expected = [
        "XADD s 9999999999999-1 a 1",
        "XADD s IDMP p i MAXLEN = 2 9999999999999-2 a 1",
        "XADD s IDMP p i MAXLEN ~ 100 a 1",
        "XADD s IDMPAUTO p 9999999999999-3 a 1",
        "",
        "XCFGSET s IDMP-MAXSIZE 50",
        "XIDMPRECORD s p j 9999999999999-1",
        "",
    ];
    assert_eq!(sent(Version::Redis8_6, &lines), expected);
}

#[test]
fn replicas_are_sent_what_a_reader_has_claimed() {
    let lines = [
        "XADD s 1-1 a 1",
        "XADD s 1-2 a 1",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
        "XREADGROUP GROUP g d CLAIM 0 STREAMS s >",
        "XREADGROUP GROUP g d CLAIM 5 STREAMS s >",
    ];
    let told = sent(Version::Redis8_6, &lines);
    let now = told[3].split(' ').nth(8).expect("the time of the delivery").to_owned();
    let claim = |id: &str, count: u32| {
        format!("XCLAIM s g d 0 {id} TIME {now} RETRYCOUNT {count} FORCE JUSTID LASTID 1-1")
    };
    let end = "XGROUP SETID s g 1-2 ENTRIESREAD 2 EXEC";
    assert_eq!(told[4], format!("MULTI {} {} {end}", claim("1-1", 2), claim("1-2", 1)));
    assert_eq!(told[5], "");
}

#[test]
fn a_claim_is_sent_whatever_the_count_of_deliveries() {
    let lines = [
        "XADD s 1-1 a 1",
        "XADD s 1-2 a 1",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
        // As if it had never been delivered, and one that was not.
        "XCLAIM s g c 0 1-1 RETRYCOUNT 0",
        "XCLAIM s g c 0 1-2 FORCE RETRYCOUNT 0",
        "XREADGROUP GROUP g d COUNT 2 CLAIM 0 STREAMS s >",
    ];
    let told = sent(Version::Redis8_6, &lines);
    let now = told[3].split(' ').nth(8).expect("the time of the delivery").to_owned();
    let claim =
        |id: &str| format!("XCLAIM s g d 0 {id} TIME {now} RETRYCOUNT 1 FORCE JUSTID LASTID 1-1");
    assert_eq!(told[6], format!("MULTI {} {} EXEC", claim("1-1"), claim("1-2")));
}

#[test]
fn a_reader_gets_what_was_idle_for_longest_before_what_is_new() {
    let mut rig = rig();
    for line in ["XADD s 1-1 a 1", "XADD s 1-2 a 2", "XADD s 1-3 a 3", "XGROUP CREATE s g 0"] {
        rig.say(1, line);
    }
    rig.say(1, "XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    rig.pass_ms(10);
    rig.say(1, "XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    rig.pass_ms(5);
    let read = |entries: &str| format!("[[\"s\", [{entries}]]]");
    let (one, two) = ("\"1-1\", [\"a\", \"1\"]", "\"1-2\", [\"a\", \"2\"]");
    let claim = "XREADGROUP GROUP g d CLAIM";
    assert_eq!(
        rig.say(1, &format!("{claim} 10 COUNT 1 STREAMS s >")),
        read(&format!("[{one}, 15, 1]"))
    );
    let rest = read(&format!("[{two}, 5, 1], [{one}, 0, 2], [\"1-3\", [\"a\", \"3\"], 0, 0]"));
    assert_eq!(rig.say(1, &format!("{claim} 0 STREAMS s >")), rest);
    // Of those of one millisecond, the first that was delivered comes first.
    let (one, two) = (format!("[{one}, 0, 3]"), format!("[{two}, 0, 2]"));
    assert_eq!(
        rig.say(1, &format!("{claim} 0 COUNT 2 STREAMS s >")),
        read(&format!("{two}, {one}"))
    );
    // A deleted entry stays pending, and does not count.
    rig.say(1, "XDEL s 1-1 1-2");
    let three = read("[\"1-3\", [\"a\", \"3\"], 0, 1]");
    assert_eq!(rig.say(1, &format!("{claim} 0 COUNT 1 STREAMS s >")), three);
    assert_eq!(rig.say(1, "XPENDING s g"), "[3, \"1-1\", \"1-3\", [[\"d\", \"3\"]]]");
}

/// Returns a rig with entries `1-1` to `1-n`, which a consumer has just read.
fn rig_with_pending(n: u32) -> Rig {
    let mut rig = rig();
    for seq in 1..=n {
        rig.say(1, &format!("XADD s 1-{seq} a 1"));
    }
    rig.say(1, "XGROUP CREATE s g 0");
    rig.say(1, "XREADGROUP GROUP g c STREAMS s >");
    rig
}

/// The reply to a reader that has claimed an entry.
fn claimed(id: &str, idle: u32, deliveries: u32) -> String {
    format!("[[\"s\", [[\"{id}\", [\"a\", \"1\"], {idle}, {deliveries}]]]]")
}

#[test]
fn a_reader_waits_until_an_entry_is_idle() {
    let mut rig = rig_with_pending(1);
    rig.send(2, "XREADGROUP GROUP g d BLOCK 1000 CLAIM 300 STREAMS s >");
    // The server hears of an entry when its time has passed.
    rig.pass_ms(300);
    assert!(rig.told(2).is_empty());
    rig.pass_ms(1);
    assert_eq!(rig.told(2), [claimed("1-1", 301, 1)]);
    // An entry that is acknowledged, or delivered again, in time is not claimed then.
    rig.send(2, "XREADGROUP GROUP g d BLOCK 1000 CLAIM 300 STREAMS s >");
    rig.send(3, "XREADGROUP GROUP g e BLOCK 600 CLAIM 300 STREAMS s >");
    rig.pass_ms(200);
    rig.say(1, "XCLAIM s g c 0 1-1");
    rig.pass_ms(300);
    assert!(rig.told(2).is_empty());
    rig.pass_ms(1);
    // The first that waits is the first that is served. The other one waits until its time is up.
    assert_eq!(rig.told(2), [claimed("1-1", 301, 3)]);
    assert!(rig.told(3).is_empty());
    rig.pass_ms(99);
    assert_eq!(rig.told(3), ["nil array"]);
    rig.send(2, "XREADGROUP GROUP g d BLOCK 1000 CLAIM 300 STREAMS s >");
    rig.say(1, "XACK s g 1-1");
    rig.pass_ms(1_000);
    assert_eq!(rig.told(2), ["nil array"]);
}

#[test]
fn readers_that_wait_for_idle_entries_are_served_in_the_order_in_which_they_were_blocked() {
    let mut rig = rig_with_pending(4);
    let order = [5, 2, 6, 4, 3];
    (2..=6).for_each(|client| assert_eq!(rig.say(client, "PING"), "PONG"));
    for client in order {
        rig.send(client, "XREADGROUP GROUP g d BLOCK 500 COUNT 1 CLAIM 300 STREAMS s >");
        rig.pass_ms(1);
    }
    rig.pass_ms(296);
    for (client, seq) in order.into_iter().zip(1..=4) {
        assert_eq!(rig.told(client), [claimed(&format!("1-{seq}"), 301, 1)], "client {client}");
    }
    assert!(rig.told(3).is_empty());
}

#[test]
fn a_reader_waits_for_what_becomes_pending_after_it() {
    let mut rig = rig_with_pending(1);
    rig.say(1, "XACK s g 1-1");
    rig.send(2, "XREADGROUP GROUP g d BLOCK 1000 CLAIM 300 STREAMS s >");
    rig.pass_ms(100);
    rig.say(1, "XCLAIM s g c 0 1-1 FORCE");
    // The command runs once in vain after 301 ms, and notes the time of what is pending now.
    rig.pass_ms(300);
    assert!(rig.told(2).is_empty());
    rig.pass_ms(1);
    assert_eq!(rig.told(2), [claimed("1-1", 301, 2)]);
}

#[test]
fn a_reader_that_waits_while_nothing_is_pending_waits_for_no_timer() {
    let mut rig = rig_with_pending(1);
    rig.say(1, "XACK s g 1-1");
    rig.send(2, "XREADGROUP GROUP g d BLOCK 0 CLAIM 300 STREAMS s >");
    assert_eq!(rig.server.poll_timeout(), None);
    rig.pass_ms(700);
    rig.say(1, "XCLAIM s g c 0 1-1 FORCE IDLE 5000");
    // The command would have run after 301 and 602 ms, and runs after 903.
    rig.pass_ms(202);
    assert!(rig.told(2).is_empty());
    rig.pass_ms(1);
    assert_eq!(rig.told(2), [claimed("1-1", 5_203, 2)]);
    // An entry that was deleted never becomes idle.
    rig.say(1, "XDEL s 1-1");
    rig.send(2, "XREADGROUP GROUP g d BLOCK 0 CLAIM 0 STREAMS s >");
    rig.pass_ms(10);
    assert_eq!(rig.server.poll_timeout(), None);
    rig.disconnect(2);
    assert_eq!(rig.server.poll_timeout(), None);
}

#[test]
fn a_reader_whose_entry_is_idle_during_a_pause_begins_anew_when_it_ends() {
    for mode in ["WRITE", "ALL"] {
        let mut rig = rig_with_pending(1);
        rig.send(2, "XREADGROUP GROUP g d BLOCK 500 CLAIM 300 STREAMS s >");
        rig.send(3, "XREADGROUP GROUP g e BLOCK 500 CLAIM 300 STREAMS s >");
        rig.say(1, &format!("CLIENT PAUSE 1000 {mode}"));
        rig.pass_ms(999);
        // Their time is over, but they are no longer blocked for it.
        assert!(rig.told(2).is_empty() && rig.told(3).is_empty(), "{mode}");
        rig.pass_ms(1);
        assert_eq!(rig.told(2), [claimed("1-1", 1_000, 1)], "{mode}");
        rig.pass_ms(300);
        assert!(rig.told(3).is_empty(), "{mode}");
        rig.pass_ms(1);
        assert_eq!(rig.told(3), [claimed("1-1", 301, 2)], "{mode}");
    }
}

#[test]
fn a_replica_knows_what_its_master_remembers() {
    let mut sim = Sim::new(1);
    let options = ServerOptions::default().with_version(Version::Redis8_6);
    let options = options.with_sync_delay(Duration::ZERO);
    let a = redis::start_named(&mut sim, "redis-a", options.clone());
    let b = redis::start_replicas(&mut sim, &a, ["redis-b"], options).remove(0);
    sim.run_for(Duration::from_secs(3)).expect_reached();
    a.command(["XADD", "s", "IDMP", "p", "i", "*", "a", "1"]);
    a.command(["XADD", "s", "IDMP", "p", "i", "*", "a", "1"]);
    a.command(["XADD", "s", "IDMPAUTO", "p", "*", "a", "1"]);
    sim.run_for(Duration::from_secs(1)).expect_reached();
    let info = |redis: &redis::Redis| redis.command(["XINFO", "STREAM", "s"]).to_string();
    assert!(info(&a).contains("iids-duplicates\"\n26) (integer) 1"), "{}", info(&a));
    assert_eq!(info(&a), info(&b));
}

#[test]
fn a_restart_remembers_producers() {
    let options = ServerOptions::default().with_version(Version::Redis8_6);
    let append_only = options.clone().with_append_only(AppendFsync::Always);
    for (options, save) in [(options, true), (append_only, false)] {
        let mut sim = Sim::new(1);
        let redis = redis::start(&mut sim, options);
        let add = |key: &str| {
            let words = ["XADD", key, "IDMP", "p", "i", "*", "a", "1"];
            redis.command(words).to_string()
        };
        let first = add("s");
        assert_eq!(add("s"), first);
        redis.command(["XADD", "s", "IDMPAUTO", "q", "*", "a", "1"]);
        if save {
            redis.command(["SAVE"]);
        }
        let info = || redis.command(["XINFO", "STREAM", "s", "FULL"]).to_string();
        let before = info();
        redis.crash();
        assert_eq!(info(), before, "saved: {save}");
        assert!(before.contains("iids-tracked\"\n22) (integer) 2"), "{before}");
        assert_eq!(add("s"), first, "saved: {save}");
        redis.command(["COPY", "s", "t"]);
        assert_eq!(add("t"), first, "saved: {save}");
        sim.run().expect_done();
    }
}

/// Returns the commands of an append-only file, in words.
fn commands_of(file: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(file).into_owned();
    let words = text.split('*').skip(1).map(|command| {
        let words = command.split("\r\n").skip(1).filter(|word| !word.starts_with('$'));
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    });
    words.collect()
}

#[test]
fn an_append_only_file_has_the_limits_of_producers_and_the_names_of_entries_that_exist() {
    let mut rig = rig();
    rig.say(1, "CONFIG SET stream-idmp-duration 55");
    for seq in 1..=5 {
        rig.say(1, &format!("XADD s 9999999999999-{seq} a 1"));
    }
    for named in ["q n1 9999999999999-2", "q n0 9999999999999-3", "p zz 9999999999999-4"] {
        rig.say(1, &format!("XIDMPRECORD s {named}"));
    }
    rig.say(1, "XIDMPRECORD s p a 9999999999999-5");
    rig.say(1, "XDEL s 9999999999999-3");
    rig.say(1, "XGROUP CREATE s g $");
    rig.say(1, "CONFIG SET stream-idmp-duration 100");
    rig.say(1, "XADD t 9999999999999-1 a 1");
    rig.say(1, "XIDMPRECORD t p zz 9999999999999-1");
    let file = rig.server.to_append_only_file();
    let expected = [
        "SELECT 0",
        "XADD s 9999999999999-1 a 1",
        "XADD s 9999999999999-2 a 1",
        "XADD s 9999999999999-4 a 1",
        "XADD s 9999999999999-5 a 1",
        "XSETID s 9999999999999-5 ENTRIESADDED 5 MAXDELETEDID 9999999999999-3",
        "XGROUP CREATE s g 9999999999999-5 ENTRIESREAD -1",
        "XCFGSET s IDMP-DURATION 55 IDMP-MAXSIZE 100",
        "XIDMPRECORD s p zz 9999999999999-4",
        "XIDMPRECORD s p a 9999999999999-5",
        "XIDMPRECORD s q n1 9999999999999-2",
        "XADD t 9999999999999-1 a 1",
        "XSETID t 9999999999999-1 ENTRIESADDED 1 MAXDELETEDID 0-0",
        "XIDMPRECORD t p zz 9999999999999-1",
    ];
    assert_eq!(commands_of(&file), expected);
    let mut other = self::rig();
    other.server.load_append_only_file(other.now, &file).expect("the file is whole");
    assert_eq!(info(&mut other, "idmp-duration"), "55");
    assert_eq!(info(&mut other, "iids-tracked"), "3");
    assert_eq!(other.server.to_append_only_file(), file);
    // Other versions have no such commands.
    let mut former = Rig::new();
    former.say(1, "XADD s 1-1 a 1");
    assert_eq!(commands_of(&former.server.to_append_only_file()).len(), 3);
}

#[test]
fn producers_and_their_names_take_memory() {
    let mut rig = rig();
    rig.say(1, "XADD s 9999999999999-1 a 1");
    rig.say(1, "CONFIG SET maxmemory 100mb");
    let usage = |rig: &mut Rig| rig.say(1, "MEMORY USAGE s").parse::<u64>().expect("a number");
    let used = |rig: &mut Rig| {
        let told = rig.say(1, "INFO memory");
        let (_, rest) = told.split_once("used_memory:").expect("it has the field");
        rest.split('\\').next().unwrap_or_default().parse::<u64>().expect("a number")
    };
    let (before, total) = (usage(&mut rig), used(&mut rig));
    // Redis asks for 24 bytes for a producer, and for 32 and the text for a name.
    for (producer, name, bytes) in [
        ("p", "i", 32 + 48),
        ("p", "j", 32 + 2 * 48),
        ("q", "i", 2 * 32 + 3 * 48),
        ("q", "a-name-of-twenty-four-ch", 2 * 32 + 3 * 48 + 64),
    ] {
        let line = format!("XIDMPRECORD s {producer} {name} 9999999999999-1");
        assert_eq!(rig.say(1, &line), "OK");
        assert_eq!(usage(&mut rig) - before, bytes, "{line}");
    }
    for n in 10..60 {
        rig.say(1, &format!("XIDMPRECORD s p n{n} 9999999999999-1"));
    }
    assert!(used(&mut rig) - total > 50 * 48, "it counts against the limit");
    rig.say(1, "XCFGSET s IDMP-MAXSIZE 1");
    assert_eq!(usage(&mut rig), before);
    rig.say(1, "XIDMPRECORD s p a-name-that-makes-room 9999999999999-1");
    rig.say(1, "XIDMPRECORD s p i 9999999999999-1");
    assert_eq!(usage(&mut rig) - before, 32 + 48);
}

#[test]
fn what_is_too_old_of_any_producer_is_forgotten_when_one_adds() {
    let mut rig = rig();
    rig.say(1, "CONFIG SET stream-idmp-duration 2");
    rig.say(1, "XADD s 1-1 a 1");
    for (producer, wait) in [("c", 1_000), ("a", 500), ("b", 0), ("c", 500), ("a", 1_000)] {
        rig.say(1, &format!("XADD s IDMP {producer} i{wait} * a 1"));
        rig.pass_ms(wait);
    }
    // The first name of c was forgotten when a came again. That of a is too old now.
    assert_eq!(
        (info(&mut rig, "pids-tracked"), info(&mut rig, "iids-tracked")),
        ("3".into(), "3".into())
    );
    let file = rig.server.to_append_only_file();
    assert_eq!(commands_of(&file).iter().filter(|line| line.contains("XIDMPRECORD")).count(), 4);
    rig.say(1, "XADD s IDMP d i * a 1");
    let names = commands_of(&rig.server.to_append_only_file());
    let names = names.iter().filter_map(|line| line.strip_prefix("XIDMPRECORD s "));
    let names: Vec<&str> = names.map(|line| line.rsplit_once(' ').unwrap_or_default().0).collect();
    assert_eq!(names, ["a i1000", "b i0", "c i500", "d i"]);
}
