//! Servers that reach each other in a world: each has a companion, a process on the same machine
//! that opens connections for it.
//!
//! A server as a value opens no connection. It says what it wants ([`Dial`]), and its companion
//! does it: it connects through the simulated network as any node does, so latency, partitions and
//! crashes act on what servers say to each other. A companion lives and dies with its server. What
//! it does is background work: it does not keep a run going.
//!
//! Hosts are the names of servers. A name that nobody has, and a port on which the server does not
//! listen, refuse a connection.

use crate::redis::server::{Dial, DialAction};
use crate::sim::service::Service;
use crate::sim::{ByteConnection, Disconnected, Link, Node, ServiceHandle, Sim};
use crate::time::Instant;
use indexmap::IndexMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// A machine that opens connections of bytes.
pub(crate) trait Dialer: Service {
    fn poll_dial(&mut self) -> Option<Dial>;
    fn dialed(&mut self, now: Instant, link: u64, open: bool);
    fn dial_received(&mut self, now: Instant, link: u64, bytes: &[u8]);
    fn dial_closed(&mut self, now: Instant, link: u64);
    /// Returns a line for the trace, if there is one.
    fn take_note(&mut self) -> Option<String>;
    /// The port on which it listens.
    fn port(&self) -> u16;
}

type Opening = Pin<Box<dyn Future<Output = Result<ByteConnection, Disconnected>> + Send>>;

/// A server of any kind, as others reach it.
pub(crate) trait Peer: Send + Sync {
    fn connect(&self, node: Node) -> Opening;
    fn port(&self) -> u16;
    fn link(&self, node: &Node) -> Link;
}

impl<S: Dialer> Peer for ServiceHandle<S> {
    fn connect(&self, node: Node) -> Opening {
        let service = self.clone();
        Box::pin(async move { ByteConnection::connect(&node, &service).await })
    }

    fn port(&self) -> u16 {
        self.inspect(Dialer::port)
    }

    fn link(&self, node: &Node) -> Link {
        node.link(self)
    }
}

/// A server of a group, and its companion.
struct Member {
    peer: Arc<dyn Peer>,
    companion: Node,
}

/// Servers that can reach each other, by name. All clones are the same group.
#[derive(Clone, Default)]
pub(crate) struct Group(Arc<Mutex<IndexMap<String, Member>>>);

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().keys()).finish()
    }
}

impl Group {
    fn lock(&self) -> std::sync::MutexGuard<'_, IndexMap<String, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a server, with a companion of its own.
    pub(crate) fn join<S: Dialer>(&self, sim: &mut Sim, service: &ServiceHandle<S>) {
        let name = service.name().to_owned();
        if self.lock().contains_key(&name) {
            return;
        }
        let (group, own) = (self.clone(), service.clone());
        let companion = sim.companion(&format!("{name}-link"), service, move |node| {
            let pump = Pump { group: group.clone(), service: own.clone(), node: node.clone() };
            node.spawn_follower(pump.run());
            std::future::pending::<()>()
        });
        let peer: Arc<dyn Peer> = Arc::new(service.clone());
        self.lock().insert(name, Member { peer, companion });
    }

    /// Returns the server that listens there.
    fn find(&self, host: &str, port: u16) -> Option<Arc<dyn Peer>> {
        let peer = Arc::clone(&self.lock().get(host)?.peer);
        (peer.port() == port).then_some(peer)
    }

    /// Returns the link from one server's companion to another server.
    pub(crate) fn link(&self, from: &str, to: &str) -> Option<Link> {
        let members = self.lock();
        let (from, to) = (members.get(from)?, members.get(to)?);
        let (node, peer) = (from.companion.clone(), Arc::clone(&to.peer));
        drop(members);
        Some(peer.link(&node))
    }
}

/// Number of bytes that are read at once.
const READ_AT_ONCE: usize = 16 * 1024;

enum Line {
    /// It is being opened, and these bytes are sent then.
    Opening(Opening, Vec<u8>),
    Open(ByteConnection),
}

/// A companion's work.
struct Pump<S: Dialer> {
    group: Group,
    service: ServiceHandle<S>,
    node: Node,
}

impl<S: Dialer> Pump<S> {
    async fn run(self) {
        let mut lines: IndexMap<u64, Line> = IndexMap::new();
        let mut room = vec![0; READ_AT_ONCE];
        poll_fn(|cx| {
            loop {
                let dialed = self.poll_errands(cx, &mut lines);
                let heard = self.poll_lines(cx, &mut lines, &mut room);
                if !dialed && !heard {
                    return Poll::<()>::Pending;
                }
            }
        })
        .await;
    }

    /// Tells the machine something, and writes to the trace what it has to say.
    fn tell(&self, call: impl FnOnce(&mut S, Instant)) {
        let note = self.service.with(|machine, now| {
            call(machine, now);
            machine.take_note()
        });
        if let Some(note) = note {
            self.service.note(&note);
        }
    }

    /// Does what the machine wants. Returns whether that was anything.
    fn poll_errands(&self, cx: &Context<'_>, lines: &mut IndexMap<u64, Line>) -> bool {
        let mut any = false;
        while let Poll::Ready(dial) = self.service.poll_errand(cx, Dialer::poll_dial) {
            any = true;
            let Dial { link, action } = dial;
            match action {
                DialAction::Open { host, port } => match self.group.find(&host, port) {
                    Some(peer) => {
                        lines.insert(
                            link,
                            Line::Opening(peer.connect(self.node.clone()), Vec::new()),
                        );
                    }
                    None => self.tell(|machine, now| machine.dialed(now, link, false)),
                },
                DialAction::Send(bytes) => match lines.get_mut(&link) {
                    // Its end is noticed when it is read.
                    Some(Line::Open(line)) => drop(line.write(&bytes)),
                    Some(Line::Opening(_, waiting)) => waiting.extend(bytes),
                    None => {}
                },
                DialAction::Close => {
                    lines.shift_remove(&link);
                }
            }
        }
        any
    }

    /// Tells the machine what has happened to its connections. Returns whether that was anything.
    fn poll_lines(
        &self,
        cx: &mut Context<'_>,
        lines: &mut IndexMap<u64, Line>,
        room: &mut [u8],
    ) -> bool {
        let mut any = false;
        let numbers: Vec<u64> = lines.keys().copied().collect();
        for number in numbers {
            let Some(line) = lines.get_mut(&number) else { continue };
            match line {
                Line::Opening(opening, waiting) => {
                    let Poll::Ready(opened) = opening.as_mut().poll(cx) else { continue };
                    any = true;
                    let open = opened.is_ok();
                    match opened {
                        Ok(connection) => {
                            let _ = connection.write(waiting);
                            *line = Line::Open(connection);
                        }
                        Err(_) => drop(lines.shift_remove(&number)),
                    }
                    self.tell(|machine, now| machine.dialed(now, number, open));
                }
                Line::Open(connection) => {
                    let Poll::Ready(read) = connection.poll_read(cx, room) else { continue };
                    any = true;
                    match read {
                        Ok(0) | Err(_) => {
                            lines.shift_remove(&number);
                            self.tell(|machine, now| machine.dial_closed(now, number));
                        }
                        Ok(len) => {
                            let bytes = &room[..len];
                            self.tell(|machine, now| machine.dial_received(now, number, bytes));
                        }
                    }
                }
            }
        }
        any
    }
}
