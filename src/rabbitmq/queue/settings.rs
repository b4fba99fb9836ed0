//! The settings of a queue: its arguments, checked as the server checks them, and the settings that
//! follow from them and from the matching policies.
//!
//! Each argument is a row of one table: its name, the types of queue that take it, and its
//! permitted values.
//!
//! Source: <https://www.rabbitmq.com/docs/queues#optional-arguments>, and the server's refusals.

use crate::rabbitmq::protocol::age::Age;
use crate::rabbitmq::protocol::error::{Fault, queue_in_vhost};
use crate::rabbitmq::protocol::limits::{MAX_EXPIRY, MAX_PRIORITY, MAX_SEGMENT_BYTES};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::version::SettingRules;
use crate::rabbitmq::vhost::policy::{Policy, effective};
use crate::sort::sort_by_key;
use smol_str::SmolStr;
use std::ops::Deref;
use std::time::Duration;

/// The bit of a type in the table of arguments.
fn bit(queue_type: QueueType) -> u8 {
    match queue_type {
        QueueType::Classic => CLASSIC,
        QueueType::Quorum => QUORUM,
        QueueType::Stream => STREAM,
    }
}

/// The behaviour at a queue's length limit (`x-overflow`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The oldest messages are dropped.
    #[default]
    DropHead,
    /// New messages are refused.
    RejectPublish,
    /// New messages are refused and dead-lettered.
    RejectPublishDlx,
}

/// The returned messages that a quorum queue delays, and for how long (`x-delayed-retry-…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DelayedRetry {
    delays_failed: bool,
    delays_released: bool,
    min: Duration,
    max: Option<Duration>,
}

impl DelayedRetry {
    fn new(kind: Option<&str>, min: Option<Duration>, max: Option<Duration>) -> Option<Self> {
        let (delays_failed, delays_released) = match kind? {
            "all" => (true, true),
            "failed" => (true, false),
            "returned" => (false, true),
            _ => return None,
        };
        Some(DelayedRetry { delays_failed, delays_released, min: min?, max })
    }

    /// Returns the delay of a message whose delivery failed or not, and that has failed this often.
    pub(crate) fn delay(self, has_failed: bool, failures: u64) -> Option<Duration> {
        let applies = if has_failed { self.delays_failed } else { self.delays_released };
        let times = u32::try_from(failures.max(1)).unwrap_or(u32::MAX);
        let delay = self.min.saturating_mul(times);
        applies.then(|| self.max.map_or(delay, |max| delay.min(max)))
    }
}

/// The settings of a queue, from all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) message_ttl: Option<Duration>,
    pub(crate) expires: Option<Duration>,
    pub(crate) max_length: Option<u64>,
    pub(crate) max_length_bytes: Option<u64>,
    pub(crate) overflow: Overflow,
    pub(crate) dead_letter_exchange: Option<SmolStr>,
    pub(crate) dead_letter_routing_key: Option<SmolStr>,
    /// Whether a dead letter that cannot be routed is kept (`at-least-once`).
    pub(crate) keeps_dead_letters: bool,
    pub(crate) delivery_limit: Option<u64>,
    /// Whether a delivery limit is set, even an invalid one.
    pub(crate) sets_delivery_limit: bool,
    /// Whether the delivery limit is negative; the version decides what that means.
    pub(crate) has_negative_delivery_limit: bool,
    /// Whether a rejected message of a quorum queue goes to the end; the version decides that.
    pub(crate) moves_rejected_to_end: bool,
    /// How long a delivery may be unacknowledged, if the version lets a queue say so.
    pub(crate) consumer_timeout: Option<Duration>,
    /// The delays before returned messages are delivered again, if the version has them.
    pub(crate) delayed_retry: Option<DelayedRetry>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_segment_bytes: Option<u64>,
}

impl Settings {
    /// The settings that follow from arguments and policies.
    pub(crate) fn new(
        arguments: &FieldTable,
        policy: Option<&Policy>,
        operator: Option<&Policy>,
        rules: &SettingRules,
    ) -> Settings {
        let get = |key: &str| {
            let argument = arguments.get(&format!("x-{key}"));
            effective(key, argument, policy, operator)
        };
        let limit = match rules.takes_negative_delivery_limits {
            true => largest_if_negative("delivery-limit", arguments, policy, operator),
            false => get("delivery-limit"),
        };
        let integer = |key: &str| get(key)?.as_integer().and_then(|n| u64::try_from(n).ok());
        let time = |key: &str| integer(key).map(Duration::from_millis);
        let text = |key: &str| get(key)?.as_str().map(SmolStr::from);
        let overflow = match get("overflow").and_then(FieldValue::as_str) {
            Some("reject-publish") => Overflow::RejectPublish,
            Some("reject-publish-dlx") => Overflow::RejectPublishDlx,
            _ => Overflow::DropHead,
        };
        // The strategy requires this overflow, and has no effect otherwise.
        let strategy = text("dead-letter-strategy");
        let keeps_dead_letters =
            strategy.as_deref() == Some("at-least-once") && overflow == Overflow::RejectPublish;
        Settings {
            keeps_dead_letters,
            message_ttl: time("message-ttl"),
            expires: time("expires"),
            max_length: integer("max-length"),
            max_length_bytes: integer("max-length-bytes"),
            overflow,
            dead_letter_exchange: text("dead-letter-exchange"),
            dead_letter_routing_key: text("dead-letter-routing-key"),
            delivery_limit: limit.and_then(FieldValue::as_integer).and_then(|n| n.try_into().ok()),
            sets_delivery_limit: limit.is_some(),
            has_negative_delivery_limit: limit
                .and_then(FieldValue::as_integer)
                .is_some_and(|limit| limit < 0),
            moves_rejected_to_end: false,
            consumer_timeout: time("consumer-timeout").filter(|_| rules.queues_have_timeouts),
            delayed_retry: DelayedRetry::new(
                get("delayed-retry-type").and_then(FieldValue::as_str),
                time("delayed-retry-min"),
                time("delayed-retry-max"),
            )
            .filter(|_| rules.has_delayed_retries),
            max_age: get("max-age").and_then(FieldValue::as_str).and_then(|age| {
                match Age::parse(age) {
                    Age::Valid(age) => Some(age),
                    Age::UnknownUnit | Age::Nonsense => None,
                }
            }),
            max_segment_bytes: integer("stream-max-segment-size-bytes"),
        }
    }

    /// Returns whether no setting affects a publish or an acknowledgement.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Settings { expires: self.expires, ..Settings::default() }
    }
}

/// Returns the effective value of a number for which a negative value means unlimited: the largest
/// if any is negative, and otherwise the smallest.
fn largest_if_negative<'a>(
    key: &str,
    arguments: &'a FieldTable,
    policy: Option<&'a Policy>,
    operator: Option<&'a Policy>,
) -> Option<&'a FieldValue> {
    let argument = arguments.get(&format!("x-{key}"));
    let of = |policy: Option<&'a Policy>| policy.and_then(|policy| policy.definition.get(key));
    let number = |value: &&FieldValue| value.as_integer().unwrap_or(i128::MAX);
    let set = || [argument, of(operator), of(policy)].into_iter().flatten();
    if set().any(|value| number(&value) < 0) {
        return set().max_by_key(number);
    }
    set().min_by_key(number)
}

/// The settings of a queue, which take no memory if they are the default ones.
#[derive(Debug, Default)]
pub(crate) struct Effective(Option<Box<Settings>>);

/// The settings of most queues.
static DEFAULT: Settings = Settings {
    message_ttl: None,
    expires: None,
    max_length: None,
    max_length_bytes: None,
    overflow: Overflow::DropHead,
    dead_letter_exchange: None,
    dead_letter_routing_key: None,
    keeps_dead_letters: false,
    delivery_limit: None,
    sets_delivery_limit: false,
    has_negative_delivery_limit: false,
    moves_rejected_to_end: false,
    consumer_timeout: None,
    delayed_retry: None,
    max_age: None,
    max_segment_bytes: None,
};

impl From<Settings> for Effective {
    fn from(settings: Settings) -> Effective {
        Effective((settings != DEFAULT).then(|| Box::new(settings)))
    }
}

impl Deref for Effective {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        self.0.as_deref().unwrap_or(&DEFAULT)
    }
}

/// The permitted values of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// A number of milliseconds.
    Expiry {
        zero: bool,
    },
    NonNegative,
    SegmentSize,
    Positive,
    Priority,
    Any,
    Text,
    RoutingKey,
    Bool,
    OneOf(&'static [&'static str], &'static str),
    Mode,
    Version,
    Age,
    Strategy,
    Locator,
    MasterLocator,
}

/// The reason why the value of an argument is invalid.
enum BadValue {
    /// The server refuses it, with this text.
    Refused(String),
    /// The server's queue process crashes over it (`INTERNAL_ERROR`).
    Crashes,
}

impl From<String> for BadValue {
    fn from(text: String) -> BadValue {
        BadValue::Refused(text)
    }
}

impl From<&str> for BadValue {
    fn from(text: &str) -> BadValue {
        BadValue::Refused(text.to_owned())
    }
}

const CLASSIC: u8 = 1;
const QUORUM: u8 = 2;
const STREAM: u8 = 4;

/// Quorum queues compare arguments in an order of their own.
const COMPARED_OF_QUORUM: &[&str] = &[
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-overflow",
    "x-single-active-consumer",
    QueueType::ARGUMENT,
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-message-ttl",
    "x-queue-leader-locator",
];

/// A fact about settings.
type Fact = fn(&SettingRules) -> bool;

/// The types of queue that take an argument: always, and if a fact holds.
#[derive(Clone, Copy, Debug)]
struct Taken {
    always: u8,
    further: u8,
    fact: Fact,
}

impl Taken {
    const fn always(types: u8) -> Taken {
        Taken { always: types, further: 0, fact: |_| false }
    }

    const fn by_fact(fact: Fact, types: u8) -> Taken {
        Taken { always: 0, further: types, fact }
    }

    const fn also(self, fact: Fact, types: u8) -> Taken {
        Taken { always: self.always, further: types, fact }
    }

    /// The bits of the types in this version.
    fn by(self, rules: &SettingRules) -> u8 {
        if (self.fact)(rules) { self.always | self.further } else { self.always }
    }
}

/// The queues that take the arguments of delayed retries.
const DELAYED: Taken = Taken::by_fact(|rules| rules.has_delayed_retries, QUORUM);

/// The arguments of queues, in the order in which the server compares and checks them: name, types
/// of queue that take it, permitted values.
const ARGUMENTS: &[(&str, Taken, Check)] = &[
    ("x-expires", Taken::always(CLASSIC | QUORUM), Check::Expiry { zero: false }),
    ("x-message-ttl", Taken::always(CLASSIC | QUORUM), Check::Expiry { zero: true }),
    ("x-dead-letter-exchange", Taken::always(CLASSIC | QUORUM), Check::Any),
    ("x-dead-letter-routing-key", Taken::always(CLASSIC | QUORUM), Check::RoutingKey),
    ("x-dead-letter-strategy", Taken::always(QUORUM), Check::Strategy),
    ("x-max-length", Taken::always(CLASSIC | QUORUM), Check::NonNegative),
    ("x-max-length-bytes", Taken::always(CLASSIC | QUORUM | STREAM), Check::NonNegative),
    ("x-max-in-memory-length", Taken::always(QUORUM), Check::NonNegative),
    ("x-max-in-memory-bytes", Taken::always(QUORUM), Check::NonNegative),
    ("x-max-priority", Taken::always(CLASSIC), Check::Priority),
    (
        "x-overflow",
        Taken::always(CLASSIC | QUORUM),
        Check::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"], "overflow"),
    ),
    ("x-queue-mode", Taken::always(CLASSIC), Check::Mode),
    ("x-queue-version", Taken::always(CLASSIC), Check::Version),
    ("x-single-active-consumer", Taken::always(CLASSIC | QUORUM), Check::Bool),
    (
        "x-consumer-timeout",
        Taken::by_fact(|rules| rules.consumers_have_timeouts, QUORUM),
        Check::NonNegative,
    ),
    (
        "x-consumer-disconnected-timeout",
        Taken::by_fact(|rules| rules.has_disconnected_timeouts, QUORUM),
        Check::NonNegative,
    ),
    (QueueType::ARGUMENT, Taken::always(CLASSIC | QUORUM | STREAM), Check::Text),
    ("x-quorum-initial-group-size", Taken::always(QUORUM), Check::Positive),
    ("x-max-age", Taken::always(STREAM), Check::Age),
    ("x-stream-max-segment-size-bytes", Taken::always(STREAM), Check::SegmentSize),
    (
        "x-stream-filter-size-bytes",
        Taken::by_fact(|rules| rules.checks_filter_sizes, STREAM),
        Check::NonNegative,
    ),
    ("x-initial-cluster-size", Taken::always(STREAM), Check::Positive),
    (
        "x-queue-leader-locator",
        Taken::always(QUORUM | STREAM)
            .also(|rules| rules.classic_queues_have_leader_locators, CLASSIC),
        Check::Locator,
    ),
    ("x-delivery-limit", Taken::always(QUORUM), Check::Any),
    ("x-delayed-retry-type", DELAYED, Check::Any),
    ("x-delayed-retry-min", DELAYED, Check::Any),
    ("x-delayed-retry-max", DELAYED, Check::Any),
    ("x-queue-master-locator", Taken::always(CLASSIC), Check::MasterLocator),
];

/// Returns the arguments that a redeclaration must repeat, in the order of comparison: those that a
/// queue of this type takes.
pub(crate) fn compared(
    kind: QueueType,
    rules: &SettingRules,
) -> impl Iterator<Item = &'static str> {
    let of_this_type = |row: &&(&str, Taken, Check)| row.1.by(rules) & bit(kind) != 0;
    let names = ARGUMENTS.iter().filter(of_this_type).map(|(name, ..)| *name);
    let mut names: Vec<&str> = names.collect();
    if kind == QueueType::Quorum {
        // Arguments without a place come last, in the order of the table.
        let place = |name: &&str| {
            COMPARED_OF_QUORUM.iter().position(|known| known == name).unwrap_or(usize::MAX)
        };
        sort_by_key(&mut names, place);
    }
    names.into_iter()
}

/// Returns the argument `x-max-age` as the server compares it since 4.3: in milliseconds.
pub(crate) fn ages_in_milliseconds(arguments: &FieldTable) -> FieldTable {
    let Some(value) = arguments.get("x-max-age") else { return FieldTable::new() };
    let value = match value.as_str().map(Age::parse) {
        Some(Age::Valid(age)) => FieldValue::from(age.as_millis().to_string()),
        Some(Age::UnknownUnit | Age::Nonsense) | None => value.clone(),
    };
    FieldTable::single("x-max-age".into(), value)
}

/// Refuses arguments that a new queue cannot have. Returns the type of the queue.
pub(crate) fn check_arguments(
    vhost: &str,
    name: &str,
    arguments: &FieldTable,
    rules: &SettingRules,
) -> Result<QueueType, Fault> {
    let what = queue_in_vhost(vhost, name);
    let invalid = |argument: &str, why: &str| {
        Fault::precondition(format!("invalid arg '{argument}' for {what}: {why}"))
    };
    if let Some(value) = arguments.get("x-dead-letter-exchange")
        && !matches!(value, FieldValue::String(_))
    {
        let kind = value.type_name();
        return Err(Fault::precondition(format!(
            "invalid type '{kind}' for arg 'x-dead-letter-exchange' in {what}"
        )));
    }
    let kind = match arguments.get(QueueType::ARGUMENT) {
        None => QueueType::Classic,
        Some(value @ FieldValue::String(_)) => {
            let types = [QueueType::Classic, QueueType::Quorum, QueueType::Stream];
            let asked = value.as_str().unwrap_or_default();
            types.into_iter().find(|kind| kind.name() == asked).ok_or_else(|| {
                invalid(QueueType::ARGUMENT, &format!("\"unsupported queue type '{value}'\""))
            })?
        }
        Some(value) => {
            let why = format!("{{unacceptable_type,{}}}", value.type_name());
            return Err(invalid(QueueType::ARGUMENT, &why));
        }
    };
    if rules.checks_names_first {
        check_names(kind, &what, arguments, rules)?;
    }
    let bit = bit(kind);
    let rows = ARGUMENTS.iter().filter(|row| row.1.by(rules) & bit != 0);
    let given = rows.filter_map(|row| Some((row, arguments.get(row.0)?)));
    let size = arguments.get("x-stream-max-segment-size-bytes").and_then(FieldValue::as_integer);
    for ((argument, _, check), value) in given {
        if *check == Check::SegmentSize && size.is_some_and(|size| size > MAX_SEGMENT_BYTES) {
            let reason = format!("Exceeded max value for {argument}");
            return Err(Fault::precondition(reason));
        }
        check_value(*check, value, arguments, rules).map_err(|why| match why {
            BadValue::Crashes => Fault::internal(),
            BadValue::Refused(text) => invalid(argument, &text),
        })?;
    }
    if !rules.checks_names_first {
        check_names(kind, &what, arguments, rules)?;
    }
    Ok(kind)
}

/// Refuses arguments that only queues of other types take.
fn check_names(
    kind: QueueType,
    what: &str,
    arguments: &FieldTable,
    rules: &SettingRules,
) -> Result<(), Fault> {
    let is_foreign = |name: &str| {
        let row = ARGUMENTS.iter().find(|row| row.0 == name);
        let types = row.map_or(0, |row| row.1.by(rules));
        types != 0 && types & bit(kind) == 0
    };
    let foreign = match rules.checks_names_first {
        true => {
            let names = ARGUMENTS.iter().map(|row| row.0);
            let mut given = names.filter(|name| arguments.get(name).is_some());
            given.find(|name| is_foreign(name))
        }
        false => arguments.iter().map(|(name, _)| name).find(|name| is_foreign(name)),
    };
    match foreign {
        None => Ok(()),
        Some(name) => Err(Fault::precondition(format!(
            "invalid arg '{name}' for {what} of queue type {}",
            kind.module()
        ))),
    }
}

/// Checks a value as the server does.
fn check_value(
    check: Check,
    value: &FieldValue,
    arguments: &FieldTable,
    rules: &SettingRules,
) -> Result<(), BadValue> {
    let unacceptable = || format!("{{unacceptable_type,{}}}", value.type_name());
    let integer = || {
        let wrong = || format!("\"expected integer, got {}\"", value.type_name());
        value.as_integer().ok_or_else(wrong)
    };
    let text = || match value {
        FieldValue::String(_) => Ok(value.as_str().unwrap_or_default()),
        _ => Err(unacceptable()),
    };
    match check {
        Check::Expiry { zero } => match integer()? {
            n if n > MAX_EXPIRY => Err(format!("{{value_too_large,{n}}}").into()),
            n if n < 0 => Err(format!("{{value_negative,{n}}}").into()),
            0 if !zero => Err("{value_zero,0}".into()),
            _ => Ok(()),
        },
        Check::NonNegative | Check::SegmentSize => match integer()? {
            n if n < 0 => Err(format!("{{value_negative,{n}}}").into()),
            _ => Ok(()),
        },
        Check::Positive => match integer()? {
            n if n < 0 => Err(format!("{{value_negative,{n}}}").into()),
            0 => Err("{value_zero,0}".into()),
            _ => Ok(()),
        },
        Check::Priority => match integer()? {
            n if n < 0 => Err(format!("{{value_negative,{n}}}").into()),
            n if n > MAX_PRIORITY => Err(format!("{{max_value_exceeded,{n}}}").into()),
            _ => Ok(()),
        },
        Check::Any => Ok(()),
        Check::Text => Ok(text().map(drop)?),
        Check::RoutingKey => {
            text()?;
            match arguments.get("x-dead-letter-exchange") {
                Some(_) => Ok(()),
                None => Err("routing_key_but_no_dlx_defined".into()),
            }
        }
        Check::Bool => match value {
            FieldValue::Bool(_) => Ok(()),
            _ => Err(unacceptable().into()),
        },
        Check::OneOf(allowed, what) => match text()? {
            asked if allowed.contains(&asked) => Ok(()),
            _ if what == "overflow" => Err("invalid_overflow".into()),
            asked => Err(format!("\"unsupported {what} '{asked}'\"").into()),
        },
        Check::Mode if rules.takes_any_mode => Ok(()),
        Check::Mode => match text()? {
            "default" | "lazy" => Ok(()),
            asked => Err(format!("\"unsupported queue mode '{asked}'\"").into()),
        },
        Check::Version => match integer()? {
            2 => Ok(()),
            1 if rules.has_classic_v1 => Ok(()),
            v if v < 0 => Err(format!("{{value_negative,{v}}}").into()),
            v => Err(format!("\"unsupported queue version '{v}'\"").into()),
        },
        Check::Age => match Age::parse(text()?) {
            Age::Valid(_) => Ok(()),
            Age::UnknownUnit => Err("invalid_max_age".into()),
            Age::Nonsense if rules.refuses_unreadable_ages => Err("invalid_max_age".into()),
            Age::Nonsense => Err(BadValue::Crashes),
        },
        Check::Strategy => match text()? {
            "at-most-once" | "at-least-once" => Ok(()),
            _ => Err("invalid_dlx_strategy".into()),
        },
        Check::Locator => match text()? {
            "client-local" | "balanced" | "random" | "least-leaders" => Ok(()),
            _ => Err("invalid_queue_locator_arg".into()),
        },
        Check::MasterLocator => match value.as_str() {
            _ if !rules.master_locator.checks_argument => Ok(()),
            Some("client-local" | "min-masters" | "random") => Ok(()),
            // The server crashes over an unknown locator.
            _ => Err(BadValue::Crashes),
        },
    }
}
