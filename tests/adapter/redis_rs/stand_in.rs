//! The stand-in without a world: blocking code, a clock by hand, faults.

use super::adapter::StandIn;
use super::redis::{
    Commands, ConnectionLike, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisResult, Value,
    cmd, pipe, transaction,
};
use std::time::Duration;
use stunt_double::redis::{Refusal, ServerOptions, Version};
use stunt_double::{Instant, Shutdown};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_key_expires_in_three_lines() -> RedisResult<()> {
    let (stand_in, mut con) = (StandIn::redis(), StandIn::redis().connection()?);
    drop((stand_in, con.set_ex::<_, _, ()>("other", 1, 1)?));

    let stand_in = StandIn::redis();
    let mut con = stand_in.connection()?;
    let () = con.set_ex("session", "ann", 10)?;
    stand_in.advance(10 * SECOND);
    assert_eq!(con.get::<_, Option<String>>("session")?, None);
    Ok(())
}

/// Code as it stands in production.
fn use_everything<C: ConnectionLike>(con: &mut C) -> RedisResult<()> {
    let () = con.set("count", 41)?;
    assert_eq!(con.incr::<_, _, i64>("count", 1)?, 42);
    let (a, b): (i64, i64) =
        pipe().incr("count", 1).set("x", 1).ignore().get("count").query(con)?;
    assert_eq!((a, b), (43, 43));
    let (a,): (i64,) = pipe().atomic().incr("count", 1).query(con)?;
    assert_eq!(a, 44);
    let (sum,): (i64,) = transaction(con, &["count"], |con, pipe| {
        let count: i64 = con.get("count")?;
        pipe.set("count", count + 56).ignore().get("count").query(con)
    })?;
    assert_eq!(sum, 100);
    let () = con.sadd("set", &[1, 2, 3])?;
    let mut members: Vec<i64> = con.sscan("set")?.collect::<RedisResult<_>>()?;
    members.sort_unstable();
    assert_eq!(members, [1, 2, 3]);
    assert!(con.check_connection() && con.is_open());
    Ok(())
}

#[test]
fn blocking_production_code_runs_unchanged() -> RedisResult<()> {
    use_everything(&mut StandIn::redis().connection()?)?;
    let resp3 = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    use_everything(&mut StandIn::redis().connection_with(&resp3)?)
}

#[test]
fn two_connections_see_each_other() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let (mut one, mut two) = (stand_in.connection()?, stand_in.connection()?);
    let () = one.set("k", 1)?;
    let () = cmd("WATCH").arg("k").query(&mut one)?;
    let () = two.set("k", 2)?;
    let nothing: Option<(String,)> = pipe().atomic().set("k", 3).query(&mut one)?;
    assert_eq!(nothing, None);
    let info = RedisConnectionInfo::default().set_db(5);
    let mut five = stand_in.connection_with(&info)?;
    let () = five.set("k", 5)?;
    assert_eq!((five.get_db(), stand_in.database(5, |db| db.len())), (5, Some(1)));
    assert_eq!(two.get::<_, i64>("k")?, 2);
    Ok(())
}

#[test]
fn a_wait_moves_the_clock_to_its_end() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let mut con = stand_in.connection()?;
    let () = con.set_ex("lock", 1, 3)?;
    let job: Option<(String, String)> = con.blpop("jobs", 5.0)?;
    assert_eq!(job, None);
    assert_eq!(stand_in.now(), Instant::ZERO + 5 * SECOND);
    assert!(!con.exists::<_, bool>("lock")?);

    let () = con.rpush("jobs", "a")?;
    assert_eq!(con.blpop::<_, (String, String)>("jobs", 5.0)?.1, "a");
    assert_eq!(stand_in.now(), Instant::ZERO + 5 * SECOND);

    let () = cmd("DEBUG").arg("SLEEP").arg(2).query(&mut con)?;
    assert_eq!(stand_in.now(), Instant::ZERO + 7 * SECOND);
    let () = cmd("CLIENT").arg("PAUSE").arg(1_000).query(&mut con)?;
    let () = con.set("after", "the pause")?;
    assert_eq!(stand_in.now(), Instant::ZERO + 8 * SECOND);
    Ok(())
}

#[test]
fn a_reader_waits_no_longer_than_until_an_entry_is_idle() -> RedisResult<()> {
    let stand_in = StandIn::redis_with(ServerOptions::default().with_version(Version::Redis8_6), 1);
    let mut con = stand_in.connection()?;
    let mut ask = |line: &str| {
        let mut words = line.split(' ');
        let mut request = cmd(words.next().unwrap_or_default());
        request.arg(words.collect::<Vec<_>>()).query::<Value>(&mut con)
    };
    ask("XADD s 1-1 a 1")?;
    ask("XGROUP CREATE s g 0")?;
    ask("XREADGROUP GROUP g c STREAMS s >")?;
    ask("XREADGROUP GROUP g d BLOCK 0 CLAIM 3000 STREAMS s >")?;
    assert_eq!(stand_in.now(), Instant::ZERO + Duration::from_millis(3_001));
    ask("XACK s g 1-1")?;
    let endless = ask("XREADGROUP GROUP g d BLOCK 0 CLAIM 3000 STREAMS s >");
    assert!(endless.unwrap_err().to_string().contains("push first"));
    assert_eq!(stand_in.now(), Instant::ZERO + Duration::from_millis(3_001));
    Ok(())
}

#[test]
fn an_endless_wait_is_refused_and_leaves_nothing_behind() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let mut con = stand_in.connection()?;
    let error = con.blpop::<_, ()>("jobs", 0.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Client);
    assert!(error.to_string().contains("push first"), "{error}");
    assert_eq!(stand_in.now(), Instant::ZERO);
    // Nobody waits any more, and the connection goes on.
    assert_eq!(con.rpush::<_, _, i64>("jobs", "a")?, 1);
    assert_eq!(con.llen::<_, i64>("jobs")?, 1);
    assert_eq!(con.blpop::<_, (String, String)>("jobs", 0.0)?.1, "a");
    Ok(())
}

#[test]
fn a_pause_or_a_sleep_without_an_end_is_refused() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let mut con = stand_in.connection()?;
    let () = con.set("k", 1)?;
    let () = cmd("CLIENT").arg("PAUSE").arg(i64::MAX / 2).query(&mut con)?;
    for _ in 0..2 {
        let error = con.get::<_, ()>("other").unwrap_err();
        assert!(error.to_string().contains("would wait forever"), "{error}");
    }
    assert_eq!(stand_in.now(), Instant::ZERO);
    stand_in.command(["CLIENT", "UNPAUSE"]);
    // What was given up is answered by now, and taken for no other answer.
    assert_eq!(con.get::<_, i64>("k")?, 1);

    let stand_in = StandIn::redis();
    let mut con = stand_in.connection()?;
    let error = cmd("DEBUG").arg("SLEEP").arg("1e300").query::<()>(&mut con).unwrap_err();
    assert!(error.to_string().contains("would wait forever"), "{error}");
    let error = stand_in.connection()?.get::<_, ()>("k").unwrap_err();
    assert!(error.to_string().contains("would wait forever"), "{error}");
    Ok(())
}

#[test]
fn a_subscription_that_has_ended_says_so_and_loses_no_message() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let mut messages = stand_in.pubsub()?;
    messages.subscribe("news")?;
    let mut con = stand_in.connection()?;
    assert_eq!(con.publish::<_, _, i64>("news", "one")?, 1);
    stand_in.stop(Shutdown::Kill);
    assert!(messages.subscribe("weather").unwrap_err().is_connection_dropped());
    assert_eq!(messages.get_message()?.get_payload::<String>()?, "one");
    assert!(messages.get_message().unwrap_err().is_connection_dropped());

    let stand_in = StandIn::redis();
    let mut messages = stand_in.pubsub()?;
    messages.subscribe("news")?;
    assert_eq!(stand_in.connection()?.publish::<_, _, i64>("news", "two")?, 1);
    assert!(messages.subscribe(&[] as &[&str]).is_err());
    assert_eq!(messages.get_message()?.get_payload::<String>()?, "two");
    Ok(())
}

#[test]
fn a_call_without_an_answer_is_an_error_and_no_hang() -> RedisResult<()> {
    let mut con = StandIn::redis().connection()?;
    let () = cmd("CLIENT").arg("REPLY").arg("OFF").set_no_response(true).query(&mut con)?;
    let error = con.get::<_, ()>("k").unwrap_err();
    assert!(error.to_string().contains("CLIENT REPLY"), "{error}");
    let empty = pipe().query::<Vec<i64>>(&mut con)?;
    assert!(empty.is_empty());
    Ok(())
}

#[test]
fn a_stopped_stand_in_drops_and_refuses_connections() -> RedisResult<()> {
    let stand_in =
        StandIn::redis_with(ServerOptions::default().with_append_only(Default::default()), 7);
    let mut con = stand_in.connection()?;
    let () = con.set("k", 1)?;
    stand_in.stop(Shutdown::Kill);
    assert!(!con.is_open() && !con.check_connection());
    let error = con.get::<_, ()>("k").unwrap_err();
    assert!(error.is_connection_dropped() && error.is_io_error(), "{error}");
    assert!(stand_in.connection().unwrap_err().is_connection_refusal());
    stand_in.start();
    assert_eq!(stand_in.connection()?.get::<_, i64>("k")?, 1);
    stand_in.wipe();
    assert_eq!(stand_in.connection()?.get::<_, Option<i64>>("k")?, None);
    Ok(())
}

#[test]
fn faults_reach_blocking_code() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let mut con = stand_in.connection()?;
    stand_in.refuse(Refusal::loading());
    assert_eq!(con.get::<_, ()>("k").unwrap_err().code(), Some("LOADING"));
    stand_in.refuse_nothing();
    let () = con.set("k", 1)?;
    stand_in.lose_power();
    assert_eq!(stand_in.losses().keys.len(), 1);
    let error = pipe().atomic().set("a", 1).cmd("NOSUCH").query::<()>(&mut stand_in.connection()?);
    assert_eq!(error.unwrap_err().code(), Some("EXECABORT"));
    Ok(())
}

#[test]
fn messages_are_received_without_waiting() -> RedisResult<()> {
    let stand_in = StandIn::redis();
    let mut messages = stand_in.pubsub()?;
    messages.subscribe(&["news", "weather"])?;
    messages.psubscribe("w*")?;
    let mut con = stand_in.connection()?;
    assert_eq!(con.publish::<_, _, i64>("weather", "rain")?, 2);
    assert_eq!(messages.get_message()?.get_payload::<String>()?, "rain");
    assert_eq!(messages.get_message()?.get_pattern::<String>()?, "w*");
    assert!(messages.get_message().unwrap_err().is_timeout());
    messages.punsubscribe("w*")?;
    messages.unsubscribe(&["news", "weather"])?;
    assert_eq!(con.publish::<_, _, i64>("weather", "sun")?, 0);
    assert!(messages.subscribe(&[] as &[&str]).is_err());
    stand_in.crash();
    assert!(messages.get_message().unwrap_err().is_connection_dropped());
    Ok(())
}

#[test]
fn the_seed_decides_what_is_drawn() -> RedisResult<()> {
    let draw = |seed| -> RedisResult<Vec<String>> {
        let mut con = StandIn::redis_with(ServerOptions::default(), seed).connection()?;
        let () = con.sadd("set", (0..100).collect::<Vec<i64>>())?;
        cmd("SPOP").arg("set").arg(10).query(&mut con)
    };
    assert_eq!(draw(1)?, draw(1)?);
    assert_ne!(draw(1)?, draw(2)?);
    Ok(())
}
