//! Scripts as each version runs them. Every answer is that of the real server of the version.

use crate::support::Rig;
use stunt_double::redis::{ServerOptions, Version};

fn rig(version: Version) -> Rig {
    Rig::with(ServerOptions::default().with_version(version))
}

fn eval(rig: &mut Rig, code: &str) -> String {
    rig.say(1, &format!("EVAL \"{code}\" 0"))
}

fn is_valkey(version: Version) -> bool {
    version.name().starts_with("valkey")
}

/// Returns the end of an error in a script of this digest.
fn tail(version: Version, digest: &str) -> String {
    match version {
        Version::Valkey9_1 => " script: on @user_script:1.".to_owned(),
        _ => format!(" script: {digest}, on @user_script:1."),
    }
}

#[test]
fn errors_of_scripts_have_the_words_of_their_version() {
    for &version in Version::ALL {
        let mut rig = rig(version);
        let of = if is_valkey(version) { "" } else { "Redis " };
        assert_eq!(
            eval(&mut rig, "return redis.call('nocmd')"),
            format!(
                "!ERR Unknown {of}command called from script{}",
                tail(version, "a734a0d2d5bbe24cd0ce72425652796609e9bb31")
            )
        );
        assert_eq!(
            eval(&mut rig, "return redis.pcall('get')"),
            format!("!ERR Wrong number of args calling {of}command from script")
        );
        let (words, call, end) = match is_valkey(version) {
            true => ("Command", "call", ""),
            false => ("Lua redis lib command", "redis lib call", " Please use EVAL."),
        };
        assert_eq!(
            eval(&mut rig, "return redis.pcall('get', {})"),
            format!("!ERR {words} arguments must be strings or integers")
        );
        assert_eq!(
            eval(&mut rig, "return redis.pcall()"),
            format!("!ERR Please specify at least one argument for this {call}")
        );
        assert_eq!(rig.say(1, "EVALSHA abc 0"), format!("!NOSCRIPT No matching script.{end}"));
        let product = if version == Version::Valkey9_1 { "Valkey" } else { "Redis" };
        assert_eq!(
            eval(&mut rig, "return redis.pcall('config', 'get', 'port')"),
            format!("!ERR This {product} command is not allowed from script")
        );
        let table = if is_valkey(version) { "server" } else { "redis" };
        assert_eq!(
            eval(&mut rig, "return redis.acl_check_cmd('nocmd')"),
            format!(
                "!ERR Invalid command passed to {table}.acl_check_cmd(){}",
                tail(version, "b1c7b7cf0380db354e5957d5e405a51fdee76f63")
            )
        );
        rig.say(1, "CONFIG SET maxmemory 1");
        assert_eq!(
            eval(&mut rig, "return redis.call('set','a','1')"),
            format!(
                "!OOM command not allowed when used memory > 'maxmemory'.{}",
                tail(version, "67ed14c1cb086d8c2fcf91ebe13410ba087fd0f8")
            )
        );
    }
}

#[test]
fn arguments_of_the_scripts_table_are_refused_in_the_words_of_the_version() {
    let text = |rig: &mut Rig, call: &str| {
        let reply = eval(rig, &format!("return redis.{call}"));
        reply.split(" script: ").next().map(str::to_owned)
    };
    for &version in Version::ALL {
        let mut rig = rig(version);
        let table = if is_valkey(version) { "server" } else { "redis" };
        let mut check = |call: &str, expected: String| {
            assert_eq!(text(&mut rig, call), Some(expected), "{version}: {call}");
        };
        check("log()", format!("!ERR {table}.log() requires two arguments or more."));
        check("setresp()", format!("!ERR {table}.setresp() requires one argument."));
        let number = if version == Version::Redis7_0 { "two arguments" } else { "one argument" };
        check("set_repl()", format!("!ERR {table}.set_repl() requires {number}."));
        let of = match version {
            Version::Redis7_0 | Version::Redis7_2 => "debug",
            _ => "log",
        };
        check("log(9, 'x')", format!("!ERR Invalid {of} level."));
    }
}

#[test]
fn valkey_calls_the_table_of_scripts_server_too() {
    let names = "return {server.VALKEY_VERSION, server.VALKEY_VERSION_NUM, redis.SERVER_NAME, \
                 server.REDIS_VERSION, tostring(server == redis)}";
    let library = "#!lua name=l\n\
                   server.register_function('f', function() return server.call('get', 'k') end)";
    let number = [
        (Version::Valkey8_0, "8.0.1", 524_289),
        (Version::Valkey8_1, "8.1.8", 524_552),
        (Version::Valkey9_1, "9.1.2", 590_082),
    ];
    for (version, text, number) in number {
        let mut rig = rig(version);
        assert_eq!(
            eval(&mut rig, names),
            format!("[\"{text}\", {number}, \"valkey\", \"7.2.4\", \"true\"]")
        );
        assert_eq!(eval(&mut rig, "return server.call('set', 'k', 'v')"), "OK");
        assert!(eval(&mut rig, "server.x = 1").contains("Attempt to modify a readonly table"));
        assert_eq!(rig.say(1, &format!("FUNCTION LOAD \"{library}\"")), "\"l\"");
        assert_eq!(rig.say(1, "FCALL f 0"), "\"v\"");
        assert_eq!(
            rig.say(1, "FUNCTION LOAD \"#!lua name=m\nredis.register_function()\""),
            "!ERR Error registering functions: ERR wrong number of arguments to \
             server.register_function"
        );
    }
    let mut rig = rig(Version::Redis8_6);
    assert_eq!(
        eval(&mut rig, "return type(server)"),
        "!ERR user_script:1: Script attempted to access nonexistent global variable 'server' \
         script: af91c943ddc2cda3a66d7b666a32b0e89066c9f1, on @user_script:1."
    );
    assert_eq!(eval(&mut rig, "return tostring(redis.VALKEY_VERSION)"), "\"nil\"");
    assert_eq!(
        rig.say(1, &format!("FUNCTION LOAD \"{library}\"")),
        "!ERR Error registering functions: ERR user_function:2: Script attempted to access \
         nonexistent global variable 'server'"
    );
}

#[test]
fn a_clock_shows_the_virtual_time_of_a_script() {
    let code = "local began = os.clock() for i = 1, 1000000 do end \
                return tostring(os.clock() - began > 0.5) .. type(os.time)";
    for &version in Version::ALL {
        let found = eval(&mut rig(version), code);
        if matches!(version, Version::Redis7_0 | Version::Redis7_2) {
            assert!(found.contains("nonexistent global variable 'os'"), "{version}: {found}");
        } else {
            assert_eq!(found, "\"truenil\"", "{version}");
        }
    }
}

#[test]
fn redis_8_6_tells_empty_arrays_from_empty_objects() {
    let mut rig = rig(Version::Redis8_6);
    let mut check = |code: &str, expected: &str| {
        assert_eq!(eval(&mut rig, code), format!("\"{expected}\""), "{code}");
    };
    check("return cjson.encode(cjson.decode('[]'))", "{}");
    check("return tostring(cjson.decode_array_with_array_mt())", "false");
    check("return tostring(cjson.decode_array_with_array_mt('on'))", "true");
    check("return cjson.encode(cjson.decode('[[],{},1]'))", "[[],{},1]");
    check("local d = cjson.decode('[1]') d.x = 1 d[3] = 1 return cjson.encode(d)", "[1]");
    check("local d = cjson.decode('[]') d[1] = 1 d[2] = 2 return cjson.encode(d)", "[1,2]");
    check("return tostring(getmetatable(cjson.decode('[]')).__is_cjson_array)", "true");
    check("return tostring(cjson.new().decode_array_with_array_mt())", "false");
    check("return tostring(cjson.decode_array_with_array_mt(false))", "false");
    check("return tostring(getmetatable(cjson.decode('[1]')))", "nil");
    check("return cjson.encode(setmetatable({1, x = 2}, {__is_cjson_array = 1}))", "[1]");
    check("return cjson.encode(setmetatable({}, {__is_cjson_array = false}))", "{}");
    let wrong = eval(&mut rig, "return cjson.decode_array_with_array_mt('x')");
    assert_eq!(
        wrong.split(" script: ").next(),
        Some(
            "!ERR user_script:1: bad argument #1 to 'decode_array_with_array_mt' (invalid option \
             'x')"
        )
    );
    let mut rig = self::rig(Version::Redis8_2);
    assert_eq!(eval(&mut rig, "return type(cjson.decode_array_with_array_mt)"), "\"nil\"");
    let marked = "return cjson.encode(setmetatable({}, {__is_cjson_array = true}))";
    assert_eq!(eval(&mut rig, marked), "\"{}\"");
}

#[test]
fn valkey_looks_for_the_engine_of_a_script_since_8_1() {
    for &version in Version::ALL {
        let mut rig = rig(version);
        let has_engines = matches!(version, Version::Valkey8_1 | Version::Valkey9_1);
        let expected = match has_engines {
            true => [
                "!ERR Could not find scripting engine 'js'",
                "1",
                "!ERR Unexpected flag in script shebang: x",
            ],
            false => [
                "!ERR Unexpected engine in script shebang: #!js",
                "!ERR Unexpected engine in script shebang: #!LUA",
                "!ERR Unexpected engine in script shebang: #!js",
            ],
        };
        let lines = ["#!js", "#!LUA", "#!js flags=x"];
        let found = lines.map(|line| eval(&mut rig, &format!("{line}\nreturn 1")));
        assert_eq!(found, expected, "{version}");
        let function = "redis.register_function('a b', function() end)";
        let loaded = rig.say(1, &format!("FUNCTION LOAD \"#!lua name=l\n{function}\""));
        let text = "names can only contain letters, numbers, or underscores(_) and must be at \
                    least one character long";
        let expected = match has_engines {
            true => format!("!ERR Function {text}"),
            false => format!("!ERR Error registering functions: ERR Library {text}"),
        };
        assert_eq!(loaded, expected, "{version}");
    }
}

#[test]
fn a_slow_script_makes_a_server_of_its_name_busy() {
    for (version, name) in [(Version::Redis8_6, "Redis"), (Version::Valkey8_0, "Valkey")] {
        let mut rig = rig(version);
        rig.say(1, "CONFIG SET busy-reply-threshold 1000");
        rig.send(2, "EVAL \"while true do end\" 0");
        rig.pass_ms(2_000);
        let text = "is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
        assert_eq!(rig.say(1, "PING"), format!("!BUSY {name} {text}"));
        assert_eq!(rig.say(1, "SCRIPT KILL"), "OK");
    }
}

#[test]
fn refusals_by_access_control_are_worded_by_version_in_scripts_too() {
    for &version in Version::ALL {
        let mut rig = rig(version);
        rig.say(1, "ACL SETUSER u on nopass +eval +get +publish +auth ~a resetchannels");
        rig.say(1, "AUTH u x");
        let calls = ["'set', 'a', '1'", "'get', 'z'", "'publish', 'z', '1'"];
        let found = calls.map(|call| eval(&mut rig, &format!("return redis.pcall({call})")));
        let old = [
            "!ERR The user executing the script can't run this command or subcommand",
            "!ERR The user executing the script can't access at least one of the keys mentioned \
             in the command arguments",
            "!ERR The user executing the script can't publish to the channel mentioned in the \
             command",
        ];
        let new = [
            "!ERR ACL failure in script: User u has no permissions to run the 'set' command",
            "!ERR ACL failure in script: No permissions to access a key",
            "!ERR ACL failure in script: No permissions to access a channel",
        ];
        assert_eq!(found, if version == Version::Redis7_0 { old } else { new }, "{version}");
    }
}

#[test]
fn scripts_keep_to_the_databases_of_their_user() {
    let mut rig = rig(Version::Valkey9_1);
    rig.say(1, "ACL SETUSER u on nopass +@all ~* &* db=0,2");
    rig.say(1, "AUTH u x");
    let denied = "!ERR ACL failure in script: No permissions to access database";
    assert_eq!(eval(&mut rig, "return redis.pcall('select', '3')"), denied);
    assert_eq!(eval(&mut rig, "return redis.pcall('flushall')"), denied);
    assert_eq!(eval(&mut rig, "return redis.pcall('move', 'a', '1')"), denied);
    assert_eq!(
        eval(&mut rig, "redis.call('select', '2') return redis.call('set', 'a', 'v')"),
        "OK"
    );
    let may = "return {redis.acl_check_cmd('select', '3'), redis.acl_check_cmd('select', '2'), \
               redis.acl_check_cmd('flushall')}";
    assert_eq!(eval(&mut rig, may), "[nil, 1, nil]");
}

#[test]
fn reads_of_streams_with_block_do_not_block_since_7_4() {
    let refused = "command is not allowed with BLOCK option from scripts";
    for &version in Version::ALL {
        let mut rig = rig(version);
        let mut read = |options: &str| {
            eval(&mut rig, &format!("return redis.call('xread', {options}, 'STREAMS', 's', '0')"))
        };
        if matches!(version, Version::Redis7_0 | Version::Redis7_2) {
            assert!(read("'BLOCK', 0").contains(refused), "{version}");
            continue;
        }
        assert_eq!(read("'BLOCK', 0"), "nil", "{version}");
        assert!(read("'BLOCK', -1").starts_with("!ERR timeout is negative"), "{version}");
        rig.say(1, "XADD s 1-1 a b");
        let found = "[[\"s\", [[\"1-1\", [\"a\", \"b\"]]]]]";
        let block = "return redis.call('xread', 'BLOCK', 0, 'STREAMS', 's', '0')";
        assert_eq!(eval(&mut rig, block), found, "{version}");
        rig.say(1, "XGROUP CREATE s g $");
        let group =
            "return redis.call('xreadgroup', 'GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', 's', '>')";
        assert_eq!(eval(&mut rig, group), "nil", "{version}");
        assert!(rig.say(1, "XINFO CONSUMERS s g").contains("\"c\""), "{version}");
    }
}
