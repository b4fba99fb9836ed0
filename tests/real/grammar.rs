//! Commands for the comparison, as a table of patterns.
//!
//! In a pattern, a word in lower case is a pool to draw from, and a word in upper case stands for
//! itself. `a|b` is a choice and `( … )` a group. `?` after either makes it optional, and `+`
//! repeats it up to three times. Pools are small, so that keys and members recur, and contain
//! values that no command accepts.

use crate::families;

/// A source of decisions: numbers, and zeros when they run out, so that a shrunk case is a plain
/// one.
pub(crate) struct Picks<'a>(pub(crate) &'a [u16]);

impl Picks<'_> {
    pub(crate) fn pick(&mut self, n: usize) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first) % n
    }
}

const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Returns the pool of a word in lower case.
fn pool(name: &str) -> &'static [&'static str] {
    match name {
        "key" => &["k1", "k2", "k3", "k4"],
        // Sorted sets with equal scores: ranges by member are undefined in others.
        "same" => &["l1", "l2"],
        "val" => &[
            "a",
            "b",
            "1",
            "10",
            "-5",
            "3.5",
            "0.1",
            "",
            "007",
            "-0",
            "inf",
            "-inf",
            "nan",
            "1e3",
            LONG,
            "\0z",
            " 1",
            "3.0e2",
            "0x10",
            "1e400",
            "9223372036854775807",
        ],
        "mem" => &["a", "b", "c", "1", "2", "", "3", "ab", LONG],
        "score" => &["0", "1", "2", "-1", "2.5", "inf", "-inf", "-0", "1e17", "0.1", "x"],
        "bound" => &["0", "1", "(1", "(2", "-inf", "+inf", "2.5", "x", "(inf"],
        "lex" => &["-", "+", "[a", "(b", "[c", "(", "[", "x", "[1"],
        "idx" => &[
            "0",
            "1",
            "2",
            "-1",
            "-2",
            "3",
            "-3",
            "100",
            "-100",
            "x",
            "9223372036854775807",
            "-9223372036854775808",
        ],
        "bit" => &["0", "7", "8", "1", "100", "-1", "x", "4294967296"],
        "off" => &["0", "1", "5", "-1", "x", "536870912"],
        "kind" => &["u8", "i8", "i5", "u2", "u63", "i64", "u64", "x"],
        "field" => &["0", "#1", "5", "#2", "-1", "x"],
        "at" => &["4102444800", "1", "4102444900", "x", "-1", "9223372036854775807"],
        "ms" => &["4102444800000", "1", "4102444900000", "x", "0"],
        "secs" => &["10000", "20000", "0", "-1", "x", "9223372036854775807"],
        "num" => &["1", "2", "2", "0", "3", "x"],
        "glob" => &["*", "k*", "k?", "k[12]", "[^k]*", "k[1", "\\k1"],
        "host" => &["127.0.0.1", "localhost", ""],
        "hole" => &["", "k1"],
        "sketch" => &["p1", "p2"],
        "place" => &["g1", "g2", "g1", "g2", "k1"],
        "lon" => &["13.361389", "15.087269", "-180", "180", "0", "13.4", "181", "x", "-122.27"],
        "lat" => &["38.115556", "37.502669", "85.05112878", "-85.05", "0", "38.2", "86", "nan"],
        "city" => &["a", "b", "c", "d", "e", "1", LONG],
        "far" => &["100", "200", "0", "1", "20000000", "-1", "x", "1e-3", "inf", "500"],
        "unit" => &["m", "km", "ft", "mi", "KM", "x"],
        "chan" => &["c1", "c2", "d"],
        "opt" => &["X", "NX", "LIMIT"],
        // Mostly ids that are greater than those before.
        "new" => &[
            "1-1", "1-*", "2-0", "2-*", "3-1", "3-*", "5", "7-3", "8-*", "8-*", "9-*", "9-*",
            "9-*", "0-0", "0-*", "x", "-", "300-7", "300-*", "70000-*",
        ],
        "sid" => &[
            "1-1",
            "2-0",
            "2-1",
            "3-1",
            "5",
            "7-3",
            "8-0",
            "8-1",
            "9-0",
            "9-1",
            "9-2",
            "9-3",
            "0",
            "0-1",
            "x",
            "300-7",
            "18446744073709551615-18446744073709551615",
            "18446744073709551615",
        ],
        "from" => &["$", ">", ">", ">", "0", "0", "1-1", "3-1", "8-0", "9-1", "+", "-", "x"],
        "span" => &[
            "-",
            "+",
            "0",
            "1-1",
            "2",
            "3",
            "(3-1",
            "(8-0",
            "9",
            "9-1",
            "(9-1",
            "(",
            "x",
            "(-",
            "(18446744073709551615-18446744073709551615",
            "(0-0",
            "300",
        ],
        "grp" => &["g", "h", "g", ""],
        "con" => &["c", "d", "e", ""],
        "embkey" => &["kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "kkkkkkkkkkkkkkkkkkkkk", "kkkkkkk"],
        "embval" => &[
            "",
            "xxx",
            "xxxxx",
            "xxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            LONG,
        ],
        // Of `a`, of `10`, and of nothing; and what is no digest.
        "digest" => &[
            "e6c632b61e964e1f",
            "E6C632B61E964E1F",
            "d0698444ed39c832",
            "2d06800538d394c2",
            "zzzzzzzzzzzzzzzz",
            "1",
        ],
        "idle" => &["0", "0", "0", "100000000", "50000000", "-1", "x"],
        "cut" => &["0", "1", "2", "5", "9-1", "-1", "x"],
        other => families::pool(other).unwrap_or_else(|| panic!("no pool {other}")),
    }
}

/// All commands with every option, except for what cannot be compared: random removal, waiting for
/// a time.
pub(crate) const PATTERNS: &[&str] = &[
    "SET key val NX? XX? GET? (EX secs|PX secs|EXAT at|PXAT ms|KEEPTTL|EX)?",
    "GET key",
    "APPEND key val",
    "STRLEN key",
    "GETRANGE key idx idx",
    "SUBSTR key idx idx",
    "SETRANGE key off val",
    "INCR key",
    "DECR key",
    "INCRBY key val",
    "DECRBY key val",
    "INCRBYFLOAT key val",
    "GETSET key val",
    "GETDEL key",
    "GETEX key (EX secs|PXAT ms|EXAT at|PERSIST|KEEPTTL)?",
    "MGET key+",
    "MSET (key val)+ key?",
    "MSETNX (key val)+",
    "SETNX key val",
    "SETEX key secs val",
    "PSETEX key (0|x|9999999) val",
    "LCS key key LEN? IDX? WITHMATCHLEN? (MINMATCHLEN idx)?",
    "SETBIT key bit (0|1|2|x)",
    "GETBIT key bit",
    "BITCOUNT key (idx|idx idx|idx idx BIT|idx idx BYTE)?",
    "BITPOS key (0|1|2|x) (idx|idx idx|idx idx BIT|idx idx BYTE)?",
    "BITOP (AND|OR|XOR|NOT|X) key key+",
    "BITFIELD key ((GET kind field|SET kind field val|INCRBY kind field idx|OVERFLOW (WRAP|SAT|FAIL|X)))+",
    "BITFIELD_RO key (GET kind field)+",
    "HSET key (mem val)+ mem?",
    "HMSET key (mem val)+",
    "HSETNX key mem val",
    "HGET key mem",
    "HMGET key mem+",
    "HGETALL key",
    "HKEYS key",
    "HVALS key",
    "HLEN key",
    "HSTRLEN key mem",
    "HEXISTS key mem",
    "HDEL key mem+",
    "HINCRBY key mem val",
    "HINCRBYFLOAT key mem val",
    "HRANDFIELD key (0|100|x|100 WITHVALUES|1 X)?",
    "HRANDFIELD key idx WITHVALUES?",
    "HSCAN key (0|x) (COUNT 1000)? (MATCH (glob|mem))? (COUNT 0|X|COUNT 1)?",
    "LPUSH key val+",
    "RPUSH key val+",
    "LPUSHX key val+",
    "RPUSHX key val+",
    "LPOP key idx?",
    "RPOP key idx?",
    "LLEN key",
    "LINDEX key idx",
    "LRANGE key idx idx",
    "LTRIM key idx idx",
    "LSET key idx val",
    "LREM key idx val",
    "LINSERT key (BEFORE|AFTER|X) val val",
    "LPOS key val (RANK idx)? (COUNT idx)? (MAXLEN idx)?",
    "LMOVE key key (LEFT|RIGHT|X) (LEFT|RIGHT)",
    "RPOPLPUSH key key",
    "LMPOP num key key? (LEFT|RIGHT|X) (COUNT idx)?",
    "BLPOP key+ 0",
    "BRPOP key+ (0|x|-1)",
    "BLMOVE key key (LEFT|RIGHT) (LEFT|RIGHT) 0",
    "BRPOPLPUSH key key 0",
    "BLMPOP 0 num key key? (LEFT|RIGHT) (COUNT idx)?",
    "BZPOPMIN key+ 0",
    "BZPOPMAX key+ (0|x)",
    "BZMPOP 0 num key key? (MIN|MAX) (COUNT idx)?",
    "SADD key mem+",
    "SREM key mem+",
    "SCARD key",
    "SISMEMBER key mem",
    "SMISMEMBER key mem+",
    "SMEMBERS key",
    "SINTER key+",
    "SUNION key+",
    "SDIFF key+",
    "SINTERSTORE key key+",
    "SUNIONSTORE key key+",
    "SDIFFSTORE key key+",
    "SINTERCARD num key key? (LIMIT idx)?",
    "SMOVE key key mem",
    "SPOP key (100|0|x|-1)",
    "SRANDMEMBER key (0|100|x|idx)?",
    "SSCAN key 0 (COUNT 1000)? (MATCH (glob|mem))? (COUNT 0|X|COUNT 1)?",
    "ZADD key NX? XX? GT? LT? CH? INCR? (score mem)+",
    "ZINCRBY key score mem",
    "ZREM key mem+",
    "ZCARD key",
    "ZSCORE key mem",
    "ZMSCORE key mem+",
    "ZRANK key mem",
    "ZREVRANK key mem",
    "ZRANGE key idx idx REV? (LIMIT idx idx)? WITHSCORES?",
    "ZRANGE key bound bound BYSCORE REV? (LIMIT idx idx)? WITHSCORES?",
    "ZRANGE same lex lex BYLEX REV? (LIMIT idx idx)? WITHSCORES?",
    "ZRANGESTORE key key idx idx (BYSCORE|BYLEX)? REV? (LIMIT idx idx)?",
    "ZRANGEBYSCORE key bound bound WITHSCORES? (LIMIT idx idx)?",
    "ZREVRANGEBYSCORE key bound bound WITHSCORES? (LIMIT idx idx)?",
    "ZRANGEBYLEX same lex lex (LIMIT idx idx)?",
    "ZREVRANGEBYLEX same lex lex (LIMIT idx idx)?",
    "ZREVRANGE key idx idx WITHSCORES?",
    "ZCOUNT key bound bound",
    "ZLEXCOUNT same lex lex",
    "ZADD same (0 mem)+",
    "ZADD same (0 mem)+",
    "ZREM same mem+",
    "ZRANGESTORE same same lex lex BYLEX REV? (LIMIT idx idx)?",
    "ZREMRANGEBYRANK key idx idx",
    "ZREMRANGEBYSCORE key bound bound",
    "ZREMRANGEBYLEX same lex lex",
    "ZPOPMIN key idx?",
    "ZPOPMAX key idx?",
    "ZMPOP num key key? (MIN|MAX|X) (COUNT idx)?",
    "ZRANDMEMBER key (0|100|x|100 WITHSCORES)?",
    "ZRANDMEMBER key idx WITHSCORES?",
    "DUMP key",
    "RESTORE key (0|x|-1|9999999) val (REPLACE|ABSTTL|IDLETIME idx|FREQ idx|X|IDLETIME 1 FREQ 1)?",
    "MIGRATE 127.0.0.1 1 key 0 10 (COPY|REPLACE|AUTH val|AUTH2 val val|AUTH2 val|KEYS key|X)?",
    "MIGRATE host 1 hole (0|x) (10|x) COPY? (KEYS key+)?",
    "COMMAND GETKEYS MIGRATE X X hole 0 0 (KEYS key key|COPY KEYS key|AUTH KEYS KEYS key)?",
    "PFADD sketch val+",
    "PFADD sketch val val val val val val val val",
    "PFADD key val?",
    "PFCOUNT sketch",
    "PFCOUNT (sketch|key)+",
    "PFMERGE sketch (sketch|sketch|key)+",
    "PFDEBUG (GETREG|DECODE|ENCODING|TODENSE|X) (sketch|key)",
    "GET sketch",
    "SETRANGE sketch off val",
    "PFSELFTEST X",
    "GEOADD place NX? XX? CH? (lon lat city)+",
    "GEOADD place CH? (lon lat city)+",
    "GEOADD g1 13.361389 38.115556 city 15.087269 37.502669 city 13.4 38.2 city",
    "GEODIST place city city unit?",
    "GEOHASH place city+",
    "GEOPOS place city+",
    "GEOSEARCH place (FROMMEMBER city|FROMLONLAT lon lat) (BYRADIUS far unit|BYBOX far far unit) (ASC|DESC)? (COUNT num ANY?)? WITHCOORD? WITHDIST? WITHHASH? X?",
    "GEOSEARCHSTORE place place (FROMMEMBER city|FROMLONLAT lon lat) (BYRADIUS far unit|BYBOX far far unit) (ASC|DESC)? (COUNT num ANY?)? STOREDIST? (WITHDIST)?",
    "(GEORADIUS|GEORADIUS_RO) place lon lat far unit (ASC|DESC|COUNT num ANY?|WITHCOORD|WITHDIST|WITHHASH)? (STORE place|STOREDIST place)? (ASC|DESC|COUNT num ANY?)?",
    "(GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO) place city far unit (ASC|DESC|COUNT num ANY?|WITHCOORD|WITHDIST|WITHHASH)? (STORE place|STOREDIST place)? (ASC|DESC|COUNT num ANY?)?",
    "COMMAND GETKEYS (GEORADIUS key 1 1 1 m STORE key|GEORADIUS key 1 1 1 m STOREDIST key X|GEORADIUSBYMEMBER key a 1 m STORE|GEOSEARCHSTORE key key X X X X X|PFMERGE key key key|PFCOUNT key key|PFDEBUG X key)",
    "RANDOMKEY",
    "ZSCAN key 0 (COUNT 1000)? (MATCH (glob|mem))? (COUNT 0|X|COUNT 1)?",
    "(ZUNION|ZINTER|ZDIFF) num key key? (WEIGHTS score score)? (AGGREGATE (SUM|MIN|MAX|X))? WITHSCORES?",
    "(ZUNIONSTORE|ZINTERSTORE|ZDIFFSTORE) key num key key? (WEIGHTS score score)? (AGGREGATE (SUM|MIN|MAX))?",
    "ZINTERCARD num key key? (LIMIT idx)?",
    "XADD key new (mem val)+",
    "XADD key new (mem val)+",
    "XADD key (8-*|9-*|9-*) a 1 b 2",
    "XADD key (8-*|9-*|9-*) a 1 b 2",
    "XADD key NOMKSTREAM? ((MAXLEN|MINID) (=|~)? cut (LIMIT num)?)? new (mem val)+ mem?",
    "XTRIM key (MAXLEN|MINID|X) (=|~)? cut (LIMIT num)?",
    "XDEL key sid+",
    "XLEN key",
    "(XRANGE|XREVRANGE) key span span (COUNT idx)?",
    "XSETID key sid (ENTRIESADDED idx)? (MAXDELETEDID sid)?",
    "XREAD (COUNT idx)? STREAMS key (sid|from)",
    "XREAD (COUNT idx)? (BLOCK (0|x|-1))? STREAMS key key (sid|from) (sid|from)",
    "XREAD (COUNT num)? BLOCK 0 STREAMS key (sid|from)",
    "XREAD (GROUP g c|NOACK|COUNT|BLOCK|STREAMS key) STREAMS key sid",
    "XGROUP CREATE key grp from MKSTREAM? (ENTRIESREAD idx)?",
    "XGROUP CREATE key grp 0 MKSTREAM",
    "XGROUP CREATE key g 0 MKSTREAM",
    "XGROUP SETID key grp from (ENTRIESREAD idx)?",
    "XGROUP SETID key grp from MKSTREAM",
    "XGROUP DESTROY key grp",
    "XGROUP CREATECONSUMER key grp con",
    "XGROUP DELCONSUMER key grp con",
    "XREADGROUP GROUP grp con (COUNT idx)? NOACK? STREAMS key from",
    "XREADGROUP GROUP g con (COUNT num)? NOACK? STREAMS key (from|sid)",
    "XREADGROUP GROUP g con (COUNT num)? NOACK? STREAMS key key from from",
    "XREADGROUP GROUP g con BLOCK 0 (COUNT num)? NOACK? STREAMS key >",
    "XREADGROUP (GROUP g)? con BLOCK 0 STREAMS key > >",
    "XACK key grp sid+",
    "XPENDING key grp",
    "XPENDING key grp (IDLE idle)? span span idx con?",
    "XCLAIM key grp con idle sid+ (IDLE idle)? (TIME ms)? (RETRYCOUNT idx)? FORCE? JUSTID? (LASTID sid)?",
    "XCLAIM key g con idle sid+ FORCE? JUSTID?",
    "XAUTOCLAIM key grp con idle span (COUNT idx)? JUSTID?",
    "XAUTOCLAIM key g con idle - (COUNT num)? JUSTID?",
    "XINFO STREAM key (FULL (COUNT idx)?|X)?",
    "XINFO GROUPS key",
    "XINFO CONSUMERS key grp",
    "DEL key+",
    "UNLINK key+",
    "EXISTS key+",
    "TOUCH key+",
    "TYPE key",
    "RENAME key key",
    "RENAMENX key key",
    "COPY key key (DB (0|1|99|x))? REPLACE?",
    "MOVE key (1|1|0|99|x|2147483648)",
    "EXPIREAT key at NX? XX? GT? LT?",
    "PEXPIREAT key ms NX? XX? GT? LT?",
    "EXPIRE key secs (NX|XX|X)?",
    "PERSIST key",
    "TTL key",
    "PTTL key",
    "EXPIRETIME key",
    "PEXPIRETIME key",
    "PEXPIRE key (9999999|x|-1) (NX|XX|X)?",
    "OBJECT (ENCODING|REFCOUNT|FREQ|X) key",
    "SCAN 0 COUNT 1000 (MATCH glob)? (TYPE (string|list|stream|x))?",
    "KEYS glob",
    "DBSIZE",
    "SELECT (0|0|0|1|99|x|2147483648)",
    "SWAPDB 0 (1|1|1|0|99|x|2147483648)",
    "FLUSHDB",
    "FLUSHALL",
    // Without options where equal weights, or none, leave the order open.
    "SORT key DESC? (LIMIT idx idx)? (BY (w_*|k*->a))? (GET (#|k*|k*->a|z))? (STORE key)?",
    "SORT key ALPHA DESC? (LIMIT idx idx)? (GET (#|k*|k*->a|z))? (STORE key)?",
    "SORT_RO key ALPHA? (GET k*)? (STORE key)?",
    "MULTI",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH key+",
    "UNWATCH",
    "SUBSCRIBE chan+",
    "UNSUBSCRIBE chan+",
    "PSUBSCRIBE c*",
    "PUNSUBSCRIBE c*",
    "(LPUSH|RPUSH|SADD) key (mem|val)+",
    "HSET key mem val",
    "ZADD key (0|1|2) mem (0|1|2) mem",
    "SSUBSCRIBE chan",
    "SUNSUBSCRIBE chan",
    "PUBLISH chan val",
    "SPUBLISH chan val",
    "PUBSUB (CHANNELS|NUMPAT)",
    "PUBSUB NUMSUB chan+",
    "PING val?",
    "ECHO val",
    "HELLO (2|3|4|x)",
    "CLIENT (GETNAME|X)",
    "CLIENT SETNAME (a|b)",
    "RESET",
    "QUIT",
    "AUTH val",
    "COMMAND GETKEYS (GET key|MSET key val|SORT key STORE key|PING X)",
    "MEMORY USAGE none",
    "NOSUCH key val",
    "GET",
    "opt",
];

/// Words for places where they do not belong.
const STRAY: &[&str] = &[
    "",
    "x",
    "-1",
    "0",
    "3",
    "1.5",
    "nan",
    "inf",
    "k1",
    "COUNT",
    "LIMIT",
    "GET",
    "STORE",
    "BY",
    "WITHSCORES",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "NX",
];

/// Damages a request: omits, repeats, replaces or adds a word, or changes the case of the name. It
/// leaves out damage that would cause a draw, a time-out or a part of something unordered.
pub(crate) fn mutate(words: &mut Vec<Vec<u8>>, how: u16, at: usize, what: usize) {
    const NEVER: [&str; 16] = [
        // It would make users whom the next case does not know.
        "ACL",
        "SELECT",
        "SWAPDB",
        "COPY",
        "MOVE",
        "SPOP",
        "SRANDMEMBER",
        "HRANDFIELD",
        "ZRANDMEMBER",
        "SCAN",
        "SSCAN",
        "HSCAN",
        "ZSCAN",
        "MEMORY",
        "SORT",
        "SORT_RO",
    ];
    // A stray number would be a time to live that expires, or an idle time that passes.
    const TIMED: [&str; 23] = [
        "SET",
        "SETEX",
        "PSETEX",
        "GETEX",
        "EXPIRE",
        "PEXPIRE",
        "BLPOP",
        "BRPOP",
        "BLMOVE",
        "BRPOPLPUSH",
        "BLMPOP",
        "BZPOPMIN",
        "BZPOPMAX",
        "BZMPOP",
        "XREAD",
        "XREADGROUP",
        "XPENDING",
        "XCLAIM",
        "XAUTOCLAIM",
        "HEXPIRE",
        "HPEXPIRE",
        "HGETEX",
        "HSETEX",
    ];
    let is_of = |names: &[&str]| names.iter().any(|name| words[0] == name.as_bytes());
    if is_of(&NEVER) || (words[0] == b"COMMAND" && how % 5 != 4) {
        return;
    }
    let kinds = if is_of(&TIMED) { 2 } else { 4 };
    let stray = STRAY[what % STRAY.len()].as_bytes().to_vec();
    let at = at % words.len();
    match how % (kinds + 1) {
        0 if at > 0 => {
            words.remove(at);
        }
        1 if at > 0 => words.insert(at, words[at].clone()),
        2 if at > 0 && kinds > 2 => words[at] = stray,
        3 => words.insert(at + 1, stray),
        _ => words[0].make_ascii_lowercase(),
    }
}

/// Builds the words of a pattern.
pub(crate) fn build(pattern: &str, picks: &mut Picks<'_>) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = pattern;
    while !rest.trim_start().is_empty() {
        rest = element(rest.trim_start(), picks, &mut words);
    }
    words
}

/// Reads one element and adds its words unless it is skipped. Returns the rest.
fn element<'p>(text: &'p str, picks: &mut Picks<'_>, out: &mut Vec<Vec<u8>>) -> &'p str {
    let (body, after) = if let Some(inner) = text.strip_prefix('(') {
        let mut depth = 1;
        let end = inner.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let end = end.expect("a group is closed");
        (&inner[..end], &inner[end + 1..])
    } else {
        let end = text.find([' ', '?', '+']).unwrap_or(text.len());
        (&text[..end], &text[end..])
    };
    let (times, after) = match after.as_bytes().first() {
        Some(b'?') => (usize::from(picks.pick(3) == 1), &after[1..]),
        Some(b'+') => (1 + picks.pick(3), &after[1..]),
        _ => (1, after),
    };
    for _ in 0..times {
        choose(body, picks, out);
    }
    after
}

/// Words in lower case that stand for themselves.
const THEMSELVES: [&str; 25] = [
    "h", "x", "string", "list", "stream", "g", "c", "nosort", "z", "none", "a", "b", "m", "l", "k",
    "d", "q", "p", "one", "two", "three", "on", "reset", "nopass", "default",
];

/// Chooses an alternative of a group or a word.
fn choose(body: &str, picks: &mut Picks<'_>, out: &mut Vec<Vec<u8>>) {
    let mut depth = 0;
    let alternatives: Vec<&str> = body
        .split(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == '|' && depth == 0
        })
        .collect();
    let chosen =
        alternatives[if alternatives.len() == 1 { 0 } else { picks.pick(alternatives.len()) }];
    let is_word = !chosen.contains([' ', '(', '?', '+']);
    let is_pool = is_word && chosen.chars().all(|c| c.is_ascii_lowercase());
    if is_pool && !THEMSELVES.contains(&chosen) {
        let pool = pool(chosen);
        out.push(pool[picks.pick(pool.len())].as_bytes().to_vec());
    } else if is_word {
        out.push(chosen.as_bytes().to_vec());
    } else {
        let mut rest = chosen;
        while !rest.trim_start().is_empty() {
            rest = element(rest.trim_start(), picks, out);
        }
    }
}
