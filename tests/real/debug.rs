//! `DEBUG`, and the side effects of looking at a key, compared with the real server.

use crate::both::Both;
use crate::open::replies;
use crate::server::{RealServer, request};
use stunt_double::redis::{Reply, Version};

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

#[test]
fn digests_of_every_type_and_encoding() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let numbers: Vec<String> = (0..600).map(|i| format!("{i}")).collect();
    let many: String = numbers.iter().map(|n| format!(" m{n}")).collect();
    let pairs: String = numbers.iter().map(|n| format!(" {n} m{n}")).collect();
    let lines = [
        "SET s text".to_owned(),
        "SET n 42".to_owned(),
        "SET t v EX 1000".to_owned(),
        "SETRANGE raw 3 x".to_owned(),
        format!("RPUSH l{many}"),
        "SADD ints 3 1 2 -5".to_owned(),
        format!("SADD set{many}"),
        "HSET small f v g 12".to_owned(),
        format!("HSET large{pairs}"),
        "ZADD z 1 a 2.5 b -0 c inf d 1e300 e 0.1 f".to_owned(),
        format!("ZADD zz{pairs}"),
        "XADD st 1-1 a b 12 -3".to_owned(),
        "XADD st 1700000000000-0 a b".to_owned(),
        "XGROUP CREATE st g 0".to_owned(),
        "XDEL st 1-1".to_owned(),
        "SELECT 3".to_owned(),
        "SET s text".to_owned(),
        "SELECT 0".to_owned(),
    ];
    for line in &lines {
        both.ask(1, &words(line));
        for digest in
            ["DEBUG DIGEST", "DEBUG DIGEST-VALUE s n t raw l ints set small large z zz st no"]
        {
            let (theirs, ours) = both.ask(1, &words(digest));
            assert_eq!(replies(&ours.bytes), replies(&theirs.bytes), "{digest} after {line:.20}");
        }
    }
}

#[test]
fn unknown_subcommands_and_wrong_arguments() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    for line in [
        "SET k v",
        "SET n 12",
        "RPUSH l a",
        "DEBUG PROTOCOL attrib",
        "DEBUG PROTOCOL nosuch",
        "DEBUG SDSLEN k",
        "DEBUG SDSLEN none",
        "DEBUG SDSLEN n",
        "DEBUG SDSLEN l",
        "DEBUG HTSTATS x",
        "DEBUG HTSTATS 99",
        "DEBUG HTSTATS 3",
        "DEBUG HTSTATS",
        "DEBUG DIGEST-VALUE",
        "DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER",
        "DEBUG REPLYBUFFER PEAK-RESET-TIME RESET",
        "DEBUG REPLYBUFFER RESIZING 1",
        "DEBUG REPLYBUFFER x",
        "DEBUG REPLYBUFFER x 1",
        "DEBUG PAUSE-CRON 0",
        "DEBUG PAUSE-CRON x",
        "DEBUG PAUSE-CRON",
        "DEBUG AOF-USE-RDB-PREAMBLE 1",
        "DEBUG HELP x",
        "DEBUG ERROR",
        "DEBUG LOG hello",
        "DEBUG QUICKLIST-PACKED-THRESHOLD 10b",
        "DEBUG QUICKLIST-PACKED-THRESHOLD x",
        "DEBUG RELOAD nosuch",
        "DEBUG RELOAD NOSAVE x MERGE",
        "DEBUG RELOAD",
        "DEBUG RELOAD NOSAVE NOFLUSH MERGE",
        "DBSIZE",
        "DEBUG nosuch",
        "DEBUG a\0b",
        "HELLO 3",
        "DEBUG PROTOCOL attrib",
    ] {
        let (theirs, ours) = both.ask(1, &words(line));
        // Of other builds, the allocator is another.
        let is_of_build = line.contains("SDSLEN") && real.version() != Version::default();
        if line.starts_with("HELLO") || is_of_build {
            continue;
        }
        assert_eq!(
            ours.bytes.escape_ascii().to_string(),
            theirs.bytes.escape_ascii().to_string(),
            "{line}"
        );
    }
}

/// Returns hits and misses.
fn counted(reply: &[u8]) -> Vec<String> {
    let replies = replies(reply);
    let text = replies[0].as_text().unwrap_or_default();
    text.lines().filter(|line| line.starts_with("keyspace_")).map(str::to_owned).collect()
}

#[test]
fn looking_at_a_key_has_the_same_side_effects() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "KEAmn");
    both.send(9, &request(&[b"PSUBSCRIBE", b"__keyevent*"]));
    for line in ["SET s v", "HSET h f v", "SADD st x", "ZADD z 1 m", "RPUSH l 1"] {
        both.ask(1, &words(line));
    }
    both.told();
    for line in [
        "HSCAN none 0",
        "HSCAN h 0",
        "HSCAN s 0",
        "HSCAN h x",
        "HSCAN none x",
        "HSCAN h 0 COUNT 0",
        "HSCAN none 0 COUNT 0",
        "SSCAN none 0",
        "ZSCAN none 0",
        "SSCAN st 0",
        "ZSCAN z 0",
        "OBJECT ENCODING none",
        "OBJECT ENCODING s",
        "OBJECT FREQ none",
        "OBJECT FREQ s",
        "OBJECT IDLETIME none",
        "OBJECT REFCOUNT none",
        "OBJECT REFCOUNT s",
        "SCAN 0 TYPE nosuch",
        "SCAN 0 MATCH none",
        "MEMORY USAGE none",
        "DEBUG OBJECT none",
        "TYPE none",
        "TYPE s",
        "TTL none",
        "PEXPIRETIME s",
        "EXISTS none s",
        "SORT none",
        "SORT none STORE q",
        "COPY none q",
        "COPY s q",
        "RENAME none q",
        "RENAMENX none q",
        "RENAMENX s q",
        "MOVE none 1",
        "TOUCH none s",
        "KEYS none",
        "PERSIST none",
        "EXPIRE none 10",
        "GETEX none",
        "GETEX s",
        "GETDEL none",
        "GETSET none2 x",
        "DEL none2",
        "SET none3 x GET",
        "SET none3 x XX",
        "DEL none3",
        "SETNX s x",
        "MSETNX s x",
        "INCR s",
        "APPEND none4 x",
        "GETDEL none4",
        "LPOS none 1",
        "LLEN none",
        "LRANGE none 0 1",
        "LINDEX none 0",
        "LINSERT none BEFORE a b",
        "LSET none 0 a",
        "LPUSHX none a",
        "LREM none 0 a",
        "SPOP none",
        "SRANDMEMBER none",
        "SMOVE none st a",
        "SREM none a",
        "SISMEMBER none a",
        "SMISMEMBER none a",
        "SCARD none",
        "SMEMBERS none",
        "SINTER none st",
        "SINTERSTORE q none",
        "SUNION none none4",
        "SDIFF none st",
        "SINTERCARD 1 none",
        "ZUNION 2 none st",
        "ZUNIONSTORE q 1 none",
        "ZRANGESTORE q none 0 1",
        "ZDIFF 1 none",
        "ZSCORE none a",
        "ZMSCORE none a",
        "ZRANK none a",
        "ZCARD none",
        "ZCOUNT none 0 1",
        "ZINCRBY s 1 a",
        "ZADD none XX 1 a",
        "ZPOPMIN none",
        "ZREM none a",
        "ZREMRANGEBYRANK none 0 1",
        "BITOP AND q none s",
        "BITCOUNT none",
        "BITFIELD none GET u8 0",
        "BITFIELD_RO none GET u8 0",
        "LCS none s",
        "MGET none s h",
        "STRLEN none",
        "HGET none f",
        "HGET h g",
        "HMGET none f",
        "HGETALL none",
        "HEXISTS none f",
        "HSTRLEN none f",
        "HDEL none f",
        "HSETNX h f v",
        "LMPOP 1 none LEFT",
        "ZMPOP 1 none MIN",
        "LMOVE none l LEFT LEFT",
        "LPOP none",
        "GETRANGE none 0 1",
        "BITPOS none 1",
        "GETBIT none 1",
        "HRANDFIELD none",
        "ZRANDMEMBER none",
        "SETRANGE none 3 ",
        "WATCH none",
        "UNWATCH",
        "SORT l BY nosuch_*",
        "SORT l GET pre_*",
        "SORT l BY w_* GET h->f",
    ] {
        both.send(1, &request(&words(line)));
        let told = both.told();
        for (client, (theirs, ours)) in &told {
            let (theirs, ours) = (replies(&theirs.bytes), replies(&ours.bytes));
            assert_eq!(ours, theirs, "client {client}, {line}");
        }
        let (theirs, ours) = both.ask(2, &[b"INFO", b"stats"]);
        assert_eq!(counted(&ours.bytes), counted(&theirs.bytes), "{line}");
    }
}

#[test]
fn replies_before_an_http_request_are_lost() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    for bytes in [
        &b"POST / HTTP/1.1\r\n"[..],
        b"host: x\r\n",
        b"PING\r\npOsT\r\nPING\r\n",
        b"*1\r\n$4\r\nPING\r\n*2\r\n$5\r\nHost:\r\n$1\r\nx\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPOST\r\n",
        b"host\r\nhost:x\r\nPOSTX\r\n",
    ] {
        both.disconnect(1);
        both.send(1, bytes);
        let (theirs, ours) = both.told().remove(&1).unwrap();
        assert_eq!(ours, theirs, "{}", bytes.escape_ascii());
    }
}

#[test]
fn within_a_transaction_a_save_is_scheduled() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    for line in ["MULTI", "BGSAVE", "BGSAVE SCHEDULE", "BGREWRITEAOF", "EXEC"] {
        let (theirs, ours) = both.ask(1, &words(line));
        let theirs: Vec<Reply> = replies(&theirs.bytes);
        assert_eq!(replies(&ours.bytes), theirs, "{line}");
    }
}

#[test]
fn a_stream_takes_as_much_memory() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    if real.version() != Version::default() {
        return println!("SKIPPED: the sizes are those of 7.0");
    }
    let mut both = Both::new(&real, "");
    both.ask(1, &words("XGROUP CREATE s g 0 MKSTREAM"));
    for n in 0..700_u64 {
        let value = "v".repeat((n * n % 89) as usize);
        both.send(1, &request(&words(&format!("XADD s {}-{n} n {n} v{value} 1", n / 3 * 1_000))));
        let also = match n % 100 {
            7 => "XREADGROUP GROUP g c COUNT 20 STREAMS s >",
            30 => "XTRIM s MAXLEN 60",
            50 => "XDEL s 1000-4 1000-5 10000-30 20000-61",
            80 => "COPY s t REPLACE",
            _ => continue,
        };
        both.ask(1, &words(also));
        for key in ["s", "t"] {
            let (theirs, ours) = both.ask(1, &words(&format!("MEMORY USAGE {key}")));
            assert_eq!(ours, theirs, "{key} after {also}, {n}");
        }
    }
}
