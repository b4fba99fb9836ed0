//! Our broker as a side of a conversation.

use crate::played::scenario::{Heard, Side};
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::rabbitmq::admin::{Alarm, ApplyTo, Permissions, Policy, UserLimits, VHostLimits};
use stunt_double::rabbitmq::broker::Broker;
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::rabbitmq::{BrokerOptions, DeprecatedFeature, FieldTable, QueueType, Version};
use stunt_double::sim::service::{ByteOutput, ByteService as _, Hangup};
use stunt_double::{Instant, Site, Stream};

/// Our broker, with a clock that only moves when a scenario waits.
pub(crate) struct Ours {
    options: BrokerOptions,
    server: ByteServer,
    now: Instant,
    next: u64,
    sockets: BTreeMap<String, u64>,
    /// The output sent while it stopped.
    last_words: Vec<(String, Heard)>,
}

fn server(options: BrokerOptions) -> ByteServer {
    ByteServer::new(Broker::new(options, Stream::seeded(1, Site::new("test.recorded"), 0)))
}

impl Ours {
    /// A broker of this version.
    pub(crate) fn new(version: Version) -> Ours {
        // The recordings of 4.3 come from a package that permits transient queues by a patch; the
        // official server denies them by default.
        let transient = DeprecatedFeature::TransientNonexclQueues;
        let options = BrokerOptions::default().with_version(version).permit_deprecated(transient);
        let server = server(options.clone());
        let (sockets, last_words) = (BTreeMap::new(), Vec::new());
        Ours { options, server, now: Instant::ZERO, next: 1, sockets, last_words }
    }
}

impl Side for Ours {
    fn connect(&mut self, name: &str) {
        let id = self.next;
        self.next += 1;
        self.sockets.insert(name.to_owned(), id);
        self.server.connected(self.now, id, "test");
    }

    fn send(&mut self, name: &str, bytes: &[u8]) {
        if let Some(id) = self.sockets.get(name) {
            self.server.receive(self.now, *id, bytes);
        }
    }

    fn lose(&mut self, name: &str) {
        if let Some(id) = self.sockets.remove(name) {
            self.server.disconnected(self.now, id);
        }
    }

    fn hear(&mut self) -> Vec<(String, Heard)> {
        let mut heard = std::mem::take(&mut self.last_words);
        loop {
            while let Some((id, output)) = self.server.poll_output() {
                let name = self.sockets.iter().find(|(_, known)| **known == id);
                let Some((name, _)) = name else { continue };
                heard.push((
                    name.clone(),
                    match output {
                        ByteOutput::Data(bytes) => Heard::Bytes(bytes),
                        ByteOutput::Close(Hangup::Reset) => Heard::Closed,
                        other => panic!("the broker closes by a reset only, not by {other:?}"),
                    },
                ));
            }
            // A timer for the present moment fires when everything else is done.
            match self.server.poll_timeout() {
                Some(at) if at <= self.now => self.server.handle_timeout(self.now),
                _ => {
                    self.server.machine().check_invariants().unwrap();
                    return heard;
                }
            }
            if heard.len() > 10_000 {
                return heard;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn stop_and_start(&mut self, cleanly: bool) {
        let broker = self.server.machine_mut();
        if cleanly {
            broker.stop(self.now);
        } else {
            broker.kill(self.now);
        }
        self.last_words = self.hear();
        self.server.machine_mut().start(self.now);
    }

    fn control(&mut self, words: &[String]) -> Result<(), String> {
        control(self, words)
    }

    fn silence(&self) -> Option<u32> {
        None
    }
}

/// Runs the commands of `rabbitmqctl` that the recordings use.
fn control(ours: &mut Ours, words: &[String]) -> Result<(), String> {
    let now = ours.now;
    let option = |name: &str| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).map(String::as_str)
    };
    let vhost = option("-p").unwrap_or("/").to_owned();
    let mut plain = Vec::new();
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        if word.starts_with('-') && word.len() > 1 {
            rest.next();
        } else {
            plain.push(word);
        }
    }
    let broker = ours.server.machine_mut();
    let done = match &plain[..] {
        ["add_user", name, password] => {
            broker.add_user(*name, *password);
            Ok(())
        }
        ["delete_user", name] => broker.delete_user(now, name),
        ["set_permissions", user, configure, write, read] => {
            let permissions = Permissions {
                configure: (*configure).into(),
                write: (*write).into(),
                read: (*read).into(),
            };
            broker.set_permissions(&vhost, user, permissions)
        }
        ["set_topic_permissions", user, exchange, write, read] => {
            broker.set_topic_permissions(&vhost, user, exchange, write, read)
        }
        ["clear_permissions", user] => broker.clear_permissions(&vhost, user),
        ["add_vhost", name] => {
            broker.add_vhost(*name);
            let kinds = [QueueType::Classic, QueueType::Quorum, QueueType::Stream];
            let kind = option("--default-queue-type");
            let kind = kind.and_then(|kind| kinds.into_iter().find(|known| known.name() == kind));
            broker.set_default_queue_type(name, kind)
        }
        ["delete_vhost", name] => broker.delete_vhost(now, name),
        ["set_vhost_limits", json] => {
            let limit = |name: &str| number(json, name);
            let limits = VHostLimits {
                max_connections: limit("max-connections"),
                max_queues: limit("max-queues"),
            };
            broker.set_vhost_limits(&vhost, limits)
        }
        ["set_user_limits", user, json] => {
            let limit = |name: &str| number(json, name);
            let limits = UserLimits {
                max_connections: limit("max-connections"),
                max_channels: limit("max-channels"),
            };
            broker.set_user_limits(user, limits)
        }
        [command @ ("set_policy" | "set_operator_policy"), name, pattern, json] => {
            let mut policy = Policy::new(*name, *pattern, definition(json)?);
            policy.priority = option("--priority").map_or(0, |text| text.parse().unwrap());
            policy.apply_to = match option("--apply-to") {
                Some("queues") => ApplyTo::Queues,
                Some("exchanges") => ApplyTo::Exchanges,
                _ => ApplyTo::All,
            };
            if *command == "set_policy" {
                broker.set_policy(now, &vhost, policy)
            } else {
                broker.set_operator_policy(now, &vhost, policy)
            }
        }
        ["clear_policy", name] => broker.clear_policy(now, &vhost, name),
        ["clear_operator_policy", name] => broker.clear_operator_policy(now, &vhost, name),
        ["set_vm_memory_high_watermark", "absolute", bytes] => {
            broker.set_alarm(now, Alarm::Memory, *bytes == "1");
            Ok(())
        }
        ["eval", code] => return eval(ours, code),
        _ => return Err(format!("no command {plain:?}")),
    };
    done.map_err(|why| why.to_string())
}

/// Changes settings that a real server changes while it runs. Ours is started again with them.
fn eval(ours: &mut Ours, code: &str) -> Result<(), String> {
    let setting = code.strip_prefix("application:set_env(rabbit,");
    let setting = setting.and_then(|setting| setting.strip_suffix(").")?.split_once(','));
    match setting {
        // Our broker checks exactly on time.
        Some(("channel_tick_interval", _)) => Ok(()),
        Some(("consumer_timeout", millis)) => {
            if ours.next == 1 {
                let time = Duration::from_millis(millis.parse().unwrap());
                ours.options = ours.options.clone().with_consumer_timeout(Some(time));
                ours.server = server(ours.options.clone());
            }
            Ok(())
        }
        _ => Err(format!("{code} cannot be done")),
    }
}

/// Returns the members of a flat JSON object.
fn members(json: &str) -> impl Iterator<Item = (&str, &str)> {
    let inside = json.trim_start_matches('{').trim_end_matches('}');
    inside.split(',').filter_map(|member| {
        let (name, value) = member.split_once(':')?;
        Some((name.trim_matches('"'), value))
    })
}

fn number(json: &str, name: &str) -> Option<u32> {
    members(json).find(|member| member.0 == name)?.1.parse().ok()
}

fn definition(json: &str) -> Result<FieldTable, String> {
    let mut table = FieldTable::new();
    for (name, value) in members(json) {
        match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            Some(text) => table.insert(name, text),
            None => table.insert(name, value.parse::<i64>().map_err(|why| why.to_string())?),
        };
    }
    Ok(table)
}
