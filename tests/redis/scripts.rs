//! Scripts in time: slow ones, which make the server busy, and what they share with others.

use crate::support::Rig;
use stunt_double::Shutdown;

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

#[test]
fn libraries_survive_a_restart_and_scripts_do_not() {
    let mut machine = Machine::new();
    let library = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    machine.ask(1, &["FUNCTION", "LOAD", library]);
    let sha = machine.ask(1, &["SCRIPT", "LOAD", "return 8"]);
    let now = machine.0.now;
    machine.0.server.stop(now, Shutdown::Clean);
    machine.0.server.start(now);
    machine.0.server.connected(now, stunt_double::redis::server::ClientId(1), "client-1");
    assert_eq!(machine.ask(1, &["FCALL", "f", "0"]), "7");
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
