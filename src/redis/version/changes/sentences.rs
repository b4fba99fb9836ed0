//! The sentences about the facts in which versions differ.

use crate::redis::version::{
    FieldSyntax, Hashes, Heading, Profile, Rdb, Sanitizing, SortNumbers, Streams, Versions, Waking,
    XreadLast,
};
use crate::version_changes::{Fact, fact};

const VERSION_11: &str =
    "RDB files and the payloads of `DUMP` have the version 11: older servers refuse them.";
const VERSION_12: &str = "RDB files and the payloads of `DUMP` have the version 12: older servers and Valkey refuse them, unless it is Valkey 9.1 with `rdb-version-check relaxed`.";
const VERSION_13: &str = "RDB files and the payloads of `DUMP` have the version 13: older servers and Valkey refuse them, unless it is Valkey 9.1 with `rdb-version-check relaxed`.";

/// The facts, the most surprising first.
pub(super) const FACTS: &[Fact<Profile>] = &[
    fact(
        |p| p.blocking == Waking::RunsAgain,
        "A blocked client that is woken runs its command again (`BLPOP`, `BZPOPMIN`, `XREADGROUP` and their kin): the \
         order of its own keys decides which of them serves it, a key of the wrong type is an error, and a stream that \
         was deleted is `NOGROUP`. Before, the key that was fed first served it. \
         The slow log also has waits in vain.",
    ),
    fact(
        |p| p.numbers.shortest,
        "Scores and other floating-point numbers take their shortest form. From 10,000 on, seven or more decimals turn \
         exponential: `12345.1234567` is `1.23451234567e+4`. Large whole numbers are written out: `1e17` is \
         `100000000000000000`.",
    ),
    fact(
        |p| Versions::VALKEY.has(p.version),
        "`MULTI` and `WATCH` inside a transaction are errors that make `EXEC` fail. Redis answers an error and goes on.",
    ),
    fact(
        |p| p.past.expires,
        "A time to live that is over already makes a key *expire*: `EXPIRE key 0` raises `expired`, not `del`, and counts \
         in `expired_keys`.",
    ),
    fact(
        |p| !p.past.is_stored,
        "`SET key value PXAT` with a time in the past stores nothing, not even for a moment.",
    ),
    fact(
        |p| p.product.mode_field == "server_mode",
        "`INFO` has `server_mode` instead of `redis_mode`, and claims `redis_version:7.2.4`. `HELLO` says `valkey`. With \
         `extended-redis-compatibility yes` both say that the server is Redis 7.2.4.",
    ),
    fact(
        |p| Versions::VALKEY.has(p.version),
        "Other defaults: `lazyfree-lazy-eviction`, `-expire`, `-server-del`, `-user-del`, `-user-flush` and \
         `replica-lazy-flush` are `yes`, `repl-backlog-size` is 10 MB.",
    ),
    fact(
        |p| p.rdb.version >= Rdb::FIRST_OF_VALKEY,
        "RDB files and the payloads of `DUMP` have the version 80, and a file begins with `VALKEY080`. Redis and older \
         versions of Valkey refuse them, but for Valkey 8.1 with `rdb-version-check relaxed`; from Redis, only versions up to 11 \
         (Redis 7.2) are read. With `rdb-version-check relaxed` later ones are, too, but for hashes whose fields have deadlines \
         and streams of Redis 8.6.",
    ),
    fact(|p| p.rdb.common >= 11, VERSION_11),
    fact(|p| p.rdb.common >= 12, VERSION_12),
    fact(|p| p.rdb.common >= 13, VERSION_13),
    fact(
        |p| p.messages_follow_reply,
        "A message that a RESP3 client publishes to itself comes after the reply to its command or transaction. Before, it \
         came before the reply, or inside that of `EXEC`.",
    ),
    fact(
        |p| p.time_stands_still,
        "Time stands still in a transaction: `PTTL` after a sleep in `EXEC` shows the old value.",
    ),
    fact(
        |p| p.arguments.lset_cuts_index,
        "`LSET` cuts an index far out of range to 32 bits: `LSET list 4294967296 x` replaces the first element, where \
         before it was an error.",
    ),
    fact(
        |p| p.rdb.hashes != Hashes::Plain,
        "Fields of hashes may have deadlines: a field ends in its millisecond, with the event `hexpired`, and the hash \
         goes with its last field. `HSET` of a field removes its deadline, `HINCRBY` keeps it.",
    ),
    fact(
        |p| p.encodings.hash_listpackex && p.rdb.hashes != Hashes::Plain,
        "A small hash in which a deadline was asked for is a `listpackex`, whose fields stand in the order of their \
         deadlines.",
    ),
    fact(
        |p| !p.encodings.hash_listpackex && p.rdb.hashes != Hashes::Plain,
        "A hash in which a deadline was asked for is a `hashtable`, however small.",
    ),
    fact(
        |p| p.fields.latest == i64::MAX,
        "The deadline of a field may be as late as that of a key. Redis refuses those after the year 4199.",
    ),
    fact(
        |p| p.fields.syntax == FieldSyntax::AfterOptions,
        "`HSETEX` also takes `NX` and `XX`, conditions on the key.",
    ),
    fact(
        |p| p.fields.past_expires,
        "A field whose deadline is over already expires (`hexpired`). Redis deletes it (`hdel`).",
    ),
    fact(
        |p| p.fields.syntax == FieldSyntax::Anywhere,
        "The options of `HGETEX` and `HSETEX`, and the condition of `HEXPIRE`, may also follow the fields.",
    ),
    fact(
        |p| p.groups.create_consumers_at_once,
        "An `XREADGROUP` or `XCLAIM` that finds nothing creates its consumer, with an event.",
    ),
    fact(
        |p| p.encodings.set_listpack && p.encodings.list_listpack,
        "Small sets and lists are listpacks (`OBJECT ENCODING`). Such a set keeps the order in which its members came; \
         before, it was a hash table.",
    ),
    Fact {
        holds: |p| p.arguments.unsubscribe_needs_subscription,
        begins: "A client that listens to nothing cannot `UNSUBSCRIBE`: `NOSUB`.",
        ends: "A client that listens to nothing can `UNSUBSCRIBE` again.",
    },
    fact(
        |p| p.arguments.bit_ranges_first,
        "`BITCOUNT` and `BITPOS` refuse a bad range even if the key is missing or of another type.",
    ),
    fact(
        |p| p.arguments.cursors_are_unsigned,
        "A cursor such as `-1` is refused, before the key is looked at.",
    ),
    fact(|p| Versions::SINCE_7_2.has(p.version), "`ZRANK` and `ZREVRANK` take `WITHSCORE`."),
    fact(
        |p| p.rdb.streams != Streams::Seen,
        "`XINFO CONSUMERS` and `XINFO STREAM FULL` also tell when a consumer last got something: `inactive`, `active-time`.",
    ),
    fact(|p| p.comparisons.equal, "`SET` takes `IFEQ`: it sets only what is equal."),
    fact(|p| p.comparisons.others, "`SET` takes `IFNE`, `IFDEQ` and `IFDNE` too."),
    fact(
        |p| p.arguments.bitop_takes_differences,
        "`BITOP` takes `DIFF`, `DIFF1`, `ANDOR` and `ONE`.",
    ),
    fact(|p| p.streams.references, "`XADD` and `XTRIM` take `KEEPREF`, `DELREF` and `ACKED`."),
    fact(
        |p| p.streams.producers,
        "`XADD` takes `IDMP` and `IDMPAUTO`: a message that its producer sends again is not added again, for as long as \
         `XCFGSET` says.",
    ),
    fact(
        |p| p.streams.reads_claim,
        "`XREADGROUP` takes `CLAIM`: before what is new, it delivers what nobody has acknowledged in time, and waits for \
         that with `BLOCK`.",
    ),
    fact(
        |p| p.streams.trims_references_exactly,
        "An approximate trim (`~`) with `DELREF` or `ACKED` trims exactly. Before, it trimmed nothing.",
    ),
    fact(
        |p| p.slow_log_may_be_off,
        "With `slowlog-max-len 0` the slow log is off: it keeps its entries, and slow commands take no numbers. Before, it \
         was emptied.",
    ),
    fact(
        |p| p.logs_sizes,
        "The slow log is one of three command logs: the others have large requests and large replies.",
    ),
    fact(
        |p| p.logs_replies_to_scripts,
        "The command log has the large replies to commands of scripts, and no longer these commands under the size of the \
         request that runs the script.",
    ),
    fact(|p| p.reset_clears_marks, "`RESET` undoes `CLIENT NO-EVICT` and `CLIENT NO-TOUCH`."),
    fact(
        |p| p.rdb.heading != Heading::Redis,
        "With `rdb-version-check relaxed` RDB files and payloads of `DUMP` are read that later versions of Valkey have \
         written, as far as the types of their values are known.",
    ),
    fact(
        |p| p.arguments.shutdown_takes_safe,
        "`SHUTDOWN` takes `SAFE`, and `FAILOVER` in a cluster.",
    ),
    fact(
        |p| p.lua.may_call_counts_words,
        "`redis.acl_check_cmd` refuses a wrong number of arguments.",
    ),
    fact(
        |p| p.lua.is_a_module,
        "`MODULE LIST`, `HELLO` and `INFO modules` have a module `lua`, which runs the scripts.",
    ),
    fact(
        |p| p.texts.queue_stays,
        "`CLIENT LIST` shows `multi=0` of a client that has ended a transaction, or used `WATCH`, not -1.",
    ),
    fact(|p| p.texts.doctor_is_sober, "`LATENCY DOCTOR` makes no jokes."),
    fact(
        |p| p.arguments.sizes_must_fit,
        "`CONFIG SET` refuses a memory size whose digits do not fit in 64 bits. Before, it was the greatest number.",
    ),
    fact(
        |p| p.arguments.tracking_refuses_any_overlap,
        "`CLIENT TRACKING` refuses prefixes that overlap. Before, it also replied `OK`, and tracked, if the first was not one \
         of them.",
    ),
    fact(
        |p| p.arguments.geosearch_takes_polygons,
        "`GEOSEARCH` and `GEOSEARCHSTORE` take `BYPOLYGON`. Distances are from the centroid of the vertices.",
    ),
    fact(|p| p.arguments.hscan_takes_novalues, "`HSCAN` takes `NOVALUES`."),
    fact(
        |p| p.arguments.xread_last != XreadLast::Refused,
        "`XREAD` takes the id `+`: the last entry.",
    ),
    Fact {
        holds: |p| {
            matches!(
                p.arguments.xread_last,
                XreadLast::BeforeLastId | XreadLast::BeforeLastIdOrZero
            )
        },
        begins: "`XREAD` with the id `+` reads nothing when the stream's last entry was deleted.",
        ends: "`XREAD` with the id `+` reads the last entry that is left when the stream's last one was deleted.",
    },
    Fact {
        holds: |p| p.arguments.xread_last == XreadLast::BeforeLastId,
        begins: "`XREAD` refuses the id `+` for a stream that never had an entry.",
        ends: "`XREAD` takes the id `+` for a stream that never had an entry, too.",
    },
    fact(
        |p| p.arguments.client_list_filters,
        "`CLIENT LIST` takes the filters of `CLIENT KILL`, and both take several ids.",
    ),
    fact(
        |p| p.arguments.client_filters_negate,
        "`CLIENT LIST` and `CLIENT KILL` take more filters (`NAME`, `IDLE`, `FLAGS`, `DB` and others), and `NOT-` before most.",
    ),
    fact(|p| p.arguments.clients_have_primaries, "`primary` is a type of clients, like `master`."),
    fact(|p| p.arguments.zscan_takes_noscores, "`ZSCAN` takes `NOSCORES`."),
    fact(|p| p.arguments.bgsave_takes_cancel, "`BGSAVE` takes `CANCEL`."),
    fact(|p| p.arguments.kill_takes_maxage, "`CLIENT KILL` takes `MAXAGE`."),
    fact(|p| p.arguments.lrem_refuses_least, "`LREM` refuses the least integer as its count."),
    fact(|p| p.arguments.lpos_refuses_least, "`LPOS` refuses the least integer as its rank."),
    fact(
        |p| p.arguments.timeouts_have_a_range,
        "A timeout of a blocking command that is too large is `out of range`, no longer `negative`.",
    ),
    fact(
        |p| p.numbers.coordinates_are_doubles,
        "`GEOPOS` writes coordinates in few digits, as scores are written.",
    ),
    fact(
        |p| p.arguments.bounds_are_decimal,
        "The bounds of a range of scores are decimal: `ZRANGEBYSCORE key 0x1 0xff` is refused, and so are white spaces.",
    ),
    fact(
        |p| p.arguments.doubles_are_decimal,
        "Scores, weights, coordinates and lengths are decimal: `ZADD key 0x1 member` is refused.",
    ),
    fact(
        |p| p.arguments.sort_numbers != SortNumbers::AsC,
        "`SORT` reads decimal numbers, without white space before them: it refuses a list with `0x10`.",
    ),
    fact(
        |p| p.arguments.sort_numbers == SortNumbers::DecimalOfAnySize,
        "`SORT` takes numbers that are out of range, as infinite or 0.",
    ),
    fact(|p| p.arguments.sort_numbers == SortNumbers::Decimal, "`SORT` refuses an empty element."),
    fact(
        |p| p.encodings.zadd_counts_members,
        "The number of members that `ZADD` names decides the encoding of the sorted set, whether it adds them or not.",
    ),
    fact(
        |p| p.encodings.zadd_measures_members,
        "The longest member that `ZADD` names decides the encoding of the sorted set, too, whether it is added or not.",
    ),
    fact(
        |p| p.encodings.embedding.beside_key,
        "The length of the key counts for `OBJECT ENCODING` of a string: it is `embstr` if key and value have at most 41 \
         bytes together.",
    ),
    fact(
        |p| p.encodings.embedding.most > 100,
        "A string is `embstr` if key and value have at most 113 bytes together, a time to live taking 8 of them.",
    ),
    fact(
        |p| !p.encodings.shares_integers,
        "`OBJECT REFCOUNT` of a small integer is 1: objects are no longer shared.",
    ),
    fact(
        |p| p.streams.xsetid_minds_deleted,
        "`XSETID` refuses an id below the greatest one that was deleted.",
    ),
    fact(
        |p| p.groups.lag_from_start,
        "`XINFO GROUPS`: a group that has read nothing lags behind by the whole stream, whatever it was told with \
         `ENTRIESREAD`, and none behind an empty stream.",
    ),
    fact(
        |p| p.groups.counting.from_position,
        "`XREADGROUP` counts `entries-read` from the group's position, and anew if this is before the stream: a wrong \
         `ENTRIESREAD` is corrected by the first read.",
    ),
    fact(
        |p| p.groups.counting.minds_early_gaps,
        "`XINFO GROUPS` has no `lag` behind entries that were deleted before the stream's first one.",
    ),
    fact(
        |p| p.groups.cap_entries_read,
        "`XGROUP`'s `ENTRIESREAD` is at most the number of entries that were ever added.",
    ),
    fact(
        |p| p.arguments.scan_refuses_unknown_types,
        "`SCAN` refuses a `TYPE` that does not exist.",
    ),
    fact(
        |p| p.requests.line_ends_are_checked,
        "A request with an argument longer than it says, or a line without LF, closes the connection: `Protocol error: \
         invalid CRLF in request`. Before, and in Redis, the two bytes behind an argument are not looked at.",
    ),
    fact(
        |p| p.requests.inline.loses_ff,
        "Inline requests, as people type them, lose each byte 0xff.",
    ),
    fact(
        |p| p.requests.inline.goes_on_behind_quotes,
        "In inline requests an argument may go on behind a quote: `ECHO \"a\"b` is `ab`, no longer unbalanced.",
    ),
    fact(
        |p| !p.requests.nul_hides_length,
        "A NUL in the line with an argument's length no longer hides the line's end from the server.",
    ),
    fact(
        |p| p.flush_is_answered_last,
        "A client with tracking is told of its own `FLUSHALL` or `FLUSHDB` before it is answered.",
    ),
    fact(
        |p| p.arguments.hello_reads_all_first,
        "`HELLO` follows its options only if all of them can be read: a wrong word behind `AUTH` or `SETNAME` leaves the \
         connection as it was.",
    ),
    fact(
        |p| p.streams.scripts_read_with_block,
        "Scripts may call `XREAD` and `XREADGROUP` with `BLOCK`, which do not block there.",
    ),
    Fact {
        holds: |p| p.scan.expires_unmatched,
        begins: "`SCAN` removes the expired keys that it walks over, whether they match its pattern or not.",
        ends: "`SCAN` removes an expired key only if it matches the pattern.",
    },
    fact(
        |p| p.scan.expires_first,
        "`SCAN` with `TYPE` does not list expired keys: before, such a key had the type `none`.",
    ),
    fact(|p| !p.scan.counts_types, "`SCAN` with `TYPE` does not count hits and misses."),
    fact(
        |p| p.fields.counter.is_some(),
        "The line of a database in `INFO keyspace` has a fourth number, of the hashes whose fields have deadlines: \
         `subexpiry` in Redis, `keys_with_volatile_items` in Valkey.",
    ),
    Fact {
        holds: |p| p.arguments.config_names_sign,
        begins: "`CONFIG SET` says of a negative number, where a parameter takes none, that it `must be greater or equal \
         to 0`.",
        ends: "`CONFIG SET` names the range of a parameter that cannot be negative, as before 8.2.",
    },
    fact(
        |p| p.lua.memory_before_read_only,
        "A script for reading that would write on a full server is told `OOM`, not that it must not write.",
    ),
    fact(|p| !p.tables.chains_are_told, "`DEBUG HTSTATS` tells of chains only if `full` follows."),
    fact(
        |p| p.tables.buckets.is_some(),
        "`DEBUG HTSTATS` tells of buckets instead of chains: hash tables have another structure.",
    ),
    Fact {
        holds: |p| p.memory.lists_empty_databases,
        begins: "`MEMORY STATS` lists empty databases, too.",
        ends: "`MEMORY STATS` lists no longer all empty databases.",
    },
    fact(|p| p.arguments.bitcount_takes_start, "`BITCOUNT` takes a start without an end."),
    fact(
        |p| p.arguments.readonly_outside_cluster,
        "`READONLY` and `READWRITE` are accepted outside of a cluster.",
    ),
    fact(
        |p| p.arguments.keyslot_outside_cluster,
        "`CLUSTER KEYSLOT` is answered outside of a cluster.",
    ),
    fact(
        |p| p.arguments.client_ids_are_syntax,
        "`CLIENT KILL` and `CLIENT LIST` call an id that is no number a syntax error.",
    ),
    fact(
        |p| p.arguments.getex_expiry_first,
        "`GETEX` checks its expiry before it looks at the key.",
    ),
    fact(
        |p| !p.lua.errors_name_script,
        "The error of a script ends with its place alone (`script: on @user_script:1.`), without the script's digest.",
    ),
    fact(
        |p| p.lua.has_server,
        "Scripts and libraries find the table `redis` as `server` too, with `VALKEY_VERSION` and `SERVER_NAME`.",
    ),
    fact(|p| p.lua.has_clock, "Scripts have `os.clock`."),
    fact(
        |p| p.lua.marks_arrays,
        "`cjson.decode_array_with_array_mt(true)` lets scripts tell an empty array from an empty object.",
    ),
    fact(
        |p| p.lua.is_an_engine,
        "Lua is one of several scripting engines: `#!LUA` is accepted, and `#!js` is `Could not find scripting engine 'js'`.",
    ),
    fact(
        |p| p.texts.name_no_product,
        "Errors of scripts do not speak of Redis: `Unknown command called from script`, `NOSCRIPT No matching script.`, `BUSY Valkey is \
         busy`.",
    ),
    fact(
        |p| p.lua.product == "Valkey",
        "The error of a command that scripts must not call speaks of Valkey: `This Valkey command is not allowed from script`.",
    ),
    fact(
        |p| p.lua.levels_are_of_log,
        "`redis.log` calls a level that does not exist an `Invalid log level`.",
    ),
    fact(
        |p| p.access.refusals_name_user,
        "What access control refuses has other texts, outside of transactions, in scripts and in `ACL DRYRUN`: `NOPERM \
         User alice has no permissions to run the 'get' command`, `NOPERM No permissions to access a key`.",
    ),
    fact(
        |p| p.access.databases,
        "Users can be limited to databases: `ACL SETUSER alice db=0,2`. `ACL GETUSER` has a field `databases`.",
    ),
    fact(
        |p| p.access.rules_are_kept,
        "`ACL LIST` and `ACL GETUSER` show the rules for commands as they were given: `+@all -get +@string` is no longer \
         `+@all`.",
    ),
    Fact {
        holds: |p| p.access.sanitizing == Sanitizing::Always,
        begins: "Every user is shown to have `sanitize-payload`, unless a rule says otherwise.",
        ends: "Users are shown without `sanitize-payload` and `skip-sanitize-payload`.",
    },
    fact(
        |p| p.access.log_has_ids,
        "An entry of `ACL LOG` has an id, and the times of its first and its last event. `INFO` counts denials.",
    ),
    fact(
        |p| p.texts.missing_position_is_named,
        "The error of `GEOSEARCH FROMMEMBER` names the member that is missing.",
    ),
    fact(
        |p| p.texts.refusal_in_multi_names_command,
        "The error of a command that a transaction refuses (`WATCH` within `MULTI`) names the command.",
    ),
    Fact {
        holds: |p| p.full_refuses_queueing,
        begins: "A server that is out of memory refuses to queue any command of a transaction: `OOM`.",
        ends: "A server that is out of memory (`maxmemory`) queues the commands of a transaction that need no more. Before, \
               it answered `OOM` to each of them, so that `EXEC` failed.",
    },
    Fact {
        holds: |p| p.renames_are_uses,
        begins: "`RENAME` is a use of the key, for `OBJECT IDLETIME` and for the eviction.",
        ends: "`RENAME` is no use of the key any more: `OBJECT IDLETIME` goes on, and the eviction takes the key earlier.",
    },
    fact(
        |p| p.event_classes.contains('o'),
        "`notify-keyspace-events` takes the classes `o` (the event `overwritten`: a key got another value) and `c` \
         (`type_changed`: one of another type). They are not part of `A`.",
    ),
    fact(
        |p| p.hides_commands,
        "Before a login, a command that does not exist or has a wrong number of arguments is `NOAUTH`, too.",
    ),
    fact(
        |p| p.arguments.client_takes_more,
        "`CLIENT UNBLOCK` and `CLIENT PAUSE` ignore further arguments. Before, they refused them.",
    ),
    fact(
        |p| p.texts.hello_names_protocol,
        "The error of `HELLO` before a login names the protocol: `HELLO <proto> AUTH <user> <pass>`.",
    ),
    fact(
        |p| p.texts.unknown_command_has_no_tail,
        "The error of an unknown command without arguments does not speak of arguments.",
    ),
    fact(
        |p| p.texts.unbalanced_names_command,
        "`XREAD` and `XREADGROUP` name themselves in the error of streams and ids that do not match.",
    ),
    fact(
        |p| p.texts.unbalanced_offers_last,
        "The error of streams and ids that do not match also offers the id `+` in `XREAD`.",
    ),
];
