//! A server on its own: waiting for replicas that are not there, and the end of the process.

use crate::support::Rig;
use stunt_double::redis::server::ClientId;
use stunt_double::redis::{ServerOptions, Version};

#[test]
fn waiting_for_a_replica_is_in_vain() {
    let mut rig = Rig::new();
    assert_eq!(rig.say(1, "WAIT 0 1000"), "0");
    rig.send(1, "WAIT 1 1000");
    rig.send(1, "PING");
    rig.pass_ms(999);
    assert!(rig.told(1).is_empty());
    rig.pass_ms(1);
    assert_eq!(rig.told(1), ["0", "PONG"]);
    rig.script(1, &[("MULTI", "OK"), ("WAIT 1 1000", "QUEUED"), ("EXEC", "[0]")]);
    rig.send(2, "WAIT 1 0");
    let unblocked = rig.say(1, "CLIENT UNBLOCK 2");
    assert_eq!((unblocked.as_str(), rig.told(2)), ("1", vec!["0".to_owned()]));
}

/// A server with one key that is saved and one that is not, which is shut down with these words and
/// started again. Returns both.
fn after_shutdown(options: ServerOptions, words: &str) -> [String; 2] {
    let mut rig = Rig::with(options);
    rig.say(1, "SET saved 1");
    rig.say(1, "SAVE");
    rig.say(1, "SET later 2");
    rig.say(2, "PING");
    rig.send(1, &format!("SHUTDOWN {words}"));
    assert!(rig.told(1).is_empty());
    assert!(rig.is_closed(1) && rig.is_closed(2));
    assert!(!rig.server.is_running());
    rig.server.start(rig.now);
    rig.server.connected(rig.now, ClientId(1), "client-1");
    [rig.say(1, "GET saved"), rig.say(1, "GET later")]
}

#[test]
fn a_shutdown_saves_if_the_server_saves_at_all() {
    let both = ["\"1\"".to_owned(), "\"2\"".to_owned()];
    let first = ["\"1\"".to_owned(), "nil".to_owned()];
    let without = || ServerOptions::default().with_save_points([]);
    assert_eq!(after_shutdown(ServerOptions::default(), ""), both);
    assert_eq!(after_shutdown(ServerOptions::default(), "NOSAVE"), first);
    assert_eq!(after_shutdown(without(), ""), first);
    assert_eq!(after_shutdown(without(), "SAVE"), both);
    let of_valkey = without().with_version(Version::Valkey9_1);
    assert_eq!(after_shutdown(of_valkey, "NOSAVE SAFE SAFE"), first);
}

/// Ends the process with this command. Returns the server, stopped, and what was on its way.
fn after_the_end(words: &str) -> Rig {
    let mut rig = Rig::new();
    rig.say(1, "SET saved 1");
    rig.say(1, "SAVE");
    rig.say(1, "SET later 2");
    rig.send(1, words);
    assert!(rig.told(1).is_empty());
    assert!(rig.is_closed(1) && !rig.server.is_running(), "{words}");
    rig
}

#[test]
fn debug_ends_the_process_as_a_crash_does() {
    for words in ["DEBUG SEGFAULT", "DEBUG PANIC", "DEBUG OOM", "DEBUG ASSERT"] {
        let mut rig = after_the_end(words);
        assert_eq!(rig.server.poll_timeout(), None, "{words}: it does not start by itself");
        rig.server.start(rig.now);
        assert_eq!([rig.say(2, "GET saved"), rig.say(2, "GET later")], ["\"1\"", "nil"]);
    }
}

#[test]
fn debug_starts_the_process_again() {
    for (words, later) in [("DEBUG RESTART 500", "\"2\""), ("DEBUG CRASH-AND-RECOVER 500", "nil")] {
        let mut rig = after_the_end(words);
        rig.pass_ms(499);
        assert!(!rig.server.is_running());
        rig.pass_ms(1);
        assert!(rig.server.is_running());
        assert_eq!([rig.say(2, "GET saved"), rig.say(2, "GET later")], ["\"1\"", later]);
    }
}

#[test]
fn a_rewritten_file_is_read_although_none_is_kept() {
    let mut rig = Rig::new();
    rig.say(1, "SET k 1");
    assert_eq!(rig.say(1, "BGREWRITEAOF"), "Background append only file rewriting started");
    rig.say(1, "SET k 2");
    assert_eq!(rig.say(1, "DEBUG LOADAOF"), "OK");
    assert_eq!(rig.say(1, "GET k"), "\"1\"");
}
