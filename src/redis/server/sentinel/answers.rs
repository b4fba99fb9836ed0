//! What other servers answer to a Sentinel, and publish.

use super::{Address, HELLO, Instance, Kind, Line, Reconfigured, Sentinel, Who};
use crate::redis::value::number::parse_i64;
use crate::time::Instant;
use std::time::Duration;

/// What a Sentinel has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Ping,
    Info,
    /// A greeting.
    Hello,
    /// Whether a master is down, and for whom the other votes.
    IsDown,
    /// Something whose answer does not matter.
    Other,
}

/// An answer, as far as a Sentinel reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Text(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    List(Vec<Answer>),
    Nothing,
}

impl Answer {
    fn text(&self) -> String {
        match self {
            Answer::Text(bytes) | Answer::Error(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            Answer::Integer(_) | Answer::List(_) | Answer::Nothing => String::new(),
        }
    }
}

/// Reads an answer in RESP2 from the beginning of the bytes. Returns it with its length, or `None`
/// if it is not whole.
fn read(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, begin) = (&bytes[1..end], end + 2);
    let count = || parse_i64(line).and_then(|count| usize::try_from(count).ok());
    match bytes[0] {
        b'+' => Some((Answer::Text(line.to_vec()), begin)),
        b'-' => Some((Answer::Error(line.to_vec()), begin)),
        b':' => Some((Answer::Integer(parse_i64(line).unwrap_or(0)), begin)),
        b'$' => match count() {
            None => Some((Answer::Nothing, begin)),
            Some(len) => {
                let text = bytes.get(begin..begin.checked_add(len)?)?;
                bytes.get(begin + len + 1)?;
                Some((Answer::Text(text.to_vec()), begin + len + 2))
            }
        },
        b'*' => {
            let Some(count) = count() else { return Some((Answer::Nothing, begin)) };
            let (mut items, mut at) = (Vec::new(), begin);
            for _ in 0..count {
                let (item, len) = read(bytes.get(at..).filter(|rest| !rest.is_empty())?)?;
                items.push(item);
                at += len;
            }
            Some((Answer::List(items), at))
        }
        _ => Some((Answer::Nothing, begin)),
    }
}

impl Sentinel {
    /// Bytes have arrived on a connection.
    pub(in super::super) fn dial_received(&mut self, now: Instant, number: u64, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        line.buffer.extend_from_slice(bytes);
        while let Some(Line { who, listens, buffer, asked }) = self.lines.get_mut(&number)
            && !buffer.is_empty()
            && let Some((answer, len)) = read(buffer)
        {
            buffer.drain(..len);
            let (who, listens) = (who.clone(), *listens);
            let asked = if listens { None } else { asked.pop_front() };
            match asked {
                _ if listens => self.heard(now, &who, &answer),
                Some(asked) => self.answered(now, &who, asked, &answer),
                None => {}
            }
        }
    }

    /// A message has arrived on a connection that listens.
    fn heard(&mut self, now: Instant, who: &Who, answer: &Answer) {
        if let Some(instance) = self.instance(who) {
            instance.heard_at = now;
        }
        let Answer::List(items) = answer else { return };
        if let [kind, channel, message] = &items[..]
            && kind.text() == "message"
            && channel.text() == HELLO
        {
            let message = message.text();
            if !message.contains(&self.id) {
                self.greeted(now, &message);
            }
        }
    }

    fn answered(&mut self, now: Instant, who: &Who, asked: Asked, answer: &Answer) {
        match (asked, answer) {
            (Asked::Ping, answer) => {
                let text = answer.text();
                let works = ["PONG", "LOADING", "MASTERDOWN"];
                let Some(instance) = self.instance(who) else { return };
                if works.iter().any(|word| text.starts_with(word)) {
                    instance.available = now;
                    instance.unanswered = None;
                }
                instance.answered = now;
                let hangs = text.starts_with("BUSY") && instance.s_down.is_some();
                if hangs && !instance.script_kill_sent {
                    instance.script_kill_sent = true;
                    self.ask(who, Asked::Other, &["SCRIPT", "KILL"]);
                }
            }
            (Asked::Info, Answer::Text(text)) => {
                self.learn(now, who, &String::from_utf8_lossy(text));
            }
            (Asked::IsDown, Answer::List(items)) => self.voted(now, who, items),
            (Asked::Info | Asked::IsDown | Asked::Hello | Asked::Other, _) => {}
        }
    }

    /// Another Sentinel has said whether the master is down, and for whom it votes.
    fn voted(&mut self, now: Instant, who: &Who, items: &[Answer]) {
        let [Answer::Integer(down), leader, Answer::Integer(epoch)] = items else { return };
        let Some(instance) = self.instance(who) else { return };
        instance.said_at = Some(now);
        instance.says_down = *down == 1;
        let leader = leader.text();
        if leader != "*" {
            instance.voted = Some(leader);
            instance.voted_in = u64::try_from(*epoch).unwrap_or(0);
        }
    }

    /// A greeting of another Sentinel has arrived.
    pub(crate) fn greeted(&mut self, now: Instant, message: &str) {
        let words: Vec<&str> = message.split(',').collect();
        let [ip, port, id, epoch, name, master_ip, master_port, config_epoch] = words[..] else {
            return;
        };
        let port_of = |text: &str| text.parse::<u16>().unwrap_or(0);
        let (epoch, config_epoch) =
            (epoch.parse::<u64>().unwrap_or(0), config_epoch.parse::<u64>().unwrap_or(0));
        let Some(master) = self.masters.get_mut(name) else { return };
        let who = Who::Sentinel(name.to_owned(), id.to_owned());
        if !master.sentinels.contains_key(id) {
            let address = (ip.to_owned(), port_of(port));
            let mut sentinel = Instance::new(now, Kind::Sentinel, address);
            sentinel.run_id = Some(id.to_owned());
            master.sentinels.insert(id.to_owned(), sentinel);
            self.tell(&who, "+sentinel", "");
        }
        if epoch > self.epoch {
            self.enter_epoch(epoch);
        }
        let Some(master) = self.masters.get_mut(name) else { return };
        if let Some(sentinel) = master.sentinels.get_mut(id) {
            sentinel.hello_at = now;
        }
        if master.config_epoch < config_epoch {
            master.config_epoch = config_epoch;
            let new: Address = (master_ip.to_owned(), port_of(master_port));
            if new != master.itself.address {
                self.tell(&who, "+config-update-from", "");
                self.switch_master(now, name, &new);
            }
        }
    }

    /// Learns from the answer to `INFO`.
    fn learn(&mut self, now: Instant, who: &Who, info: &str) {
        let field = |line: &str, name: &str| -> Option<String> {
            line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned)
        };
        let Some(instance) = self.instance(who) else { return };
        let (mut reports_master, mut replicas, mut rebooted) = (None, Vec::new(), false);
        let (mut host, mut port) = (None, None);
        instance.link_down_for = Duration::ZERO;
        for line in info.lines() {
            if let Some(run_id) = field(line, "run_id") {
                rebooted = instance.run_id.as_ref().is_some_and(|known| *known != run_id);
                instance.run_id = Some(run_id);
            } else if let Some(role) = field(line, "role") {
                reports_master = Some(role == "master");
            } else if let Some(text) = field(line, "master_host") {
                host = Some(text);
            } else if let Some(text) = field(line, "master_port") {
                port = text.parse::<u16>().ok();
            } else if let Some(text) = field(line, "master_link_status") {
                instance.link_is_up = text == "up";
            } else if let Some(text) = field(line, "master_link_down_since_seconds") {
                instance.link_down_for = Duration::from_secs(text.parse().unwrap_or(0));
            } else if let Some(text) = field(line, "slave_priority") {
                instance.priority = text.parse().unwrap_or(100);
            } else if let Some(text) = field(line, "slave_repl_offset") {
                instance.offset = text.parse().unwrap_or(0);
            } else if instance.kind == Kind::Master {
                replicas.extend(replica_of_line(line));
            }
        }
        if let (Some(host), Some(port)) = (host, port)
            && instance.follows.as_ref() != Some(&(host.clone(), port))
        {
            instance.follows = Some((host, port));
            instance.config_since = now;
        }
        instance.info_at = Some(now);
        if reports_master.is_some() && reports_master != instance.reports_master {
            instance.reports_master = reports_master;
            (instance.role_since, instance.config_since) = (now, now);
            let (is_master, says) = (instance.kind == Kind::Master, reports_master == Some(true));
            let event = if is_master == says { "+role-change" } else { "-role-change" };
            let role = if says { "master" } else { "slave" };
            self.tell(who, event, &format!(" new reported role is {role}"));
        }
        if rebooted {
            self.tell(who, "+reboot", "");
        }
        for address in replicas {
            let Some(master) = self.masters.get_mut(who.master()) else { return };
            if !master.replicas.contains_key(&address) {
                let replica = Instance::new(now, Kind::Replica, address.clone());
                master.replicas.insert(address.clone(), replica);
                self.tell(&Who::Replica(who.master().to_owned(), address), "+slave", "");
            }
        }
        if let Who::Replica(name, address) = who {
            self.correct_role(now, name, address);
        }
    }

    /// A replica has told its role, which may not be the one that it should have.
    fn correct_role(&mut self, now: Instant, name: &str, address: &Address) {
        let who = Who::Replica(name.to_owned(), address.clone());
        let Some(master) = self.masters.get(name) else { return };
        let Some(replica) = master.replicas.get(address) else { return };
        let promoted = master.promoted.clone();
        let current = master.itself.address.clone();
        let failover_timeout = master.failover_timeout;
        let sane = master.looks_sane(now);
        if replica.reports_master == Some(true) {
            if self.note_promotion(now, name, address) {
                return;
            }
            let wait = super::PUBLISH_PERIOD * 4;
            let Some(replica) = self.instance(&who) else { return };
            let settled = replica.is_up_for(now, wait) && now - replica.role_since > wait;
            if !replica.promoted && sane && settled && self.send_replicaof(&who, Some(&current)) {
                self.tell(&who, "+convert-to-slave", "");
            }
            return;
        }
        let settled = replica.is_up_for(now, failover_timeout)
            && now - replica.config_since > failover_timeout;
        let strays = replica.follows.as_ref() != Some(&current);
        if strays && sane && settled && self.send_replicaof(&who, Some(&current)) {
            self.tell(&who, "+fix-slave-config", "");
        }
        let Some(replica) = self.instance(&who) else { return };
        if matches!(replica.reconfigured, Some(Reconfigured::Sent(_)))
            && promoted.is_some()
            && replica.follows == promoted
        {
            replica.reconfigured = Some(Reconfigured::InProgress);
            self.tell(&who, "+slave-reconf-inprog", "");
        }
        let Some(replica) = self.instance(&who) else { return };
        if replica.reconfigured == Some(Reconfigured::InProgress) && replica.link_is_up {
            replica.reconfigured = Some(Reconfigured::Done);
            self.tell(&who, "+slave-reconf-done", "");
        }
    }
}

/// Returns the address of a line such as `slave0:ip=…,port=…,state=…`.
fn replica_of_line(line: &str) -> Option<Address> {
    let (name, rest) = line.split_once(':')?;
    name.strip_prefix("slave")?.parse::<u32>().ok()?;
    let value = |key: &str| rest.split(',').find_map(|part| part.strip_prefix(key));
    Some((value("ip=")?.to_owned(), value("port=")?.parse().ok()?))
}
