//! One service, three ways: the order service of the examples against the real servers and in a
//! world reports the same.

use crate::rabbitmq::node::Node;
use crate::server::RealServer;
use std::process::Command;

/// Runs a package of this repository, and returns what it prints.
fn run(package: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--quiet", "--locked", "--release", "--package", package, "--"])
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("cargo runs this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package} failed: {said}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn the_order_service_does_the_same_against_real_servers_and_in_a_world() {
    let Some(redis) = RealServer::start(&[]) else { return };
    let Some(rabbitmq) = Node::start() else { return };
    let urls = [("AMQP_URL", rabbitmq.url()), ("REDIS_URL", redis.url())];
    let urls = urls.each_ref().map(|(name, url)| (*name, url.as_str()));
    let real = run("order-service", &[], &urls);
    let in_a_world = run("app-in-a-world", &["--report"], &[]);
    assert_eq!(in_a_world, real);
    print!("the real servers and a world say:\n{real}");
}
