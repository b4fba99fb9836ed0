//! `DEBUG SLEEP`: a server that does nothing for a while.
//!
//! Nobody is served, and nothing is sent, not even what was said before. Within a
//! transaction the rest of it runs when the sleep is over; the clock has gone on by then
//! (`TIME`, `PTTL`), but keys expire as of the beginning of the transaction.
//!
//! On waking the server goes on in this order: the rest of what it had read from the
//! client that slept; blocked clients whose time is up; what has come meanwhile, in order.
//!
//! Source: `debug.c`, `networking.c` (`processInputBuffer`), `server.c` (`beforeSleep`), and
//! asking the server.

use super::transaction::Exec;
use super::{ClientId, Request, Server};
use crate::redis::command::Args;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::time::Instant;
use std::collections::VecDeque;

/// Who sleeps.
#[derive(Debug)]
struct Asleep {
    until: Instant,
    client: ClientId,
    /// When the request that sleeps had come.
    read_at: Instant,
    /// The transaction that goes on then.
    exec: Option<Exec>,
}

/// What came while nobody listened.
#[derive(Debug)]
enum Late {
    Request { client: ClientId, at: Instant, request: Request },
    Disconnected(ClientId),
}

/// `DEBUG SLEEP`.
#[derive(Debug, Default)]
pub(crate) struct Sleep {
    asleep: Option<Asleep>,
    late: VecDeque<Late>,
    /// When the request that is served now had come.
    pub(super) read_at: Instant,
}

impl Sleep {
    /// When the server wakes, if it sleeps.
    pub(super) fn until(&self) -> Option<Instant> {
        self.asleep.as_ref().map(|asleep| asleep.until)
    }

    /// Whether nothing that came meanwhile is left to be read.
    pub(super) fn is_settled(&self) -> bool {
        self.late.is_empty()
    }

    /// Whether a transaction goes on when it wakes.
    pub(super) fn is_within_transaction(&self) -> bool {
        self.asleep.as_ref().is_some_and(|asleep| asleep.exec.is_some())
    }
}

impl Server {
    /// Whether nobody is served.
    pub(crate) fn is_asleep(&self) -> bool {
        self.sleep.asleep.is_some()
    }

    /// Falls asleep for a client, which is answered when it wakes.
    pub(crate) fn fall_asleep(&mut self, client: ClientId, until: Instant) {
        let read_at = self.sleep.read_at;
        self.sleep.asleep = Some(Asleep { until, client, read_at, exec: None });
    }

    /// The transaction that fell asleep goes on with this when the server wakes.
    pub(crate) fn sleep_within(&mut self, exec: Exec) {
        if let Some(asleep) = &mut self.sleep.asleep {
            asleep.exec = Some(exec);
        }
    }

    /// Whether the server sleeps on behalf of this client.
    pub(super) fn sleeps_for(&self, client: ClientId) -> bool {
        self.sleep.asleep.as_ref().is_some_and(|asleep| asleep.client == client)
    }

    /// Keeps a request until the server wakes.
    pub(super) fn keep_request(&mut self, at: Instant, client: ClientId, request: Args<'_>) {
        if self.may_wait(client, request) {
            let request = request.iter().map(|arg| Sds::new(arg)).collect();
            self.sleep.late.push_back(Late::Request { client, at, request });
        }
    }

    /// A connection that ends is noticed when the server wakes.
    pub(super) fn keep_disconnect(&mut self, client: ClientId) {
        self.sleep.late.push_back(Late::Disconnected(client));
    }

    /// Ends a sleep that is over, and goes on with what had been read from the client that
    /// slept, which is returned.
    pub(crate) fn wake(&mut self, now: Instant) -> Option<ClientId> {
        let asleep = self.sleep.asleep.take_if(|asleep| asleep.until <= now)?;
        let client = asleep.client;
        match asleep.exec {
            None => {
                self.advance(now);
                self.reply(client, Reply::OK);
            }
            Some(exec) => {
                self.now = self.now.max(now);
                for database in &mut self.databases {
                    database.advance_within_transaction(now);
                }
                self.run_transaction(exec);
            }
        }
        self.sleep.read_at = asleep.read_at;
        if !self.is_asleep() {
            self.command_ends(client);
            // It may have sent more before it was blocked or paused.
            self.released.push_front(client);
            self.settle();
            self.read_on(client, asleep.read_at);
        }
        Some(client)
    }

    /// The requests that had come together with the one that slept.
    fn read_on(&mut self, client: ClientId, read_at: Instant) {
        let read = |late: &Late| matches!(late, Late::Request { client: by, at, .. } if *by == client && *at == read_at);
        while !self.is_asleep()
            && let Some(place) = self.sleep.late.iter().position(read)
        {
            let late = self.sleep.late.remove(place);
            late.into_iter().for_each(|late| self.read_late(late));
        }
    }

    /// What came while the server slept has its turn, until it sleeps again.
    pub(super) fn read_what_came_meanwhile(&mut self) {
        while !self.is_asleep()
            && let Some(late) = self.sleep.late.pop_front()
        {
            self.read_late(late);
        }
    }

    fn read_late(&mut self, late: Late) {
        match late {
            Late::Request { client, at, request } => {
                self.sleep.read_at = at;
                let request: Vec<&[u8]> = request.iter().map(Sds::as_slice).collect();
                self.receive(client, &request);
            }
            Late::Disconnected(client) => self.forget(client),
        }
        self.settle();
    }
}
