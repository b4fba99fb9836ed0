//! A program that keeps scores, queues and entries in Redis.

use crate::{Words, over};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use stunt_double::redis::{self, Client, Error, ServerOptions, Version};
use stunt_double::sim::{Node, Sim};

/// The result that the program got, as text.
type Got = Result<String, Error>;

/// Connections: two to the server, and one to a server of the oldest version.
struct Clients {
    client: Client,
    other: Client,
    oldest: Client,
}

/// Code that runs on a node, with its connections.
type Run = fn(Node, Clients) -> Pin<Box<dyn Future<Output = Got> + Send>>;

/// A way in which the application uses Redis: the code, and what it expects to get.
struct Check {
    run: Run,
    words: Words,
}

const CHECKS: [Check; 7] = [
    Check {
        run: |_, clients| Box::pin(time_stamp(clients.client)),
        words: Words {
            name: "a time stamp that is a score is read back as it was written",
            expects: "1732756800.1234567",
            remedy: "compare scores as numbers, not as texts",
        },
    },
    Check {
        run: |node, clients| Box::pin(two_queues(node, clients.client, clients.other)),
        words: Words {
            name: "a transaction feeds two queues: the one that was fed first is served",
            expects: "second",
            remedy: "name the queues in the order in which they are to be served",
        },
    },
    Check {
        run: |_, clients| Box::pin(nested(clients.client)),
        words: Words {
            name: "a MULTI within a MULTI is an error, and the rest runs",
            expects: "ran",
            remedy: "begin a transaction once",
        },
    },
    Check {
        run: |_, clients| Box::pin(past(clients.client)),
        words: Words {
            name: "an entry whose time is over already is deleted: that is no expiry, and `INFO` counts none",
            expects: "expired_keys:0",
            remedy: "expect the event `expired` instead of `del`, and such entries in expired_keys",
        },
    },
    Check {
        run: |_, clients| Box::pin(far_index(clients.client)),
        words: Words {
            name: "an index far out of range is refused",
            expects: "ERR index out of range",
            remedy: "check in the program that an index fits in 32 bits",
        },
    },
    Check {
        run: |_, clients| Box::pin(health(clients.client)),
        words: Words {
            name: "a health check finds redis_mode",
            expects: "redis_mode:standalone",
            remedy: "look for server_mode, too, or set extended-redis-compatibility",
        },
    },
    Check {
        run: |_, clients| Box::pin(way_back(clients.client, clients.oldest)),
        words: Words {
            name: "the way back: Redis 7.0 restores what the server dumps",
            expects: "restored",
            remedy: "keep a copy from before the upgrade: older servers refuse newer files and payloads",
        },
    },
];

async fn way_back(client: Client, oldest: Client) -> Got {
    client.call(["SET", "k", "v"]).await?;
    let payload: Vec<u8> = client.call_as(["DUMP", "k"]).await?;
    let restore: [&[u8]; 4] = [b"RESTORE", b"k", b"0", &payload];
    Ok(match oldest.call(restore).await {
        Ok(_) => "restored".to_owned(),
        Err(error) => error.to_string(),
    })
}

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
        over(check.words, Version::ALL, |version, to| {
            let mut sim = Sim::new(seed);
            let options = ServerOptions::default().with_version(version);
            let redis = redis::start(&mut sim, options);
            let oldest = redis::start_named(&mut sim, "oldest", ServerOptions::default());
            let given = (redis, oldest, to, check.run);
            sim.node_with("app", given, async |node, (redis, oldest, to, run)| {
                let clients = Clients {
                    client: Client::connect(&node, &redis).await?,
                    other: Client::connect(&node, &redis).await?,
                    oldest: Client::connect(&node, &oldest).await?,
                };
                let got = run(node, clients).await?;
                *to.lock().expect("nothing panics") = Some(got);
                Ok::<(), Error>(())
            });
            sim.run().expect_done();
        });
    }
}
