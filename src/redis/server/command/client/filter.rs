//! The clients that `CLIENT KILL` and, in later versions, `CLIENT LIST` select.
//!
//! Every filter must match. Of one that is given twice, the last counts, but ids add up where a
//! version takes several. A client without a name has none that could match, not an empty one.

use super::flags;
use crate::redis::command::Args;
use crate::redis::command::arguments::{is, shown};
use crate::redis::error::CommandError;
use crate::redis::server::{ClientId, Server, Session};
use crate::redis::value::number::parse_i64;
use std::collections::BTreeSet;

/// Types of clients. The connection to a master is none of its clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientType {
    Normal,
    PubSub,
    Replica,
    Master,
}

impl ClientType {
    fn parse(word: &[u8], knows_primaries: bool) -> Result<ClientType, CommandError> {
        if is(word, "normal") {
            Ok(ClientType::Normal)
        } else if is(word, "pubsub") {
            Ok(ClientType::PubSub)
        } else if is(word, "slave") || is(word, "replica") {
            Ok(ClientType::Replica)
        } else if is(word, "master") || (knows_primaries && is(word, "primary")) {
            Ok(ClientType::Master)
        } else {
            let word = shown(word);
            Err(CommandError::format(format!("ERR Unknown client type '{word}'")))
        }
    }

    fn of(server: &Server, client: ClientId) -> ClientType {
        if server.replication.replicas.contains_key(&client) {
            ClientType::Replica
        } else if server.pubsub.is_subscriber(client) {
            ClientType::PubSub
        } else {
            ClientType::Normal
        }
    }
}

/// A property that a client has or has not.
enum Property<'a> {
    Ids(BTreeSet<i64>),
    Type(ClientType),
    Address(&'a [u8]),
    LocalAddress(&'a [u8]),
    Ip(&'a [u8]),
    User(&'a [u8]),
    Name(&'a [u8]),
    Library(&'a [u8]),
    LibraryVersion(&'a [u8]),
    /// The client has these marks, and perhaps others.
    Flags(&'a [u8]),
    Capabilities(&'a [u8]),
    Database(usize),
    /// Connected for at least this many seconds.
    Age(u64),
    /// Idle for at least this many seconds.
    Idle(u64),
}

/// The marks that a client may have, in versions that select by them.
const FLAGS: &[u8] = b"bcdeirtuxABEIMNOPRSTU";
/// The capabilities that a client may claim.
const CAPABILITIES: &[u8] = b"r";

fn has_all(own: &[u8], wanted: &[u8]) -> bool {
    wanted.len() <= own.len() && wanted.iter().all(|mark| own.contains(mark))
}

impl Property<'_> {
    fn holds(&self, server: &Server, client: ClientId, session: &Session) -> bool {
        let seconds = |since| (server.now - since).as_secs();
        let is_text = |own: &[u8], wanted: &[u8]| !own.is_empty() && own == wanted;
        let claims = session.claims();
        match self {
            Property::Ids(ids) => ids.contains(&(session.id as i64)),
            Property::Type(kind) => ClientType::of(server, client) == *kind,
            Property::Address(address) => session.peer.as_bytes() == *address,
            Property::LocalAddress(address) => {
                *address == format!("127.0.0.1:{}", server.config.port).as_bytes()
            }
            Property::Ip(ip) => {
                let own = session.peer.rsplit_once(':').map_or(&*session.peer, |(ip, _)| ip);
                own.as_bytes() == *ip
            }
            Property::User(name) => session.user.as_deref() == Some(*name),
            Property::Name(name) => is_text(session.name(), name),
            Property::Library(name) => claims.is_some_and(|claims| is_text(&claims.library, name)),
            Property::LibraryVersion(version) => {
                claims.is_some_and(|claims| is_text(&claims.library_version, version))
            }
            Property::Flags(wanted) => has_all(flags(server, client, session).as_bytes(), wanted),
            Property::Capabilities(wanted) => {
                let redirects = claims.is_some_and(|claims| claims.redirects);
                has_all(if redirects { CAPABILITIES } else { b"" }, wanted)
            }
            Property::Database(number) => session.database == *number,
            Property::Age(age) => seconds(session.created) >= *age,
            Property::Idle(idle) => seconds(session.last_used) >= *idle,
        }
    }
}

/// Properties that all hold, or do not hold.
pub(super) struct Filter<'a> {
    properties: Vec<(Property<'a>, bool)>,
    with_self: bool,
}

/// Reads a number of seconds.
fn seconds(word: &[u8], name: &str) -> Result<u64, CommandError> {
    let invalid = || CommandError::format(format!("ERR {name} is not an integer or out of range"));
    let least = || CommandError::format(format!("ERR {name} should be greater than 0"));
    let number = parse_i64(word).ok_or_else(invalid)?;
    u64::try_from(number).ok().filter(|n| *n > 0).ok_or_else(least)
}

impl<'a> Filter<'a> {
    /// Returns the filter that every client passes.
    pub(super) fn all() -> Filter<'a> {
        Filter { properties: Vec::new(), with_self: true }
    }

    fn only(property: Property<'a>) -> Filter<'a> {
        Filter { properties: vec![(property, true)], with_self: true }
    }

    /// Returns the filter for clients with these ids.
    pub(super) fn ids(ids: BTreeSet<i64>) -> Filter<'a> {
        Filter::only(Property::Ids(ids))
    }

    /// Returns the filter for the client of an address.
    pub(super) fn address(address: &'a [u8]) -> Filter<'a> {
        Filter::only(Property::Address(address))
    }

    fn add(&mut self, property: Property<'a>, holds: bool, adds_ids: bool) {
        let kind = std::mem::discriminant(&property);
        let known = { self.properties.iter_mut() }
            .find(|(other, of)| std::mem::discriminant(other) == kind && *of == holds);
        match (known, property) {
            (Some((Property::Ids(ids), _)), Property::Ids(more)) if adds_ids => ids.extend(more),
            (Some((other, _)), property) => *other = property,
            (None, property) => self.properties.push((property, holds)),
        }
    }

    /// Reads filters, each a word and its value.
    pub(super) fn parse(
        server: &Server,
        words: Args<'a>,
        with_self: bool,
    ) -> Result<Filter<'a>, CommandError> {
        let rules = &server.profile().arguments;
        let mut filter = Filter { with_self, ..Filter::all() };
        let mut rest = words;
        while let [word, more @ ..] = rest {
            let [value, after @ ..] = more else { return Err(CommandError::Syntax) };
            rest = after;
            let name = word.to_ascii_lowercase();
            let negated = name.strip_prefix(b"not-").filter(|_| rules.client_filters_negate);
            let name = negated.unwrap_or(&name);
            if name == b"id" {
                let several = rules.client_list_filters;
                let count =
                    if several { more.iter().map_while(|id| parse_i64(id)).count() } else { 1 };
                if count == 0 || (rules.client_ids_are_syntax && parse_i64(value).is_none()) {
                    return Err(CommandError::Syntax);
                }
                let id = |id: &&[u8]| parse_i64(id).filter(|id| *id > 0);
                let ids: Option<BTreeSet<i64>> = more[..count].iter().map(id).collect();
                let ids =
                    ids.ok_or(CommandError::text("ERR client-id should be greater than 0"))?;
                filter.add(Property::Ids(ids), negated.is_none(), several);
                rest = &more[count..];
            } else if name == b"skipme" && negated.is_none() {
                filter.with_self = match () {
                    () if is(value, "yes") => false,
                    () if is(value, "no") => true,
                    () => return Err(CommandError::Syntax),
                };
            } else {
                let property = property(server, name, value, negated.is_some())?;
                filter.add(property, negated.is_none(), false);
            }
        }
        Ok(filter)
    }

    /// Returns whether a client is selected by the client `me`.
    pub(super) fn matches(
        &self,
        server: &Server,
        me: ClientId,
        client: ClientId,
        session: &Session,
    ) -> bool {
        let fits = |(of, holds): &(Property<'_>, bool)| of.holds(server, client, session) == *holds;
        (self.with_self || client != me) && self.properties.iter().all(fits)
    }
}

/// Reads one property.
fn property<'a>(
    server: &Server,
    name: &[u8],
    value: &'a [u8],
    negated: bool,
) -> Result<Property<'a>, CommandError> {
    let rules = &server.profile().arguments;
    Ok(match name {
        b"type" => Property::Type(ClientType::parse(value, rules.clients_have_primaries)?),
        b"addr" => Property::Address(value),
        b"laddr" => Property::LocalAddress(value),
        b"user" => {
            if server.acl.user(value).is_none() {
                let name = shown(value);
                return Err(CommandError::format(format!("ERR No such user '{name}'")));
            }
            Property::User(value)
        }
        b"maxage" if rules.kill_takes_maxage && !negated => {
            Property::Age(seconds(value, "maxage")?)
        }
        _ if !rules.client_filters_negate => return Err(CommandError::Syntax),
        b"idle" if !negated => Property::Idle(seconds(value, "idle")?),
        b"name" => Property::Name(value),
        b"lib-name" => Property::Library(value),
        b"lib-ver" => Property::LibraryVersion(value),
        b"ip" => Property::Ip(value),
        b"flags" => Property::Flags(known_marks(value, FLAGS, "flags", negated)?),
        b"capa" => Property::Capabilities(known_marks(value, CAPABILITIES, "capa", negated)?),
        b"db" => Property::Database(database(value, server.databases.len(), negated)?),
        _ => return Err(CommandError::Syntax),
    })
}

/// Returns marks that all exist.
fn known_marks<'a>(
    marks: &'a [u8],
    known: &[u8],
    name: &str,
    negated: bool,
) -> Result<&'a [u8], CommandError> {
    if marks.iter().all(|mark| known.contains(mark)) {
        return Ok(marks);
    }
    let place = match negated {
        true => format!("NOT-{}", name.to_uppercase()),
        false => "provided".to_owned(),
    };
    let marks = shown(marks);
    Err(CommandError::format(format!("ERR Unknown {name} found in the {place} filter: {marks}")))
}

fn database(word: &[u8], databases: usize, negated: bool) -> Result<usize, CommandError> {
    let name = if negated { "NOT-DB" } else { "DB" };
    let invalid = || CommandError::format(format!("ERR {name} is not an integer or out of range"));
    let number = parse_i64(word).ok_or_else(invalid)?;
    usize::try_from(number).ok().filter(|number| *number < databases).ok_or_else(|| {
        let last = databases - 1;
        CommandError::format(format!("ERR {name} number should be between 0 and {last}"))
    })
}
