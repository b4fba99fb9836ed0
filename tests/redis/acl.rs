//! ACL users with several clients, and the log in virtual time. Every expectation was compared with
//! the real server. `recorded/acl.txt` has the rules and what they permit.

use crate::support::Rig;
use stunt_double::redis::{ServerOptions, Version};

const LOST: &str = "!NOPERM ACLs rules changed between the moment the transaction was accumulated \
                    and the EXEC call. This command is no longer allowed for the following reason: ";

/// Returns a server with this user, and client 2 logged in as it.
fn with_user(rules: &str) -> Rig {
    let mut rig = Rig::new();
    assert_eq!(rig.say(1, &format!("ACL SETUSER u on nopass {rules}")), "OK");
    assert_eq!(rig.say(2, "AUTH u x"), "OK");
    rig
}

/// Returns the entries of the log without what follows the age.
fn log(rig: &mut Rig) -> Vec<String> {
    let entries = rig.say(1, "ACL LOG");
    let fields = |entry: &str| {
        let words: Vec<&str> = entry.split(", ").collect();
        [1, 3, 5, 7, 9, 11].map(|at| words[at].trim_matches('"')).join(" ")
    };
    entries.split("[\"count\"").skip(1).map(|entry| fields(&format!("c{entry}"))).collect()
}

#[test]
fn the_clients_of_a_deleted_user_are_closed() {
    let mut rig = with_user("+@all ~* &*");
    rig.say(3, "AUTH u x");
    rig.say(4, "PING");
    assert_eq!(rig.say(2, "ACL WHOAMI"), "\"u\"");
    assert_eq!(rig.say(2, "ACL DELUSER u nobody"), "1");
    assert_eq!([2, 3, 4].map(|client| rig.is_closed(client)), [true, true, false]);
    assert_eq!(rig.say(4, "ACL USERS"), "[\"default\"]");
}

#[test]
fn subscribers_are_closed_when_their_channels_are_taken_away() {
    let mut rig = with_user("+@all ~* &a &b &p*");
    for (client, line) in [(3, "SUBSCRIBE b"), (4, "PSUBSCRIBE p*"), (5, "SUBSCRIBE p1")] {
        rig.say(client, "AUTH u x");
        rig.send(client, line);
    }
    rig.send(2, "SUBSCRIBE a");
    rig.say(1, "ACL SETUSER u &c");
    let closed = |rig: &Rig| [2, 3, 4, 5].map(|client| rig.is_closed(client));
    assert_eq!(closed(&rig), [false; 4]);
    rig.say(1, "ACL SETUSER u resetchannels &a &p?");
    assert_eq!(closed(&rig), [false, true, true, false]);
    rig.say(1, "ACL SETUSER u resetchannels (&a +get)");
    assert_eq!(closed(&rig), [false, true, true, true]);
}

#[test]
fn permissions_are_checked_again_when_a_transaction_runs() {
    let mut rig = with_user("+@all ~* &*");
    for line in ["MULTI", "SET k v", "GET k", "PUBLISH a x", "GET z"] {
        rig.say(2, line);
    }
    rig.say(1, "ACL SETUSER u -set resetkeys ~z resetchannels &q");
    let reasons = [
        "no permission to execute the command or subcommand",
        "no permission to touch the specified keys",
        "no permission to access one of the channels used as arguments",
    ];
    let [command, key, channel] = reasons.map(|reason| format!("{LOST}{reason}"));
    assert_eq!(rig.say(2, "EXEC"), format!("[{command}, {key}, {channel}, nil]"));
    let logged = ["1 channel multi a u 0", "1 key multi k u 0", "1 command multi set u 0"];
    assert_eq!(log(&mut rig), logged);
}

#[test]
fn the_log_joins_what_is_alike_within_a_minute() {
    let mut rig = with_user("+@all -set ~k");
    rig.send(2, "SET k v");
    rig.pass_ms(4);
    rig.send(2, "GET b");
    rig.send(2, "AuTh nobody x");
    rig.send(2, "HELLO 3 AUTH nobody x");
    assert_eq!(
        log(&mut rig),
        [
            "1 auth toplevel HELLO nobody 0",
            "1 auth toplevel AuTh nobody 0",
            "1 key toplevel b u 0",
            "1 command toplevel set u 0.0040000000000000001",
        ]
    );
    rig.pass_ms(59_996);
    rig.send(2, "SET k v");
    rig.pass_ms(500);
    assert_eq!(log(&mut rig)[0], "2 command toplevel set u 0.5");
    rig.pass_ms(60_000);
    rig.send(2, "SET k v");
    let logged = log(&mut rig);
    assert_eq!(logged[..2], ["1 command toplevel set u 0", "2 command toplevel set u 60.5"]);
    assert_eq!(logged.len(), 5);
    rig.say(1, "CONFIG SET acllog-max-len 2");
    assert_eq!(log(&mut rig).len(), 5);
    rig.send(2, "GET other");
    assert_eq!(log(&mut rig).len(), 2);
    assert_eq!(rig.say(1, "ACL LOG RESET"), "OK");
    assert!(log(&mut rig).is_empty());
}

#[test]
fn later_versions_number_the_entries_of_the_log_and_count_denials() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Valkey9_1));
    rig.say(1, "ACL SETUSER u on nopass +get ~k db=0,1");
    rig.say(2, "AUTH u x");
    for line in ["SET k v", "GET a", "GET k", "SELECT 1", "PING"] {
        rig.send(2, line);
    }
    rig.pass_ms(250);
    rig.say(1, "ACL SETUSER u db=1 +select");
    for line in ["GET a", "GeT k", "SELECT 2", "SELECT 2", "SELECT 1", "GET k", "GET a"] {
        rig.send(2, line);
    }
    let logged = rig.say(1, "ACL LOG");
    let heads: Vec<String> = log(&mut rig);
    assert_eq!(
        heads,
        [
            "2 key toplevel a u 0",
            "2 database toplevel 2 u 0",
            "2 database toplevel get u 0",
            "1 command toplevel ping u 0.25",
            "1 command toplevel select u 0.25",
            "1 command toplevel set u 0.25",
        ]
    );
    let times = |entry: &str| {
        let (_, rest) = entry.split_once("\"entry-id\", ").unwrap();
        rest.split(']').next().unwrap().to_owned()
    };
    let entries: Vec<String> = logged.split("[\"count\"").skip(1).map(times).collect();
    let id = |entry: &String| entry.split(',').next().unwrap().to_owned();
    assert_eq!(entries.iter().map(id).collect::<Vec<_>>(), ["1", "5", "4", "3", "2", "0"]);
    let numbers = entries[0].split(", ").filter_map(|word| word.parse::<i64>().ok());
    let [_, created, updated] = numbers.collect::<Vec<_>>()[..] else { panic!("{entries:?}") };
    assert_eq!(updated - created, 250);
    let stats = rig.say(1, "INFO stats");
    for (reason, count) in [("auth", 0), ("cmd", 3), ("key", 2), ("channel", 0), ("db", 4)] {
        assert!(stats.contains(&format!("acl_access_denied_{reason}:{count}")), "{stats}");
    }
}

#[test]
fn a_client_that_connected_without_the_password_stays_unknown() {
    let mut rig = Rig::new();
    rig.say(1, "CONFIG SET requirepass secret");
    assert_eq!(rig.say(2, "PING"), "!NOAUTH Authentication required.");
    rig.say(1, "CONFIG SET requirepass \"\"");
    assert_eq!(rig.say(2, "PING"), "PONG");
    assert!(rig.say(2, "HELLO").starts_with("!NOAUTH HELLO must be called"));
    assert_eq!(rig.say(2, "ACL WHOAMI"), "\"default\"");
    rig.say(1, "ACL SETUSER default off");
    assert_eq!(rig.say(3, "PING"), "!NOAUTH Authentication required.");
    assert_eq!(rig.say(1, "PING"), "PONG");
}

#[test]
fn clients_are_listed_and_killed_by_user() {
    let mut rig = with_user("+@all ~* &*");
    assert!(rig.say(2, "CLIENT INFO").contains(" user=u redir="));
    assert!(rig.say(1, "CLIENT INFO").contains(" user=default redir="));
    assert_eq!(rig.say(1, "CLIENT KILL USER u"), "1");
    assert!(rig.is_closed(2));
}

#[test]
fn a_restart_forgets_users_and_passwords_are_drawn_from_the_seed() {
    let mut rig = with_user("+@all ~* &*");
    let password = rig.say(1, "ACL GENPASS 6");
    assert_eq!(password.len(), 4, "two digits in quotes: {password}");
    assert_eq!(rig.say(1, "ACL GENPASS").len(), 66);
    assert_ne!(rig.say(1, "ACL GENPASS"), rig.say(1, "ACL GENPASS"));
    rig.server.stop(rig.now, stunt_double::Shutdown::Clean);
    rig.server.start(rig.now);
    assert_eq!(rig.say(9, "ACL LIST"), "[\"user default on nopass ~* &* +@all\"]");
}

#[test]
fn users_are_saved_to_a_file_and_loaded_from_it() {
    let text = "user w on nopass (~a +get ~b)  ~x\n";
    let options = ServerOptions::default().with_acl_file("/u.acl", text).unwrap();
    let mut rig = Rig::with(options);
    let default = "user default on nopass ~* &* +@all";
    let w = "user w on nopass ~x resetchannels -@all (~a ~b resetchannels -@all +get)";
    assert_eq!(rig.say(1, "ACL LIST"), format!("[\"{default}\", \"{w}\"]"));
    assert_eq!(rig.say(1, "CONFIG GET aclfile"), "[\"aclfile\", \"/u.acl\"]");
    rig.say(1, "ACL SETUSER v on nopass");
    rig.say(2, "AUTH w x");
    rig.say(3, "AUTH v x");
    assert_eq!(rig.say(1, "ACL LOAD"), "OK");
    assert_eq!([1, 2, 3].map(|client| rig.is_closed(client)), [false, true, true]);
    assert_eq!(rig.say(1, "ACL USERS"), "[\"default\", \"w\"]");
    rig.say(1, "ACL SETUSER v off");
    assert_eq!(rig.say(1, "ACL SAVE"), "OK");
    let saved = format!("{default}\nuser v off resetchannels -@all\n{w}\n");
    assert_eq!(rig.server.acl_file(), Some(saved.as_bytes()));
    rig.server.stop(rig.now, stunt_double::Shutdown::Kill);
    rig.server.start(rig.now);
    assert_eq!(rig.say(9, "ACL USERS"), "[\"default\", \"v\", \"w\"]");
}

#[test]
fn a_file_with_errors_is_refused_with_all_of_them() {
    let text = "user u on nobody nopass +nothing +bad -x extra\n\n  user   w on\nxuser\nuser\n\
                user u on\nuser z\ton\nuser q on (~x +get) ~y\nuser z2 on (+nothing)";
    let error = ServerOptions::default().with_acl_file("/f", text).unwrap_err().to_string();
    let unknown = "Unknown command or category name in ACL";
    let expected = format!(
        "ERR /f:1: Syntax error. /f:1: Error in applying operation '+nothing': {unknown}. /f:1: \
         Error in applying operation '+bad': {unknown}. /f:1: Error in applying operation '-x': \
         {unknown}. /f:3: Syntax error. /f:4 should start with user keyword followed by the \
         username. /f:5 should start with user keyword followed by the username. WARNING: \
         Duplicate user 'u' found on line 6. '/f:7: username 'z\ton' contains invalid characters. \
         /f:9: Error in applying operation '(+nothing)': {unknown}. WARNING: ACL errors detected, \
         no change to the previously active ACL rules was performed"
    );
    assert_eq!(error, expected);
    let unmatched = ServerOptions::default().with_acl_file("/f", "user z (~a").unwrap_err();
    assert!(unmatched.to_string().contains("/f:1: Unmatched parenthesis in selector definition."));
}

#[test]
fn categories_have_the_commands_of_the_real_server() {
    let mut rig = Rig::new();
    let count = |list: String| list.matches(", ").count() + 1;
    assert_eq!(
        rig.say(1, "ACL CAT transaction"),
        real(&["multi", "exec", "discard", "watch", "unwatch"])
    );
    for (category, members) in [("hash", 16), ("pubsub", 13), ("scripting", 21)] {
        assert_eq!(count(rig.say(1, &format!("ACL CAT {category}"))), members, "{category}");
    }
}

fn real(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(", "))
}
