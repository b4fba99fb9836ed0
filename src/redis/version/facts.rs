//! The facts in which versions differ, beside the rows of the command table and the fields of
//! `INFO`, which name the versions that have them.

use super::{Embedding, Rdb, Version};
use crate::redis::value::ReadCounting;

/// The facts of a version: everything in which versions differ beside the rows of the command table
/// and the fields of `INFO`, which name the versions that have them (`Versions`).
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) version: Version,
    pub(crate) product: Product,
    pub(crate) memory: Memory,
    pub(crate) numbers: Numbers,
    pub(crate) texts: Texts,
    pub(crate) access: Access,
    pub(crate) lua: Lua,
    pub(crate) encodings: Encodings,
    pub(crate) rdb: Rdb,
    pub(crate) blocking: Waking,
    pub(crate) requests: Requests,
    pub(crate) tables: Tables,
    pub(crate) arguments: Arguments,
    pub(crate) past: Past,
    pub(crate) fields: Fields,
    /// A message that a client causes to itself follows the reply to its command, or to its
    /// transaction, instead of coming before it or within it.
    pub(crate) messages_follow_reply: bool,
    /// The reply to `FLUSHALL` and `FLUSHDB` follows the invalidation that they cause.
    pub(crate) flush_is_answered_last: bool,
    /// A transaction selects its database within `MULTI`, as replicas are sent it.
    pub(crate) selects_in_multi: bool,
    pub(crate) groups: Groups,
    pub(crate) streams: StreamRules,
    pub(crate) comparisons: Comparisons,
    pub(crate) rewrites: Rewrites,
    /// Within a transaction that sleeps, keys are as old as when it began.
    pub(crate) time_stands_still: bool,
    /// A slow log of no entries is off: it keeps those that it has.
    pub(crate) slow_log_may_be_off: bool,
    /// The slow log is part of a log that also has large requests and replies.
    pub(crate) logs_sizes: bool,
    /// In that log the commands of scripts have their replies, not the script's request.
    pub(crate) logs_replies_to_scripts: bool,
    pub(crate) scan: Scan,
    /// The letters that `notify-keyspace-events` takes.
    pub(crate) event_classes: &'static str,
    /// `RENAME` is a use of the key.
    pub(crate) renames_are_uses: bool,
    /// A full server refuses whatever would be queued in a transaction, not only what needs memory.
    pub(crate) full_refuses_queueing: bool,
    /// Clients that have not logged in do not learn which commands exist.
    pub(crate) hides_commands: bool,
    /// The clock of keys wraps around after exactly 2²⁴ seconds, not one earlier.
    pub(crate) clock_wraps_exactly: bool,
    /// A client that has switched replies off and said `QUIT` is closed by a message to it.
    pub(crate) messages_close_leavers: bool,
    /// `RESET` also undoes `CLIENT NO-EVICT`, `NO-TOUCH` and `IMPORT-SOURCE`.
    pub(crate) reset_clears_marks: bool,
}

/// The corner cases of reading requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requests {
    /// A NUL hides the end of the line with the count of arguments.
    pub(crate) nul_hides_count: bool,
    /// A NUL hides the end of a line with the length of an argument.
    pub(crate) nul_hides_length: bool,
    /// Bytes that should be a line end are looked at.
    pub(crate) line_ends_are_checked: bool,
    pub(crate) inline: Inline,
}

impl Requests {
    pub(crate) fn of(version: Version) -> Requests {
        version.profile().requests
    }
}

/// The corner cases of lines as people type them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inline {
    /// The byte 0xff is lost, unless it is written as an escape.
    pub(crate) loses_ff: bool,
    /// An argument may go on where a quote closes, and the last quote of a line closes even after a
    /// backslash.
    pub(crate) goes_on_behind_quotes: bool,
}

/// How `DEBUG HTSTATS` describes hash tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tables {
    /// Chains are described without being asked for.
    pub(crate) chains_are_told: bool,
    /// The empty table of a database is not described at all.
    pub(crate) empty_are_silent: bool,
    /// Tables have buckets instead of chains.
    pub(crate) buckets: Option<Buckets>,
}

/// Hash tables of buckets with several entries each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// The stats have a line about the progress of rehashing.
    pub(crate) tell_rehashing: bool,
}

/// The words in which masters and replicas tell each other of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewrites {
    /// `SET` with `PXAT` is kept as it is.
    pub(crate) keep_pxat: bool,
    /// A group's position follows the entries that it has read.
    pub(crate) reads_set_position: bool,
    /// The entries that a group has read do not move its position.
    pub(crate) entries_keep_position: bool,
    /// The command that tells replicas of a `GEOADD`.
    pub(crate) geoadd: &'static str,
    /// A replica also confirms how far its append-only file is synced.
    pub(crate) confirm_syncs: bool,
    /// To ask for confirmations without having a history counts as one byte of it.
    pub(crate) asks_count_without_history: bool,
}

/// The rules of groups of consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    /// A consumer is created by a read or claim that finds nothing.
    pub(crate) create_consumers_at_once: bool,
    /// A group that has read nothing lags behind by the whole stream, whatever it says it has read,
    /// and none lags behind an empty stream.
    pub(crate) lag_from_start: bool,
    /// A group cannot have read more entries than were added.
    pub(crate) cap_entries_read: bool,
    pub(crate) counting: ReadCounting,
}

/// The options of the commands on streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamRules {
    /// `XSETID` refuses an id below the greatest that was deleted.
    pub(crate) xsetid_minds_deleted: bool,
    /// `XADD` and `XTRIM` take `KEEPREF`, `DELREF` and `ACKED`.
    pub(crate) references: bool,
    /// An approximate trim with `DELREF` or `ACKED` trims exactly. Otherwise it does nothing.
    pub(crate) trims_references_exactly: bool,
    /// `XADD` takes `IDMP` and `IDMPAUTO`, so that a message that comes again is not added again.
    pub(crate) producers: bool,
    /// In scripts `XREAD` and `XREADGROUP` take `BLOCK`, and do not block.
    pub(crate) scripts_read_with_block: bool,
    /// `XREADGROUP` takes `CLAIM`.
    pub(crate) reads_claim: bool,
}

/// The comparisons of strings, and `MSETEX`, which came with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparisons {
    /// `SET` takes `IFEQ`.
    pub(crate) equal: bool,
    /// It takes `IFNE`, `IFDEQ` and `IFDNE` too.
    pub(crate) others: bool,
    /// `NX`, `XX` and the same comparison may follow a comparison.
    pub(crate) join_conditions: bool,
    /// A comparison of `SET` that finds its key is a hit.
    pub(crate) count_hits: bool,
    /// `MSETEX` has an error of its own for missing pairs, and raises `expire` before `set`.
    pub(crate) msetex_counts_pairs: bool,
}

/// The effect of a time to live that is over already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    /// The key expires, with its event and in the statistics; otherwise it is deleted.
    pub(crate) expires: bool,
    /// `SET` stores the value nevertheless, until it expires.
    pub(crate) is_stored: bool,
}

/// How the fields of hashes end, in versions where they have deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    /// How the commands on deadlines are read.
    pub(crate) syntax: FieldSyntax,
    /// The latest deadline, in milliseconds since the Unix epoch.
    pub(crate) latest: i64,
    /// A field whose deadline is over already expires; otherwise it is deleted.
    pub(crate) past_expires: bool,
    /// A field that is due is as good as gone, even if it is still stored. Otherwise a look-up by
    /// its name removes it, and a new deadline revives it.
    pub(crate) due_are_gone: bool,
    /// The name of the number of hashes with deadlines, in the line of a database in `INFO`.
    pub(crate) counter: Option<&'static str>,
    /// `DEBUG DIGEST` shows which fields have deadlines.
    pub(crate) mark_digest: bool,
    /// `HGETEX` looks its key up as if to read it.
    pub(crate) getex_reads: bool,
    /// `HPERSIST` counts each field as a change, not itself as one.
    pub(crate) persisted_are_changes: bool,
    /// Fields that end are sent to replicas by one command, not by one each.
    pub(crate) ended_are_sent_together: bool,
    /// What sets a field is sent as `HSET`, or with the field's deadline; a condition is not sent.
    pub(crate) sets_are_sent_bare: bool,
    /// The sum of `HINCRBYFLOAT` is sent by a command that keeps the deadline.
    pub(crate) float_keeps_deadline: bool,
}

/// How the commands on deadlines of fields are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldSyntax {
    /// `FIELDS` has its place, with the fields up to the end.
    Fixed,
    /// `FIELDS` may stand anywhere, with options before and behind.
    Anywhere,
    /// As in Valkey: options, and then `FIELDS`.
    AfterOptions,
}

/// How `SORT` reads the numbers by which it sorts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortNumbers {
    /// As C's `strtod`: after white space, hexadecimal ones too, none out of range; an empty text
    /// is 0.
    #[default]
    AsC,
    /// Decimal. Out of range they are infinite or 0; an empty text is 0.
    DecimalOfAnySize,
    /// As a score: decimal, none out of range, no empty text.
    Decimal,
}

/// How `XREAD` reads the id `+`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum XreadLast {
    /// It is no id.
    #[default]
    Refused,
    /// It is the id before the last that the stream had, and an error if there was none yet.
    BeforeLastId,
    /// It is the id before the last that the stream had, or 0-0 if there was none yet.
    BeforeLastIdOrZero,
    /// It is whatever entry is the last in the stream.
    LastEntry,
}

/// How `SCAN` looks at the keys of a page, if it is to list those of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Expired keys are removed before their type is looked at.
    pub(crate) expires_first: bool,
    /// Those that do not match the pattern are removed, too.
    pub(crate) expires_unmatched: bool,
    /// A look at the type counts as a hit.
    pub(crate) counts_types: bool,
}

/// How arguments are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `PFDEBUG` takes `SIMD`.
    pub(crate) pfdebug_takes_simd: bool,
    /// `CLIENT TRACKING` refuses prefixes that overlap, whichever they are.
    pub(crate) tracking_refuses_any_overlap: bool,
    /// `SHUTDOWN` takes `SAFE` and `FAILOVER`, which matter in a cluster.
    pub(crate) shutdown_takes_safe: bool,
    /// `GEOSEARCH` and `GEOSEARCHSTORE` take `BYPOLYGON`.
    pub(crate) geosearch_takes_polygons: bool,
    /// `LPOS … RANK` refuses the least integer.
    pub(crate) lpos_refuses_least: bool,
    /// `CONFIG SET` says that an unsigned parameter must not be negative, or so large that it would
    /// be held as if it were. Otherwise it names the range.
    pub(crate) config_names_sign: bool,
    /// A memory size of `CONFIG SET` whose digits do not fit in 64 bits is none.
    pub(crate) sizes_must_fit: bool,
    /// `HELLO` reads all its options before it follows any.
    pub(crate) hello_reads_all_first: bool,
    /// `LREM` refuses the least integer.
    pub(crate) lrem_refuses_least: bool,
    /// `LSET` cuts its index to 32 bits, so that one far out of range replaces an element.
    pub(crate) lset_cuts_index: bool,
    /// A timeout that does not fit is out of range, not negative.
    pub(crate) timeouts_have_a_range: bool,
    /// `BITCOUNT` and `BITPOS` check their ranges even if the key is missing or of another type.
    pub(crate) bit_ranges_first: bool,
    /// `BITCOUNT` takes a start without an end.
    pub(crate) bitcount_takes_start: bool,
    /// `BITOP` takes `DIFF`, `DIFF1`, `ANDOR` and `ONE`.
    pub(crate) bitop_takes_differences: bool,
    /// How `XREAD` reads the id `+`.
    pub(crate) xread_last: XreadLast,
    /// A cursor is an unsigned number, after spaces, and is checked before the key.
    pub(crate) cursors_are_unsigned: bool,
    /// `HSCAN` takes `NOVALUES`.
    pub(crate) hscan_takes_novalues: bool,
    /// `SCAN … TYPE` refuses a type that does not exist.
    pub(crate) scan_refuses_unknown_types: bool,
    /// Bounds of scores are decimal, without white space before them.
    pub(crate) bounds_are_decimal: bool,
    /// Scores, weights, coordinates and lengths are decimal.
    pub(crate) doubles_are_decimal: bool,
    /// How `SORT` reads numbers.
    pub(crate) sort_numbers: SortNumbers,
    /// `GETEX` checks its expiry before the key.
    pub(crate) getex_expiry_first: bool,
    /// `CLIENT KILL` and `CLIENT LIST` call an id that is no number a syntax error.
    pub(crate) client_ids_are_syntax: bool,
    /// `CLIENT UNBLOCK` and `CLIENT PAUSE` ignore further words.
    pub(crate) client_takes_more: bool,
    /// A client that listens to nothing cannot unsubscribe.
    pub(crate) unsubscribe_needs_subscription: bool,
    /// `CLIENT LIST` takes the filters of `CLIENT KILL`, and both several ids.
    pub(crate) client_list_filters: bool,
    /// Both take more filters, and `NOT-` before most.
    pub(crate) client_filters_negate: bool,
    /// `primary` is a type of clients.
    pub(crate) clients_have_primaries: bool,
    /// `ZSCAN` takes `NOSCORES`.
    pub(crate) zscan_takes_noscores: bool,
    /// `BGSAVE` takes `CANCEL`.
    pub(crate) bgsave_takes_cancel: bool,
    /// `CLIENT KILL` takes `MAXAGE`.
    pub(crate) kill_takes_maxage: bool,
    /// `CLUSTER KEYSLOT` is answered outside of a cluster.
    pub(crate) keyslot_outside_cluster: bool,
    /// `READONLY` and `READWRITE` are accepted outside of a cluster.
    pub(crate) readonly_outside_cluster: bool,
}

/// How a blocked client is served when one of its keys is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waking {
    /// From the key that was fed first.
    Serves,
    /// Its whole command runs again, with its keys in their order.
    RunsAgain,
}

/// The encodings that values may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encodings {
    /// Sets may be listpacks.
    pub(crate) set_listpack: bool,
    /// Lists may be listpacks.
    pub(crate) list_listpack: bool,
    /// A hash whose fields have deadlines may be a listpack.
    pub(crate) hash_listpackex: bool,
    /// Small integers share one object, with the greatest reference count.
    pub(crate) shares_integers: bool,
    /// The number of members that `ZADD` names decides the encoding, whether it adds them or not.
    pub(crate) zadd_counts_members: bool,
    /// The longest of them does too.
    pub(crate) zadd_measures_members: bool,
    /// Which strings are `embstr`.
    pub(crate) embedding: Embedding,
}

/// The names and numbers by which the server introduces itself.
#[derive(Debug)]
pub(crate) struct Product {
    /// The name, as `HELLO` shows it.
    pub(crate) name: &'static str,
    /// The name, as people write it.
    pub(crate) title: &'static str,
    /// The words before the version number in the text of `LOLWUT`, where nothing is drawn.
    pub(crate) lolwut: &'static str,
    /// `LOLWUT` draws fractals, unless another version is asked for.
    pub(crate) draws_fractals: bool,
    /// The version number.
    pub(crate) number: &'static str,
    /// The field of an RDB file that has the version number of the server that wrote it.
    pub(crate) rdb_field: &'static str,
    /// The version number of Redis that `INFO` claims.
    pub(crate) redis_number: &'static str,
    /// The field of `INFO` that says that the server is standalone.
    pub(crate) mode_field: &'static str,
    /// `INFO` has the field `atomicvar_api`.
    pub(crate) tells_atomics: bool,
    pub(crate) compiler: &'static str,
    pub(crate) allocator: &'static str,
}

/// Numbers of bytes that `INFO memory` shows for an empty server.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Used by the server itself.
    pub(crate) at_start: usize,
    /// Taken by the allocator beyond that, and by the process from the operating system.
    pub(crate) allocator: usize,
    pub(crate) resident: usize,
    /// The machine's memory.
    pub(crate) system: usize,
    /// The queue of a transaction is counted by its text alone, and as the request of the client
    /// while it runs.
    pub(crate) queues_are_text: bool,
    /// Used by the interpreters of scripts and of functions.
    pub(crate) scripts: usize,
    pub(crate) functions: usize,
    /// Used by the tables of scripts and functions.
    pub(crate) tables: usize,
    /// `MEMORY STATS` also lists empty databases.
    pub(crate) lists_empty_databases: bool,
}

/// How floating-point numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Scores and other doubles take their shortest form, not 17 digits.
    pub(crate) shortest: bool,
    /// Coordinates are written as scores are, not with up to 17 decimals.
    pub(crate) coordinates_are_doubles: bool,
}

/// How errors are worded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    /// The error of an unknown command without arguments does not speak of arguments.
    pub(crate) unknown_command_has_no_tail: bool,
    /// `COMMAND DOCS` says how to show an argument.
    pub(crate) arguments_have_display: bool,
    /// The last line of `HELP` says *Print*, not *Prints*.
    pub(crate) help_is_imperative: bool,
    /// `XREAD` and `XREADGROUP` name themselves when streams and ids do not match.
    pub(crate) unbalanced_names_command: bool,
    /// That error of `XREAD` also offers the id `+`.
    pub(crate) unbalanced_offers_last: bool,
    /// The error of a position that is missing names the member.
    pub(crate) missing_position_is_named: bool,
    /// The error of a command that no transaction takes names the command.
    pub(crate) refusal_in_multi_names_command: bool,
    /// `CLIENT LIST` shows the request that asks for it in its client's buffer, and not none,
    /// because all clients are read into one buffer.
    pub(crate) client_has_own_buffer: bool,
    /// The error of `HELLO` before a login names the protocol too.
    pub(crate) hello_names_protocol: bool,
    /// `CLIENT LIST` shows `multi=0`, not -1, of a client that has used `WATCH` or `MULTI` before.
    pub(crate) queue_stays: bool,
    /// `LATENCY DOCTOR` makes no jokes.
    pub(crate) doctor_is_sober: bool,
    /// The page about latency that it recommends.
    pub(crate) latency_page: &'static str,
    /// Errors speak of commands and of this instance, not of Redis.
    pub(crate) name_no_product: bool,
}

/// Access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// A refusal is short, and names the user instead of *this user*.
    pub(crate) refusals_name_user: bool,
    /// The rules for commands are shown as they were given, not computed from the set of commands.
    pub(crate) rules_are_kept: bool,
    pub(crate) sanitizing: Sanitizing,
    /// An entry of `ACL LOG` has an id, and the times of its first and its last event.
    pub(crate) log_has_ids: bool,
    /// There are rules for databases.
    pub(crate) databases: bool,
}

/// When a user is shown to have `sanitize-payload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sanitizing {
    /// After a rule has said so.
    WhenSaid,
    /// Unless a rule says otherwise.
    Always,
    /// Neither this flag nor its opposite is shown.
    Hidden,
}

/// The tables and functions that scripts find, and the texts of their errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lua {
    /// The table `redis` is also called `server`, has the version of Valkey, and is `server` in
    /// errors.
    pub(crate) has_server: bool,
    /// There is `os.clock`.
    pub(crate) has_clock: bool,
    /// `cjson` tells an empty array from an empty object.
    pub(crate) marks_arrays: bool,
    /// An error tells the script's digest or the function's name, not only the place.
    pub(crate) errors_name_script: bool,
    /// Whose command is not allowed from scripts.
    pub(crate) product: &'static str,
    /// A level of `redis.log` is one of a log.
    pub(crate) levels_are_of_log: bool,
    /// `redis.acl_check_cmd` refuses a wrong number of arguments.
    pub(crate) may_call_counts_words: bool,
    /// It is a module, which is listed.
    pub(crate) is_a_module: bool,
    /// `redis.set_repl` requires one argument, not two.
    pub(crate) set_repl_requires_one: bool,
    /// Lua is one of several scripting engines: its name is in any case, it is looked for after the
    /// rest of the first line, and functions are checked when their library is loaded.
    pub(crate) is_an_engine: bool,
    /// A script for reading is told that memory is short before it is told that it must not write.
    pub(crate) memory_before_read_only: bool,
}
