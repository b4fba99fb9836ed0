//! `rabbitmqctl -q list_…`: a command as text in, a table as text out.
//!
//! A listing is a table of [`Column`]s, each a name and a function that makes its cell. That table
//! alone decides what is printed. Columns of the real command that a model cannot know (`memory`,
//! `pid`) are unknown here.

use super::cell::{Column, Json, Quoted};
use crate::rabbitmq::broker::Broker;
use std::fmt;

/// Why a `rabbitmqctl` command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CtlError {
    /// There is no such command, or it is not one of the listings that are modelled.
    UnknownCommand(String),
    /// There is no such column.
    UnknownColumn(String),
    /// The listing does not take this option, or the option lacks its value.
    UnknownOption(String),
    /// The formatter is not modelled.
    UnknownFormatter(String),
    /// The command takes fewer arguments.
    TooManyArguments,
    /// The command takes more arguments.
    NotEnoughArguments,
    /// There is no vhost of this name.
    NoSuchVHost(String),
    /// There is no user of this name.
    NoSuchUser(String),
}

impl fmt::Display for CtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CtlError::UnknownCommand(value) => write!(
                f,
                "rabbitmqctl {value}: only the listings are modelled: list_queues, list_exchanges, \
         list_bindings, list_consumers, list_connections, list_channels, list_policies, \
         list_operator_policies, list_vhosts, list_users, list_permissions, \
         list_user_permissions and list_topic_permissions"
            ),
            CtlError::UnknownColumn(value) => {
                write!(f, "Error (argument validation): Info key(s) {value} are not supported")
            }
            CtlError::UnknownOption(value) => {
                write!(f, "Error (argument validation): Invalid options for this command:\n{value}")
            }
            CtlError::UnknownFormatter(value) => {
                write!(f, "rabbitmqctl --formatter {value}: only table and json are modelled")
            }
            CtlError::TooManyArguments => {
                f.write_str("Error (argument validation): too many arguments.")
            }
            CtlError::NotEnoughArguments => {
                f.write_str("Error (argument validation): not enough arguments.")
            }
            CtlError::NoSuchVHost(value) => write!(f, "Virtual host '{value}' does not exist"),
            CtlError::NoSuchUser(value) => write!(f, "Error:\n{{:no_such_user, {value:?}}}"),
        }
    }
}

impl std::error::Error for CtlError {}

/// How a listing is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formatter {
    Table,
    Json,
}

/// A parsed command.
struct Command<'a> {
    name: &'a str,
    vhost: &'a str,
    /// Whether the first line names the columns.
    has_headers: bool,
    formatter: Formatter,
    arguments: Vec<&'a str>,
}

impl<'a> Command<'a> {
    fn parse(text: &'a str) -> Result<Command<'a>, CtlError> {
        let (has_headers, formatter) = (true, Formatter::Table);
        let mut command =
            Command { name: "", vhost: "/", has_headers, formatter, arguments: Vec::new() };
        let mut formatter = None;
        let mut has_table_option = false;
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let missing = || CtlError::UnknownOption(format!("{word} : "));
            match word {
                "-q" | "--quiet" => {}
                "-s" | "--silent" => command.has_headers = false,
                "--no-table-headers" => has_table_option = true,
                "-p" | "--vhost" => command.vhost = words.next().ok_or_else(missing)?,
                "--formatter" => formatter = Some(words.next().ok_or_else(missing)?),
                _ => match (word.strip_prefix("--vhost="), word.strip_prefix("--formatter=")) {
                    (Some(vhost), _) => command.vhost = vhost,
                    (_, Some(name)) => formatter = Some(name),
                    _ if word.starts_with('-') => return Err(missing()),
                    _ if command.name.is_empty() => command.name = word,
                    _ => command.arguments.extend(word.split(',').filter(|w| !w.is_empty())),
                },
            }
        }
        command.formatter = match formatter {
            None | Some("table") => Formatter::Table,
            Some("json") if has_table_option => {
                return Err(CtlError::UnknownOption("--no-table-headers : ".to_owned()));
            }
            Some("json") => Formatter::Json,
            Some(other) => return Err(CtlError::UnknownFormatter(other.to_owned())),
        };
        command.has_headers &= !has_table_option;
        Ok(command)
    }

    /// Prints rows with the columns that were asked for, or else the usual ones.
    fn list<R>(&self, rows: &[R], known: &[Column<R>], usual: &[&str]) -> Result<String, CtlError> {
        let asked = if self.arguments.is_empty() { usual } else { &self.arguments };
        Ok(self.print(rows, &columns(asked, known)?, "[\n]\n"))
    }

    /// Prints the rows of a command that takes no columns.
    fn list_all<R>(&self, rows: &[R], columns: &[Column<R>]) -> Result<String, CtlError> {
        match self.arguments.is_empty() {
            true => Ok(self.print(rows, columns, "[]\n")),
            false => Err(CtlError::TooManyArguments),
        }
    }

    /// Prints rows. As JSON, an empty listing is `empty`.
    fn print<R>(&self, rows: &[R], columns: &[Column<R>], empty: &str) -> String {
        match self.formatter {
            Formatter::Table => self.table(rows, columns),
            Formatter::Json if rows.is_empty() => empty.to_owned(),
            Formatter::Json => json(rows, columns),
        }
    }

    fn table<R>(&self, rows: &[R], columns: &[Column<R>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let header: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let cells = |row: &R| {
            columns.iter().map(|(_, cell)| cell(row).to_string()).collect::<Vec<String>>()
        };
        let header = self.has_headers.then_some(header);
        let lines = header.into_iter().chain(rows.iter().map(cells));
        lines.map(|cells| cells.join("\t") + "\n").collect()
    }
}

/// Returns rows as JSON, one object on each line.
fn json<R>(rows: &[R], columns: &[Column<R>]) -> String {
    let object = |row: &R| {
        let pairs =
            columns.iter().map(|(name, cell)| format!("{}:{}", Quoted(name), Json(&cell(row))));
        format!("{{{}}}\n", pairs.collect::<Vec<_>>().join(","))
    };
    format!("[\n{}]\n", rows.iter().map(object).collect::<Vec<_>>().join(","))
}

/// Returns the columns of these names, each once. All must be known.
fn columns<R>(asked: &[&str], known: &[Column<R>]) -> Result<Vec<Column<R>>, CtlError> {
    let mut found: Vec<Column<R>> = Vec::new();
    let mut unknown = Vec::new();
    for name in asked {
        match known.iter().find(|(known, _)| known == name) {
            None => unknown.push(*name),
            Some(_) if found.iter().any(|(found, _)| found == name) => {}
            Some(column) => found.push(*column),
        }
    }
    if unknown.is_empty() { Ok(found) } else { Err(CtlError::UnknownColumn(unknown.join(","))) }
}

impl Broker {
    /// Returns what `rabbitmqctl -q` prints for a listing: a line with the names of the columns,
    /// then the rows, separated by tabs; nothing at all if there are no rows. `list_queues`,
    /// `list_exchanges`, `list_bindings`, `list_consumers`, `list_connections`, `list_channels` and
    /// `list_vhosts` take columns. The other listings are `list_policies`,
    /// `list_operator_policies`, `list_users`, `list_permissions`, `list_user_permissions USER` and
    /// `list_topic_permissions`.
    ///
    /// Objects that belong to a vhost are listed for `/`, or for the vhost that `-p` or `--vhost`
    /// names. `-s` and `--no-table-headers` omit the first line. `--formatter json` prints an array
    /// of objects instead, byte for byte as the real command does. Where the real server prints
    /// process identifiers, this prints [`ConnectionId`](crate::rabbitmq::broker::ConnectionId)s
    /// and [`ChannelId`](crate::rabbitmq::broker::ChannelId)s.
    ///
    /// ```
    /// # use stunt_double::rabbitmq::BrokerOptions;
    /// # use stunt_double::rabbitmq::broker::Broker;
    /// # use stunt_double::{Site, Stream};
    /// # let names = Stream::calm(Site::new("names"), 0);
    /// # let mut broker = Broker::new(BrokerOptions::default(), names);
    /// assert_eq!(broker.rabbitmqctl("list_queues name messages_ready")?, "");
    /// assert!(broker.rabbitmqctl("list_exchanges")?.starts_with("name\ttype\n\tdirect\n"));
    /// broker.add_vhost("shop");
    /// assert_eq!(broker.rabbitmqctl("list_vhosts")?, "name\n/\nshop\n");
    /// let json = broker.rabbitmqctl("list_vhosts --formatter json")?;
    /// assert_eq!(json, "[\n{\"name\":\"/\"}\n,{\"name\":\"shop\"}\n]\n");
    /// assert!(broker.rabbitmqctl("list_exchanges -p shop name")?.contains("\namq.topic\n"));
    /// # Ok::<(), stunt_double::rabbitmq::admin::CtlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`CtlError`]. For a vhost that does not exist, the listings of queues, exchanges,
    /// bindings and consumers are empty, and those of policies and permissions fail, as in the real
    /// command.
    pub fn rabbitmqctl(&self, command: &str) -> Result<String, CtlError> {
        let parsed = Command::parse(command)?;
        let vhost = parsed.vhost;
        match parsed.name {
            "list_queues" => {
                let rows = self.list_queues().into_iter().filter(|row| row.vhost == vhost);
                let views: Vec<_> = rows.map(|row| super::queue::View::new(self, row)).collect();
                parsed.list(&views, &super::queue::columns(), &["name", "messages"])
            }
            "list_exchanges" => {
                let mut rows = self.list_exchanges();
                rows.retain(|row| row.vhost == vhost);
                parsed.list(&rows, super::exchange::COLUMNS, &["name", "type"])
            }
            "list_bindings" => {
                let mut rows = self.list_bindings();
                rows.retain(|row| row.vhost == vhost);
                parsed.list(&rows, super::binding::COLUMNS, super::binding::USUAL)
            }
            "list_consumers" => {
                let mut rows = self.list_consumers();
                rows.retain(|row| row.vhost == vhost);
                parsed.list(&rows, super::consumer::COLUMNS, super::consumer::USUAL)
            }
            "list_connections" => {
                let usual = &["user", "peer_host", "peer_port", "state"];
                parsed.list(&self.list_connections(), super::connection::COLUMNS, usual)
            }
            "list_channels" => {
                let usual = &["pid", "user", "consumer_count", "messages_unacknowledged"];
                parsed.list(&self.list_channels(), super::channel::COLUMNS, usual)
            }
            "list_vhosts" => parsed.list(&self.list_vhosts(), super::vhost::COLUMNS, &["name"]),
            _ => self.list_without_columns(&parsed, command),
        }
    }

    fn list_without_columns(
        &self,
        parsed: &Command<'_>,
        command: &str,
    ) -> Result<String, CtlError> {
        let existing = || match self.vhost_key(parsed.vhost) {
            Ok(_) => Ok(parsed.vhost),
            Err(_) => Err(CtlError::NoSuchVHost(parsed.vhost.to_owned())),
        };
        match parsed.name {
            "list_policies" | "list_operator_policies" => {
                let vhost = existing()?;
                let mut rows = match parsed.name {
                    "list_policies" => self.list_policies(),
                    _ => self.list_operator_policies(),
                };
                rows.retain(|row| row.vhost == vhost);
                parsed.list_all(&rows, super::policy::COLUMNS)
            }
            "list_users" => parsed.list_all(&self.list_users(), super::user::COLUMNS),
            "list_permissions" => {
                let vhost = existing()?;
                let mut rows = self.list_permissions();
                rows.retain(|row| row.vhost == vhost);
                parsed.list_all(&rows, super::user::PERMISSION_COLUMNS)
            }
            "list_topic_permissions" => {
                let vhost = existing()?;
                let mut rows = self.list_topic_permissions();
                rows.retain(|row| row.vhost == vhost);
                parsed.list_all(&rows, super::user::TOPIC_COLUMNS)
            }
            "list_user_permissions" => match parsed.arguments[..] {
                [] => Err(CtlError::NotEnoughArguments),
                [user] if !self.users.contains_key(user) => {
                    Err(CtlError::NoSuchUser(user.to_owned()))
                }
                [user] => {
                    let mut rows = self.list_permissions();
                    rows.retain(|row| row.user == user);
                    Ok(parsed.print(&rows, super::user::PERMISSIONS_OF_USER_COLUMNS, "[]\n"))
                }
                _ => Err(CtlError::TooManyArguments),
            },
            _ => Err(CtlError::UnknownCommand(command.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Column<u32>] =
        &[("name", |row| format!("n{row}").into()), ("type", |_| "direct".into())];

    #[test]
    fn columns_must_be_known_and_come_once() {
        let names = |asked: &[&str]| {
            columns(asked, KNOWN).map(|found| found.iter().map(|c| c.0).collect::<Vec<_>>())
        };
        assert_eq!(names(&["type", "name", "type"]).unwrap(), ["type", "name"]);
        assert_eq!(
            names(&["type", "nonsense", "other"]).unwrap_err().to_string(),
            "Error (argument validation): Info key(s) nonsense,other are not supported"
        );
    }

    #[test]
    fn options_may_stand_anywhere_and_columns_be_joined_by_commas() {
        let list = |text| Command::parse(text).unwrap().list(&[1, 2], KNOWN, &["name"]).unwrap();
        assert_eq!(list("list_x"), "name\nn1\nn2\n");
        assert_eq!(list("-q list_x name,type -p v"), "name\ttype\nn1\tdirect\nn2\tdirect\n");
        assert_eq!(list("list_x --no-table-headers type"), "direct\ndirect\n");
        assert_eq!(Command::parse("list_x --vhost=v").unwrap().vhost, "v");
        assert!(Command::parse("list_x -p").is_err());
        assert!(Command::parse("list_x --offline").is_err());
    }

    #[test]
    fn json_is_an_object_a_line_and_takes_no_table_headers() {
        let list = |text| Command::parse(text).unwrap().list(&[1, 2], KNOWN, &["name"]).unwrap();
        let expected = "[\n{\"name\":\"n1\"}\n,{\"name\":\"n2\"}\n]\n";
        assert_eq!(list("list_x --formatter json"), expected);
        assert_eq!(list("-s list_x --formatter=json"), expected);
        assert_eq!(list("list_x --formatter table"), "name\nn1\nn2\n");
        for (text, why) in [
            ("list_x --formatter json --no-table-headers", "--no-table-headers : "),
            ("list_x --formatter", "--formatter : "),
        ] {
            let error = Command::parse(text).map(drop).unwrap_err();
            assert_eq!(error, CtlError::UnknownOption(why.to_owned()));
        }
        let error = Command::parse("list_x --formatter csv").map(drop).unwrap_err();
        assert_eq!(error, CtlError::UnknownFormatter("csv".to_owned()));
    }
}
