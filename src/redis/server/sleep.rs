//! `DEBUG SLEEP`: a server that does nothing for a while.
//!
//! A sleeping server runs no commands and sends nothing, not even earlier replies. Within a
//! transaction, the remaining commands run when the sleep is over. The clock has advanced by then
//! (`TIME`, `PTTL`), but keys expire as of the beginning of the transaction.
//!
//! On waking, the server continues in this order: the rest of what it had read from the client that
//! slept; blocked clients whose time is up; everything that arrived meanwhile, in order.
//!
//! Source: `debug.c`, `networking.c` (`processInputBuffer`), `server.c` (`beforeSleep`), and
//! experiments with the server.

use super::transaction::Exec;
use super::{ClientId, Request, Server};
use crate::redis::command::Args;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::time::Instant;
use std::collections::VecDeque;

/// A sleep in progress.
#[derive(Debug)]
struct Asleep {
    until: Instant,
    client: ClientId,
    /// Arrival of the request that sleeps.
    read_at: Instant,
    /// The transaction that continues afterwards.
    exec: Option<Exec>,
    /// A script runs meanwhile, and goes on.
    for_script: bool,
}

/// An input that arrived during the sleep.
#[derive(Debug)]
enum Late {
    Request { client: ClientId, at: Instant, request: Request },
    Disconnected(ClientId),
}

/// The state of `DEBUG SLEEP`.
#[derive(Debug, Default)]
pub(crate) struct Sleep {
    asleep: Option<Asleep>,
    late: VecDeque<Late>,
    /// Arrival of the current request.
    pub(super) read_at: Instant,
}

impl Sleep {
    /// Returns when the server wakes, if it sleeps.
    pub(super) fn until(&self) -> Option<Instant> {
        self.asleep.as_ref().map(|asleep| asleep.until)
    }

    /// Returns whether no input is left from the last sleep.
    pub(super) fn is_settled(&self) -> bool {
        self.late.is_empty()
    }

    /// Returns whether a transaction continues when the server wakes.
    pub(super) fn is_within_transaction(&self) -> bool {
        self.asleep.as_ref().is_some_and(|asleep| asleep.exec.is_some())
    }
}

impl Server {
    /// Returns whether the server sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        self.sleep.asleep.is_some()
    }

    /// Begins to sleep for a client, which is answered on waking.
    pub(crate) fn fall_asleep(&mut self, client: ClientId, until: Instant) {
        let read_at = self.sleep.read_at;
        self.sleep.asleep = Some(Asleep { until, client, read_at, exec: None, for_script: false });
    }

    /// Begins to do nothing but run a script for a client.
    #[cfg(feature = "lua")]
    pub(super) fn fall_asleep_for_script(&mut self, client: ClientId, until: Instant) {
        self.fall_asleep(client, until);
        if let Some(asleep) = &mut self.sleep.asleep {
            asleep.for_script = true;
        }
    }

    /// Keeps the transaction that sleeps, to continue it on waking.
    pub(crate) fn sleep_within(&mut self, exec: Exec) {
        if let Some(asleep) = &mut self.sleep.asleep {
            asleep.exec = Some(exec);
        }
    }

    /// Returns whether the server sleeps on behalf of this client.
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

    /// Keeps the end of a connection until the server wakes.
    pub(super) fn keep_disconnect(&mut self, client: ClientId) {
        self.sleep.late.push_back(Late::Disconnected(client));
    }

    /// Ends a sleep that is over. Continues with what had been read from the client that slept, and
    /// returns that client.
    pub(crate) fn wake(&mut self, now: Instant) -> Option<ClientId> {
        let asleep = self.sleep.asleep.take_if(|asleep| asleep.until <= now)?;
        let client = asleep.client;
        if asleep.for_script {
            // The clock of the databases stands still as long as the script runs.
            self.now = self.now.max(now);
            if let Some(exec) = asleep.exec {
                self.busy_within(exec);
            }
            return Some(client);
        }
        self.pending_call_ends(now);
        match asleep.exec {
            None => {
                self.advance(now);
                self.reply(client, Reply::OK);
            }
            Some(exec) => {
                self.now = self.now.max(now);
                let stands_still = self.profile().time_stands_still;
                if !stands_still {
                    for database in &mut self.databases {
                        database.advance_within_transaction(now);
                    }
                }
                self.run_transaction(exec);
                if stands_still && !self.is_asleep() {
                    for database in &mut self.databases {
                        database.advance_to(now);
                    }
                }
            }
        }
        self.sleep.read_at = asleep.read_at;
        if !self.is_asleep() {
            self.command_ends(client);
            // The client may have sent more before it was blocked or paused.
            self.released.push_front(client);
            self.settle();
            self.read_on(client, asleep.read_at);
        }
        Some(client)
    }

    /// Handles the requests that had arrived together with the one that slept.
    fn read_on(&mut self, client: ClientId, read_at: Instant) {
        let read = |late: &Late| matches!(late, Late::Request { client: by, at, .. } if *by == client && *at == read_at);
        while !self.is_asleep()
            && let Some(place) = self.sleep.late.iter().position(read)
        {
            let late = self.sleep.late.remove(place);
            late.into_iter().for_each(|late| self.read_late(late));
        }
    }

    /// Handles the inputs that arrived during the sleep, until the server sleeps again.
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
