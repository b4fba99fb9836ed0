//! Losses of a server whose disk takes time to sync.

use std::time::Duration;
use stunt_double::redis::{self, AppendFsync, Redis, ServerOptions};
use stunt_double::sim::Sim;

/// Returns a server with an append-only file, on a disk that takes this many milliseconds for a
/// sync.
fn on_a_slow_disk(millis: u64) -> (Sim, Redis) {
    let mut sim = Sim::new(1);
    let options = ServerOptions::default()
        .with_append_only(AppendFsync::EverySec)
        .with_fsync_time(Duration::from_millis(millis));
    let redis = redis::start(&mut sim, options);
    sim.run_for(Duration::from_secs(10)).expect_reached();
    (sim, redis)
}

/// Sets these keys, one every half second from the tenth second on, and crashes the server `settle`
/// milliseconds after the last. Returns the keys that are left, and those that the server reports
/// as lost.
fn left_after(
    millis: u64,
    keys: &[&str],
    settle: u64,
    crash: fn(&Redis),
) -> (Vec<String>, Vec<String>) {
    let (mut sim, redis) = on_a_slow_disk(millis);
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            sim.run_for(Duration::from_millis(500)).expect_reached();
        }
        redis.command(["SET", *key, "v"]);
    }
    sim.run_for(Duration::from_millis(settle)).expect_reached();
    crash(&redis);
    let left = keys.iter().filter(|key| !redis.command(["GET", **key]).is_nil());
    let lost = redis.losses().keys.iter().map(|(_, key)| key.to_string()).collect();
    (left.map(|key| (*key).to_owned()).collect(), lost)
}

#[test]
fn a_crash_during_a_sync_loses_what_was_answered_since_it_began() {
    let keys = ["a", "b", "c"];
    // The sync begins with the first key and takes three seconds.
    let (left, lost) = left_after(3_000, &keys, 0, |redis| redis.crash());
    assert_eq!((left, lost), (vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]));
    // A sync of 100 ms ends before b. The next one begins with the second in which c is set.
    let (left, lost) = left_after(100, &keys, 0, |redis| redis.crash());
    assert_eq!((left.join(" "), lost.join(" ")), ("a b".to_owned(), "c".to_owned()));
    let (left, lost) = left_after(100, &keys, 200, |redis| redis.crash());
    assert_eq!((left.join(" "), lost.len()), ("a b c".to_owned(), 0));
    let (left, lost) = left_after(0, &keys, 0, |redis| redis.crash());
    assert_eq!((left.join(" "), lost.len()), ("a b c".to_owned(), 0));
}

#[test]
fn a_write_is_postponed_for_two_seconds_at_most() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    // a is set at 10 s, b at 10.5, … f at 12.5. The write of b is postponed in second 10, so
    // everything is written at 12.
    let (left, lost) = left_after(9_000, &keys, 0, |redis| redis.crash());
    assert_eq!(left.join(" "), "a b c d");
    assert_eq!(lost.join(" "), "e f");
}

#[test]
fn a_power_loss_on_a_slow_disk_loses_what_no_finished_sync_has() {
    let keys = ["a", "b", "c"];
    assert_eq!(left_after(3_000, &keys, 0, |redis| redis.lose_power()).0.join(" "), "");
    assert_eq!(left_after(400, &keys, 0, |redis| redis.lose_power()).0.join(" "), "a");
    let stop_and_start: fn(&Redis) = |redis| redis.restart();
    assert_eq!(left_after(3_000, &keys, 0, stop_and_start).0.join(" "), "a b c");
}

#[test]
fn a_slow_disk_catches_up_when_nothing_is_written_any_more() {
    let (mut sim, redis) = on_a_slow_disk(3_000);
    for key in ["a", "b", "c"] {
        redis.command(["SET", key, "v"]);
        sim.run_for(Duration::from_millis(500)).expect_reached();
    }
    sim.run_for(Duration::from_secs(5)).expect_reached();
    redis.lose_power();
    assert_eq!(redis.command(["DBSIZE"]).as_integer(), Some(3));
}
