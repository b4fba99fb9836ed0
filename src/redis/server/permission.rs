//! Where the server checks permissions: before a command, within `EXEC`, and within a script. What
//! is denied is logged.
//!
//! Source: `server.c` (`processCommand`), `multi.c`, `script.c`.

use super::acl::check::{Denial, Lacks};
use super::acl::databases::Place;
use super::acl::log::{Context, Entry, Reason};
use super::acl::user::User;
use super::command::{Row, client_line};
use super::{Request, Server};
use crate::redis::command::arguments::shown;
use crate::redis::command::sort::check_without_all_keys;
use crate::redis::command::{Args, Caller, Origin};
use crate::redis::database::calendar::calendar_ms;
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::value::Sds;

impl Server {
    /// Returns the user of a client. `None` may do everything.
    pub(super) fn user_of(&self, client: ClientId) -> Option<&User> {
        self.acl.user(self.sessions.get(&client)?.user.as_deref()?)
    }

    fn check_user(
        &self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<(), Denial> {
        let place = self.place_of(client);
        self.user_of(client).map_or(Ok(()), |user| user.check(command, args, place))
    }

    /// Returns where a client's next command runs. In a transaction that is queued, it is the
    /// database that was selected last.
    fn place_of(&self, client: ClientId) -> Place {
        let session = self.sessions.get(&client);
        let database = session.map_or(0, |session| session.database);
        let place = Place { database, count: self.databases.len() };
        let multi = session.and_then(|session| session.multi.as_ref());
        let queued = multi.into_iter().flat_map(|multi| multi.queued.iter().rev());
        let selected = |(command, request): &(&Row, Request)| {
            let number = request.get(1).filter(|_| command.name == "select")?;
            place.number_of(number)
        };
        let selected = queued.filter_map(selected).next();
        Place { database: selected.unwrap_or(database), ..place }
    }

    /// Returns whether a script's user may run a command.
    #[cfg(feature = "lua")]
    pub(super) fn is_allowed(
        &self,
        script: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> bool {
        self.check_user(script, command, args).is_ok()
    }

    /// Adds an entry to the log for what a user lacks.
    fn log_denial(
        &mut self,
        client: ClientId,
        context: Context,
        (command, args): (&Row, Args<'_>),
        (lacks, at): Denial,
    ) {
        let object = match lacks {
            Lacks::Command => command.name.as_bytes(),
            Lacks::Database if at == 0 => command.name.as_bytes(),
            Lacks::Database | Lacks::Key | Lacks::Channel => args[at],
        };
        let user = self.sessions.get(&client).and_then(|session| session.user.clone());
        let user = user.unwrap_or_default();
        self.log_access(client, (Reason::Lacks(lacks), context), object, user);
    }

    fn log_access(
        &mut self,
        client: ClientId,
        (reason, context): (Reason, Context),
        object: &[u8],
        user: Sds,
    ) {
        let time = calendar_ms(self.now, self.ahead);
        let entry = Entry {
            count: 1,
            reason,
            context,
            object: Sds::new(object),
            user,
            time,
            created: time,
            id: 0,
            client: client_line(self, client),
        };
        self.acl.log.add(entry, self.config.acl_log_length);
    }

    /// Adds an entry to the log for a password that is wrong. `command` is the command's name, as
    /// the client wrote it.
    pub(super) fn log_failed_login(&mut self, caller: Caller, command: &[u8], user: &[u8]) {
        let session = self.sessions.get(&caller.client);
        let in_multi = session.is_some_and(|session| session.multi.is_some());
        let in_multi = in_multi || caller.origin == Origin::Exec;
        let context = if in_multi { Context::Multi } else { Context::Toplevel };
        self.log_access(caller.client, (Reason::Login, context), command, Sds::new(user));
    }

    /// Checks that a client may run a command that it has sent.
    pub(super) fn check_permission(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        let Err(denial) = self.check_user(client, command, args) else { return Ok(()) };
        let in_multi = self.sessions.get(&client).is_some_and(|s| s.multi.is_some());
        let context = if in_multi { Context::Multi } else { Context::Toplevel };
        self.log_denial(client, context, (command, args), denial);
        let why = if self.profile().access.refusals_name_user {
            self.short_refusal(client, command, denial.0)
        } else {
            match denial.0 {
                Lacks::Database => unreachable!("this version has no rules for databases"),
                Lacks::Command => {
                    let name = command.name;
                    format!("this user has no permissions to run the '{name}' command")
                }
                Lacks::Key => "this user has no permissions to access one of the keys used as \
                               arguments"
                    .to_owned(),
                Lacks::Channel => {
                    "this user has no permissions to access one of the channels used \
                                   as arguments"
                        .to_owned()
                }
            }
        };
        Err(CommandError::format(format!("NOPERM {why}")))
    }

    /// Returns what a client's user lacks, in the words of Redis 7.2 and later.
    fn short_refusal(&self, client: ClientId, command: &Row, lacks: Lacks) -> String {
        let user = || {
            let user = self.sessions.get(&client).and_then(|session| session.user.as_deref());
            shown(user.unwrap_or_default())
        };
        match lacks {
            Lacks::Database => "No permissions to access database".to_owned(),
            Lacks::Command => {
                format!("User {} has no permissions to run the '{}' command", user(), command.name)
            }
            Lacks::Key => "No permissions to access a key".to_owned(),
            Lacks::Channel => "No permissions to access a channel".to_owned(),
        }
    }

    /// Returns the reply to a command of a transaction that its client may no longer run.
    pub(super) fn denied_in_exec(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Option<Reply> {
        if !self.acl.restricts {
            return None;
        }
        let denial = self.check_user(client, command, args).err()?;
        self.log_denial(client, Context::Multi, (command, args), denial);
        let reason = match denial.0 {
            Lacks::Database => "no permission",
            Lacks::Command => "no permission to execute the command or subcommand",
            Lacks::Key => "no permission to touch the specified keys",
            Lacks::Channel => "no permission to access one of the channels used as arguments",
        };
        let error = CommandError::format(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the \
             EXEC call. This command is no longer allowed for the following reason: {reason}"
        ));
        let error = ErrorReply::from(error);
        self.stats.failed(&error);
        Some(error.into())
    }

    /// Checks that the user of a script may run a command. `client` is the script's caller.
    #[cfg(feature = "lua")]
    pub(super) fn check_script(
        &mut self,
        client: ClientId,
        script: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        let Err(denial) = self.check_user(script, command, args) else { return Ok(()) };
        self.log_denial(client, Context::Script, (command, args), denial);
        if self.profile().access.refusals_name_user {
            let why = self.short_refusal(script, command, denial.0);
            return Err(CommandError::format(format!("ERR ACL failure in script: {why}")));
        }
        Err(CommandError::text(match denial.0 {
            Lacks::Database => unreachable!("this version has no rules for databases"),
            Lacks::Command => {
                "ERR The user executing the script can't run this command or subcommand"
            }
            Lacks::Key => {
                "ERR The user executing the script can't access at least one of the keys \
                 mentioned in the command arguments"
            }
            Lacks::Channel => {
                "ERR The user executing the script can't publish to the channel mentioned in the \
                 command"
            }
        }))
    }

    /// Checks that a client may use the options of `SORT` that read other keys. Every other command
    /// passes.
    pub(super) fn check_sort(
        &self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        match self.user_of(client).filter(|_| matches!(command.name, "sort" | "sort_ro")) {
            Some(user) if !user.may_read_all_with(command, args, self.place_of(client)) => {
                check_without_all_keys(args, command.name == "sort_ro")
            }
            _ => Ok(()),
        }
    }
}
