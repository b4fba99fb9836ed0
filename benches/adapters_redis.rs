//! The cost of a command of redis-rs in a world, beside the same code against a real `redis-server`
//! on a unix socket, if one is installed.
//!
//! `cargo bench -p stunt-double-benches --features adapters --bench adapters_redis`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis::aio::ConnectionLike;
use redis::{AsyncCommands, Client, Commands};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stunt_double::adapter::redis_rs::{Connect, StandIn};
use stunt_double::redis::{Redis, ServerOptions, start};
use stunt_double::sim::{Config, Node, Retention, Sim};

/// The code under test: one command after another.
async fn get(con: &mut (impl ConnectionLike + Send + Sync), times: u64) {
    for _ in 0..times {
        let value: String = con.get("key").await.expect("the server answers");
        assert_eq!(value.len(), 8);
    }
}

/// Runs `work` in a world and returns how long the run took.
fn in_a_world<F>(config: Config, work: impl FnOnce(Node, Redis) -> F + 'static) -> Duration
where
    F: Future<Output = ()> + 'static,
{
    let mut sim = Sim::with_config(config);
    let server = start(&mut sim, ServerOptions::default());
    server.command(["SET", "key", "value:00"]);
    let work = Arc::new(Mutex::new(Some(work)));
    sim.node_with("client", server, move |node, server| {
        let work = work.lock().expect("nobody panics").take().expect("the node starts once");
        work(node, server)
    });
    let began = Instant::now();
    sim.run().expect_done();
    began.elapsed()
}

/// A private `redis-server` on a unix socket.
struct Real {
    child: Child,
    folder: PathBuf,
}

impl Real {
    fn start() -> Option<Real> {
        let folder = std::env::temp_dir().join(format!("adapters-redis-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok()?;
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(folder.join("redis.sock"))
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let real = Real { child, folder };
        let limit = Instant::now() + Duration::from_secs(5);
        while real.client().get_connection().is_err() {
            if Instant::now() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(real)
    }

    fn client(&self) -> Client {
        let path = self.folder.join("redis.sock");
        Client::open(format!("unix:{}", path.display())).expect("the path is a URL")
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn one_by_one(c: &mut Criterion) {
    let mut group = c.benchmark_group("redis-rs GET, one by one");
    group.throughput(Throughput::Elements(1));
    let settings = [
        ("", Config::new(1)),
        (", without a trace", Config::new(1).with_retention(Retention::Off)),
    ];
    for (name, config) in settings {
        group.bench_function(format!("multiplexed, in a world{name}"), |b| {
            b.iter_custom(|times| {
                in_a_world(config.clone(), async move |node, server| {
                    get(&mut server.multiplexed(&node).await.expect("it runs"), times).await;
                })
            });
        });
    }
    group.bench_function("light, in a world", |b| {
        b.iter_custom(|times| {
            in_a_world(Config::new(1), async move |node, server| {
                get(&mut server.connection(&node).await.expect("it runs"), times).await;
            })
        });
    });
    group.bench_function("blocking, on a stand-in", |b| {
        let mut con = StandIn::redis().connection().expect("it runs");
        let () = con.set("key", "value:00").expect("it answers");
        b.iter(|| con.get::<_, String>("key").expect("it answers"));
    });
    let Some(real) = Real::start() else {
        println!("no redis-server to compare with");
        return group.finish();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut con = real.client().get_connection().expect("it answers");
    let () = con.set("key", "value:00").expect("it answers");
    group.bench_function("multiplexed, real server, unix socket", |b| {
        b.iter_custom(|times| {
            runtime.block_on(async {
                let con = real.client().get_multiplexed_async_connection().await;
                let mut con = con.expect("it answers");
                let began = Instant::now();
                get(&mut con, times).await;
                began.elapsed()
            })
        });
    });
    group.bench_function("blocking, real server, unix socket", |b| {
        b.iter(|| con.get::<_, String>("key").expect("it answers"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = one_by_one
}
criterion_main!(benches);
