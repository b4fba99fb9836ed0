//! The slow log, the latency monitor and `MONITOR`, in virtual time.

use crate::support::Rig;
use stunt_double::redis::{ServerOptions, Version};

#[test]
fn the_slow_log_has_what_takes_virtual_time() {
    let mut rig = Rig::new();
    rig.say(1, "SET k v");
    rig.send(1, "DEBUG SLEEP 0.25");
    rig.pass_ms(300);
    assert_eq!(rig.told(1), ["OK"]);
    assert_eq!(rig.say(1, "SLOWLOG LEN"), "1");
    let entries = rig.say(1, "SLOWLOG GET");
    assert!(
        entries.contains("250000, [\"DEBUG\", \"SLEEP\", \"0.25\"], \"client-1\", \"\"]"),
        "{entries}"
    );
    rig.say(1, "SLOWLOG RESET");
    assert_eq!(rig.say(1, "SLOWLOG GET"), "[]");
}

#[test]
fn a_threshold_of_zero_logs_every_command_but_no_secrets() {
    let mut rig = Rig::new();
    rig.say(1, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2");
    rig.say(1, "CLIENT SETNAME me");
    rig.say(1, "CONFIG SET requirepass secret");
    rig.say(1, "SET k {x*130}");
    let entries = rig.say(1, "SLOWLOG GET -1");
    assert!(
        entries.contains("\"requirepass\", \"(redacted)\"], \"client-1\", \"me\""),
        "{entries}"
    );
    assert!(entries.contains("x... (2 more bytes)\""), "{entries}");
    assert!(!entries.contains("SETNAME"), "{entries}");
    rig.say(1, "RPUSH l {1..40}");
    let entries = rig.say(1, "SLOWLOG GET 1");
    assert!(entries.contains("\"29\", \"... (11 more arguments)\"]"), "{entries}");
    rig.say(1, "CONFIG SET slowlog-log-slower-than -1");
    assert_eq!(rig.say(1, "SLOWLOG LEN"), "2");
}

#[test]
fn the_latency_monitor_keeps_the_longest_of_each_second() {
    let mut rig = Rig::new();
    rig.say(1, "CONFIG SET latency-monitor-threshold 100");
    for (seconds, millis) in [("0.15", 150), ("0.05", 50), ("0.3", 300), ("1.2", 1200)] {
        rig.send(1, &format!("DEBUG SLEEP {seconds}"));
        rig.pass_ms(millis);
        rig.told(1);
    }
    let latest = rig.say(1, "LATENCY LATEST");
    assert!(latest.starts_with("[[\"command\", "), "{latest}");
    assert!(latest.ends_with(", 1200, 1200]]"), "{latest}");
    let history = rig.say(1, "LATENCY HISTORY command");
    assert!(history.ends_with(", 1200]]") && history.contains(", 300], ["), "{history}");
    assert_eq!(rig.say(1, "LATENCY RESET"), "1");
    assert_eq!(rig.say(1, "LATENCY LATEST"), "[]");
}

#[test]
fn a_monitor_is_shown_the_commands_of_others_in_order() {
    let mut rig = Rig::new();
    assert_eq!(rig.say(9, "MONITOR"), "OK");
    rig.say(1, "SET k \"a b\"");
    rig.say(1, "MULTI");
    rig.say(1, "INCR n");
    rig.say(1, "CONFIG GET save");
    rig.say(1, "EXEC");
    rig.say(1, "HELLO 2 AUTH default secret");
    let told = rig.told(9);
    let commands: Vec<&str> = told.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    let expected = [
        "\"SET\" \"k\" \"a b\"",
        "\"MULTI\"",
        "\"INCR\" \"n\"",
        "\"EXEC\"",
        "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\"",
    ];
    assert_eq!(commands, expected);
    assert!(told[0].contains(" [0 client-1] "), "{}", told[0]);
    assert!(rig.say(1, "CLIENT LIST").contains(" flags=O "));
    rig.disconnect(9);
    rig.say(1, "PING");
}

/// Entries beyond the limit go with the next command, whatever it is; since 7.4 a limit of 0 turns
/// the log off. The replies of the real servers.
#[test]
fn the_length_of_the_slow_log_is_limited_unless_it_is_off() {
    let versions = [Version::Redis7_0, Version::Redis7_2, Version::Redis7_4, Version::Valkey8_0];
    for (version, may_be_off) in versions.into_iter().zip([false, false, true, true]) {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "CONFIG SET slowlog-log-slower-than 0");
        rig.say(1, "SLOWLOG RESET");
        rig.say(1, "PING");
        rig.say(1, "PING");
        rig.say(1, "CONFIG SET slowlog-max-len 0");
        let kept = if may_be_off { "3" } else { "0" };
        assert_eq!(rig.say(1, "SLOWLOG LEN"), kept, "{version:?}");
        rig.say(1, "PING");
        rig.say(1, "CONFIG SET slowlog-max-len 128 slowlog-log-slower-than 1000000");
        assert_eq!(rig.say(1, "SLOWLOG LEN"), kept, "{version:?}");
        rig.say(1, "CONFIG SET slowlog-log-slower-than 0");
        rig.say(1, "PING");
        let entries = rig.say(1, "SLOWLOG GET 1");
        // Without a log, no number is used.
        assert_eq!(entries.starts_with("[[5,"), may_be_off, "{version:?}: {entries}");
        rig.say(1, "CONFIG SET slowlog-max-len 1 slowlog-log-slower-than -1");
        assert_ne!(rig.say(1, "SLOWLOG LEN"), "1", "nothing is done while it is off");
        rig.say(1, "CONFIG SET slowlog-log-slower-than 1000000");
        assert_eq!(rig.say(1, "SLOWLOG LEN"), "1", "{version:?}");
    }
}

/// Where a blocked command runs again, every end of it is noted.
#[test]
fn since_7_2_a_wait_in_vain_is_in_the_slow_log() {
    for version in [Version::Redis7_2, Version::Redis8_6, Version::Valkey9_1] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(2, "CONFIG SET slowlog-log-slower-than 0");
        for request in ["BLPOP l 0.1", "WAIT 1 100", "XREAD BLOCK 100 STREAMS s $"] {
            rig.say(2, "SLOWLOG RESET");
            rig.send(1, request);
            rig.pass_ms(200);
            let name = request.split(' ').next().expect("a name");
            let entries = rig.say(2, "SLOWLOG GET -1");
            assert_eq!(entries.matches(name).count(), 1, "{version:?}: {entries}");
        }
    }
}

/// The real Valkey 8.1.8 and 9.1.2 note the same: messages of a command to its own client are a
/// part of its reply, an invalidation is none, and an unwanted reply neither.
#[test]
fn the_command_log_measures_what_a_command_tells_its_client() {
    for version in [Version::Valkey8_1, Version::Valkey9_1] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "CONFIG SET commandlog-reply-larger-than 100");
        rig.send(1, "HELLO 3");
        let mut notes = |lines: &[&str], count: &str| {
            rig.say(2, "COMMANDLOG RESET large-reply");
            lines.iter().for_each(|line| rig.send(1, line));
            rig.pass_ms(1_000);
            rig.told(1);
            assert_eq!(rig.say(2, "COMMANDLOG LEN large-reply"), count, "{version:?}: {lines:?}");
            rig.say(2, "COMMANDLOG GET 1 large-reply")
        };
        notes(&["SUBSCRIBE ch"], "0");
        let entry = notes(&["PUBLISH ch {v*200}"], "1");
        assert!(entry.contains(", 237, [\"PUBLISH\""), "{entry}");
        notes(&["CLIENT TRACKING ON BCAST", "SET {k*200} 1", "GET none"], "0");
        notes(&["CLIENT REPLY OFF", "PUBLISH ch {v*200}", "CLIENT REPLY ON"], "1");
        notes(&["SET k {v*200}", "CLIENT REPLY SKIP", "GET k"], "0");
        notes(&["MULTI", "PUBLISH ch {v*90}", "PING", "PING", "EXEC"], "3");
        notes(&["SUBSCRIBE a b c d e f g"], "1");
        // A limit above that of any short reply.
        notes(&["CONFIG SET commandlog-reply-larger-than 400"], "0");
        notes(&["PUBLISH ch {v*500}", "PUBLISH ch v", "PING"], "1");
        let entry = notes(&["CONFIG SET commandlog-request-larger-than 100"], "0");
        assert_eq!(entry, "[]");
        rig.say(2, "COMMANDLOG RESET large-request");
        rig.send(1, "BLPOP {k*200} 0.1");
        rig.pass_ms(200);
        let entries = rig.say(2, "COMMANDLOG GET -1 large-request");
        assert_eq!(entries.matches("BLPOP").count(), 1, "{version:?}: {entries}");
    }
}

#[test]
fn the_command_log_of_no_entries_is_off_and_a_lower_limit_holds_at_once() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Valkey9_1));
    rig.say(1, "CONFIG SET commandlog-reply-larger-than 100");
    rig.say(1, "SET k {v*200}");
    (0..3).for_each(|_| drop(rig.say(1, "GET k")));
    rig.say(1, "CONFIG SET commandlog-large-reply-max-len 1");
    assert_eq!(rig.say(1, "COMMANDLOG LEN large-reply"), "1");
    rig.say(1, "CONFIG SET commandlog-large-reply-max-len 0");
    (0..3).for_each(|_| drop(rig.say(1, "GET k")));
    assert_eq!(rig.say(1, "COMMANDLOG LEN large-reply"), "1");
    rig.say(1, "CONFIG SET commandlog-large-reply-max-len 128");
    rig.say(1, "GET k");
    let entries = rig.say(1, "COMMANDLOG GET -1 large-reply");
    assert!(entries.starts_with("[[3, ") && entries.contains("[2, "), "{entries}");
}

/// The replies of redis-server 7.0.15: a blocked command is in the slow log when it is served, or
/// unblocked by another client, but not when its time is up; each of the errors is a failure.
#[test]
fn a_blocked_command_is_noted_when_it_ends() {
    let mut rig = Rig::new();
    let id = rig.say(1, "CLIENT ID");
    rig.say(2, "CONFIG SET slowlog-log-slower-than 0");
    rig.say(2, "SLOWLOG RESET");
    rig.send(1, "BLPOP l 0");
    assert_eq!(rig.say(2, "SLOWLOG LEN"), "1", "only the reset");
    rig.say(2, "LPUSH l a");
    assert!(rig.say(2, "SLOWLOG GET -1").contains("[\"BLPOP\", \"l\", \"0\"], \"client-1\""));
    rig.say(2, "SLOWLOG RESET");
    rig.send(1, "BLPOP l 1");
    rig.pass_ms(1_000);
    assert!(!rig.say(2, "SLOWLOG GET -1").contains("BLPOP"));
    for reason in ["TIMEOUT", "ERROR"] {
        rig.send(1, "BLPOP l 0");
        assert_eq!(rig.say(2, &format!("CLIENT UNBLOCK {id} {reason}")), "1");
    }
    assert_eq!(rig.say(2, "SLOWLOG GET -1").matches("BLPOP").count(), 2);
    let stats = rig.say(2, "INFO commandstats");
    let blpop = stats.split("cmdstat_").find(|line| line.starts_with("blpop")).expect("it ran");
    assert!(blpop.contains("calls=4") && blpop.contains("failed_calls=2"), "{blpop}");
}

#[test]
fn a_sleep_in_a_transaction_is_in_the_slow_log() {
    let mut rig = Rig::new();
    rig.script(1, &[("MULTI", "OK"), ("DEBUG SLEEP 0.2", "QUEUED")]);
    rig.send(1, "EXEC");
    rig.pass_ms(200);
    assert_eq!(rig.told(1), ["[OK]"]);
    let entries = rig.say(1, "SLOWLOG GET");
    assert!(entries.contains("200000, [\"DEBUG\", \"SLEEP\", \"0.2\"]"), "{entries}");
    assert!(!entries.contains("EXEC"), "{entries}");
}

/// The replies of redis-server 7.0.15 to the same sleeps.
#[test]
fn latency_is_drawn_and_advised_about() {
    let mut rig = Rig::new();
    assert!(rig.say(1, "LATENCY DOCTOR").contains("Latency monitoring is disabled"));
    rig.say(1, "CONFIG SET latency-monitor-threshold 20");
    assert!(rig.say(1, "LATENCY DOCTOR").contains("no latency spike was observed"));
    for (seconds, millis) in [("0.05", 50), ("0.1", 100), ("0.3", 300), ("0.15", 150), ("0.2", 200)]
    {
        rig.send(1, &format!("DEBUG SLEEP {seconds}"));
        rig.pass_ms(millis);
        assert_eq!(rig.told(1), ["OK"]);
        rig.pass_ms(1_000 - millis);
    }
    let graph = rig.say(1, "LATENCY GRAPH command").replace("\\n", "\n");
    for line in [
        "command - high 300 ms, low 50 ms (all time high 300 ms)\n",
        "\n  #  \n  | o\n  |o|\n_#|||\n     \n54321\nsssss\n",
    ] {
        assert!(graph.contains(line), "{graph}");
    }
    let report = rig.say(1, "LATENCY DOCTOR");
    for line in [
        "1. command: 5 latency spikes (average 160ms, mean deviation 72ms, period 1.00 sec). Worst \
         all time event 300ms.",
        "- Check your Slow Log to understand",
        "- Deleting, expiring or evicting",
    ] {
        assert!(report.contains(line), "{report}");
    }
    rig.say(1, "CONFIG SET slowlog-log-slower-than -1");
    let report = rig.say(1, "LATENCY DOCTOR");
    assert!(report.contains("CONFIG SET slowlog-log-slower-than 20000"), "{report}");
}

/// Valkey 8.0.1, 8.1.8 and 9.1.2 said the same.
#[test]
fn the_doctor_of_valkey_makes_no_jokes() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Valkey8_0));
    assert!(rig.say(1, "LATENCY DOCTOR").contains("disabled in this Valkey instance."));
    for line in [
        "CONFIG SET latency-monitor-threshold 20",
        "CONFIG SET slowlog-log-slower-than -1",
        "DEBUG SLEEP 0.06",
    ] {
        rig.send(1, line);
    }
    rig.pass_ms(2_000);
    rig.told(1);
    let report = rig.say(1, "LATENCY DOCTOR").replace("\\'", "'");
    for text in [
        "Latency spikes are observed in this Valkey instance.\\n\\n1. command: 1 latency spikes",
        "\\n\\nHere is some advice for you:\\n\\n- There are latency issues with",
        "Try to enable the Slow Log Valkey feature using the command 'CONFIG SET \
         slowlog-log-slower-than 20000'. If the Slow log is disabled Valkey is not able",
        "Please check https://valkey.io/commands/slowlog for more information.",
    ] {
        assert!(report.contains(text), "{text}: {report}");
    }
}

#[test]
fn the_doctor_bears_any_threshold() {
    let mut rig = Rig::new();
    rig.say(1, "CONFIG SET latency-monitor-threshold 9223372036854775807");
    assert!(rig.say(1, "LATENCY DOCTOR").contains("Dave"));
}

/// The replies of the real servers of all versions.
#[test]
fn a_monitor_sees_its_own_calls_after_their_replies_and_touches_no_keys() {
    for version in [Version::Redis7_0, Version::Redis8_6, Version::Valkey9_1] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.script(1, &[("MONITOR", "OK")]);
        rig.send(1, "PING");
        let told = rig.told(1);
        assert_eq!((told[0].as_str(), told.len()), ("PONG", 2), "{told:?}");
        assert!(told[1].ends_with("\"PING\""), "{told:?}");
        for request in ["SET k v", "GET k", "PUBLISH ch m"] {
            let told = rig.say(1, request);
            assert_eq!(told, "!ERR Replica can't interact with the keyspace", "{request}");
        }
        rig.send(1, "RESET");
        rig.told(1);
        assert_eq!(rig.say(1, "GET k"), "nil");
    }
}

#[test]
fn no_number_of_databases_is_too_large_and_an_empty_password_is_none() {
    let options = ServerOptions::default().with_databases(usize::MAX).with_password("");
    let mut rig = Rig::with(options);
    assert_eq!(rig.say(1, "SELECT 65535"), "OK");
    assert_eq!(rig.say(1, "SELECT 65536"), "!ERR DB index is out of range");
    assert_eq!(rig.say(1, "CONFIG GET requirepass"), "[\"requirepass\", \"\"]");
}
