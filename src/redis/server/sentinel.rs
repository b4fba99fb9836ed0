//! Sentinel: a server that watches masters, and replaces one that is gone.
//!
//! A Sentinel has a connection for commands to every master, replica and other Sentinel that it
//! knows, and one that listens to each master and replica. It learns of replicas from `INFO`, and
//! of other Sentinels from the greetings that they publish on their masters. It considers a server
//! down that has not answered `PING` in time. If enough Sentinels agree, they vote for one of them
//! in the present epoch, and that one promotes a replica, makes the others follow it, and publishes
//! the new configuration. A former master that returns becomes a replica.
//!
//! This file has the state and the beat of the clock, ten times a second. `instance` is what a
//! Sentinel knows of another server, `master` what it knows of one that it watches, `answers` reads
//! what these say, `election` decides upon a failover and makes it. The module knows no server: it
//! returns what it wants to dial, and what it has to publish.
//!
//! Not modelled: scripts, TILT, `SENTINEL SET` of anything but the modelled parameters.
//!
//! Source: `sentinel.c`.

mod answers;
mod election;
mod instance;
mod master;
mod options;

use super::Server;
use super::replication::{Dial, DialAction};
use crate::choice::Stream;
use crate::redis::database::{digest, glob, sha1::sha1};
use crate::redis::value::Sds;
use crate::time::Instant;
use answers::Asked;
use indexmap::IndexMap;
pub(crate) use instance::{Instance, Kind, Reconfigured};
pub(crate) use master::Master;
pub(crate) use options::Address;
pub use options::SentinelOptions;
use std::collections::VecDeque;
use std::time::Duration;

/// The place of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Master(String),
    Replica(String, Address),
    Sentinel(String, String),
}

impl Who {
    fn master(&self) -> &str {
        match self {
            Who::Master(name) | Who::Replica(name, _) | Who::Sentinel(name, _) => name,
        }
    }
}

/// A connection that the Sentinel has opened.
#[derive(Debug)]
struct Line {
    who: Who,
    listens: bool,
    buffer: Vec<u8>,
    /// The questions that were not answered yet, in order.
    asked: VecDeque<Asked>,
}

/// What a Sentinel knows.
#[derive(Debug)]
pub(crate) struct Sentinel {
    pub(crate) id: String,
    own: Address,
    epoch: u64,
    pub(crate) masters: IndexMap<String, Master>,
    lines: IndexMap<u64, Line>,
    next_line: u64,
    /// When the clock beats next.
    pub(super) beats: Instant,
    /// Whether its clock beats at other moments than those of the others, as it does once it has
    /// drawn when.
    is_apart: bool,
    pub(super) dials: VecDeque<Dial>,
    /// The messages that are to be published, each with its channel.
    pub(super) events: VecDeque<(&'static str, String)>,
}

/// The time between two beats.
const BEAT: Duration = Duration::from_millis(100);
const PING_PERIOD: Duration = Duration::from_secs(1);
const INFO_PERIOD: Duration = Duration::from_secs(10);
const PUBLISH_PERIOD: Duration = Duration::from_secs(2);
const ASK_PERIOD: Duration = Duration::from_secs(1);
const MIN_RECONNECT: Duration = Duration::from_secs(15);
const MAX_PENDING: usize = 100;
/// The channel on which Sentinels greet each other.
pub(crate) const HELLO: &str = "__sentinel__:hello";

impl Sentinel {
    /// Returns a Sentinel with this address that watches a master.
    pub(crate) fn new(now: Instant, options: &SentinelOptions, own: Address) -> Sentinel {
        let id = digest::hex(&sha1(format!("sentinel {} {}", own.0, own.1).as_bytes()));
        let mut sentinel = Sentinel {
            id,
            own,
            epoch: 0,
            masters: IndexMap::new(),
            lines: IndexMap::new(),
            next_line: 1,
            beats: now + BEAT,
            is_apart: false,
            dials: VecDeque::new(),
            events: VecDeque::new(),
        };
        if let Some(address) = options.master.clone() {
            sentinel.monitor(now, options, address);
        }
        sentinel
    }

    /// Sets the address under which others know it, and with it its id.
    pub(super) fn announce_as(&mut self, host: &str) {
        self.own.0 = host.to_owned();
        let text = format!("sentinel {} {}", self.own.0, self.own.1);
        self.id = digest::hex(&sha1(text.as_bytes()));
    }

    /// Begins to watch a master.
    pub(crate) fn monitor(&mut self, now: Instant, options: &SentinelOptions, address: Address) {
        let master = Master {
            quorum: options.quorum,
            down_after: options.down_after,
            failover_timeout: options.failover_timeout,
            parallel_syncs: options.parallel_syncs,
            config_epoch: 0,
            itself: Instance::new(now, Kind::Master, address),
            replicas: IndexMap::new(),
            sentinels: IndexMap::new(),
            o_down: None,
            failover: None,
            failover_epoch: 0,
            failover_began: None,
            state_changed: now,
            promoted: None,
            forced: false,
            leader: None,
            leader_epoch: 0,
        };
        self.masters.insert(options.name.clone(), master);
        let who = Who::Master(options.name.clone());
        self.tell(&who, "+monitor", &format!(" quorum {}", options.quorum));
    }

    /// Stops to watch a master. Returns whether it did.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        if self.masters.contains_key(name) {
            self.tell(&Who::Master(name.to_owned()), "-monitor", "");
        }
        self.hang_up_all(name);
        self.masters.shift_remove(name).is_some()
    }

    /// Starts again as a new process, which finds in its file what it knew.
    pub(super) fn restart(&mut self, now: Instant) {
        self.lines.clear();
        self.dials.clear();
        self.events.clear();
        self.beats = now + BEAT;
        self.is_apart = false;
        for master in self.masters.values_mut() {
            master.forget_state(now);
            master.replicas.values_mut().for_each(|replica| replica.begin(now));
            master.sentinels.values_mut().for_each(|sentinel| sentinel.begin(now));
        }
        let names: Vec<(String, usize)> =
            self.masters.iter().map(|(name, master)| (name.clone(), master.quorum)).collect();
        for (name, quorum) in names {
            self.tell(&Who::Master(name), "+monitor", &format!(" quorum {quorum}"));
        }
    }

    /// Forgets the replicas, Sentinels and state of the masters whose names match (`SENTINEL
    /// RESET`). Returns their number.
    pub(crate) fn reset(&mut self, now: Instant, pattern: &[u8]) -> usize {
        let matches = |name: &&String| glob::matches(pattern, name.as_bytes(), false);
        let names: Vec<String> = self.masters.keys().filter(matches).cloned().collect();
        for name in &names {
            self.hang_up_all(name);
            if let Some(master) = self.masters.get_mut(name) {
                master.replicas.clear();
                master.sentinels.clear();
                master.forget_state(now);
            }
            self.tell(&Who::Master(name.clone()), "+reset-master", "");
        }
        names.len()
    }

    pub(super) fn instance(&mut self, who: &Who) -> Option<&mut Instance> {
        let master = self.masters.get_mut(who.master())?;
        match who {
            Who::Master(_) => Some(&mut master.itself),
            Who::Replica(_, address) => master.replicas.get_mut(address),
            Who::Sentinel(_, id) => master.sentinels.get_mut(id),
        }
    }

    /// Publishes an event of an instance.
    fn tell(&mut self, who: &Who, event: &'static str, more: &str) {
        let Some(master) = self.masters.get(who.master()) else { return };
        let (host, port) = &master.itself.address;
        let name = who.master();
        let subject = match who {
            Who::Master(_) => format!("master {name} {host} {port}"),
            Who::Replica(_, (ip, at)) => {
                format!("slave {ip}:{at} {ip} {at} @ {name} {host} {port}")
            }
            Who::Sentinel(_, id) => {
                let (ip, at) =
                    master.sentinels.get(id).map(|s| s.address.clone()).unwrap_or_default();
                format!("sentinel {id} {ip} {at} @ {name} {host} {port}")
            }
        };
        self.events.push_back((event, format!("{subject}{more}")));
    }

    /// Raises the epoch.
    fn enter_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.events.push_back(("+new-epoch", epoch.to_string()));
    }

    /// The clock beats.
    pub(super) fn beat(&mut self, now: Instant, random: &mut Stream) {
        // Sentinels that all began an election at one moment would all vote for themselves.
        if !std::mem::replace(&mut self.is_apart, true) {
            let own = self.id.bytes().fold(0, |sum, digit| sum * 31 % 97 + u64::from(digit));
            self.beats = now + Duration::from_millis((own + random.choose(100)) % 100 + 1);
            return;
        }
        self.beats = now + BEAT;
        let names: Vec<String> = self.masters.keys().cloned().collect();
        for name in names {
            let who = Who::Master(name.clone());
            self.look_after(now, &who);
            self.check_agreement(now, &name);
            if self.begin_failover_if_needed(now, &name, random) {
                self.ask_others(now, &name, true);
            }
            self.continue_failover(now, &name, random);
            self.ask_others(now, &name, false);
            let Some(master) = self.masters.get(&name) else { continue };
            let replicas: Vec<Address> = master.replicas.keys().cloned().collect();
            let sentinels: Vec<String> = master.sentinels.keys().cloned().collect();
            for address in replicas {
                self.look_after(now, &Who::Replica(name.clone(), address));
            }
            for id in sentinels {
                self.look_after(now, &Who::Sentinel(name.clone(), id));
            }
            self.finish_failover(now, &name);
        }
    }

    /// Connects to an instance, asks it what is due, and looks whether it is down.
    fn look_after(&mut self, now: Instant, who: &Who) {
        self.reconnect(now, who);
        self.ask_periodically(now, who);
        self.check_whether_down(now, who);
    }

    fn reconnect(&mut self, now: Instant, who: &Who) {
        let Some(instance) = self.instance(who) else { return };
        let is_due = instance.tried.is_none_or(|tried| now - tried >= PING_PERIOD);
        if !instance.is_disconnected() || !is_due {
            return;
        }
        instance.tried = Some(now);
        let (wants_commands, wants_to_listen) = (
            instance.commands.is_none(),
            instance.kind != Kind::Sentinel && instance.listens.is_none(),
        );
        if wants_commands {
            let line = self.open(who, false);
            if let Some(instance) = self.instance(who) {
                instance.commands = Some(line);
                instance.commands_since = now;
            }
            let name = format!("sentinel-{}-cmd", &self.id[..8]);
            self.ask(who, Asked::Other, &["CLIENT", "SETNAME", &name]);
            self.ping(now, who);
        }
        if wants_to_listen {
            let line = self.open(who, true);
            if let Some(instance) = self.instance(who) {
                instance.listens = Some(line);
                (instance.listens_since, instance.heard_at) = (now, now);
            }
        }
    }

    /// Opens a connection. What is sent before it is open waits with the companion's caller.
    fn open(&mut self, who: &Who, listens: bool) -> u64 {
        let number = self.next_line;
        self.next_line += 1;
        let address = self.instance(who).map(|instance| instance.address.clone());
        let (host, port) = address.unwrap_or_default();
        let (buffer, asked) = (Vec::new(), VecDeque::new());
        self.lines.insert(number, Line { who: who.clone(), listens, buffer, asked });
        self.dials.push_back(Dial { link: number, action: DialAction::Open { host, port } });
        if listens {
            let words = ["SUBSCRIBE", HELLO].map(Sds::from);
            let bytes = super::replication::encoded(&words);
            self.dials.push_back(Dial { link: number, action: DialAction::Send(bytes) });
        }
        number
    }

    fn close(&mut self, number: u64) {
        if self.lines.shift_remove(&number).is_some() {
            self.dials.push_back(Dial { link: number, action: DialAction::Close });
        }
        self.forget_line(number);
    }

    fn forget_line(&mut self, number: u64) {
        for master in self.masters.values_mut() {
            master.instances().for_each(|instance| instance.line_ended(number));
        }
    }

    /// Closes every connection that serves a master.
    fn hang_up_all(&mut self, name: &str) {
        let of_it = self.lines.iter().filter(|(_, line)| line.who.master() == name);
        let numbers: Vec<u64> = of_it.map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.close(number));
    }

    /// A connection is open, or was refused.
    pub(super) fn dialed(&mut self, number: u64, open: bool) {
        if !open {
            self.lines.shift_remove(&number);
            self.forget_line(number);
        }
    }

    /// A connection has ended.
    pub(super) fn dial_closed(&mut self, number: u64) {
        self.lines.shift_remove(&number);
        self.forget_line(number);
    }

    /// Sends a command to an instance. Returns whether it was sent.
    fn ask(&mut self, who: &Who, asked: Asked, words: &[&str]) -> bool {
        let Some(number) = self.instance(who).and_then(|instance| instance.commands) else {
            return false;
        };
        let Some(line) = self.lines.get_mut(&number) else { return false };
        line.asked.push_back(asked);
        let words: Vec<Sds> = words.iter().map(|word| Sds::from(*word)).collect();
        let bytes = super::replication::encoded(&words);
        self.dials.push_back(Dial { link: number, action: DialAction::Send(bytes) });
        true
    }

    fn ping(&mut self, now: Instant, who: &Who) {
        if self.ask(who, Asked::Ping, &["PING"])
            && let Some(instance) = self.instance(who)
        {
            instance.pinged = Some(now);
            instance.unanswered.get_or_insert(now);
        }
    }

    fn ask_periodically(&mut self, now: Instant, who: &Who) {
        let Some(master) = self.masters.get(who.master()) else { return };
        let hurries = master.o_down.is_some() || master.failover.is_some();
        let down_after = master.down_after;
        let lines = &self.lines;
        let pending = |line: u64| lines.get(&line).map_or(0, |line| line.asked.len());
        let instance = match who {
            Who::Master(_) => Some(&master.itself),
            Who::Replica(_, address) => master.replicas.get(address),
            Who::Sentinel(_, id) => master.sentinels.get(id),
        };
        let Some(instance) = instance.filter(|instance| !instance.is_disconnected()) else {
            return;
        };
        if instance.commands.is_some_and(|line| pending(line) >= MAX_PENDING) {
            return;
        }
        let quick =
            instance.kind == Kind::Replica && (hurries || !instance.link_down_for.is_zero());
        let info_period = if quick { Duration::from_secs(1) } else { INFO_PERIOD };
        let ping_period = down_after.min(PING_PERIOD);
        let wants_info = instance.kind != Kind::Sentinel
            && instance.info_at.is_none_or(|at| now - at > info_period);
        let wants_ping = now - instance.answered > ping_period
            && instance.pinged.is_none_or(|at| now - at > ping_period / 2);
        let wants_hello = now - instance.greeted > PUBLISH_PERIOD;
        if wants_info {
            self.ask(who, Asked::Info, &["INFO"]);
        }
        if wants_ping {
            self.ping(now, who);
        }
        if wants_hello {
            self.greet(now, who);
        }
    }

    /// Publishes its own address and what it knows of the master.
    fn greet(&mut self, now: Instant, who: &Who) {
        let Some(master) = self.masters.get(who.master()) else { return };
        let (host, port) = master.current_address();
        let hello = format!(
            "{},{},{},{},{},{host},{port},{}",
            self.own.0,
            self.own.1,
            self.id,
            self.epoch,
            who.master(),
            master.config_epoch
        );
        if self.ask(who, Asked::Hello, &["PUBLISH", HELLO, &hello])
            && let Some(instance) = self.instance(who)
        {
            instance.greeted = now;
        }
    }

    /// Decides whether an instance is down, as far as this Sentinel can tell.
    fn check_whether_down(&mut self, now: Instant, who: &Who) {
        let Some(down_after) = self.masters.get(who.master()).map(|master| master.down_after)
        else {
            return;
        };
        let Some(instance) = self.instance(who) else { return };
        let elapsed = match instance.unanswered {
            Some(since) => now - since,
            None if instance.is_disconnected() => now - instance.available,
            None => Duration::ZERO,
        };
        let half = down_after / 2;
        let stale =
            |line: Option<u64>, since: Instant| line.filter(|_| now - since > MIN_RECONNECT);
        let silent = instance.unanswered.is_some_and(|since| now - since > half)
            && now - instance.answered > half;
        let commands = stale(instance.commands, instance.commands_since).filter(|_| silent);
        let deaf = now - instance.heard_at > PUBLISH_PERIOD * 3;
        let listens = stale(instance.listens, instance.listens_since).filter(|_| deaf);
        let claims_otherwise = instance.kind == Kind::Master
            && instance.reports_master == Some(false)
            && now - instance.role_since > down_after + INFO_PERIOD * 2;
        let is_down = elapsed > down_after || claims_otherwise;
        let was_down = instance.s_down.is_some();
        if is_down != was_down {
            instance.set_down(now, is_down);
            self.tell(who, if is_down { "+sdown" } else { "-sdown" }, "");
        }
        commands.into_iter().chain(listens).for_each(|line| self.close(line));
    }
}

impl Server {
    /// Lets the Sentinel's clock beat if it is time.
    pub(super) fn watch_until(&mut self, now: Instant) {
        let Server { sentinel, random, running: true, .. } = self else { return };
        let Some(sentinel) = sentinel else { return };
        if sentinel.beats <= now {
            sentinel.beat(now, random);
            self.publish_sentinel_events();
        }
    }

    /// Publishes what the Sentinel has noticed or done.
    pub(crate) fn publish_sentinel_events(&mut self) {
        while let Some((channel, message)) =
            self.sentinel.as_mut().and_then(|sentinel| sentinel.events.pop_front())
        {
            self.publish(super::pubsub::Kind::Channel, channel.as_bytes(), message.as_bytes());
        }
    }
}
