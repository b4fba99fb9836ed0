//! The profiles: the facts of each version.

use super::facts::{
    Access, Arguments, Buckets, Comparisons, Encodings, FieldSyntax, Fields, Groups, Inline, Lua,
    Memory, Numbers, Past, Product, Profile, Requests, Rewrites, Sanitizing, Scan, SortNumbers,
    StreamRules, Tables, Texts, Waking, XreadLast,
};
use super::rdb::{Hashes, Heading, Rdb, Streams};
use super::{Embedding, Version};
use crate::redis::value::ReadCounting;

/// Redis 7.0.15, as built for Debian 12.
pub(super) const REDIS_7_0: Profile = Profile {
    version: Version::Redis7_0,
    product: REDIS,
    memory: Memory {
        at_start: 876_160,
        allocator: 950_000,
        resident: 5_700_000,
        system: 16 << 30,
        queues_are_text: false,
        scripts: 32_768,
        functions: 33_792,
        tables: 200,
        lists_empty_databases: false,
    },
    numbers: Numbers { shortest: false, coordinates_are_doubles: false },
    texts: TEXTS,
    access: Access {
        refusals_name_user: false,
        rules_are_kept: false,
        sanitizing: Sanitizing::WhenSaid,
        log_has_ids: false,
        databases: false,
    },
    lua: Lua {
        has_server: false,
        has_clock: false,
        marks_arrays: false,
        errors_name_script: true,
        product: "Redis",
        levels_are_of_log: false,
        set_repl_requires_one: false,
        may_call_counts_words: false,
        is_a_module: false,
        is_an_engine: false,
        memory_before_read_only: false,
    },
    encodings: Encodings {
        set_listpack: false,
        list_listpack: false,
        hash_listpackex: false,
        shares_integers: true,
        zadd_counts_members: false,
        zadd_measures_members: false,
        embedding: Embedding::VALUE_ALONE,
    },
    rdb: Rdb {
        version: 10,
        common: 10,
        streams: Streams::Seen,
        hashes: Hashes::Plain,
        heading: Heading::Redis,
    },
    blocking: Waking::Serves,
    requests: REQUESTS,
    tables: Tables { chains_are_told: true, empty_are_silent: false, buckets: None },
    arguments: ARGUMENTS,
    past: Past { expires: false, is_stored: true },
    fields: FIELDS,
    messages_follow_reply: false,
    flush_is_answered_last: false,
    selects_in_multi: false,
    groups: Groups {
        create_consumers_at_once: false,
        lag_from_start: false,
        cap_entries_read: false,
        counting: ReadCounting { from_position: false, minds_early_gaps: false },
    },
    streams: StreamRules {
        xsetid_minds_deleted: false,
        references: false,
        trims_references_exactly: false,
        producers: false,
        scripts_read_with_block: false,
        reads_claim: false,
    },
    comparisons: Comparisons {
        equal: false,
        others: false,
        join_conditions: false,
        count_hits: false,
        msetex_counts_pairs: false,
    },
    rewrites: Rewrites {
        keep_pxat: false,
        reads_set_position: false,
        entries_keep_position: false,
        geoadd: "zadd",
        confirm_syncs: false,
        asks_count_without_history: false,
    },
    time_stands_still: false,
    slow_log_may_be_off: false,
    logs_sizes: false,
    logs_replies_to_scripts: false,
    scan: Scan { expires_first: false, expires_unmatched: false, counts_types: true },
    event_classes: "Ag$lshzxeKEtmdn",
    renames_are_uses: true,
    full_refuses_queueing: true,
    hides_commands: false,
    clock_wraps_exactly: false,
    messages_close_leavers: true,
    reset_clears_marks: false,
};

const REQUESTS: Requests = Requests {
    nul_hides_count: true,
    nul_hides_length: true,
    line_ends_are_checked: false,
    inline: Inline { loses_ff: false, goes_on_behind_quotes: false },
};

const REDIS: Product = Product {
    name: "redis",
    title: "Redis",
    lolwut: "Redis ver. ",
    draws_fractals: false,
    number: "7.0.15",
    rdb_field: "redis-ver",
    redis_number: "7.0.15",
    mode_field: "redis_mode",
    tells_atomics: true,
    compiler: "12.2.0",
    allocator: "jemalloc-5.3.0",
};

const fn redis(number: &'static str, compiler: &'static str) -> Product {
    Product { number, redis_number: number, compiler, ..REDIS }
}

const fn valkey(number: &'static str, compiler: &'static str) -> Product {
    Product {
        name: "valkey",
        title: "Valkey",
        number,
        rdb_field: "valkey-ver",
        redis_number: "7.2.4",
        mode_field: "server_mode",
        tells_atomics: false,
        compiler,
        ..REDIS
    }
}

/// The Redis from which Valkey descends, and which it says that it is if it is asked to.
pub(crate) const REDIS_7_2_4: Product = redis("7.2.4", "12.2.0");

pub(super) const REDIS_7_2: Profile = Profile {
    version: Version::Redis7_2,
    product: redis("7.2.6", "12.2.0"),
    streams: StreamRules { xsetid_minds_deleted: true, ..REDIS_7_0.streams },
    numbers: Numbers { shortest: true, coordinates_are_doubles: false },
    tables: Tables { chains_are_told: false, ..REDIS_7_0.tables },
    texts: Texts {
        help_is_imperative: true,
        unbalanced_names_command: true,
        hello_names_protocol: true,
        arguments_have_display: true,
        ..TEXTS
    },
    access: Access {
        refusals_name_user: true,
        rules_are_kept: true,
        sanitizing: Sanitizing::Always,
        log_has_ids: true,
        databases: false,
    },
    lua: Lua { set_repl_requires_one: true, ..REDIS_7_0.lua },
    encodings: Encodings {
        set_listpack: true,
        list_listpack: true,
        zadd_counts_members: true,
        ..REDIS_7_0.encodings
    },
    rdb: Rdb { version: 11, common: 11, streams: Streams::Active, ..REDIS_7_0.rdb },
    blocking: Waking::RunsAgain,
    arguments: ARGUMENTS_7_2,
    scan: Scan { expires_first: true, ..REDIS_7_0.scan },
    renames_are_uses: false,
    reset_clears_marks: true,
    messages_follow_reply: true,
    time_stands_still: true,
    selects_in_multi: true,
    groups: Groups { create_consumers_at_once: true, ..REDIS_7_0.groups },
    rewrites: Rewrites {
        keep_pxat: true,
        confirm_syncs: true,
        asks_count_without_history: true,
        ..REDIS_7_0.rewrites
    },
    ..REDIS_7_0
};

pub(super) const REDIS_7_4: Profile = Profile {
    version: Version::Redis7_4,
    slow_log_may_be_off: true,
    product: redis("7.4.1", "12.2.0"),
    lua: Lua { has_clock: true, levels_are_of_log: true, ..REDIS_7_2.lua },
    encodings: Encodings { hash_listpackex: true, ..REDIS_7_2.encodings },
    rdb: Rdb { version: 12, common: 12, hashes: Hashes::Relative, ..REDIS_7_2.rdb },
    rewrites: Rewrites { reads_set_position: true, ..REDIS_7_2.rewrites },
    arguments: ARGUMENTS_7_4,
    full_refuses_queueing: false,
    tables: Tables { empty_are_silent: true, ..REDIS_7_2.tables },
    flush_is_answered_last: true,
    streams: StreamRules { scripts_read_with_block: true, ..REDIS_7_2.streams },
    fields: Fields { counter: Some("subexpiry"), mark_digest: true, ..FIELDS },
    ..REDIS_7_2
};

pub(super) const REDIS_8_0: Profile = Profile {
    version: Version::Redis8_0,
    product: redis("8.0.6", "16.2.0"),
    numbers: Numbers { shortest: true, coordinates_are_doubles: true },
    texts: Texts {
        unbalanced_offers_last: true,
        latency_page: "https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor",
        ..REDIS_7_4.texts
    },
    groups: Groups {
        lag_from_start: true,
        counting: ReadCounting { from_position: true, ..REDIS_7_4.groups.counting },
        ..REDIS_7_4.groups
    },
    arguments: Arguments {
        pfdebug_takes_simd: true,
        bounds_are_decimal: true,
        sort_numbers: SortNumbers::DecimalOfAnySize,
        xread_last: XreadLast::LastEntry,
        ..ARGUMENTS_7_4
    },
    fields: Fields { float_keeps_deadline: true, ..REDIS_7_4.fields },
    ..REDIS_7_4
};

pub(super) const REDIS_8_2: Profile = Profile {
    version: Version::Redis8_2,
    product: redis("8.2.3", "14.2.1"),
    encodings: Encodings {
        shares_integers: false,
        embedding: Embedding::REDIS_8_2,
        ..REDIS_8_0.encodings
    },
    groups: Groups { cap_entries_read: true, ..REDIS_8_0.groups },
    arguments: Arguments {
        bitop_takes_differences: true,
        config_names_sign: true,
        ..REDIS_8_0.arguments
    },
    streams: StreamRules { references: true, ..REDIS_8_0.streams },
    scan: Scan { expires_first: true, expires_unmatched: true, counts_types: false },
    event_classes: "Ag$lshzxeKEtmdnoc",
    ..REDIS_8_0
};

pub(super) const REDIS_8_6: Profile = Profile {
    version: Version::Redis8_6,
    product: redis("8.6.2", "13.3.0"),
    memory: Memory { queues_are_text: true, ..REDIS_8_2.memory },
    lua: Lua { marks_arrays: true, may_call_counts_words: true, ..REDIS_8_2.lua },
    texts: Texts { unknown_command_has_no_tail: true, ..REDIS_8_2.texts },
    rdb: Rdb { version: 13, common: 13, streams: Streams::Idempotent, ..REDIS_8_2.rdb },
    fields: Fields { syntax: FieldSyntax::Anywhere, ..REDIS_8_2.fields },
    encodings: Encodings { embedding: Embedding::REDIS_8_6, ..REDIS_8_2.encodings },
    rewrites: Rewrites { entries_keep_position: true, ..REDIS_8_2.rewrites },
    streams: StreamRules {
        trims_references_exactly: true,
        producers: true,
        reads_claim: true,
        ..REDIS_8_2.streams
    },
    comparisons: Comparisons {
        equal: true,
        others: true,
        join_conditions: true,
        count_hits: true,
        msetex_counts_pairs: true,
    },
    requests: Requests { nul_hides_length: false, ..REQUESTS },
    scan: Scan { expires_unmatched: false, ..REDIS_8_2.scan },
    arguments: Arguments { config_names_sign: false, ..REDIS_8_2.arguments },
    ..REDIS_8_2
};

pub(super) const VALKEY_8_0: Profile = Profile {
    version: Version::Valkey8_0,
    slow_log_may_be_off: true,
    product: valkey("8.0.1", "12.2.0"),
    lua: Lua { has_server: true, has_clock: true, levels_are_of_log: true, ..REDIS_7_2.lua },
    texts: Texts {
        client_has_own_buffer: false,
        name_no_product: true,
        doctor_is_sober: true,
        ..REDIS_7_2.texts
    },
    arguments: Arguments { unsubscribe_needs_subscription: true, ..ARGUMENTS_VALKEY },
    encodings: Encodings { zadd_measures_members: true, ..REDIS_7_2.encodings },
    past: Past { expires: false, is_stored: false },
    full_refuses_queueing: false,
    tables: Tables { empty_are_silent: true, ..REDIS_7_2.tables },
    streams: StreamRules { scripts_read_with_block: true, ..REDIS_7_2.streams },
    messages_close_leavers: false,
    rewrites: Rewrites { reads_set_position: true, ..REDIS_7_2.rewrites },
    ..REDIS_7_2
};

pub(super) const VALKEY_8_1: Profile = Profile {
    version: Version::Valkey8_1,
    product: valkey("8.1.8", "10.2.1"),
    memory: Memory { lists_empty_databases: true, ..VALKEY_8_0.memory },
    groups: Groups {
        counting: ReadCounting { from_position: true, minds_early_gaps: true },
        ..VALKEY_8_0.groups
    },
    lua: Lua { is_an_engine: true, ..VALKEY_8_0.lua },
    texts: Texts { queue_stays: true, ..VALKEY_8_0.texts },
    tables: Tables { buckets: Some(Buckets { tell_rehashing: false }), ..VALKEY_8_0.tables },
    requests: Requests {
        nul_hides_count: false,
        nul_hides_length: false,
        line_ends_are_checked: true,
        inline: Inline { loses_ff: true, goes_on_behind_quotes: false },
    },
    encodings: Encodings {
        shares_integers: false,
        embedding: Embedding::VALKEY_8_1,
        ..VALKEY_8_0.encodings
    },
    arguments: Arguments {
        pfdebug_takes_simd: true,
        client_ids_are_syntax: true,
        client_takes_more: true,
        client_list_filters: true,
        bgsave_takes_cancel: true,
        ..ARGUMENTS_VALKEY
    },
    past: Past { expires: true, is_stored: false },
    comparisons: Comparisons { equal: true, ..VALKEY_8_0.comparisons },
    rdb: Rdb { heading: Heading::Either, ..VALKEY_8_0.rdb },
    logs_sizes: true,
    ..VALKEY_8_0
};

pub(super) const VALKEY_9_1: Profile = Profile {
    version: Version::Valkey9_1,
    product: Product { lolwut: "Valkey ver.", draws_fractals: true, ..valkey("9.1.2", "16.2.0") },
    memory: Memory { lists_empty_databases: false, ..VALKEY_8_1.memory },
    logs_replies_to_scripts: true,
    lua: Lua {
        errors_name_script: false,
        is_a_module: true,
        product: "Valkey",
        memory_before_read_only: true,
        ..VALKEY_8_1.lua
    },
    rewrites: Rewrites { geoadd: "ZADD", ..VALKEY_8_1.rewrites },
    clock_wraps_exactly: true,
    texts: Texts {
        missing_position_is_named: true,
        refusal_in_multi_names_command: true,
        ..VALKEY_8_1.texts
    },
    access: Access { sanitizing: Sanitizing::Hidden, databases: true, ..VALKEY_8_1.access },
    rdb: Rdb { version: 80, hashes: Hashes::Absolute, heading: Heading::Own, ..VALKEY_8_1.rdb },
    tables: Tables { buckets: Some(Buckets { tell_rehashing: true }), ..VALKEY_8_1.tables },
    requests: Requests {
        inline: Inline { loses_ff: true, goes_on_behind_quotes: true },
        ..VALKEY_8_1.requests
    },
    hides_commands: true,
    fields: Fields {
        syntax: FieldSyntax::AfterOptions,
        latest: i64::MAX,
        past_expires: true,
        due_are_gone: true,
        counter: Some("keys_with_volatile_items"),
        getex_reads: true,
        persisted_are_changes: true,
        ended_are_sent_together: true,
        sets_are_sent_bare: true,
        ..FIELDS
    },
    encodings: Encodings { embedding: Embedding::VALKEY_9_1, ..VALKEY_8_1.encodings },
    arguments: Arguments {
        geosearch_takes_polygons: true,
        tracking_refuses_any_overlap: true,
        shutdown_takes_safe: true,
        sizes_must_fit: true,
        bounds_are_decimal: true,
        doubles_are_decimal: true,
        sort_numbers: SortNumbers::Decimal,
        getex_expiry_first: true,
        xread_last: XreadLast::BeforeLastIdOrZero,
        keyslot_outside_cluster: true,
        client_filters_negate: true,
        ..VALKEY_8_1.arguments
    },
    ..VALKEY_8_1
};

/// As in Redis 7.4, but for what a version without deadlines shows.
const FIELDS: Fields = Fields {
    syntax: FieldSyntax::Fixed,
    latest: (1 << 46) - 1,
    past_expires: false,
    due_are_gone: false,
    counter: None,
    mark_digest: false,
    getex_reads: false,
    persisted_are_changes: false,
    ended_are_sent_together: false,
    sets_are_sent_bare: false,
    float_keeps_deadline: false,
};

const TEXTS: Texts = Texts {
    unknown_command_has_no_tail: false,
    arguments_have_display: false,
    help_is_imperative: false,
    unbalanced_names_command: false,
    unbalanced_offers_last: false,
    missing_position_is_named: false,
    refusal_in_multi_names_command: false,
    client_has_own_buffer: true,
    hello_names_protocol: false,
    queue_stays: false,
    doctor_is_sober: false,
    latency_page: "https://redis.io/topics/latency-monitor",
    name_no_product: false,
};

const ARGUMENTS: Arguments = Arguments {
    pfdebug_takes_simd: false,
    lpos_refuses_least: false,
    geosearch_takes_polygons: false,
    tracking_refuses_any_overlap: false,
    shutdown_takes_safe: false,
    hello_reads_all_first: false,
    sizes_must_fit: false,
    config_names_sign: false,
    lrem_refuses_least: false,
    lset_cuts_index: false,
    timeouts_have_a_range: false,
    bit_ranges_first: false,
    bitcount_takes_start: false,
    bitop_takes_differences: false,
    xread_last: XreadLast::Refused,
    cursors_are_unsigned: false,
    hscan_takes_novalues: false,
    scan_refuses_unknown_types: false,
    bounds_are_decimal: false,
    doubles_are_decimal: false,
    sort_numbers: SortNumbers::AsC,
    getex_expiry_first: false,
    client_ids_are_syntax: false,
    client_takes_more: false,
    unsubscribe_needs_subscription: false,
    client_list_filters: false,
    client_filters_negate: false,
    clients_have_primaries: false,
    zscan_takes_noscores: false,
    bgsave_takes_cancel: false,
    kill_takes_maxage: false,
    keyslot_outside_cluster: false,
    readonly_outside_cluster: false,
};

const ARGUMENTS_7_2: Arguments = Arguments {
    lpos_refuses_least: true,
    hello_reads_all_first: true,
    lset_cuts_index: true,
    timeouts_have_a_range: true,
    ..ARGUMENTS
};

/// Redis 7.4, and Valkey, which took the same changes.
const ARGUMENTS_7_4: Arguments = Arguments {
    lrem_refuses_least: true,
    bit_ranges_first: true,
    xread_last: XreadLast::BeforeLastId,
    cursors_are_unsigned: true,
    hscan_takes_novalues: true,
    kill_takes_maxage: true,
    ..ARGUMENTS_7_2
};

const ARGUMENTS_VALKEY: Arguments = Arguments {
    bitcount_takes_start: true,
    scan_refuses_unknown_types: true,
    readonly_outside_cluster: true,
    clients_have_primaries: true,
    zscan_takes_noscores: true,
    ..ARGUMENTS_7_4
};
