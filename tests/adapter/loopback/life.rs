//! Starting, stopping, restarting and dropping servers.

use crate::{ask, bulk, connect, expect, send, start};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use stunt_double::Shutdown;
use stunt_double::adapter::loopback::{Options, Server, StartError};
use stunt_double::redis::value::End;
use stunt_double::redis::{AppendFsync, ServerOptions};

/// Set for a child process, in which no other test runs.
const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";

/// Starts both servers on ports that the system gives to nobody who asks for any port, so that no
/// other test can take them while they are free.
fn start_with_ports_of_its_own(options: &Options) -> Server {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id() * 64 + NEXT.fetch_add(2, Relaxed);
        let port = 10_000 + (number % 20_000) as u16;
        let options = options.clone().with_redis_port(port).with_rabbitmq_port(port + 1);
        match Server::start(options) {
            Ok(server) => return server,
            Err(StartError::AddressInUse(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn both_servers_answer_at_their_urls() {
    let server = start();
    let port = server.redis_addr().port();
    assert_eq!(server.redis_url(), format!("redis://127.0.0.1:{port}/"));
    ask(&mut connect(server.redis_addr()), "PING\r\n", "+PONG\r\n");
    let info = bulk(&mut connect(server.redis_addr()), "INFO server\r\n");
    assert!(info.contains(&format!("tcp_port:{port}\r\n")), "{info}");
    // It began now, not with its clock, which began decades ago. The machine may be slow.
    let uptime = info.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:")).unwrap();
    assert!(uptime.parse::<u64>().unwrap() < 3600, "{info}");

    let port = server.amqp_addr().port();
    assert_eq!(server.amqp_url(), format!("amqp://guest:guest@127.0.0.1:{port}/%2f"));
    let mut client = connect(server.amqp_addr());
    client.write_all(b"AMQP\0\0\x09\x01").unwrap();
    let mut start = [0; 11];
    client.read_exact(&mut start).unwrap();
    // A frame of a method on channel 0: connection.start.
    assert_eq!((start[0], &start[7..]), (1, &[0, 10, 0, 10][..]));
    server.rabbitmq(|broker, _| assert!(broker.list_queues().is_empty()));
}

#[test]
fn servers_do_not_disturb_each_other() {
    let servers: Vec<Server> = (0..10).map(|_| start()).collect();
    for (i, server) in servers.iter().enumerate() {
        ask(&mut connect(server.redis_addr()), &format!("SET k {i}\r\n"), "+OK\r\n");
    }
    for (i, server) in servers.iter().enumerate() {
        ask(&mut connect(server.redis_addr()), "GET k\r\n", &format!("$1\r\n{i}\r\n"));
    }
}

#[test]
fn a_dropped_server_closes_its_sockets_and_frees_its_ports() {
    let server = start_with_ports_of_its_own(&Options::default());
    let (redis, amqp) = (server.redis_addr(), server.amqp_addr());
    let mut client = connect(redis);
    ask(&mut client, "PING\r\n", "+PONG\r\n");
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    for addr in [redis, amqp] {
        assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    let options = Options::default().with_redis_port(redis.port()).with_rabbitmq_port(amqp.port());
    let server = Server::start(options).unwrap();
    assert_eq!((server.redis_addr(), server.amqp_addr()), (redis, amqp));
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_servers_leak_neither_threads_nor_sockets() {
    if std::env::var_os(CHILD).is_none() {
        let name = "life::a_thousand_servers_leak_neither_threads_nor_sockets";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD, "1")
            .status();
        return assert!(status.unwrap().success());
    }
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let before = (count("task"), count("fd"));
    for _ in 0..1_000 {
        let server = start();
        let mut client = connect(server.redis_addr());
        ask(&mut client, "PING\r\n", "+PONG\r\n");
    }
    // The system lists a thread that was joined a moment longer.
    for _ in 0..10_000 {
        if (count("task"), count("fd")) == before {
            return;
        }
        std::thread::yield_now();
    }
    assert_eq!((count("task"), count("fd")), before);
}

#[test]
fn a_port_in_use_is_refused_with_a_sentence() {
    let server = start();
    let taken = server.redis_addr();
    let error = Server::start(Options::default().with_redis_port(taken.port())).unwrap_err();
    assert!(matches!(error, StartError::AddressInUse(addr) if addr == taken));
    assert!(error.to_string().contains("let the system choose one"), "{error}");
    let error = Server::start(Options::default().without_redis().without_rabbitmq()).unwrap_err();
    assert!(matches!(error, StartError::NoServer), "{error}");
}

#[test]
#[should_panic(expected = "without Redis")]
fn a_server_that_was_left_out_has_no_url() {
    let server = Server::start(Options::default().without_redis()).unwrap();
    let _ = server.redis_url();
}

#[test]
fn a_stopped_redis_ends_its_connections_and_comes_back_with_its_data() {
    let kept = ServerOptions::default().with_append_only(AppendFsync::Always);
    let server = start_with_ports_of_its_own(&Options::default().with_redis(kept));
    for how in [Shutdown::Clean, Shutdown::Kill] {
        let mut client = connect(server.redis_addr());
        ask(&mut client, "SET k v\r\n", "+OK\r\n");
        server.stop_redis(how);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let refused = TcpStream::connect(server.redis_addr()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        server.start_redis().unwrap();
        server.start_redis().unwrap();
        ask(&mut connect(server.redis_addr()), "GET k\r\n", "$1\r\nv\r\n");
    }
    let mut client = connect(server.redis_addr());
    ask(&mut client, "PING\r\n", "+PONG\r\n");
    server.stop_redis(Shutdown::PowerLoss);
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// As a process that ends: its port is free, and only the test can start it again.
#[test]
fn a_redis_that_a_client_has_ended_leaves_its_port() {
    let server = start_with_ports_of_its_own(&Options::default());
    for request in ["SHUTDOWN NOSAVE\r\n", "DEBUG SEGFAULT\r\n"] {
        let mut client = connect(server.redis_addr());
        send(&mut client, request);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "closed or reset");
        let refused = TcpStream::connect(server.redis_addr()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        server.start_redis().unwrap();
        ask(&mut connect(server.redis_addr()), "PING\r\n", "+PONG\r\n");
    }
}

#[test]
fn a_server_is_waited_for_until_its_clients_have_ended_it() {
    let server = Server::start(Options::default().without_rabbitmq()).unwrap();
    let mut client = connect(server.redis_addr());
    send(&mut client, "SHUTDOWN NOSAVE\r\n");
    server.wait();
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "closed or reset");
}

#[test]
fn a_stopped_rabbitmq_resets_its_connections() {
    let server = start_with_ports_of_its_own(&Options::default());
    let mut client = connect(server.amqp_addr());
    client.write_all(b"AMQP\0\0\x09\x01").unwrap();
    client.read_exact(&mut [0; 11]).unwrap();
    server.stop_rabbitmq(Shutdown::Kill);
    // What had arrived before may be read first.
    let mut rest = Vec::new();
    assert_eq!(client.read_to_end(&mut rest).unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.start_rabbitmq().unwrap();
    connect(server.amqp_addr());
}

#[test]
fn a_port_that_something_else_took_is_refused_at_the_restart() {
    let server = start_with_ports_of_its_own(&Options::default());
    server.stop_redis(Shutdown::Clean);
    let taken = std::net::TcpListener::bind(server.redis_addr()).unwrap();
    let error = server.start_redis().unwrap_err();
    assert!(matches!(error, StartError::AddressInUse(_)), "{error}");
    drop(taken);
    server.start_redis().unwrap();
    ask(&mut connect(server.redis_addr()), "PING\r\n", "+PONG\r\n");
}

#[test]
fn the_test_serves_a_blocked_client() {
    let server = start();
    let mut client = connect(server.redis_addr());
    let mut other = connect(server.redis_addr());
    send(&mut client, "BLPOP jobs 0\r\n");
    while !bulk(&mut other, "INFO clients\r\n").contains("blocked_clients:1") {}
    server.redis(|redis, _| {
        let jobs = redis.database(0).unwrap();
        jobs.push(b"jobs", End::Right, &[b"a"]).unwrap();
    });
    expect(&mut client, "*2\r\n$4\r\njobs\r\n$1\r\na\r\n");
}
