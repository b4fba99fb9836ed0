//! The life of each key, as typed events, while somebody asks for it.
//!
//! Told are the commands that name a key, reads included, because a lost update is explained by who
//! read what; and what happens to a key without a command: it expires, a blocked client takes from
//! it, it is lost when the server goes down. A key's age is told when it is gone: that of a lock is
//! how long it was held.

use super::command::Row;
use super::{ClientId, Server};
use crate::redis::command::Args;
use crate::redis::command::key_spec::usage;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
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
    /// A keyspace event without a command that names the key: `expired`.
    Event(&'static str),
    /// All keys were removed.
    Flushed,
    /// The server went down before it was safe on disk.
    Lost,
}

/// The story so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    happenings: VecDeque<Happening>,
    /// When each key that exists came to be.
    born: BTreeMap<(usize, Sds), Instant>,
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
        session.map_or_else(|| format!("client {}", client.0), |session| session.peer.clone())
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
        if matches!(command.name, "flushall" | "flushdb" | "swapdb") {
            self.tell_gone(&Fate::Flushed);
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
                if !is_of_command || event.event == "expired" {
                    self.add_to_story(index, event.key, Fate::Event(event.event));
                }
            }
        }
    }

    /// The server has started with what was on its disk.
    pub(super) fn tell_lost(&mut self) {
        self.tell_gone(&Fate::Lost);
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
        let exists = self.has(database, &key) && fate != Fate::Event("expired");
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
