//! Scripts in time: slow ones, which make the server busy, and what they share with others.

use crate::support::{Rig, short};
use stunt_double::Shutdown;
use stunt_double::redis::server::{ClientId, Output};
use stunt_double::redis::{AppendFsync, ServerOptions};

/// A million rounds are a few seconds of virtual time.
const SLOW_READ: &str = "for i = 1, 3000000 do end return redis.call('get', 'k')";
const SLOW_WRITE: &str = "for i = 1, 3000000 do end redis.call('set', 'k', 'late') return 'done'";
const WRITE_FIRST: &str = "redis.call('set', 'k', 'early') for i = 1, 3000000 do end return 'done'";
const ENDLESS: &str = "while true do end";
const BUSY: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

fn error(text: &str) -> String {
    format!("!{text}")
}

/// A server, to which words are sent that may have spaces.
struct Machine(Rig);

impl Machine {
    fn new() -> Machine {
        Machine(Rig::new())
    }

    fn line(words: &[&str]) -> String {
        words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ")
    }

    fn send(&mut self, client: u64, words: &[&str]) {
        self.0.send(client, &Machine::line(words));
    }

    fn ask(&mut self, client: u64, words: &[&str]) -> String {
        self.0.say(client, &Machine::line(words))
    }

    fn told(&mut self, client: u64) -> Vec<String> {
        self.0.told(client)
    }

    fn pass_ms(&mut self, millis: u64) {
        self.0.pass_ms(millis);
    }
}

/// A server whose scripts make it busy after one second.
fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.ask(1, &["CONFIG", "SET", "busy-reply-threshold", "1000"]);
    machine.ask(1, &["SET", "k", "v"]);
    machine
}

#[test]
fn a_fast_script_takes_no_time() {
    let mut machine = machine();
    machine.send(1, &["EVAL", "for i = 1, 100000 do end return 'done'", "0"]);
    assert_eq!(machine.told(1), ["\"done\""]);
}

#[test]
fn others_wait_until_the_threshold_and_are_refused_after_it() {
    let mut machine = machine();
    machine.send(1, &["EVAL", SLOW_READ, "0"]);
    machine.send(2, &["PING"]);
    assert!(machine.told(2).is_empty());
    machine.pass_ms(999);
    assert!(machine.told(2).is_empty());
    machine.pass_ms(1);
    assert_eq!(machine.told(2), [error(BUSY)]);
    machine.send(2, &["GET", "k"]);
    assert_eq!(machine.told(2), [error(BUSY)]);
    assert!(machine.told(1).is_empty());
    machine.pass_ms(60_000);
    assert_eq!(machine.told(1), ["\"v\""]);
    machine.send(2, &["GET", "k"]);
    assert_eq!(machine.told(2), ["\"v\""]);
}

#[test]
fn a_script_that_has_not_written_can_be_killed() {
    for script in [SLOW_READ, SLOW_WRITE, ENDLESS] {
        let mut machine = machine();
        machine.send(1, &["EVAL", script, "0"]);
        machine.send(1, &["PING"]);
        machine.pass_ms(1_000);
        machine.send(2, &["FUNCTION", "KILL"]);
        assert_eq!(machine.told(2), [error(BUSY)]);
        machine.send(2, &["SCRIPT", "KILL"]);
        assert_eq!(machine.told(2), ["OK"]);
        let told = machine.told(1);
        let text = "!ERR Script killed by user with SCRIPT KILL... script: ";
        assert!(told[0].starts_with(text), "{}", told[0]);
        assert!(told[0].ends_with(", on @user_script:1."), "{}", told[0]);
        assert_eq!(told[1], "PONG");
        machine.send(2, &["GET", "k"]);
        assert_eq!(machine.told(2), ["\"v\""]);
        machine.send(2, &["SCRIPT", "KILL"]);
        assert_eq!(machine.told(2), [error("NOTBUSY No scripts in execution right now.")]);
    }
}

#[test]
fn a_killed_script_cannot_catch_its_end() {
    let mut machine = machine();
    let script = "while true do pcall(function() while true do end end) end";
    machine.send(1, &["EVAL", script, "0"]);
    machine.pass_ms(5_000);
    machine.send(2, &["SCRIPT", "KILL"]);
    assert_eq!(machine.told(2), ["OK"]);
    assert!(machine.told(1)[0].contains("Script killed by user"));
}

#[test]
fn a_script_that_has_written_cannot_be_killed() {
    let mut machine = machine();
    machine.send(1, &["EVAL", WRITE_FIRST, "0"]);
    machine.pass_ms(1_000);
    machine.send(2, &["SCRIPT", "KILL"]);
    assert!(machine.told(2)[0].starts_with("!UNKILLABLE Sorry the script already executed"));
    machine.pass_ms(60_000);
    assert_eq!(machine.told(1), ["\"done\""]);
    machine.send(2, &["GET", "k"]);
    assert_eq!(machine.told(2), ["\"early\""]);
}

#[test]
fn a_late_write_happens_and_then_the_script_cannot_be_killed() {
    let mut machine = machine();
    let script = "for i = 1, 3000000 do end redis.call('set', 'k', 'late') \
                  for i = 1, 3000000 do end return 'done'";
    machine.send(1, &["EVAL", script, "0"]);
    machine.pass_ms(4_000);
    machine.send(2, &["SCRIPT", "KILL"]);
    assert!(machine.told(2)[0].starts_with("!UNKILLABLE"));
    machine.pass_ms(60_000);
    assert_eq!(machine.told(1), ["\"done\""]);
    machine.send(2, &["GET", "k"]);
    assert_eq!(machine.told(2), ["\"late\""]);
}

#[test]
fn a_threshold_of_zero_never_makes_the_server_busy() {
    let mut machine = machine();
    machine.ask(1, &["CONFIG", "SET", "lua-time-limit", "0"]);
    machine.send(1, &["EVAL", SLOW_READ, "0"]);
    assert_eq!(machine.told(1), ["\"v\""]);
}

#[test]
fn a_slow_script_within_a_transaction_delays_the_rest() {
    let mut machine = machine();
    machine.ask(1, &["MULTI"]);
    machine.ask(1, &["INCR", "n"]);
    machine.ask(1, &["EVAL", SLOW_READ, "0"]);
    machine.ask(1, &["INCR", "n"]);
    machine.send(1, &["EXEC"]);
    machine.pass_ms(1_000);
    machine.send(2, &["GET", "n"]);
    assert_eq!(machine.told(2), [error(BUSY)]);
    machine.pass_ms(60_000);
    let told = machine.told(1);
    assert_eq!(told, ["[1, \"v\", 2]"]);
}

#[test]
fn a_key_does_not_expire_while_a_script_runs() {
    let mut machine = machine();
    machine.ask(1, &["PEXPIRE", "k", "1500"]);
    let script = "for i = 1, 3000000 do end return redis.call('get', 'k')";
    machine.send(1, &["EVAL", script, "0"]);
    machine.pass_ms(60_000);
    assert_eq!(machine.told(1), ["\"v\""]);
    machine.send(1, &["GET", "k"]);
    assert_eq!(machine.told(1), ["nil"]);
}

#[test]
fn the_running_function_is_shown() {
    let mut machine = machine();
    let library = "#!lua name=lib\nredis.register_function('slow', function() \
                   while true do end end)";
    machine.ask(1, &["FUNCTION", "LOAD", library]);
    machine.send(1, &["FCALL", "slow", "1", "k", "arg"]);
    machine.pass_ms(2_500);
    machine.send(2, &["FUNCTION", "STATS"]);
    let told = machine.told(2);
    assert!(told[0].contains("\"slow\""), "{}", told[0]);
    assert!(told[0].contains("2500"), "{}", told[0]);
    machine.send(2, &["PING"]);
    assert!(machine.told(2)[0].contains("You can only call FUNCTION KILL"));
    machine.send(2, &["SCRIPT", "KILL"]);
    assert!(machine.told(2)[0].contains("You can only call FUNCTION KILL"));
    machine.send(2, &["FUNCTION", "KILL"]);
    assert_eq!(machine.told(2), ["OK"]);
    assert!(machine.told(1)[0].contains("script: slow, on @user_function:2."));
}

/// A server that stops and starts again with this configuration, after a library was loaded, saved
/// and replaced. Returns what the function returns then.
fn after_a_stop(options: ServerOptions, how: Shutdown, save: bool) -> String {
    let mut machine = Machine(Rig::with(options));
    let library = |value: u32| {
        format!("#!lua name=lib\nredis.register_function('f', function() return {value} end)")
    };
    machine.ask(1, &["FUNCTION", "LOAD", &library(1)]);
    if save {
        machine.ask(1, &["SAVE"]);
    }
    machine.pass_ms(5_000);
    machine.ask(1, &["FUNCTION", "LOAD", "REPLACE", &library(2)]);
    let now = machine.0.now;
    machine.0.server.stop(now, how);
    machine.0.server.start(now);
    machine.0.server.connected(now, ClientId(1), "client-1");
    machine.ask(1, &["FCALL", "f", "0"])
}

#[test]
fn libraries_survive_what_keys_survive() {
    let gone = error("ERR Function not found");
    let saved = ServerOptions::default;
    assert_eq!(after_a_stop(saved(), Shutdown::Clean, false), "2");
    assert_eq!(after_a_stop(saved(), Shutdown::Kill, true), "1");
    assert_eq!(after_a_stop(saved(), Shutdown::Kill, false), gone);
    let appended = || ServerOptions::default().with_append_only(AppendFsync::EverySec);
    assert_eq!(after_a_stop(appended(), Shutdown::Kill, false), "2");
    assert_eq!(after_a_stop(appended(), Shutdown::PowerLoss, false), "1");
}

#[test]
fn scripts_do_not_survive_a_restart() {
    let mut machine = Machine::new();
    let sha = machine.ask(1, &["SCRIPT", "LOAD", "return 8"]);
    let now = machine.0.now;
    machine.0.server.stop(now, Shutdown::Clean);
    machine.0.server.start(now);
    machine.0.server.connected(now, ClientId(1), "client-1");
    let sha = sha.trim_matches('"');
    let gone = error("NOSCRIPT No matching script. Please use EVAL.");
    assert_eq!(machine.ask(1, &["EVALSHA", sha, "0"]), gone);
}

#[test]
fn two_servers_run_the_same_script_alike() {
    let script = "local t = {} for i = 1, 20 do t[i] = tostring(math.random()) end \
                  t[21] = tostring({}) t[22] = tostring(print) for k in pairs({a=1, b=2, c=3, d=4}) do t[#t+1] = k end return t";
    let of = || {
        let mut machine = Machine::new();
        machine.send(1, &["EVAL", script, "0"]);
        machine.told(1)
    };
    assert_eq!(of(), of());
}

#[test]
fn an_order_that_depends_on_addresses_is_refused() {
    let mut machine = Machine::new();
    machine.send(1, &["EVAL", "for k in pairs({[{}]=1, [{}]=2}) do end", "0"]);
    assert!(machine.told(1)[0].contains("whose order would depend on addresses"));
}

#[test]
fn libraries_are_dumped_and_restored_by_each_policy() {
    let mut machine = Machine::new();
    let library = |name: &str, value: u32| {
        format!(
            "#!lua name={name}\nredis.register_function('{name}', function() return {value} end)"
        )
    };
    machine.ask(1, &["FUNCTION", "LOAD", &library("one", 1)]);
    let escaped = machine.ask(1, &["FUNCTION", "DUMP"]);
    let payload: Vec<u8> = unescaped(escaped.trim_matches('"'));
    let restore = |machine: &mut Machine, policy: &[u8]| {
        let words: Vec<&[u8]> = [&b"FUNCTION"[..], b"RESTORE", &payload, policy].into();
        let client = ClientId(1);
        let rig = &mut machine.0;
        rig.server.handle_input(rig.now, client, &words);
        let Some(Output::Reply { reply, .. }) = rig.server.poll_output() else { panic!("a reply") };
        short(&reply)
    };
    assert_eq!(restore(&mut machine, b"APPEND"), error("ERR Library one already exists"));
    machine.ask(1, &["FUNCTION", "LOAD", "REPLACE", &library("one", 2)]);
    machine.ask(1, &["FUNCTION", "LOAD", &library("two", 2)]);
    assert_eq!(restore(&mut machine, b"REPLACE"), "OK");
    assert_eq!(machine.ask(1, &["FCALL", "one", "0"]), "1");
    assert_eq!(machine.ask(1, &["FCALL", "two", "0"]), "2");
    assert_eq!(restore(&mut machine, b"FLUSH"), "OK");
    assert_eq!(machine.ask(1, &["FCALL", "two", "0"]), error("ERR Function not found"));
    assert_eq!(machine.ask(1, &["FCALL", "one", "0"]), "1");

    let file = machine.0.server.to_rdb();
    let mut other = Machine::new();
    other.0.server.load_rdb(other.0.now, &file).unwrap();
    assert_eq!(other.ask(1, &["FCALL", "one", "0"]), "1");
    let file = machine.0.server.to_append_only_file();
    let mut other = Machine::new();
    other.0.server.load_append_only_file(other.0.now, &file).unwrap();
    assert_eq!(other.ask(1, &["FCALL", "one", "0"]), "1");
}

/// Reads the escapes of `escape_ascii`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next().unwrap() {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'x' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    bytes
}

/// Lua has room for eight thousand values that a native function holds at a time, which must not
/// show: tables are of any size.
#[test]
fn tables_and_calls_may_be_large() {
    let mut machine = machine();
    let many = "local t = {} for i = 1, 20000 do t[i] = 'v' .. i end ";
    let named = "local t = {} for i = 1, 20000 do t['k' .. i] = 'v' .. i end ";
    for (script, expected) in [
        (format!("{many} return #cmsgpack.unpack(cmsgpack.pack(t))"), "20000"),
        (format!("{named} return cmsgpack.unpack(cmsgpack.pack(t)).k777"), "\"v777\""),
        (format!("{many} return #cjson.decode(cjson.encode(t))"), "20000"),
        (format!("{named} return cjson.decode(cjson.encode(t)).k777"), "\"v777\""),
        (format!("{many} return redis.call('rpush', 'l', unpack(t, 1, 7000))"), "7000"),
        (
            format!("{many} return redis.pcall('rpush', 'l', unpack(t)).err"),
            "!ERR user_script:1: too many results to unpack",
        ),
    ] {
        let reply = machine.ask(1, &["EVAL", &script, "0"]);
        assert_eq!(reply.split(" script:").next(), Some(expected), "{script}");
    }
    let reply = machine.ask(1, &["EVAL", &format!("{many} return t"), "0"]);
    assert!(reply.ends_with("\"v20000\"]"), "{} bytes", reply.len());
}

#[test]
fn an_endless_script_that_calls_commands_is_followed_as_it_runs() {
    let mut machine = machine();
    machine.ask(1, &["CONFIG", "SET", "busy-reply-threshold", "50"]);
    machine.send(1, &["EVAL", "while true do redis.call('ping') end", "0"]);
    machine.pass_ms(170);
    machine.send(2, &["PING"]);
    assert_eq!(machine.told(2), [error(BUSY)]);
    assert_eq!(machine.ask(2, &["SCRIPT", "KILL"]), "OK");
    let end = machine.told(1);
    assert!(
        end[0].starts_with("!ERR Script killed by user with SCRIPT KILL... script: "),
        "{end:?}"
    );
    assert_eq!(machine.ask(2, &["PING"]), "PONG");
}

/// The replies of redis-server 7.0.15.
#[test]
fn a_pause_of_writes_delays_scripts_by_what_they_have_declared() {
    let mut machine = machine();
    machine.ask(1, &["CLIENT", "PAUSE", "1000", "WRITE"]);
    let reads = "#!lua flags=no-writes\n return 1";
    assert_eq!(machine.ask(2, &["EVAL", reads, "0"]), "1");
    assert_eq!(machine.ask(2, &["EVAL_RO", "return 2", "0"]), "2");
    machine.ask(2, &["MULTI"]);
    machine.ask(2, &["EVAL", reads, "0"]);
    assert_eq!(machine.ask(2, &["EXEC"]), "[1]");
    for (client, script) in [(3, "return 3"), (4, "#!lua\n return 3")] {
        machine.send(client, &["EVAL", script, "0"]);
        assert!(machine.told(client).is_empty(), "{script}");
    }
    machine.pass_ms(1_000);
    assert_eq!([machine.told(3), machine.told(4)], [["3"], ["3"]]);
}

/// The replies of redis-server 7.0.15.
#[test]
fn what_a_script_calls_is_seen_after_the_script() {
    let mut machine = machine();
    machine.ask(9, &["MONITOR"]);
    machine.ask(1, &["EVAL", "redis.call('set', 'a', 'b')", "0"]);
    let seen = machine.told(9);
    assert!(seen[0].contains(" client-1] \"EVAL\" "), "{seen:?}");
    assert!(seen[1].ends_with(" lua] \"set\" \"a\" \"b\""), "{seen:?}");
    let blocks = "return redis.call('xread', 'BLOCK', 0, 'STREAMS', 's', '$')";
    let refused = machine.ask(1, &["EVAL", blocks, "0"]);
    let text = "!ERR xread command is not allowed with BLOCK option from scripts script: ";
    assert!(refused.starts_with(text), "{refused}");
}

#[test]
fn a_request_for_which_lua_has_no_room_is_never_run() {
    const DEEP: &str = "local function f(n) \
         if n == 0 then redis.pcall('SET', 'deep', 'b') return n end \
         return (pcall(f, n - 1)) end \
         for n = 1, 250 do pcall(f, n) if redis.call('GET', 'x') then return n end end \
         return redis.call('GET', 'x')";
    let mut machine = Machine::new();
    assert_eq!(machine.ask(1, &["EVAL", DEEP, "0"]), "nil");
    assert_eq!(machine.ask(1, &["EVAL", "return redis.call('GET', 'x')", "0"]), "nil");
}

#[test]
fn protected_calls_keep_all_results() {
    let mut machine = Machine::new();
    for (script, result) in [
        ("return select('#', pcall(unpack, {1, 2, 3}))", "4"),
        ("return select('#', xpcall(function() return 1, 2, 3 end, error))", "4"),
        ("return {pcall(function() return 1, nil, 3, nil end)}", "[1, 1]"),
        ("return select('#', pcall(function() return 1, nil, 3, nil end))", "5"),
        ("local _, e = pcall(5) return e", "\"attempt to call a number value\""),
        ("local _, e = pcall(function() error('x', 2) end) return e", "\"x\""),
    ] {
        let answer = machine.ask(1, &["EVAL", script, "0"]);
        assert_eq!(answer, result, "{script}");
    }
}

/// A field counts wherever the table keeps it.
#[test]
fn a_table_with_elements_and_a_field_is_what_its_field_says() {
    let mut machine = Machine::new();
    machine.ask(1, &["HELLO", "3"]);
    for (table, reply) in [
        ("{'a', ok = 'fine'}", "fine"),
        ("{ok = 'fine', [1] = 'a'}", "fine"),
        ("{[1] = 'a', ok = 'fine'}", "fine"),
        ("{[1] = 'a', [2] = 'b', [3] = 'c', err = 'boom'}", "!boom"),
        ("{err = 'boom', [1] = 'a', [2] = 'b'}", "!boom"),
        ("{double = 1.5, [1] = 'a'}", "(double) 1.5"),
        ("{[1] = 'a', big_number = '12'}", "12"),
        ("{map = {}, [1] = 'a'}", "(empty array)"),
        ("{[1] = 'a', set = {}}", "{}"),
        ("{verbatim_string = {format = 'txt', string = 'x'}, [1] = 'a'}", "x"),
        ("{[1] = 'a', [2] = 'b', other = 1}", "[\"a\", \"b\"]"),
    ] {
        let answer = machine.ask(1, &["EVAL", &format!("return {table}"), "0"]);
        assert_eq!(answer, reply, "{table}");
    }
}

#[test]
fn a_coroutine_hands_over_thousands_of_values() {
    let script = "local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = i end
        local co = coroutine.create(function(...)
            local n = select('#', ...)
            coroutine.yield(unpack(t))
            return n
        end)
        local function count(...) return select('#', ...) end
        local first = count(coroutine.resume(co, unpack(t)))
        local ok, n = coroutine.resume(co)
        return {first, n}";
    let mut machine = Machine::new();
    for count in [10, 1_000, 5_000, 7_500] {
        let answer = machine.ask(1, &["EVAL", script, "0", &count.to_string()]);
        assert_eq!(answer, format!("[{}, {count}]", count + 1));
    }
}

#[test]
fn nothing_of_a_run_outlives_it() {
    let mut machine = Machine::new();
    for script in [
        "getmetatable('').__index.saved = redis.call",
        "getmetatable('').saved = redis.call",
        "getmetatable('').__index = {}",
        "string.saved = redis.call",
    ] {
        let answer = machine.ask(1, &["EVAL", script, "0"]);
        assert!(answer.contains("Attempt to modify a readonly table"), "{script}: {answer}");
    }
    assert_eq!(machine.ask(1, &["EVAL", "return ('x'):upper() .. #('ab')", "0"]), "\"X2\"");
}

#[test]
fn a_script_within_a_script_is_refused_even_where_every_command_is_allowed() {
    let mut machine = Machine::new();
    machine.ask(1, &["DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1"]);
    for inner in ["EVAL", "SCRIPT', 'LOAD"] {
        let outer = format!("return redis.pcall('{inner}', 'return 7', '0')");
        let answer = machine.ask(1, &["EVAL", &outer, "0"]);
        assert!(answer.starts_with('!'), "{answer}");
    }
    assert_eq!(machine.ask(1, &["EVAL", "return 7", "0"]), "7");
}

// Scripts beside the statistics, sorting and a reload. The replies are those of
// redis-server 7.0.15 to the same requests.

/// Returns a command's counters of calls, refusals and failures.
fn counters(machine: &mut Machine, command: &str) -> String {
    let stats = machine.ask(1, &["INFO", "commandstats"]);
    let of = stats.split("cmdstat_").find_map(|line| line.strip_prefix(&format!("{command}:")));
    let of = of.expect("the command was called");
    let fields = of.split(['\r', '\\', '"']).next().unwrap_or_default().split(',');
    let fields = fields.filter(|field| !field.starts_with("usec"));
    fields.map(|field| field.split('=').nth(1).expect("a value")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_script_that_ends_with_an_error_has_failed_and_the_error_counts_once() {
    let mut machine = machine();
    machine.ask(1, &["CONFIG", "RESETSTAT"]);
    let out_of_range = ["return redis.call('select', 99)", "return redis.pcall('select', 99)"];
    for (index, script) in out_of_range.into_iter().enumerate() {
        machine.ask(1, &["EVAL", script, "0"]);
        assert_eq!(counters(&mut machine, "eval"), format!("{0} 0 {0}", index + 1));
        assert_eq!(counters(&mut machine, "select"), format!("{0} 0 {0}", index + 1));
    }
    machine.ask(1, &["EVAL", "redis.pcall('select', 99) return 1", "0"]);
    assert_eq!(counters(&mut machine, "eval"), "3 0 2", "it caught the error");
    assert!(machine.ask(1, &["INFO", "errorstats"]).contains("errorstat_ERR:count=3"));
    machine.ask(1, &["EVAL_RO", "return redis.call('set', 'k', 'v')", "1", "k"]);
    assert_eq!(counters(&mut machine, "eval_ro"), "1 0 1");
    assert_eq!(counters(&mut machine, "set"), "0 1 0");
    let library = "#!lua name=l\nredis.register_function('f', function() return \
                   redis.pcall('select', 99) end)";
    assert_eq!(machine.ask(1, &["FUNCTION", "LOAD", library]), "\"l\"");
    machine.ask(1, &["FCALL", "f", "0"]);
    assert_eq!(counters(&mut machine, "fcall"), "1 0 1");
    assert!(machine.ask(1, &["INFO", "errorstats"]).contains("errorstat_ERR:count=5"));
}

#[test]
fn a_killed_script_has_failed() {
    let mut machine = machine();
    machine.send(1, &["EVAL", ENDLESS, "0"]);
    machine.pass_ms(2_000);
    assert_eq!(machine.ask(2, &["SCRIPT", "KILL"]), "OK");
    machine.pass_ms(10);
    machine.told(1);
    assert_eq!(counters(&mut machine, "eval"), "1 0 1");
}

#[test]
fn an_error_counts_under_its_first_word_if_others_follow() {
    let mut machine = machine();
    machine.ask(1, &["CONFIG", "RESETSTAT"]);
    let texts = ["A23456789012345678901234567890 x", "B234567890123456789012345678901 x", "OOPS"];
    for text in texts {
        machine.ask(1, &["EVAL", &format!("return {{err='{text}'}}"), "0"]);
    }
    let stats = machine.ask(1, &["INFO", "errorstats"]);
    assert!(stats.contains("errorstat_A23456789012345678901234567890:count=1"), "{stats}");
    assert!(stats.contains("errorstat_ERR:count=2"), "{stats}");
    assert!(!stats.contains("errorstat_B") && !stats.contains("errorstat_OOPS"), "{stats}");
}

#[test]
fn a_script_gets_a_set_in_order_though_sorted_by_nothing() {
    let mut machine = machine();
    machine.ask(1, &["SADD", "s", "c", "a", "b", "aa", "B"]);
    let mut eval = |code: &str| machine.ask(1, &["EVAL", code, "0"]);
    let descending = r#"["c", "b", "aa", "a", "B"]"#;
    assert_eq!(eval("return redis.call('sort', 's', 'by', 'x', 'desc')"), descending);
    let two = eval("return redis.call('sort', 's', 'by', 'x', 'limit', '1', '2')");
    assert_eq!(two, r#"["a", "aa"]"#);
    let ascending = r#"["B", "a", "aa", "b", "c"]"#;
    assert_eq!(eval("return redis.call('sort_ro', 's', 'by', 'x')"), ascending);
    machine.ask(1, &["SORT", "s", "BY", "x", "DESC", "STORE", "d"]);
    assert_eq!(machine.ask(1, &["LRANGE", "d", "0", "-1"]), descending);
}

#[test]
fn a_reload_without_a_save_brings_back_the_saved_libraries() {
    let mut machine = Machine(Rig::with(ServerOptions::default().with_save_points([])));
    let library = |name: &str| {
        format!("#!lua name={name}\nredis.register_function('{name}', function() return 1 end)")
    };
    machine.ask(1, &["FUNCTION", "LOAD", &library("one")]);
    let failed = "!ERR Error trying to load the RDB dump";
    assert_eq!(machine.ask(1, &["DEBUG", "RELOAD", "NOSAVE"]), failed);
    assert_eq!(machine.ask(1, &["FUNCTION", "LIST"]), "[]");
    machine.ask(1, &["FUNCTION", "LOAD", &library("one")]);
    assert_eq!(machine.ask(1, &["SAVE"]), "OK");
    machine.ask(1, &["FUNCTION", "LOAD", &library("two")]);
    assert_eq!(machine.ask(1, &["DEBUG", "RELOAD", "NOSAVE"]), "OK");
    let list = machine.ask(1, &["FUNCTION", "LIST"]);
    assert!(list.contains("\"one\"") && !list.contains("\"two\""), "{list}");
    assert_eq!(machine.ask(1, &["FCALL", "one", "0"]), "1");
}

#[test]
fn a_script_that_waits_for_the_time_to_pass_ends() {
    let mut rig = Rig::new();
    let told = rig.say(1, "TIME");
    let same = rig.say(1, "EVAL \"return redis.call('TIME')\" 0");
    assert_eq!(told, same, "a short script takes no time");
    let waits = "EVAL \"local function now() local t = redis.call('TIME') return t[1] + t[2] / 1e6 end \
                 local began = now() while now() < began + 0.5 do end return 'done'\" 0";
    assert_eq!(rig.say(1, waits), "\"done\"");
    assert_eq!(rig.say(1, "TIME"), told, "and it was not slow");
}
