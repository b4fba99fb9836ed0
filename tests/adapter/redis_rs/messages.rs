//! Subscriptions: redis-rs' `PubSub`, and push messages of RESP3.

use super::adapter::Connect;
use super::redis::{
    AsyncCommands, AsyncConnectionConfig, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo,
    RedisResult,
};
use super::support::{next, run};
use std::sync::mpsc;
use std::time::Duration;
use stunt_double::redis::{ServerOptions, start};
use stunt_double::sim::{Latency, Node, Sim};

#[test]
fn a_pubsub_receives_messages_in_order() {
    run(async |node, server| {
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let info = RedisConnectionInfo::default().set_protocol(protocol);
            let mut messages = server.pubsub_with(&node, &info).await?;
            messages.subscribe(&["news", "weather"]).await?;
            messages.psubscribe("w*").await?;
            let mut con = server.connection(&node).await?;
            assert_eq!(con.publish::<_, _, i64>("news", "one").await?, 1);
            assert_eq!(con.publish::<_, _, i64>("weather", "two").await?, 2);
            let mut got = Vec::new();
            for _ in 0..3 {
                let message = next(messages.on_message()).await.unwrap();
                got.push((message.get_channel_name().to_owned(), message.get_payload::<String>()?));
            }
            let expected = [("news", "one"), ("weather", "two"), ("weather", "two")];
            assert_eq!(got, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
            messages.unsubscribe("news").await?;
            assert_eq!(con.publish::<_, _, i64>("news", "three").await?, 0);
        }
        Ok(())
    });
}

#[test]
fn a_pubsub_works_across_latency_and_beside_other_tasks() {
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    let node = sim.node_with("client", server.clone(), async |node: Node, server| {
        let messages = Connect::pubsub(&server, &node).await?;
        let (mut sink, mut stream) = messages.split();
        let publisher = node.clone();
        drop(node.spawn(async move {
            let mut con = Connect::connection(&server, &publisher).await?;
            for i in 0..10 {
                publisher.sleep(Duration::from_secs(1)).await;
                let () = con.publish("news", i).await?;
            }
            RedisResult::Ok(())
        }));
        sink.subscribe("news").await?;
        for i in 0..10 {
            let message = next(&mut stream).await.unwrap();
            assert_eq!(message.get_payload::<i64>()?, i);
        }
        RedisResult::Ok(())
    });
    node.link(&server).set_latency(Latency::Constant(Duration::from_millis(5)));
    sim.run().expect_done();
}

#[test]
fn a_dropped_pubsub_unsubscribes() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        let mut messages = server.pubsub(&node).await?;
        messages.subscribe("news").await?;
        assert_eq!(con.publish::<_, _, i64>("news", "x").await?, 1);
        drop(messages);
        node.sleep(Duration::from_millis(1)).await;
        assert_eq!(con.publish::<_, _, i64>("news", "x").await?, 0);
        Ok(())
    });
}

#[test]
fn the_stream_of_a_pubsub_ends_with_its_server() {
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    sim.node_with("client", server.clone(), async |node: Node, server| {
        let mut messages = Connect::pubsub(&server, &node).await?;
        messages.subscribe("news").await?;
        assert!(next(messages.on_message()).await.is_none());
        assert_eq!(node.now().since_start(), Duration::from_secs(5));
        let error = messages.subscribe("more").await.unwrap_err();
        assert!(error.is_connection_dropped(), "{error}");
        RedisResult::Ok(())
    });
    sim.after(Duration::from_secs(5), move || server.crash());
    sim.run().expect_done();
}

#[test]
fn push_messages_reach_their_sender() {
    run(async |node, server| {
        let (sender, pushes) = mpsc::channel::<PushInfo>();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        let mut con = server.multiplexed_with(&node, &info, config.set_push_sender(sender)).await?;
        con.subscribe("news").await?;
        assert_eq!(pushes.try_recv().unwrap().kind, PushKind::Subscribe);
        let () = con.set("k", 1).await?;
        let mut other = server.connection(&node).await?;
        let () = other.publish("news", "hello").await?;
        assert_eq!(con.get::<_, i64>("k").await?, 1);
        assert_eq!(pushes.try_recv().unwrap().kind, PushKind::Message);
        server.crash();
        node.sleep(Duration::from_millis(1)).await;
        assert_eq!(pushes.try_recv().unwrap().kind, PushKind::Disconnection);
        Ok(())
    });
}
