//! The world of the order service: two servers, and a node for each of its parts.

use lapin::ConnectionProperties;
use order_service::{Error, Marker, Role, Servers, place, report, wait_until_done};
use redis::aio::MultiplexedConnection;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use stunt_double::adapter::redis_rs::Connect;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::redis::{AppendFsync, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};
use tokio::sync::watch;

pub(crate) const ORDERS: u64 = 20;

/// How a part of the service connects from its node.
#[derive(Clone)]
pub(crate) struct FromNode {
    pub(crate) node: Node,
    pub(crate) rabbit: RabbitMq,
    pub(crate) redis: Redis,
}

impl Servers for FromNode {
    async fn rabbitmq(&self) -> Result<lapin::Connection, Error> {
        Ok(self.rabbit.lapin(&self.node, ConnectionProperties::default()).await?)
    }

    async fn redis(&self) -> Result<MultiplexedConnection, Error> {
        Ok(self.redis.multiplexed(&self.node).await?)
    }
}

/// The handles with which a test disturbs the service.
pub(crate) struct World {
    pub(crate) rabbit: RabbitMq,
    pub(crate) redis: Redis,
    /// The parts of the service, but for the shop.
    pub(crate) parts: Vec<Node>,
    /// Whether the parts were asked to stop.
    pub(crate) is_over: Rc<Cell<bool>>,
    told: Rc<RefCell<Option<String>>>,
}

impl World {
    /// Returns what the service has reported.
    pub(crate) fn told(&self) -> Option<String> {
        self.told.borrow().clone()
    }
}

/// Starts a part of the service, which stops when its node is asked to terminate.
pub(crate) fn part(sim: &mut Sim, name: &str, role: Role, servers: &(RabbitMq, Redis)) -> Node {
    sim.tokio_node_with(name, (servers.clone(), role), async |node, ((rabbit, redis), role)| {
        let (stop, stopped) = watch::channel(false);
        let terminated = node.terminated();
        tokio::spawn(async move {
            terminated.await;
            let _ = stop.send(true);
        });
        order_service::run(FromNode { node, rabbit, redis }, role, stopped).await;
    })
}

/// Starts the servers.
pub(crate) fn servers(sim: &mut Sim) -> (RabbitMq, Redis) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let durable = ServerOptions::default().with_append_only(AppendFsync::Always);
    (rabbit, stunt_double::redis::start(sim, durable))
}

/// Starts the servers and every part of the service.
pub(crate) fn start(sim: &mut Sim, marker: Marker) -> World {
    let servers = servers(sim);
    let roles = [
        ("relay", Role::Relay),
        ("worker1", Role::Worker(marker)),
        ("worker2", Role::Worker(marker)),
        ("closer1", Role::Closer),
        ("closer2", Role::Closer),
    ];
    let parts: Vec<Node> =
        roles.into_iter().map(|(name, role)| part(sim, name, role, &servers)).collect();
    let (told, is_over) = (Rc::new(RefCell::new(None)), Rc::new(Cell::new(false)));
    let with = (servers.clone(), parts.clone(), Rc::clone(&told), Rc::clone(&is_over));
    sim.tokio_node_with("shop", with, async |node, ((rabbit, redis), parts, told, is_over)| {
        let servers = FromNode { node, rabbit, redis };
        place(&servers, ORDERS).await?;
        let waited = wait_until_done(&servers, ORDERS).await;
        // They finish what they have begun, and close their connections.
        is_over.set(true);
        parts.iter().for_each(Node::terminate);
        let report = report(&servers).await?;
        report.check(ORDERS)?;
        waited?;
        *told.borrow_mut() = Some(report.to_string());
        Ok::<(), Error>(())
    });
    let (rabbit, redis) = servers;
    World { rabbit, redis, parts, is_over, told }
}
