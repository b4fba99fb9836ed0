//! The life of each key, as typed events, while somebody asks for it.
//!
//! Told are the commands that name a key, reads included, because a lost update is explained by who
//! read what; and what happens to a key without a command: it expires, a blocked client takes from
//! it, databases are swapped, or the server goes down before a change is on disk, which undoes the
//! change. A key's age is told when it is gone: that of a lock is how long it was held.

use super::command::Row;
use super::replication::{Discarded, LostWrite};
use super::{ClientId, Server};
use crate::redis::command::Args;
use crate::redis::command::key_spec::usage;
use crate::redis::database::calendar::calendar_ms;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Happening {
    pub(crate) database: usize,
    pub(crate) key: Sds,
    pub(crate) fate: Fate,
    /// How long the key had existed, if it is gone now.
    pub(crate) lived: Option<Duration>,
}

/// What can happen to a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// A client's command; without a reply, the client waits.
    Command { by: String, words: Vec<Sds>, reply: Option<Reply> },
    /// A client that waited was served.
    Served { by: String, reply: Reply },
    /// A keyspace event without a command that names the key: `expired`, `evicted`.
    Event(&'static str),
    /// All keys were removed.
    Flushed,
    /// Its database was exchanged for another, which had this key or had it not.
    Swapped { by: String, with: usize, was_here: bool, was_there: bool },
    /// The server discarded this write of its own, which its new master does not have.
    Discarded { command: Vec<Sds>, master: String },
    /// The server went down before it was safe on disk.
    Lost,
    /// The server went down before the last changes were safe on disk.
    SetBack,
    /// The server went down before what removed it was safe on disk.
    Back,
    /// Its time came while the server was down.
    ExpiredMeanwhile,
    /// The server's disk was wiped.
    Wiped,
}

/// The story so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    happenings: VecDeque<Happening>,
    /// When each key that exists came to be.
    born: BTreeMap<(usize, Sds), Instant>,
}

/// Returns whether an event says that a key is gone without a command.
fn is_end(event: &str) -> bool {
    event == "expired" || event == "evicted"
}

impl Server {
    /// Tells the life of each key from now on; see [`Server::poll_story`].
    pub(crate) fn tell_stories(&mut self) {
        self.story.get_or_insert_default();
        self.observe_for_story();
    }

    /// Lets the databases collect the events that the story needs.
    pub(crate) fn observe_for_story(&mut self) {
        let tells = self.story.is_some();
        self.databases.iter_mut().for_each(|database| database.observers.tells = tells);
    }

    /// Returns what happened next, if the server was asked to tell.
    pub(crate) fn poll_story(&mut self) -> Option<Happening> {
        self.tell_events(0, &[]);
        self.story.as_mut()?.happenings.pop_front()
    }

    fn name_of(&self, client: ClientId) -> String {
        let session = self.sessions.get(&client);
        session.map_or_else(|| format!("client {}", client.0), |session| session.peer.to_string())
    }

    /// A command has run, which names these keys.
    pub(super) fn tell_command(
        &mut self,
        (client, database): (ClientId, usize),
        command: &Row,
        args: Args<'_>,
        reply: Option<&Reply>,
    ) {
        let mut keys: Vec<Sds> = Vec::new();
        for spec in command.keys.iter().filter(|spec| spec.usage & usage::NOT_KEY == 0) {
            let places = spec.positions(args).unwrap_or_default();
            keys.extend(places.into_iter().filter_map(|at| args.get(at)).map(|key| Sds::new(key)));
        }
        self.tell_events(database, &keys);
        let by = self.name_of(client);
        let words: Vec<Sds> = args.iter().map(|word| Sds::new(word)).collect();
        for key in keys {
            let (by, words, reply) = (by.clone(), words.clone(), reply.cloned());
            self.add_to_story(database, key, Fate::Command { by, words, reply });
        }
        match command.name {
            "flushall" | "flushdb" => self.tell_gone(&Fate::Flushed),
            "swapdb" if reply == Some(&Reply::OK) => self.tell_swapped(&by, args),
            _ => {}
        }
    }

    /// Two databases were exchanged for each other. Their keys keep their ages.
    fn tell_swapped(&mut self, by: &str, args: Args<'_>) {
        let index = |at: usize| std::str::from_utf8(args.get(at)?).ok()?.parse::<usize>().ok();
        let (Some(one), Some(other)) = (index(1), index(2)) else { return };
        let Some(story) = self.story.as_mut().filter(|_| one != other) else { return };
        let mut keys: BTreeMap<Sds, (Option<Instant>, Option<Instant>)> = BTreeMap::new();
        for ((database, key), born) in std::mem::take(&mut story.born) {
            if database == one {
                keys.entry(key).or_default().0 = Some(born);
            } else if database == other {
                keys.entry(key).or_default().1 = Some(born);
            } else {
                story.born.insert((database, key), born);
            }
        }
        for (key, (here, there)) in keys {
            for (database, with, was, comes) in
                [(one, other, here, there), (other, one, there, here)]
            {
                let by = by.to_owned();
                let (was_here, was_there) = (was.is_some(), comes.is_some());
                let fate = Fate::Swapped { by, with, was_here, was_there };
                let key = key.clone();
                story.born.extend(comes.map(|born| ((database, key.clone()), born)));
                story.happenings.push_back(Happening { database, key, fate, lived: None });
            }
        }
    }

    /// A client that waited for a key was served.
    pub(super) fn tell_served(
        &mut self,
        database: usize,
        key: &Sds,
        client: ClientId,
        reply: &Reply,
    ) {
        if self.story.is_some() {
            self.tell_events(database, std::slice::from_ref(key));
            let by = self.name_of(client);
            self.add_to_story(database, key.clone(), Fate::Served { by, reply: reply.clone() });
        }
    }

    /// Tells the events of keys, except what a command did to these keys of a database.
    pub(super) fn tell_events(&mut self, database: usize, but: &[Sds]) {
        if self.story.is_none() {
            return;
        }
        for index in 0..self.databases.len() {
            for event in std::mem::take(&mut self.databases[index].observers.told) {
                let is_of_command = index == database && but.contains(&event.key);
                if !is_of_command || is_end(event.event) {
                    self.add_to_story(index, event.key, Fate::Event(event.event));
                }
            }
        }
    }

    /// The server goes down. Keys whose time has come are gone for that reason.
    pub(super) fn tell_last_events(&mut self) {
        self.tell_events(0, &[]);
        let Some(story) = &self.story else { return };
        let now = calendar_ms(self.now, self.ahead);
        let due = story.born.keys().filter(|(database, key)| {
            let database = self.databases.get(*database);
            let entry = database.and_then(|database| database.keyspace.get(key));
            entry.is_some_and(|entry| entry.expires_at() <= now)
        });
        let due: Vec<(usize, Sds)> = due.cloned().collect();
        for (database, key) in due {
            self.add_to_story(database, key, Fate::Event("expired"));
        }
    }

    /// The server has gone down, with what is on its disk.
    pub(super) fn tell_losses(&mut self) {
        let Some(story) = &self.story else { return };
        let now = calendar_ms(self.now, self.ahead);
        let lost: BTreeSet<&(usize, Sds)> = self.persistence.losses().keys.iter().collect();
        let mut changed: BTreeMap<(usize, Sds), Fate> = BTreeMap::new();
        for (index, database) in self.databases.iter().enumerate() {
            for entry in database.keyspace.iter().filter(|entry| entry.expires_at() > now) {
                let place = (index, entry.key.clone());
                match story.born.contains_key(&place) {
                    false => changed.insert(place, Fate::Back),
                    true if lost.contains(&place) => changed.insert(place, Fate::SetBack),
                    true => None,
                };
            }
        }
        for ((database, key), fate) in changed {
            self.add_to_story(database, key, fate);
        }
        self.tell_gone(&Fate::Lost);
    }

    /// The server has discarded writes of its own, because its new master does not have them.
    pub(super) fn tell_discarded(&mut self, lost: &Discarded) {
        if self.story.is_none() {
            return;
        }
        let Discarded { writes, keys, master } = lost;
        for LostWrite { database, command } in writes {
            let words: Vec<&[u8]> = command.iter().map(Sds::as_slice).collect();
            let Some(row) = self.table.named(&words) else { continue };
            for spec in row.keys.iter().filter(|spec| spec.usage & usage::NOT_KEY == 0) {
                let places = spec.positions(&words).unwrap_or_default();
                for key in places.into_iter().filter_map(|at| command.get(at)) {
                    let (command, master) = (command.clone(), master.clone());
                    let fate = Fate::Discarded { command, master };
                    self.add_to_story(*database, key.clone(), fate);
                }
            }
        }
        for (database, key) in keys {
            let (command, master) = (Vec::new(), master.clone());
            self.add_to_story(*database, key.clone(), Fate::Discarded { command, master });
        }
    }

    /// The server has started with what was on its disk.
    pub(super) fn tell_expired_meanwhile(&mut self) {
        self.tell_gone(&Fate::ExpiredMeanwhile);
    }

    /// Everything is removed.
    pub(super) fn tell_wiped(&mut self) {
        self.tell_gone(&Fate::Wiped);
    }

    fn tell_gone(&mut self, fate: &Fate) {
        let Some(story) = &self.story else { return };
        let gone = story.born.keys().filter(|(database, key)| !self.has(*database, key));
        let gone: Vec<(usize, Sds)> = gone.cloned().collect();
        for (database, key) in gone {
            self.add_to_story(database, key, fate.clone());
        }
    }

    fn has(&self, database: usize, key: &Sds) -> bool {
        self.databases.get(database).is_some_and(|database| database.keyspace.get(key).is_some())
    }

    fn add_to_story(&mut self, database: usize, key: Sds, fate: Fate) {
        // An event that says so precedes what comes after it.
        let ended = matches!(fate, Fate::Event(event) if is_end(event));
        let exists = self.has(database, &key) && !ended;
        let now = self.now;
        let Some(story) = &mut self.story else { return };
        let place = (database, key.clone());
        let lived = if exists {
            story.born.entry(place).or_insert(now);
            None
        } else {
            story.born.remove(&place).map(|born| now - born)
        };
        story.happenings.push_back(Happening { database, key, fate, lived });
    }
}
