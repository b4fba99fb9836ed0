//! `CLIENT TRACKING`, `CACHING`, `GETREDIR` and `TRACKINGINFO`.

use crate::redis::command::arguments::{integer, is};
use crate::redis::command::{Answer, Args, Caller};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::server::Server;
use crate::redis::server::tracking::{Remembers, Tracker};
use crate::redis::value::Sds;

/// The options of `CLIENT TRACKING`.
#[derive(Default)]
struct Options<'a> {
    redirect: i64,
    broadcasts: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn read(server: &Server, mut words: Args<'a>) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        while let [word, rest @ ..] = words {
            words = match rest {
                [id, rest @ ..] if is(word, "redirect") => {
                    if options.redirect != 0 {
                        return Err(CommandError::text(
                            "ERR A client can only redirect to a single other client",
                        ));
                    }
                    options.redirect = integer(id)?;
                    let exists = |id: i64| server.sessions.values().any(|s| s.id as i64 == id);
                    if !exists(options.redirect) {
                        return Err(CommandError::text(
                            "ERR The client ID you want redirect to does not exist",
                        ));
                    }
                    rest
                }
                [prefix, rest @ ..] if is(word, "prefix") => {
                    options.prefixes.push(prefix);
                    rest
                }
                rest => {
                    let option = if is(word, "bcast") {
                        &mut options.broadcasts
                    } else if is(word, "optin") {
                        &mut options.opt_in
                    } else if is(word, "optout") {
                        &mut options.opt_out
                    } else if is(word, "noloop") {
                        &mut options.no_loop
                    } else {
                        return Err(CommandError::Syntax);
                    };
                    *option = true;
                    rest
                }
            };
        }
        Ok(options)
    }

    /// Checks that the options go together, and with how the client tracks now. Returns an error
    /// that is told although tracking begins.
    fn check(&self, now: Option<&Tracker>) -> Result<Option<CommandError>, CommandError> {
        let refuse = |text| Err(CommandError::text(text));
        if !self.broadcasts && !self.prefixes.is_empty() {
            return refuse("ERR PREFIX option requires BCAST mode to be enabled");
        }
        if now.is_some_and(|now| now.broadcasts != self.broadcasts) {
            return refuse(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
                 and then re-enabling it with a different mode.",
            );
        }
        if self.broadcasts && (self.opt_in || self.opt_out) {
            return refuse("ERR OPTIN and OPTOUT are not compatible with BCAST");
        }
        if self.opt_in && self.opt_out {
            return refuse("ERR You can't specify both OPTIN mode and OPTOUT mode");
        }
        let before = now.map_or(Remembers::All, |now| now.remembers);
        if (self.opt_in && before == Remembers::OptOut)
            || (self.opt_out && before == Remembers::OptIn)
        {
            return refuse(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
                 and then re-enabling it with a different mode.",
            );
        }
        self.check_prefixes(now)
    }

    /// Checks that no prefix begins with another. As in Redis, only an overlap of the first prefix
    /// with another given one is refused; of a later one, the error is returned, which most
    /// versions send before the reply.
    fn check_prefixes(&self, now: Option<&Tracker>) -> Result<Option<CommandError>, CommandError> {
        let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
        let shown = |prefix: &[u8]| String::from_utf8_lossy(prefix).into_owned();
        for (index, prefix) in self.prefixes.iter().enumerate() {
            let former = now.into_iter().flat_map(|now| &now.prefixes);
            let mut former = former.map(Sds::as_slice);
            if let Some(other) = former.find(|other| overlap(prefix, other)) {
                return Err(CommandError::format(format!(
                    "ERR Prefix '{}' overlaps with an existing prefix '{}'. Prefixes for a single \
                     client must not overlap.",
                    shown(prefix),
                    shown(other)
                )));
            }
            let later = &self.prefixes[index + 1..];
            if let Some(other) = later.iter().find(|other| overlap(prefix, other)) {
                let error = CommandError::format(format!(
                    "ERR Prefix '{}' overlaps with another provided prefix '{}'. Prefixes for a \
                     single client must not overlap.",
                    shown(prefix),
                    shown(other)
                ));
                return if index == 0 { Err(error) } else { Ok(Some(error)) };
            }
        }
        Ok(None)
    }
}

/// `ON | OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`.
pub(super) fn client_tracking(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let client = caller.client;
    let options = Options::read(server, &args[3..])?;
    if is(args[2], "off") {
        server.untrack(client);
        return Ok(Reply::OK);
    }
    if !is(args[2], "on") {
        return Err(CommandError::Syntax);
    }
    if let Some(error) = options.check(server.tracking.clients.get(&client))? {
        if server.profile().arguments.tracking_refuses_any_overlap {
            return Err(error);
        }
        let error = ErrorReply::from(error);
        server.stats.of("client|tracking").failed += 1;
        server.stats.failed(&error);
        server.reply_first(client, error.into());
    }
    let mut prefixes: Vec<Sds> = options.prefixes.iter().map(|prefix| Sds::new(prefix)).collect();
    if options.broadcasts && prefixes.is_empty() {
        prefixes.push(Sds::default());
    }
    let remembers = match (options.opt_in, options.opt_out) {
        (true, _) => Remembers::OptIn,
        (_, true) => Remembers::OptOut,
        _ => Remembers::All,
    };
    let tracker = Tracker {
        redirect: u64::try_from(options.redirect).unwrap_or(0),
        broadcasts: options.broadcasts,
        prefixes,
        remembers,
        no_loop: options.no_loop,
        ..Tracker::default()
    };
    server.track(client, tracker);
    Ok(Reply::OK)
}

/// `YES | NO`.
pub(super) fn client_caching(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let Some(tracker) = server.tracking.clients.get_mut(&caller.client) else {
        return Err(CommandError::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN \
             or OPTOUT mode enabled",
        ));
    };
    let (mode, text) = if is(args[2], "yes") {
        (
            Remembers::OptIn,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )
    } else if is(args[2], "no") {
        (
            Remembers::OptOut,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )
    } else {
        return Err(CommandError::Syntax);
    };
    if tracker.remembers != mode {
        return Err(CommandError::text(text));
    }
    tracker.caching = true;
    Ok(Reply::OK)
}

/// Returns what a client redirects to: 0 is itself, -1 that it does not track.
pub(super) fn redirection(server: &Server, client: ClientId) -> i64 {
    server.tracking.clients.get(&client).map_or(-1, |by| i64::try_from(by.redirect).unwrap_or(0))
}

pub(super) fn client_getredir(server: &mut Server, caller: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::Integer(redirection(server, caller.client)))
}

pub(super) fn client_trackinginfo(server: &mut Server, caller: Caller, _: Args<'_>) -> Answer {
    let off = Tracker::default();
    let found = server.tracking.clients.get(&caller.client);
    let tracker = found.unwrap_or(&off);
    let (opt_in, opt_out) =
        (tracker.remembers == Remembers::OptIn, tracker.remembers == Remembers::OptOut);
    let flags = [
        ("on", found.is_some()),
        ("off", found.is_none()),
        ("bcast", tracker.broadcasts),
        ("optin", opt_in),
        ("caching-yes", opt_in && tracker.caching),
        ("optout", opt_out),
        ("caching-no", opt_out && tracker.caching),
        ("noloop", tracker.no_loop),
        ("broken_redirect", tracker.broken),
    ];
    let flags =
        flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| Reply::bulk(name.as_bytes()));
    Ok(Reply::Map(vec![
        (Reply::bulk(b"flags"), Reply::Set(flags.collect())),
        (Reply::bulk(b"redirect"), Reply::Integer(redirection(server, caller.client))),
        (Reply::bulk(b"prefixes"), Reply::bulks(&tracker.prefixes)),
    ]))
}
