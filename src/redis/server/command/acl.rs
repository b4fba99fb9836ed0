//! `ACL`: users and what they may do.
//!
//! Source: `acl.c` (`aclCommand`).

use super::Row;
use crate::redis::command::arguments::{integer, is, shown};
use crate::redis::command::describe::CATEGORIES;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, help, server, wrong_subcommand};
use crate::redis::database::calendar::calendar_ms;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::acl::DEFAULT_USER;
use crate::redis::server::acl::catalogue::{catalogue, category};
use crate::redis::server::acl::check::Lacks;
use crate::redis::server::acl::databases::Place;
use crate::redis::server::acl::log::Entry;
use crate::redis::server::acl::selector::{Selector, has_spaces, is_among};
use crate::redis::server::acl::user::User;
use crate::redis::server::pubsub::Kind;
use crate::redis::server::{ClientId, Server};
use crate::redis::value::Sds;

#[rustfmt::skip]
const SUBCOMMANDS: &[Row] = &[
    server("acl|cat", -2, NOSCRIPT | LOADING | STALE, &[], &[], "List the ACL categories or the commands inside a category", acl_cat),
    server("acl|deluser", -3, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Remove the specified ACL users and the associated rules", acl_deluser),
    server("acl|dryrun", -4, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Returns whether the user can execute the given command without executing the command.", acl_dryrun),
    server("acl|genpass", -2, NOSCRIPT | LOADING | STALE, &[], &[], "Generate a pseudorandom secure password to use for ACL users", acl_genpass),
    server("acl|getuser", 3, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Get the rules for a specific ACL user", acl_getuser),
    help("acl|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("acl|list", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "List the current ACL rules in ACL config file format", acl_list),
    server("acl|load", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Reload the ACLs from the configured ACL file", acl_load),
    server("acl|log", -2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "List latest events denied because of ACLs in place", acl_log),
    server("acl|save", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Save the current ACL rules in the configured ACL file", acl_save),
    server("acl|setuser", -3, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Modify or create the rules for a specific ACL user", acl_setuser),
    server("acl|users", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "List the username of all the configured ACL rules", acl_users),
    server("acl|whoami", 2, NOSCRIPT | LOADING | STALE, &[], &[], "Return the name of the user associated to the current connection", acl_whoami),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("acl", -2, 0, &[], "A container for Access List Control commands ", SUBCOMMANDS),
];

/// Greatest number of bits of `ACL GENPASS`.
const MOST_BITS: i64 = 4096;

/// `[category]`.
fn acl_cat(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    match args {
        [_, _] => Ok(Reply::bulks(CATEGORIES)),
        [_, _, name] => {
            let Some(bit) = category(name) else {
                let name: String = shown(name).chars().take(128).collect();
                return Err(CommandError::format(format!("ERR Unknown category '{name}'")));
            };
            let members = catalogue(server.options.version())
                .iter()
                .filter(|(_, entry)| entry.categories & bit != 0);
            Ok(Reply::bulks(members.map(|(_, entry)| entry.row.name)))
        }
        _ => Err(wrong_subcommand(args, "ACL")),
    }
}

/// `user [rule …]`. All rules are applied, or none.
fn acl_setuser(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let name = args[2];
    if has_spaces(name) {
        return Err(CommandError::text("ERR Usernames can't contain spaces or null characters"));
    }
    let all_channels = server.config.acl_all_channels;
    let user = server
        .acl
        .with_rules(name, &args[3..], all_channels)
        .map_err(|why| CommandError::format(format!("ERR {}", why.replace(['\r', '\n'], " "))))?;
    if let Some(former) = server.acl.user(name)
        && user.has_fewer_channels_than(former)
    {
        close_subscribers(server, name, &user);
    }
    server.acl.put(name, user);
    Ok(Reply::OK)
}

/// Closes the clients of a user who listen to what the user may no longer listen to.
fn close_subscribers(server: &mut Server, name: &[u8], user: &User) {
    let patterns = user.channel_patterns();
    let denied = |client: ClientId| {
        [Kind::Pattern, Kind::Channel, Kind::Shard].into_iter().any(|kind| {
            let targets = server.pubsub.subscriptions(client, kind);
            targets.iter().any(|target| !is_among(&patterns, target, kind == Kind::Pattern))
        })
    };
    let of_user = server.sessions.iter().filter(|(_, s)| s.user.as_deref() == Some(name));
    let closed: Vec<ClientId> =
        of_user.map(|(client, _)| *client).filter(|client| denied(*client)).collect();
    for client in closed {
        server.close(client);
    }
}

/// `user …`. The users' clients are closed; the caller gets the reply first.
fn acl_deluser(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if args[2..].iter().any(|name| shown(name) == DEFAULT_USER) {
        return Err(CommandError::text("ERR The 'default' user cannot be removed"));
    }
    let mut deleted = 0;
    for name in &args[2..] {
        if server.acl.remove(name) {
            deleted += 1;
            close_clients_of(server, caller, name);
        }
    }
    Ok(Reply::count(deleted))
}

fn close_clients_of(server: &mut Server, caller: Caller, name: &[u8]) {
    let of_user = server.sessions.iter().filter(|(_, s)| s.user.as_deref() == Some(name));
    let clients: Vec<ClientId> = of_user.map(|(client, _)| *client).collect();
    for client in clients {
        if client == caller.client {
            let session = server.session_mut(client);
            session.user = Some(DEFAULT_USER.into());
            session.authenticated = false;
            session.closing = true;
        } else {
            server.close(client);
        }
    }
}

fn text(text: &str) -> Reply {
    Reply::bulk(text.as_bytes())
}

/// Returns the fields of a selector.
fn selector_fields(selector: &Selector) -> Vec<(Reply, Reply)> {
    let mut fields = vec![
        (text("commands"), Reply::bulk(&selector.describe_commands())),
        (text("keys"), Reply::bulk(&selector.describe_keys())),
        (text("channels"), Reply::bulk(&selector.describe_channels())),
    ];
    fields.extend(selector.describe_databases().map(|rule| (text("databases"), text(&rule))));
    fields
}

fn acl_getuser(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let Some(user) = server.acl.user(args[2]) else { return Ok(Reply::Nil) };
    let mut selectors = user.selectors().map(selector_fields);
    let root = selectors.next().unwrap_or_default();
    let mut fields = vec![
        (text("flags"), Reply::Set(user.flags().map(text).collect())),
        (text("passwords"), Reply::bulks(&user.passwords)),
    ];
    fields.extend(root);
    fields.push((text("selectors"), Reply::Array(selectors.map(Reply::Map).collect())));
    Ok(Reply::Map(fields))
}

fn acl_list(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    let line =
        |(name, user): (&Sds, &User)| [b"user ", name.as_slice(), b" ", &user.describe()].concat();
    Ok(Reply::bulks(server.acl.users().map(line)))
}

fn acl_users(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    Ok(Reply::bulks(server.acl.users().map(|(name, _)| name)))
}

fn acl_whoami(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    Ok(Reply::bulk_or_nil(server.session_mut(caller.client).user.as_deref()))
}

/// Returns the error of a server without a file of users.
fn no_file(server: &Server) -> CommandError {
    if server.profile().texts.name_no_product { NO_FILE_OF_VALKEY } else { NO_FILE }
}

const NO_FILE_OF_VALKEY: CommandError = CommandError::text(
    "ERR This instance is not configured to use an ACL file. You may want to specify users via the \
     ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file \
     set) in order to store users in the configuration.",
);

const NO_FILE: CommandError = CommandError::text(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users \
     via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
     configuration file set) in order to store users in the Redis configuration.",
);

/// Replaces all users with those of the file. The clients of all users but the default one are
/// closed, also if the user is in the file.
fn acl_load(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    let file = server.acl_file.as_ref().ok_or_else(|| no_file(server))?;
    let former: Vec<Sds> = server.acl.users().map(|(name, _)| name.clone()).collect();
    let loaded = server.acl.load(file, server.config.acl_all_channels);
    loaded.map_err(|why| CommandError::format(format!("ERR {why}")))?;
    for name in former.iter().filter(|name| name.as_slice() != DEFAULT_USER.as_bytes()) {
        close_clients_of(server, caller, name);
    }
    Ok(Reply::OK)
}

fn acl_save(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    let Some(file) = &mut server.acl_file else { return Err(no_file(server)) };
    file.text = server.acl.to_file().into();
    Ok(Reply::OK)
}

/// `[bits]`. The password is drawn like everything else that is random, so it is no secret.
fn acl_genpass(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let bits = match args {
        [_, _] => 256,
        [_, _, bits] => integer(bits)?,
        _ => return Err(wrong_subcommand(args, "ACL")),
    };
    if !(1..=MOST_BITS).contains(&bits) {
        return Err(CommandError::format(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a \
             positive number up to {MOST_BITS}"
        )));
    }
    let digits = usize::try_from((bits + 3) / 4).expect("it is positive");
    let mut password = String::new();
    while password.len() < digits {
        password.push_str(&format!("{:08x}", server.random.choose(1 << 32)));
    }
    password.truncate(digits);
    Ok(text(&password))
}

/// Returns an entry of the log, at this time.
fn entry(entry: &Entry, now: i64, has_id: bool) -> Reply {
    let mut fields = vec![
        (text("count"), Reply::Integer(i64::try_from(entry.count).unwrap_or(i64::MAX))),
        (text("reason"), text(entry.reason.name())),
        (text("context"), text(entry.context.name())),
        (text("object"), Reply::bulk(&entry.object)),
        (text("username"), Reply::bulk(&entry.user)),
        (text("age-seconds"), Reply::Double((now - entry.time) as f64 / 1000.0)),
        (text("client-info"), text(&entry.client)),
    ];
    if has_id {
        let id = i64::try_from(entry.id).unwrap_or(i64::MAX);
        fields.push((text("entry-id"), Reply::Integer(id)));
        fields.push((text("timestamp-created"), Reply::Integer(entry.created)));
        fields.push((text("timestamp-last-updated"), Reply::Integer(entry.time)));
    }
    Reply::Map(fields)
}

/// `[count | RESET]`.
fn acl_log(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let has_id = server.profile().access.log_has_ids;
    let log = &mut server.acl.log;
    let count = match args {
        [_, _] => 10,
        [_, _, word] if is(word, "reset") => {
            log.entries.clear();
            return Ok(Reply::OK);
        }
        [_, _, count] => integer(count)?.max(0),
        _ => return Err(wrong_subcommand(args, "ACL")),
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let now = calendar_ms(server.now, server.ahead);
    Ok(Reply::Array(log.entries.iter().take(count).map(|e| entry(e, now, has_id)).collect()))
}

/// `user command [argument …]`.
fn acl_dryrun(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let request = &args[3..];
    let place = Place { database: caller.database, count: server.databases.len() };
    let Some(user) = server.acl.user(args[2]) else {
        let name = shown(args[2]);
        return Err(CommandError::format(format!("ERR User '{name}' not found")));
    };
    let Some(command) = server.table.named(request) else {
        let name = shown(request[0]);
        return Err(CommandError::format(format!("ERR Command '{name}' not found")));
    };
    if !command.accepts(request.len()) {
        return Err(command.arity_error());
    }
    let Err((lacks, at)) = user.check(command, request, place) else {
        return Ok(Reply::OK);
    };
    let name = if server.profile().access.refusals_name_user {
        format!("User {}", shown(args[2]))
    } else {
        "This user".to_owned()
    };
    let what = match lacks {
        Lacks::Database => format!("access database {}", shown(request[at])),
        Lacks::Command => format!("run the '{}' command", command.name),
        Lacks::Key => format!("access the '{}' key", shown(request[at])),
        Lacks::Channel => format!("access the '{}' channel", shown(request[at])),
    };
    Ok(text(&format!("{name} has no permissions to {what}")))
}
