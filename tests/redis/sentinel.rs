//! Sentinels in a world: what they notice, agree upon, and do.

use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::redis::{
    self, Client, Redis, Reply, SentinelOptions, ServerOptions, Subscription,
};
use stunt_double::sim::Sim;

struct Set {
    sim: Sim,
    a: Redis,
    b: Redis,
    c: Redis,
    sentinels: Vec<Redis>,
}

fn quick() -> ServerOptions {
    ServerOptions::default().with_sync_delay(Duration::ZERO)
}

fn pass(sim: &mut Sim, seconds: u64) {
    sim.run_for(Duration::from_secs(seconds)).expect_reached();
}

/// A master, two replicas and three Sentinels that know all of them.
fn set(seed: u64) -> Set {
    let mut sim = Sim::new(seed);
    let a = redis::start_named(&mut sim, "redis-a", quick());
    let mut replicas = redis::start_replicas(&mut sim, &a, ["redis-b", "redis-c"], quick());
    let options = SentinelOptions::new("mymaster", 2)
        .with_down_after(Duration::from_secs(5))
        .with_failover_timeout(Duration::from_secs(30));
    let sentinels = redis::start_sentinels(&mut sim, &a, ["s1", "s2", "s3"], options);
    pass(&mut sim, 30);
    let (c, b) = (replicas.pop().expect("two"), replicas.pop().expect("two"));
    Set { sim, a, b, c, sentinels }
}

fn master_of(sentinel: &Redis) -> String {
    sentinel.command(["SENTINEL", "get-master-addr-by-name", "mymaster"]).to_string()
}

fn role(redis: &Redis) -> String {
    let reply = redis.command(["ROLE"]);
    let role = reply.as_array().and_then(|items| items[0].as_text());
    role.unwrap_or_default().to_owned()
}

/// A field of `SENTINEL MASTER`.
fn field(sentinel: &Redis, name: &str) -> String {
    let Reply::Map(fields) = sentinel.command(["SENTINEL", "MASTER", "mymaster"]) else {
        panic!("it is a map");
    };
    let found = fields.iter().find(|(field, _)| field.as_text() == Some(name));
    found.and_then(|(_, value)| value.as_text()).unwrap_or_default().to_owned()
}

#[test]
fn sentinels_find_the_replicas_and_each_other() {
    let Set { sentinels, .. } = set(1);
    for sentinel in &sentinels {
        assert_eq!(field(sentinel, "num-slaves"), "2");
        assert_eq!(field(sentinel, "num-other-sentinels"), "2");
        assert_eq!(field(sentinel, "flags"), "master");
        assert_eq!(
            sentinel.command(["SENTINEL", "CKQUORUM", "mymaster"]),
            Reply::Simple(
                "OK 3 usable Sentinels. Quorum and failover authorization can be reached".into()
            )
        );
        assert_eq!(role(sentinel), "sentinel");
    }
}

#[test]
fn a_dead_master_is_replaced_and_returns_as_a_replica() {
    for seed in 0..2 {
        let Set { mut sim, a, b, c, sentinels } = set(seed);
        a.stop(Shutdown::Kill);
        pass(&mut sim, 30);
        let new = if role(&b) == "master" { &b } else { &c };
        assert_eq!(role(new), "master");
        for sentinel in &sentinels {
            assert!(master_of(sentinel).contains(new.name()), "{}", master_of(sentinel));
        }
        a.start();
        assert_eq!(role(&a), "master");
        pass(&mut sim, 60);
        assert_eq!(role(&a), "slave");
        let masters = [&a, &b, &c].iter().filter(|redis| role(redis) == "master").count();
        assert_eq!(masters, 1);
        new.command(["SET", "k", "v"]);
        pass(&mut sim, 2);
        assert_eq!(a.command(["GET", "k"]).as_text(), Some("v"));
    }
}

#[test]
fn a_master_cut_off_from_everyone_but_its_client_loses_what_it_goes_on_to_accept() {
    let Set { mut sim, a, b, c, sentinels } = set(1);
    for other in [&b, &c].into_iter().chain(&sentinels) {
        other.link_to(&a).partition();
    }
    sim.node_with("client", a.clone(), async |node, a| {
        let client = Client::connect(&node, &a).await?;
        node.sleep(Duration::from_secs(20)).await;
        client.call(["SET", "acknowledged", "yes"]).await?;
        Ok::<(), redis::Error>(())
    });
    pass(&mut sim, 30);
    assert!(!master_of(&sentinels[0]).contains("redis-a"));
    for other in [&b, &c].into_iter().chain(&sentinels) {
        other.link_to(&a).heal();
    }
    pass(&mut sim, 60);
    assert_eq!(role(&a), "slave");
    assert!(a.command(["GET", "acknowledged"]).is_nil());
    assert!(a.discarded().to_string().contains("SET acknowledged yes"), "{}", a.discarded());
}

#[test]
fn without_a_quorum_nothing_happens() {
    let Set { mut sim, a, b, c, sentinels } = set(1);
    sentinels[1].stop(Shutdown::Kill);
    sentinels[2].stop(Shutdown::Kill);
    pass(&mut sim, 10);
    assert_eq!(
        sentinels[0].command(["SENTINEL", "CKQUORUM", "mymaster"]).to_string(),
        "(error) NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the specified quorum \
         for this master. Not enough available Sentinels to reach the majority and authorize a \
         failover"
    );
    a.stop(Shutdown::Kill);
    pass(&mut sim, 60);
    assert_eq!((role(&b), role(&c)), ("slave".into(), "slave".into()));
    assert_eq!(field(&sentinels[0], "flags"), "s_down,master,disconnected");
}

#[test]
fn a_client_hears_of_the_new_master() {
    let Set { mut sim, a, sentinels, .. } = set(1);
    sim.node_with("listener", sentinels[0].clone(), async |node, sentinel| {
        let mut listener = Subscription::connect(&node, &sentinel).await?;
        listener.psubscribe(["*"]).await?;
        while let Some(message) = listener.next().await {
            let message = message?;
            node.note(format!("{message:?}"));
            if format!("{message:?}").contains("+switch-master") {
                break;
            }
        }
        Ok::<(), redis::Error>(())
    });
    let stopped = a;
    sim.after(Duration::from_secs(1), move || stopped.stop(Shutdown::Kill));
    sim.run().expect_done();
    let notes = sim.trace().notes();
    for event in ["+sdown", "+odown", "+new-epoch", "+switch-master"] {
        assert!(notes.contains(event), "{event} is missing in {notes}");
    }
    assert!(notes.contains("mymaster redis-a 6379 redis-"), "{notes}");
}

#[test]
fn a_failover_can_be_asked_for() {
    let Set { mut sim, a, sentinels, .. } = set(1);
    a.command(["SET", "k", "v"]);
    pass(&mut sim, 2);
    assert_eq!(sentinels[1].command(["SENTINEL", "FAILOVER", "mymaster"]), Reply::OK);
    pass(&mut sim, 60);
    assert_eq!(role(&a), "slave");
    assert!(!master_of(&sentinels[0]).contains("redis-a"));
    assert_eq!(a.command(["GET", "k"]).as_text(), Some("v"));
}

#[test]
fn a_sentinel_has_its_own_commands_only() {
    let Set { mut sim, sentinels, .. } = set(1);
    sim.node_with("client", sentinels[0].clone(), async |node, sentinel| {
        let client = Client::connect(&node, &sentinel).await?;
        let error = client.call(["GET", "k"]).await.expect_err("there are no keys");
        node.note(error);
        let error = client.call(["PUBLISH", "c", "m"]).await.expect_err("it is refused");
        node.note(error);
        let error = client.call(["SENTINEL", "MASTER", "other"]).await.expect_err("unknown");
        node.note(error);
        let none = client.call(["SENTINEL", "get-master-addr-by-name", "other"]).await?;
        assert!(none.is_nil());
        let info = client.call(["INFO", "sentinel"]).await?;
        let info = info.as_text().expect("INFO is text").to_owned();
        let line = "master0:name=mymaster,status=ok,address=redis-a:6379,slaves=2,sentinels=3";
        assert!(info.contains(line), "{info}");
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
    let notes = sim.trace().notes();
    assert!(notes.contains("ERR unknown command 'GET', with args beginning with: 'k' "));
    assert!(notes.contains("ERR Only HELLO messages are accepted by Sentinel instances."));
    assert!(notes.contains("ERR No such master with that name"));
}

#[test]
fn all_sentinels_agree_upon_the_only_replica() {
    for seed in 0..3 {
        let mut sim = Sim::new(seed);
        let a = redis::start_named(&mut sim, "redis-a", quick());
        let b = redis::start_replicas(&mut sim, &a, ["redis-b"], quick()).remove(0);
        let options = SentinelOptions::new("mymaster", 2).with_down_after(Duration::from_secs(2));
        let sentinels = redis::start_sentinels(&mut sim, &a, ["s1", "s2", "s3"], options);
        pass(&mut sim, 15);
        a.stop(Shutdown::Kill);
        pass(&mut sim, 20);
        assert_eq!(role(&b), "master");
        for sentinel in &sentinels {
            assert!(master_of(sentinel).contains("redis-b"), "{}", master_of(sentinel));
        }
    }
}

/// The replies are those of redis-server 7.0.15.
#[test]
fn a_sentinel_describes_itself_and_the_others() {
    let Set { sentinels, .. } = set(1);
    let sentinel = &sentinels[0];
    let help = sentinel.command(["SENTINEL", "HELP"]).to_string();
    assert!(help.contains("CKQUORUM <master-name>") && help.contains("SIMULATE-FAILURE"));
    let others = sentinel.command(["SENTINEL", "SENTINELS", "mymaster"]).to_string();
    let id = sentinels[1].command(["SENTINEL", "MYID"]).to_string();
    assert!(others.matches(id.trim_matches('"')).count() == 2, "{others}");
    let monitor = |port: &str| {
        let words = ["SENTINEL", "MONITOR", "mymaster", "redis-a", port, "1"];
        sentinel.command(words).to_string()
    };
    assert_eq!(monitor("6379"), "(error) ERR Duplicate master name.");
    assert_eq!(monitor("99999"), "(error) ERR Invalid port number.");
}

#[cfg(feature = "lua")]
#[test]
fn a_script_that_does_not_end_is_killed() {
    let Set { mut sim, a, .. } = set(1);
    sim.daemon_with("client", a, async |node, a| {
        let client = Client::connect(&node, &a).await?;
        node.note(format!("{:?}", client.call(["EVAL", "while true do end", "0"]).await));
        Ok::<(), redis::Error>(())
    });
    pass(&mut sim, 30);
    assert!(sim.trace().notes().contains("Script killed by user"), "{}", sim.trace().notes());
}

#[test]
fn a_master_that_is_shut_down_is_replaced() {
    let Set { mut sim, a, b, c, sentinels } = set(4);
    a.command(["SHUTDOWN", "NOSAVE"]);
    pass(&mut sim, 60);
    assert!(!a.is_running());
    assert_eq!([&b, &c].into_iter().filter(|replica| role(replica) == "master").count(), 1);
    a.start();
    pass(&mut sim, 60);
    assert_eq!(role(&a), "slave");
    assert!(sentinels.iter().all(|sentinel| field(sentinel, "num-slaves") == "2"));
}
