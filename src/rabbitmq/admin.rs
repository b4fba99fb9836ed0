//! Listings, as typed rows and as `rabbitmqctl` prints them.
//!
//! Rows come sorted: queues, exchanges and consumers by name, bindings by
//! source, then routing key and destination, with the bindings every queue has
//! to the default exchange first. (The real server's order is that of a hash
//! table.)
//!
//! Source: `rabbitmqctl` 3.10.8.

use super::broker::Broker;
use super::id::ChannelId;
use super::pattern::InvalidPattern;
use super::table::{FieldTable, FieldValue};
use smol_str::SmolStr;
use std::fmt::{self, Write as _};

/// A queue, as `list_queues` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRow {
    /// Its name.
    pub name: SmolStr,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes when its last consumer does.
    pub auto_delete: bool,
    /// Whether it belongs to one connection.
    pub exclusive: bool,
    /// Its arguments.
    pub arguments: FieldTable,
    /// Messages ready for delivery.
    pub messages_ready: usize,
    /// Messages delivered and not acknowledged.
    pub messages_unacknowledged: usize,
    /// Its consumers.
    pub consumers: usize,
}

impl QueueRow {
    /// All its messages, ready or not.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages_ready + self.messages_unacknowledged
    }
}

/// An exchange, as `list_exchanges` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRow {
    /// Its name; empty for the default exchange.
    pub name: SmolStr,
    /// Its type.
    pub kind: &'static str,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes when its last binding does.
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: FieldTable,
}

/// A binding, as `list_bindings` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRow {
    /// The exchange; empty for the default exchange.
    pub source: SmolStr,
    /// The queue.
    pub destination: SmolStr,
    /// The routing key or pattern.
    pub routing_key: SmolStr,
    /// The arguments, in the order of their names.
    pub arguments: FieldTable,
}

/// A consumer, as `list_consumers` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRow {
    /// The queue.
    pub queue: SmolStr,
    /// Its channel.
    pub channel: ChannelId,
    /// Its tag.
    pub consumer_tag: SmolStr,
    /// Whether its deliveries want to be acknowledged.
    pub ack_required: bool,
    /// The prefetch count it began with; 0 is no limit.
    pub prefetch_count: u16,
    /// Its arguments.
    pub arguments: FieldTable,
}

/// A `rabbitmqctl` command the broker does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CtlError {
    /// No such command, or not one of the listings.
    #[error(
        "rabbitmqctl {0}: only list_queues, list_exchanges, list_bindings and list_consumers are modelled"
    )]
    UnknownCommand(String),
    /// No such column.
    #[error("Error (argument validation): Info key(s) {0} are not supported")]
    UnknownColumn(String),
}

/// An operation of an administrator that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// There is no user of this name.
    #[error("User {0:?} does not exist")]
    NoSuchUser(String),
    /// There is no vhost of this name.
    #[error("Virtual host {0:?} does not exist")]
    NoSuchVHost(String),
    /// There is no policy of this name.
    #[error("Policy {0:?} does not exist")]
    NoSuchPolicy(String),
    /// A pattern is no regular expression.
    #[error(transparent)]
    InvalidPattern(#[from] InvalidPattern),
}

impl Broker {
    /// The queues, by name.
    #[must_use]
    pub fn list_queues(&self) -> Vec<QueueRow> {
        let mut rows: Vec<QueueRow> = self
            .queues
            .iter()
            .map(|(_, queue)| QueueRow {
                name: queue.more.name.clone(),
                durable: queue.durable(),
                auto_delete: queue.more.auto_delete,
                exclusive: queue.more.owner.is_some(),
                arguments: queue.more.arguments.clone(),
                messages_ready: queue.ready_count() as usize,
                messages_unacknowledged: queue.unacked as usize,
                consumers: queue.consumer_count(),
            })
            .collect();
        rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    /// The exchanges, by name.
    #[must_use]
    pub fn list_exchanges(&self) -> Vec<ExchangeRow> {
        let mut rows: Vec<ExchangeRow> = self
            .exchanges
            .iter()
            .map(|(_, exchange)| ExchangeRow {
                name: SmolStr::clone(&exchange.name),
                kind: exchange.kind.name(),
                durable: exchange.durable,
                auto_delete: exchange.auto_delete,
                internal: exchange.internal,
                arguments: exchange.arguments.clone(),
            })
            .collect();
        rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    /// The bindings: first those to the default exchange, by queue, then the
    /// others by source, routing key, destination and arguments.
    #[must_use]
    pub fn list_bindings(&self) -> Vec<BindingRow> {
        let mut rows = Vec::new();
        for (_, queue) in self.queues.iter() {
            let row = |source: &str, routing_key: &SmolStr, arguments: &FieldTable| BindingRow {
                source: source.into(),
                destination: queue.more.name.clone(),
                routing_key: routing_key.clone(),
                arguments: arguments.clone(),
            };
            rows.push(row("", &queue.more.name, &FieldTable::new()));
            for (source, binding) in &queue.more.bindings {
                let source = self.exchanges.get(*source).expect("a binding's source exists");
                rows.push(row(&source.name, &binding.routing_key, &binding.arguments));
            }
        }
        rows.sort_by_cached_key(|row| {
            let BindingRow { source, destination, routing_key, arguments } = row;
            (source.clone(), routing_key.clone(), destination.clone(), arguments.to_string())
        });
        rows
    }

    /// The consumers, by queue, channel and tag.
    #[must_use]
    pub fn list_consumers(&self) -> Vec<ConsumerRow> {
        let mut rows: Vec<ConsumerRow> = self
            .live_consumers()
            .map(|(queue, channel, consumer)| ConsumerRow {
                queue: queue.clone(),
                channel,
                consumer_tag: consumer.tag.clone(),
                ack_required: consumer.ack_required,
                prefetch_count: consumer.prefetch,
                arguments: consumer.arguments().clone(),
            })
            .collect();
        rows.sort_unstable_by(|a, b| {
            (&a.queue, a.channel, &a.consumer_tag).cmp(&(&b.queue, b.channel, &b.consumer_tag))
        });
        rows
    }

    /// What `rabbitmqctl -q` prints for a listing, columns and all: a line with
    /// the columns' names, then the rows, with tabs between; nothing at all if
    /// there are no rows. A consumer's `channel_pid` is its [`ChannelId`].
    ///
    /// ```
    /// # use stunt_double::rabbitmq::{Broker, BrokerOptions};
    /// # use stunt_double::{Site, Stream};
    /// # let broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
    /// assert_eq!(broker.rabbitmqctl("list_queues name messages_ready")?, "");
    /// assert!(broker.rabbitmqctl("list_exchanges")?.starts_with("name\ttype\n\tdirect\n"));
    /// # Ok::<(), stunt_double::rabbitmq::CtlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A command that is not one of the four listings, or an unknown column.
    pub fn rabbitmqctl(&self, command: &str) -> Result<String, CtlError> {
        let mut words = command.split_whitespace();
        let Some(name) = words.next() else {
            return Err(CtlError::UnknownCommand(command.to_owned()));
        };
        let asked: Vec<&str> = words.collect();
        match name {
            "list_queues" => {
                let columns = columns(&asked, QUEUE_COLUMNS, &["name", "messages"])?;
                Ok(listing(&self.list_queues(), columns, queue_cell))
            }
            "list_exchanges" => {
                let columns = columns(&asked, EXCHANGE_COLUMNS, &["name", "type"])?;
                Ok(listing(&self.list_exchanges(), columns, exchange_cell))
            }
            "list_bindings" => {
                let columns = columns(&asked, BINDING_COLUMNS, BINDING_COLUMNS)?;
                Ok(listing(&self.list_bindings(), columns, binding_cell))
            }
            "list_consumers" => {
                let columns = columns(&asked, CONSUMER_COLUMNS, CONSUMER_COLUMNS)?;
                Ok(listing(&self.list_consumers(), columns, consumer_cell))
            }
            _ => Err(CtlError::UnknownCommand(command.to_owned())),
        }
    }
}

const QUEUE_COLUMNS: &[&str] = &[
    "name",
    "durable",
    "auto_delete",
    "exclusive",
    "arguments",
    "messages",
    "messages_ready",
    "messages_unacknowledged",
    "consumers",
    "state",
    "type",
];

const EXCHANGE_COLUMNS: &[&str] =
    &["name", "type", "durable", "auto_delete", "internal", "arguments"];

const BINDING_COLUMNS: &[&str] = &[
    "source_name",
    "source_kind",
    "destination_name",
    "destination_kind",
    "routing_key",
    "arguments",
];

const CONSUMER_COLUMNS: &[&str] = &[
    "queue_name",
    "channel_pid",
    "consumer_tag",
    "ack_required",
    "prefetch_count",
    "active",
    "arguments",
];

/// The columns asked for, all of which must be known, or else the usual ones.
fn columns<'a>(
    asked: &'a [&'a str],
    known: &[&str],
    usual: &'a [&'a str],
) -> Result<&'a [&'a str], CtlError> {
    let mut unknown = asked.iter().filter(|column| !known.contains(column)).peekable();
    if unknown.peek().is_some() {
        let unknown: Vec<&str> = unknown.copied().collect();
        return Err(CtlError::UnknownColumn(unknown.join(", ")));
    }
    Ok(if asked.is_empty() { usual } else { asked })
}

/// Rows as text.
fn listing<R>(rows: &[R], columns: &[&str], cell: impl Fn(&R, &str) -> String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let header = columns.iter().map(ToString::to_string).collect();
    let rows = rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect());
    let lines = std::iter::once(header).chain(rows);
    lines.map(|cells: Vec<String>| cells.join("\t") + "\n").collect()
}

fn queue_cell(row: &QueueRow, column: &str) -> String {
    match column {
        "name" => row.name.to_string(),
        "durable" => row.durable.to_string(),
        "auto_delete" => row.auto_delete.to_string(),
        "exclusive" => row.exclusive.to_string(),
        "arguments" => Arguments(&row.arguments).to_string(),
        "messages" => row.messages().to_string(),
        "messages_ready" => row.messages_ready.to_string(),
        "messages_unacknowledged" => row.messages_unacknowledged.to_string(),
        "consumers" => row.consumers.to_string(),
        "state" => "running".to_owned(),
        "type" => "classic".to_owned(),
        _ => unreachable!("the columns were checked"),
    }
}

fn exchange_cell(row: &ExchangeRow, column: &str) -> String {
    match column {
        "name" => row.name.to_string(),
        "type" => row.kind.to_owned(),
        "durable" => row.durable.to_string(),
        "auto_delete" => row.auto_delete.to_string(),
        "internal" => row.internal.to_string(),
        "arguments" => Arguments(&row.arguments).to_string(),
        _ => unreachable!("the columns were checked"),
    }
}

fn binding_cell(row: &BindingRow, column: &str) -> String {
    match column {
        "source_name" => row.source.to_string(),
        "source_kind" => "exchange".to_owned(),
        "destination_name" => row.destination.to_string(),
        "destination_kind" => "queue".to_owned(),
        "routing_key" => row.routing_key.to_string(),
        "arguments" => Arguments(&row.arguments).to_string(),
        _ => unreachable!("the columns were checked"),
    }
}

fn consumer_cell(row: &ConsumerRow, column: &str) -> String {
    match column {
        "queue_name" => row.queue.to_string(),
        "channel_pid" => row.channel.to_string(),
        "consumer_tag" => row.consumer_tag.to_string(),
        "ack_required" => row.ack_required.to_string(),
        "prefetch_count" => row.prefetch_count.to_string(),
        "active" => "true".to_owned(),
        "arguments" => Arguments(&row.arguments).to_string(),
        _ => unreachable!("the columns were checked"),
    }
}

/// Arguments as `rabbitmqctl` prints them: `[{"key","text"},{"key",1}]`.
struct Arguments<'a>(&'a FieldTable);

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (i, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            write!(f, "{{\"{name}\",{}}}", Argument(value))?;
        }
        f.write_char(']')
    }
}

struct Argument<'a>(&'a FieldValue);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::String(_) | FieldValue::Bytes(_) => write!(f, "\"{}\"", self.0),
            FieldValue::Table(table) => Arguments(table).fmt(f),
            FieldValue::Array(values) => {
                f.write_char('[')?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    Argument(value).fmt(f)?;
                }
                f.write_char(']')
            }
            value => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_print_as_rabbitmqctl_prints_them() {
        let table = FieldTable::new().with("b", true).with("n", 1).with("x-match", "all");
        assert_eq!(Arguments(&table).to_string(), r#"[{"b",true},{"n",1},{"x-match","all"}]"#);
        assert_eq!(Arguments(&FieldTable::new()).to_string(), "[]");
    }

    #[test]
    fn every_column_has_a_cell() {
        use crate::rabbitmq::{BrokerOptions, ConsumeOptions, QueueOptions};
        use crate::{Instant, Site, Stream};

        let names = Stream::calm(Site::new("test"), 0);
        let mut broker = Broker::new(BrokerOptions::default(), names);
        let (now, ch) = (Instant::ZERO, ChannelId::new(1, 1));
        broker.connection_open(now, ch.connection, Default::default()).unwrap();
        broker.channel_open(now, ch).unwrap();
        broker.queue_declare(now, ch, "hello", QueueOptions::default()).unwrap();
        let consume = ConsumeOptions { consumer_tag: "c".into(), ..Default::default() };
        broker.basic_consume(now, ch, "hello", consume).unwrap();

        let ctl = |command: &str, columns: &[&str]| {
            broker.rabbitmqctl(&format!("{command} {}", columns.join(" "))).unwrap()
        };
        assert_eq!(
            ctl("list_queues", &["name", "messages_ready", "messages_unacknowledged"]),
            "name\tmessages_ready\tmessages_unacknowledged\nhello\t0\t0\n"
        );
        let cells = ctl("list_queues", QUEUE_COLUMNS);
        assert!(cells.ends_with("hello\tfalse\tfalse\tfalse\t[]\t0\t0\t0\t1\trunning\tclassic\n"));
        let cells = ctl("list_exchanges", EXCHANGE_COLUMNS);
        assert!(cells.contains("\namq.rabbitmq.trace\ttopic\ttrue\tfalse\ttrue\t[]\n"));
        let cells = ctl("list_bindings", BINDING_COLUMNS);
        assert!(cells.ends_with("\n\texchange\thello\tqueue\thello\t[]\n"));
        let cells = ctl("list_consumers", CONSUMER_COLUMNS);
        assert!(cells.ends_with("\nhello\t1/1\tc\ttrue\t0\ttrue\t[]\n"));
    }

    #[test]
    fn columns_must_be_known() {
        let known = &["name", "type"];
        assert_eq!(columns(&[], known, &["name"]), Ok(&["name"][..]));
        assert_eq!(
            columns(&["type", "nonsense"], known, &["name"]).unwrap_err().to_string(),
            "Error (argument validation): Info key(s) nonsense are not supported"
        );
    }
}
