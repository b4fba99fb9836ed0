//! The failover of a Sentinel: agreement, the election of a leader, and what the leader does.
//!
//! Each attempt has an epoch of its own, in which a Sentinel votes once, for the first that asks.
//! An attempt without a majority is given up, and no other begins for twice the time that a
//! failover may take. The leader promotes the best replica: that of the best priority, then the one
//! with the greatest offset, then the one with the smallest run id.

use super::answers::Asked;
use super::{ASK_PERIOD, Address, INFO_PERIOD, Instance, Kind, Master, PING_PERIOD, Reconfigured};
use super::{Sentinel, Who};
use crate::choice::Stream;
use crate::time::Instant;
use std::time::Duration;

/// How far a failover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailoverState {
    WaitsForVotes,
    SelectsReplica,
    SendsNoOne,
    WaitsForPromotion,
    Reconfigures,
    UpdatesConfig,
}

impl FailoverState {
    /// Returns the name that `SENTINEL MASTER` shows.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            FailoverState::WaitsForVotes => "wait_start",
            FailoverState::SelectsReplica => "select_slave",
            FailoverState::SendsNoOne => "send_slaveof_noone",
            FailoverState::WaitsForPromotion => "wait_promotion",
            FailoverState::Reconfigures => "reconf_slaves",
            FailoverState::UpdatesConfig => "update_config",
        }
    }
}

/// Why a failover could not be authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable {
    pub(crate) usable: usize,
    pub(crate) no_quorum: bool,
    pub(crate) no_majority: bool,
}

/// Greatest delay that is drawn so that Sentinels do not begin at the same time, in milliseconds.
const MAX_DESYNC: u64 = 1_000;
const ELECTION_TIMEOUT: Duration = Duration::from_secs(10);
const RECONFIGURE_TIMEOUT: Duration = Duration::from_secs(10);

impl Master {
    /// Returns whether it works, as far as one knows.
    pub(super) fn looks_sane(&self, now: Instant) -> bool {
        self.itself.reports_master == Some(true)
            && self.itself.s_down.is_none()
            && self.o_down.is_none()
            && self.itself.info_at.is_some_and(|at| now - at < INFO_PERIOD * 2)
    }

    /// Returns the replica to promote.
    pub(crate) fn best_replica(&self, now: Instant) -> Option<&Address> {
        let down = self.itself.s_down.map_or(Duration::ZERO, |since| now - since);
        let longest = down + self.down_after * 10;
        let info_age = match self.itself.s_down {
            Some(_) => PING_PERIOD * 5,
            None => INFO_PERIOD * 3,
        };
        let fits = |replica: &Instance| {
            replica.s_down.is_none()
                && !replica.is_disconnected()
                && now - replica.available <= PING_PERIOD * 5
                && replica.priority > 0
                && replica.info_at.is_some_and(|at| now - at <= info_age)
                && replica.link_down_for <= longest
        };
        let good = self.replicas.iter().filter(|(_, replica)| fits(replica));
        let rank = |replica: &Instance| {
            let run_id = replica.run_id.clone();
            (replica.priority, std::cmp::Reverse(replica.offset), run_id.is_none(), run_id)
        };
        good.min_by_key(|(_, replica)| rank(replica)).map(|(address, _)| address)
    }

    /// Returns how many Sentinels could agree, and whether that is too few for something.
    pub(crate) fn reachable(&self) -> Result<usize, Unreachable> {
        let up = self.sentinels.values().filter(|sentinel| sentinel.s_down.is_none()).count();
        let (usable, voters) = (up + 1, self.sentinels.len() + 1);
        let (no_quorum, no_majority) = (usable < self.quorum, usable < voters / 2 + 1);
        if no_quorum || no_majority {
            return Err(Unreachable { usable, no_quorum, no_majority });
        }
        Ok(usable)
    }
}

impl Sentinel {
    /// Decides whether enough Sentinels agree that a master is down.
    pub(super) fn check_agreement(&mut self, now: Instant, name: &str) {
        let Some(master) = self.masters.get_mut(name) else { return };
        let others = master.sentinels.values().filter(|sentinel| sentinel.says_down).count();
        let agree = others + 1;
        let is_down = master.itself.s_down.is_some() && agree >= master.quorum;
        if is_down == master.o_down.is_some() {
            return;
        }
        master.o_down = is_down.then_some(now);
        let more =
            if is_down { format!(" #quorum {agree}/{}", master.quorum) } else { String::new() };
        let who = Who::Master(name.to_owned());
        self.tell(&who, if is_down { "+odown" } else { "-odown" }, &more);
    }

    /// Asks the other Sentinels whether the master is down, and for their vote once a failover has
    /// begun.
    pub(super) fn ask_others(&mut self, now: Instant, name: &str, forced: bool) {
        let Some(master) = self.masters.get_mut(name) else { return };
        for sentinel in master.sentinels.values_mut() {
            if sentinel.said_at.is_none_or(|at| now - at > ASK_PERIOD * 5) {
                sentinel.says_down = false;
                sentinel.voted = None;
            }
        }
        if master.itself.s_down.is_none() {
            return;
        }
        let due = |sentinel: &Instance| {
            !sentinel.is_disconnected()
                && (forced || sentinel.said_at.is_none_or(|at| now - at >= ASK_PERIOD))
        };
        let asked = master.sentinels.iter().filter(|(_, sentinel)| due(sentinel));
        let asked: Vec<String> = asked.map(|(id, _)| id.clone()).collect();
        let candidate = if master.failover.is_some() { self.id.clone() } else { "*".to_owned() };
        let (host, port) = master.itself.address.clone();
        let (port, epoch) = (port.to_string(), self.epoch.to_string());
        for id in asked {
            let who = Who::Sentinel(name.to_owned(), id);
            let words = ["SENTINEL", "is-master-down-by-addr", &host, &port, &epoch, &candidate];
            self.ask(&who, Asked::IsDown, &words);
        }
    }

    /// Votes in an epoch, if that was not done yet. Returns for whom it has voted, and in which
    /// epoch.
    pub(crate) fn vote(
        &mut self,
        now: Instant,
        name: &str,
        (epoch, candidate): (u64, &str),
        random: &mut Stream,
    ) -> (Option<String>, u64) {
        if epoch > self.epoch {
            self.enter_epoch(epoch);
        }
        let (own, current) = (self.id.clone(), self.epoch);
        let Some(master) = self.masters.get_mut(name) else { return (None, 0) };
        if master.leader_epoch < epoch && current <= epoch {
            master.leader = Some(candidate.to_owned());
            master.leader_epoch = current;
            self.events.push_back(("+vote-for-leader", format!("{candidate} {current}")));
            // The one that is voted for comes first.
            if candidate != own {
                master.failover_began = Some(now + desync(random));
            }
        }
        (master.leader.clone(), master.leader_epoch)
    }

    /// Answers another Sentinel (`SENTINEL IS-MASTER-DOWN-BY-ADDR`): whether the master is down,
    /// the vote, and its epoch.
    pub(crate) fn is_master_down(
        &mut self,
        now: Instant,
        address: &Address,
        (epoch, candidate): (u64, &str),
        random: &mut Stream,
    ) -> (bool, Option<String>, u64) {
        let found = self.masters.iter().find(|(_, master)| master.itself.address == *address);
        let Some((name, master)) = found else { return (false, None, 0) };
        let (name, down) = (name.clone(), master.itself.s_down.is_some());
        if candidate == "*" {
            return (down, None, 0);
        }
        let (leader, epoch) = self.vote(now, &name, (epoch, candidate), random);
        (down, leader, epoch)
    }

    /// Returns the winner of an election, if there is one.
    fn leader(
        &mut self,
        now: Instant,
        name: &str,
        epoch: u64,
        random: &mut Stream,
    ) -> Option<String> {
        let master = self.masters.get(name)?;
        let current = self.epoch;
        let mut votes: indexmap::IndexMap<String, usize> = indexmap::IndexMap::new();
        for sentinel in master.sentinels.values().filter(|s| s.voted_in == current) {
            if let Some(voted) = &sentinel.voted {
                *votes.entry(voted.clone()).or_default() += 1;
            }
        }
        let ahead = |votes: &indexmap::IndexMap<String, usize>| {
            let most = votes.values().copied().max()?;
            votes.iter().find(|(_, count)| **count == most).map(|(id, _)| id.clone())
        };
        let (voters, quorum) = (master.sentinels.len() + 1, master.quorum);
        let candidate = ahead(&votes).unwrap_or_else(|| self.id.clone());
        let (own_vote, in_epoch) = self.vote(now, name, (epoch, &candidate), random);
        if let Some(vote) = own_vote.filter(|_| in_epoch == epoch) {
            *votes.entry(vote).or_default() += 1;
        }
        let winner = ahead(&votes)?;
        (votes[&winner] >= (voters / 2 + 1).max(quorum)).then_some(winner)
    }

    /// Begins a failover if the master is down and the last attempt is long ago.
    pub(super) fn begin_failover_if_needed(
        &mut self,
        now: Instant,
        name: &str,
        random: &mut Stream,
    ) -> bool {
        let Some(master) = self.masters.get(name) else { return false };
        let pause = master.failover_timeout * 2;
        let recent = master.failover_began.is_some_and(|at| now < at + pause);
        if master.o_down.is_none() || master.failover.is_some() || recent {
            return false;
        }
        self.begin_failover(now, name, false, random);
        true
    }

    /// Begins a failover. A forced one needs no votes.
    pub(crate) fn begin_failover(
        &mut self,
        now: Instant,
        name: &str,
        forced: bool,
        random: &mut Stream,
    ) {
        self.enter_epoch(self.epoch + 1);
        let epoch = self.epoch;
        let Some(master) = self.masters.get_mut(name) else { return };
        master.failover = Some(FailoverState::WaitsForVotes);
        master.failover_epoch = epoch;
        master.failover_began = Some(now + desync(random));
        master.state_changed = now;
        master.forced = forced;
        self.tell(&Who::Master(name.to_owned()), "+try-failover", "");
    }

    fn enter(&mut self, now: Instant, name: &str, state: FailoverState) {
        if let Some(master) = self.masters.get_mut(name) {
            master.failover = Some(state);
            master.state_changed = now;
        }
    }

    fn abort(&mut self, now: Instant, name: &str, event: &'static str) {
        self.tell(&Who::Master(name.to_owned()), event, "");
        let Some(master) = self.masters.get_mut(name) else { return };
        (master.failover, master.forced) = (None, false);
        master.state_changed = now;
        if let Some(promoted) = master.promoted.take()
            && let Some(replica) = master.replicas.get_mut(&promoted)
        {
            replica.promoted = false;
        }
    }

    /// Goes on with a failover.
    pub(super) fn continue_failover(&mut self, now: Instant, name: &str, random: &mut Stream) {
        let Some(master) = self.masters.get(name) else { return };
        let (epoch, forced) = (master.failover_epoch, master.forced);
        let who = Who::Master(name.to_owned());
        match master.failover {
            None | Some(FailoverState::UpdatesConfig) => {}
            Some(FailoverState::WaitsForVotes) => {
                let began = master.failover_began.unwrap_or(now);
                let timeout = ELECTION_TIMEOUT.min(master.failover_timeout);
                let elected = self.leader(now, name, epoch, random) == Some(self.id.clone());
                if !elected && !forced {
                    if now > began + timeout {
                        self.abort(now, name, "-failover-abort-not-elected");
                    }
                    return;
                }
                self.tell(&who, "+elected-leader", "");
                self.enter(now, name, FailoverState::SelectsReplica);
                self.tell(&who, "+failover-state-select-slave", "");
            }
            Some(FailoverState::SelectsReplica) => match master.best_replica(now).cloned() {
                None => self.abort(now, name, "-failover-abort-no-good-slave"),
                Some(address) => self.promote(now, name, address),
            },
            Some(FailoverState::SendsNoOne) => {
                let replica = master.promoted.clone().map(|at| Who::Replica(name.to_owned(), at));
                let late = now - master.state_changed > master.failover_timeout;
                let Some(replica) = replica else { return };
                let connected =
                    self.instance(&replica).is_some_and(|replica| !replica.is_disconnected());
                if !connected {
                    if late {
                        self.abort(now, name, "-failover-abort-slave-timeout");
                    }
                } else if self.send_replicaof(&replica, None) {
                    self.tell(&replica, "+failover-state-wait-promotion", "");
                    self.enter(now, name, FailoverState::WaitsForPromotion);
                }
            }
            Some(FailoverState::WaitsForPromotion) => {
                if now - master.state_changed > master.failover_timeout {
                    self.abort(now, name, "-failover-abort-slave-timeout");
                }
            }
            Some(FailoverState::Reconfigures) => self.reconfigure(now, name),
        }
    }

    fn promote(&mut self, now: Instant, name: &str, address: Address) {
        let who = Who::Replica(name.to_owned(), address.clone());
        self.tell(&who, "+selected-slave", "");
        if let Some(replica) = self.instance(&who) {
            replica.promoted = true;
        }
        if let Some(master) = self.masters.get_mut(name) {
            master.promoted = Some(address);
        }
        self.enter(now, name, FailoverState::SendsNoOne);
        self.tell(&who, "+failover-state-send-slaveof-noone", "");
    }

    /// Tells a server to follow a master, or to be one. Its clients are disconnected, so that they
    /// ask again who the master is.
    pub(super) fn send_replicaof(&mut self, who: &Who, master: Option<&Address>) -> bool {
        let (host, port) = match master {
            Some((host, port)) => (host.clone(), port.to_string()),
            None => ("NO".to_owned(), "ONE".to_owned()),
        };
        let commands: [&[&str]; 6] = [
            &["MULTI"],
            &["SLAVEOF", &host, &port],
            &["CONFIG", "REWRITE"],
            &["CLIENT", "KILL", "TYPE", "normal"],
            &["CLIENT", "KILL", "TYPE", "pubsub"],
            &["EXEC"],
        ];
        commands.iter().all(|words| self.ask(who, Asked::Other, words))
    }

    /// Notes that the promoted replica says that it is a master. Returns whether this was awaited.
    pub(super) fn note_promotion(&mut self, now: Instant, name: &str, address: &Address) -> bool {
        let Some(master) = self.masters.get_mut(name) else { return false };
        let awaited = master.failover == Some(FailoverState::WaitsForPromotion)
            && master.promoted.as_ref() == Some(address);
        if awaited {
            master.config_epoch = master.failover_epoch;
            self.enter(now, name, FailoverState::Reconfigures);
            self.tell(&Who::Replica(name.to_owned(), address.clone()), "+promoted-slave", "");
            self.tell(&Who::Master(name.to_owned()), "+failover-state-reconf-slaves", "");
            self.greet_all_soon(now, name);
        }
        awaited
    }

    /// Lets everyone be greeted with the next beat.
    fn greet_all_soon(&mut self, now: Instant, name: &str) {
        if let Some(master) = self.masters.get_mut(name) {
            let early =
                |at: Instant| Instant::from_nanos(at.as_nanos().saturating_sub(2_100_000_000));
            master.instances().for_each(|instance| instance.greeted = early(now));
        }
    }

    /// Lets the next replicas follow the new master, and looks whether all do.
    fn reconfigure(&mut self, now: Instant, name: &str) {
        let Some(master) = self.masters.get(name) else { return };
        let Some(promoted) = master.promoted.clone() else { return };
        let parallel = master.parallel_syncs;
        let busy = |replica: &&Instance| {
            matches!(replica.reconfigured, Some(Reconfigured::Sent(_) | Reconfigured::InProgress))
        };
        let mut in_progress = master.replicas.values().filter(busy).count();
        let addresses: Vec<Address> = master.replicas.keys().cloned().collect();
        for address in addresses {
            if in_progress >= parallel {
                break;
            }
            let who = Who::Replica(name.to_owned(), address);
            let Some(replica) = self.instance(&who) else { continue };
            if replica.promoted || replica.reconfigured == Some(Reconfigured::Done) {
                continue;
            }
            if let Some(Reconfigured::Sent(at)) = replica.reconfigured
                && now - at > RECONFIGURE_TIMEOUT
            {
                replica.reconfigured = Some(Reconfigured::Done);
                self.tell(&who, "-slave-reconf-sent-timeout", "");
                continue;
            }
            if replica.reconfigured.is_some() || replica.is_disconnected() {
                continue;
            }
            if self.send_replicaof(&who, Some(&promoted)) {
                if let Some(replica) = self.instance(&who) {
                    replica.reconfigured = Some(Reconfigured::Sent(now));
                }
                self.tell(&who, "+slave-reconf-sent", "");
                in_progress += 1;
            }
        }
        self.detect_end(now, name, &promoted);
    }

    fn detect_end(&mut self, now: Instant, name: &str, promoted: &Address) {
        let Some(master) = self.masters.get(name) else { return };
        let up = master.replicas.get(promoted).is_some_and(|replica| replica.s_down.is_none());
        if !up {
            return;
        }
        let missing = |replica: &&Instance| {
            !replica.promoted
                && replica.reconfigured != Some(Reconfigured::Done)
                && replica.s_down.is_none()
        };
        let late = now - master.state_changed > master.failover_timeout;
        let all = !master.replicas.values().any(|replica| missing(&replica));
        let left = master.replicas.iter().filter(|(_, replica)| {
            !replica.promoted && replica.reconfigured.is_none() && !replica.is_disconnected()
        });
        let left: Vec<Address> = left.map(|(address, _)| address.clone()).collect();
        let who = Who::Master(name.to_owned());
        if late {
            self.tell(&who, "+failover-end-for-timeout", "");
        }
        if late || all {
            self.tell(&who, "+failover-end", "");
            self.enter(now, name, FailoverState::UpdatesConfig);
        }
        for address in left.into_iter().filter(|_| late) {
            let replica = Who::Replica(name.to_owned(), address);
            if self.send_replicaof(&replica, Some(promoted)) {
                self.tell(&replica, "+slave-reconf-sent-be", "");
            }
        }
    }

    /// Makes the promoted replica the master, after a failover.
    pub(super) fn finish_failover(&mut self, now: Instant, name: &str) {
        let Some(master) = self.masters.get(name) else { return };
        if master.failover == Some(FailoverState::UpdatesConfig) {
            let new = master.promoted.clone().unwrap_or_else(|| master.itself.address.clone());
            self.switch_master(now, name, &new);
        }
    }

    /// The master has another address now. The former one is one of its replicas.
    pub(super) fn switch_master(&mut self, now: Instant, name: &str, new: &Address) {
        let Some(master) = self.masters.get(name) else { return };
        let (host, port) = &master.itself.address;
        let text = format!("{name} {host} {port} {} {}", new.0, new.1);
        self.events.push_back(("+switch-master", text));
        let of_sentinel = |who: &Who| matches!(who, Who::Sentinel(..));
        let lines = self
            .lines
            .iter()
            .filter(|(_, line)| line.who.master() == name && !of_sentinel(&line.who));
        let lines: Vec<u64> = lines.map(|(number, _)| *number).collect();
        lines.into_iter().for_each(|number| self.close(number));
        let Some(master) = self.masters.get_mut(name) else { return };
        let former = std::mem::replace(&mut master.itself.address, new.clone());
        let mut replicas: Vec<Address> =
            master.replicas.keys().filter(|address| *address != new).cloned().collect();
        if former != *new {
            replicas.push(former);
        }
        master.replicas.clear();
        master.forget_state(now);
        for address in replicas {
            let Some(master) = self.masters.get_mut(name) else { return };
            let replica = Instance::new(now, Kind::Replica, address.clone());
            master.replicas.insert(address.clone(), replica);
            self.tell(&Who::Replica(name.to_owned(), address), "+slave", "");
        }
    }
}

/// Returns a random delay.
fn desync(random: &mut Stream) -> Duration {
    Duration::from_millis(random.choose(MAX_DESYNC))
}
