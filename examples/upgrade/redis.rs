//! A program that keeps scores, queues and entries in Redis.

use crate::over;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use stunt_double::redis::{self, Client, Error, ServerOptions, Version};
use stunt_double::sim::{Node, Sim};

/// The result that the program got, as text.
type Got = Result<String, Error>;

/// Code that runs on a node, with two connections.
type Run = fn(Node, Client, Client) -> Pin<Box<dyn Future<Output = Got> + Send>>;

/// A way in which the application uses Redis: a name, the code, and what it expects to get.
struct Check {
    name: &'static str,
    run: Run,
    expects: &'static str,
}

const CHECKS: [Check; 6] = [
    Check {
        name: "a time stamp that is a score is read back as it was written",
        run: |_, client, _| Box::pin(time_stamp(client)),
        expects: "1732756800.1234567",
    },
    Check {
        name: "a transaction feeds two queues: the one that was fed first is served",
        run: |node, client, other| Box::pin(two_queues(node, client, other)),
        expects: "second",
    },
    Check {
        name: "a MULTI within a MULTI is an error, and the rest runs",
        run: |_, client, _| Box::pin(nested(client)),
        expects: "ran",
    },
    Check {
        name: "an entry whose time is over already is deleted, not expired",
        run: |_, client, _| Box::pin(past(client)),
        expects: "expired_keys:0",
    },
    Check {
        name: "an index far out of range is refused",
        run: |_, client, _| Box::pin(far_index(client)),
        expects: "ERR index out of range",
    },
    Check {
        name: "a health check finds redis_mode",
        run: |_, client, _| Box::pin(health(client)),
        expects: "redis_mode:standalone",
    },
];

async fn time_stamp(client: Client) -> Got {
    client.call(["ZADD", "seen", "1732756800.1234567", "a"]).await?;
    client.call_as(["ZSCORE", "seen", "a"]).await
}

async fn two_queues(node: Node, client: Client, other: Client) -> Got {
    let waits = node.spawn(async move {
        client.call_as::<Vec<String>, _>(["BLPOP", "first", "second", "0"]).await
    });
    node.sleep(Duration::from_millis(10)).await;
    let pushes = redis::Pipeline::new()
        .command(["RPUSH", "second", "job"])
        .command(["RPUSH", "first", "job"]);
    other.transaction(&pushes).await?;
    let popped = waits.await.expect("nobody kills the task")?;
    Ok(popped.into_iter().next().unwrap_or_default())
}

async fn nested(client: Client) -> Got {
    client.call(["MULTI"]).await?;
    let _ = client.call(["MULTI"]).await;
    client.call(["SET", "k", "v"]).await?;
    Ok(match client.call(["EXEC"]).await {
        Ok(_) => "ran".to_owned(),
        Err(error) => error.to_string(),
    })
}

async fn past(client: Client) -> Got {
    client.call(["SET", "entry", "v"]).await?;
    client.call(["EXPIRE", "entry", "-1"]).await?;
    let stats: String = client.call_as(["INFO", "stats"]).await?;
    Ok(line(&stats, "expired_keys"))
}

async fn far_index(client: Client) -> Got {
    client.call(["RPUSH", "list", "a", "b"]).await?;
    match client.call(["LSET", "list", "4294967296", "x"]).await {
        Ok(_) => client
            .call_as(["LINDEX", "list", "0"])
            .await
            .map(|first: String| format!("no error; the first element is {first}")),
        Err(error) => Ok(error.to_string()),
    }
}

async fn health(client: Client) -> Got {
    let server: String = client.call_as(["INFO", "server"]).await?;
    Ok(line(&server, "redis_mode"))
}

/// Returns the line of a field.
fn line(info: &str, field: &str) -> String {
    let found = info.lines().find(|line| line.starts_with(field));
    found.map_or_else(|| format!("no {field}"), str::to_owned)
}

/// Runs the checks over all versions of Redis and Valkey.
pub(crate) fn run(seed: u64) {
    for check in &CHECKS {
        over(check.name, check.expects, Version::ALL, |version, to| {
            let mut sim = Sim::new(seed);
            let options = ServerOptions::default().with_version(version);
            let redis = redis::start(&mut sim, options);
            sim.node_with("app", (redis, to, check.run), async |node, (redis, to, run)| {
                let client = Client::connect(&node, &redis).await?;
                let other = Client::connect(&node, &redis).await?;
                let got = run(node, client, other).await?;
                *to.lock().expect("nothing panics") = Some(got);
                Ok::<(), Error>(())
            });
            sim.run().expect_done();
        });
    }
}
