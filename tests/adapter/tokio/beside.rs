//! A world beside a tokio of its own.

use std::future::pending;
use std::time::Duration;
use stunt_double::redis::{self, Client, ServerOptions};
use stunt_double::sim::{Latency, Outcome, Sim};
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn the_world_follows_tokio_from_event_to_event() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    let node = sim.daemon("test", async |_| pending::<()>().await);
    node.link(&redis).set_latency(Latency::Constant(Duration::from_nanos(1_234_567)));
    let before = sim.now();
    let code = async move {
        let start = Instant::now();
        let equal = |start: Instant| assert_eq!(node.now() - before, start.elapsed());
        let client = Client::connect(&node, &redis).await.unwrap();
        equal(start);
        assert_eq!(start.elapsed().as_nanos() % 1_234_567, 0);
        client.call(["SET", "k", "v", "PX", "1500"]).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        equal(start);
        // Another task of the runtime, at the same time.
        let (other_node, other_redis) = (node.clone(), redis.clone());
        let popped = tokio::spawn(async move {
            let client = Client::connect(&other_node, &other_redis).await.unwrap();
            client.call(["BLPOP", "list", "10"]).await.unwrap()
        });
        sleep(Duration::from_secs(3)).await;
        client.call(["RPUSH", "list", "x"]).await.unwrap();
        assert!(format!("{:?}", popped.await.unwrap()).contains('x'));
        equal(start);
        assert_eq!(client.call(["GET", "k"]).await.unwrap(), redis::Reply::Nil);
        let late = timeout(Duration::from_secs(5), client.call(["BLPOP", "list", "10"])).await;
        assert!(late.is_err());
        equal(start);
        start.elapsed()
    };
    let elapsed = sim.run_beside(code).await.unwrap();
    assert!(elapsed > Duration::from_secs(8) && elapsed < Duration::from_millis(8_200));
    assert_eq!(sim.now() - before, elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_failing_node_ends_it() {
    let mut sim = Sim::new(1);
    sim.node("fails", async |node| {
        node.sleep(Duration::from_secs(1)).await;
        Err::<(), _>("out of luck")
    });
    let ended = sim.run_beside(pending::<()>()).await;
    let Err(outcome) = ended else { panic!("the node failed") };
    assert!(matches!(*outcome, Outcome::Failed(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_tokios_clock_is_caught_up_with_in_order() {
    let mut sim = Sim::new(1);
    sim.daemon("ticker", async |node| {
        loop {
            node.sleep(Duration::from_secs(1)).await;
            node.note("tick");
        }
    });
    sim.run_beside(async { tokio::time::advance(Duration::from_secs(10)).await }).await.unwrap();
    sim.run_beside(async { sleep(Duration::from_secs(10)).await }).await.unwrap();
    assert_eq!(sim.now().to_string(), "20s");
    assert_eq!(sim.trace().notes().lines().count(), 20);
}

#[tokio::test]
#[should_panic(expected = "not paused")]
async fn a_real_clock_is_refused() {
    let _ = Sim::new(1).run_beside(async {}).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_the_world_that_tokio_wakes_runs_at_the_present_time() {
    let mut sim = Sim::new(1);
    let node = sim.daemon("test", async |_| pending::<()>().await);
    let inner = node.clone();
    let before = sim.now();
    let code = async move {
        let joined = node.spawn(async move {
            sleep(Duration::from_secs(10)).await;
            inner.now()
        });
        joined.await.unwrap()
    };
    assert_eq!(sim.run_beside(code).await.unwrap() - before, Duration::from_secs(10));
}
