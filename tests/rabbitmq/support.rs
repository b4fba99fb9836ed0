//! A broker driven by hand: methods in, short descriptions of events out.
//!
//! Events are written like this, with the channel in front unless it is 1/1:
//!
//! ```text
//! a<-hello      delivery of "hello" to consumer a
//! a<-helloR     the same, redelivered
//! get helloR 2  basic.get-ok, two messages left
//! ack 3*        confirm of everything up to 3
//! 404 50/10 NOT_FOUND - …       the channel is closed
//! CONN 503 40/10 COMMAND_INVALID - …   the connection is closed
//! ```

use std::time::Duration;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event, Method, Output};
use stunt_double::rabbitmq::{
    AmqpError, BindOptions, BrokerOptions, ConnectionOptions, ConsumeOptions, DeliveryTag,
    ExchangeOptions, FieldTable, Message, Properties, Publish, QueueOptions,
};
use stunt_double::{Instant, Site, Stream};

/// The channel that most tests use.
pub(crate) const CH: ChannelId = ChannelId::new(1, 1);

/// Another channel of the same connection.
pub(crate) const CH2: ChannelId = ChannelId::new(1, 2);

/// A channel of another connection.
pub(crate) const OTHER: ChannelId = ChannelId::new(2, 1);

pub(crate) struct Server {
    pub(crate) broker: Broker,
    pub(crate) now: Instant,
}

impl Server {
    /// A broker with the three channels above open.
    pub(crate) fn new() -> Server {
        Server::with_options(BrokerOptions::default())
    }

    pub(crate) fn with_options(options: BrokerOptions) -> Server {
        let names = Stream::seeded(1, Site::new("test.names"), 0);
        let mut server = Server { broker: Broker::new(options, names), now: Instant::ZERO };
        server.connect();
        server
    }

    /// Opens the three channels, on new connections.
    pub(crate) fn connect(&mut self) {
        for ch in [CH, OTHER] {
            self.open_connection(ch);
        }
        self.send(CH2, Method::ChannelOpen);
    }

    pub(crate) fn open_connection(&mut self, ch: ChannelId) {
        let options = Box::new(ConnectionOptions::default());
        let zero = ChannelId::new(ch.connection.0, 0);
        assert_eq!(self.send(zero, Method::ConnectionOpen(options)).len(), 1);
        assert_eq!(self.send(ch, Method::ChannelOpen).len(), 1);
    }

    /// Sends a method without firing a timer, and returns what is sent back.
    pub(crate) fn send(&mut self, ch: ChannelId, method: Method) -> Vec<String> {
        self.broker.handle_input(self.now, ch.connection, ch.number, method);
        self.drain()
    }

    /// Returns everything that the broker sends.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.broker.poll_output()).map(|output| show(&output)).collect()
    }

    /// Fires the timers of this instant.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        self.wait(Duration::ZERO)
    }

    /// Lets time pass and fires the timers that are due.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut said = self.drain();
        while let Some(at) = self.broker.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.broker.handle_timeout(self.now);
            said.extend(self.drain());
        }
        self.now = end;
        said
    }

    pub(crate) fn declare(&mut self, queue: &str) {
        self.declare_with(queue, QueueOptions::default());
    }

    pub(crate) fn declare_with(&mut self, queue: &str, options: QueueOptions) {
        let said = self.send(CH, declare(queue, options));
        assert!(said[0].starts_with("declare-ok"), "{said:?}");
    }

    pub(crate) fn exchange(&mut self, name: &str, kind: &str) {
        assert_eq!(self.send(CH, exchange(name, kind)), ["exchange.declare-ok"]);
    }

    pub(crate) fn bind(&mut self, queue: &str, exchange: &str, key: &str, arguments: FieldTable) {
        assert_eq!(self.send(CH, bind(queue, exchange, key, arguments)), ["queue.bind-ok"]);
    }

    /// Publishes to a queue.
    pub(crate) fn publish(&mut self, queue: &str, body: &str) -> Vec<String> {
        self.send(CH, publish("", queue, body))
    }

    /// Publishes `0`, `1`, … to a queue without consumers.
    pub(crate) fn fill(&mut self, queue: &str, count: usize) {
        for i in 0..count {
            assert!(self.publish(queue, &i.to_string()).is_empty());
        }
    }

    /// Consumes, and leaves the consume-ok out.
    pub(crate) fn consume(&mut self, ch: ChannelId, queue: &str, tag: &str) -> Vec<String> {
        let mut said = self.send(ch, consume(queue, tag));
        assert!(said.remove(0).contains("basic.consume-ok"));
        said
    }

    pub(crate) fn qos(&mut self, ch: ChannelId, count: u16, global: bool) -> Vec<String> {
        let method = Method::BasicQos { prefetch_size: 0, prefetch_count: count, global };
        let mut said = self.send(ch, method);
        assert!(said.remove(0).ends_with("basic.qos-ok"));
        said
    }

    pub(crate) fn ack(&mut self, ch: ChannelId, tag: u64) -> Vec<String> {
        self.send(ch, ack(tag, false))
    }

    pub(crate) fn nack(&mut self, ch: ChannelId, tag: u64) -> Vec<String> {
        self.send(ch, nack(tag, false, true))
    }

    /// Fetches everything that is ready in a queue, in order, on a channel of its own.
    pub(crate) fn contents(&mut self, queue: &str) -> Vec<String> {
        let ch = ChannelId::new(1_000_000, 1);
        self.open_connection(ch);
        let method = || Method::BasicGet { queue: queue.into(), no_ack: true };
        let mut bodies = Vec::new();
        loop {
            let said = self.send(ch, method()).concat();
            if said.contains("get-empty") {
                break;
            }
            bodies.push(said.split(' ').nth(2).unwrap().to_owned());
        }
        self.send(ChannelId::new(1_000_000, 0), Method::ConnectionClose);
        bodies
    }
}

pub(crate) fn declare(queue: &str, options: QueueOptions) -> Method {
    Method::QueueDeclare { queue: queue.into(), options, no_wait: false }
}

pub(crate) fn passive(queue: &str) -> Method {
    declare(queue, QueueOptions { passive: true, ..Default::default() })
}

pub(crate) fn durable() -> QueueOptions {
    QueueOptions { durable: true, ..Default::default() }
}

pub(crate) fn exchange(name: &str, kind: &str) -> Method {
    exchange_with(name, ExchangeOptions { kind: kind.into(), ..Default::default() })
}

pub(crate) fn exchange_with(name: &str, options: ExchangeOptions) -> Method {
    Method::ExchangeDeclare { exchange: name.into(), options: Box::new(options), no_wait: false }
}

pub(crate) fn bind(queue: &str, exchange: &str, key: &str, arguments: FieldTable) -> Method {
    let binding = BindOptions { arguments, ..BindOptions::new(queue, exchange, key) };
    Method::QueueBind { binding: Box::new(binding), no_wait: false }
}

pub(crate) fn unbind(queue: &str, exchange: &str, key: &str) -> Method {
    Method::QueueUnbind { binding: Box::new(BindOptions::new(queue, exchange, key)) }
}

pub(crate) fn purge(queue: &str) -> Method {
    Method::QueuePurge { queue: queue.into(), no_wait: false }
}

pub(crate) fn delete(queue: &str, if_unused: bool, if_empty: bool) -> Method {
    Method::QueueDelete { queue: queue.into(), if_unused, if_empty, no_wait: false }
}

pub(crate) fn delete_exchange(exchange: &str, if_unused: bool) -> Method {
    Method::ExchangeDelete { exchange: exchange.into(), if_unused, no_wait: false }
}

pub(crate) fn publish(exchange: &str, key: &str, body: &str) -> Method {
    Method::BasicPublish(Publish::new(exchange, key, body.to_owned()))
}

pub(crate) fn publish_with(
    exchange: &str,
    key: &str,
    body: &str,
    properties: Properties,
) -> Method {
    Method::BasicPublish(Publish { properties, ..Publish::new(exchange, key, body.to_owned()) })
}

pub(crate) fn persistent(queue: &str, body: &str) -> Method {
    publish_with("", queue, body, Properties::default().persistent())
}

pub(crate) fn consume(queue: &str, tag: &str) -> Method {
    consume_with(queue, ConsumeOptions { consumer_tag: tag.into(), ..Default::default() })
}

pub(crate) fn consume_with(queue: &str, options: ConsumeOptions) -> Method {
    Method::BasicConsume { queue: queue.into(), options: Box::new(options), no_wait: false }
}

pub(crate) fn cancel(tag: &str) -> Method {
    Method::BasicCancel { consumer_tag: tag.into(), no_wait: false }
}

pub(crate) fn get(queue: &str) -> Method {
    Method::BasicGet { queue: queue.into(), no_ack: false }
}

pub(crate) fn ack(tag: u64, multiple: bool) -> Method {
    Method::BasicAck { delivery_tag: DeliveryTag(tag), multiple }
}

pub(crate) fn nack(tag: u64, multiple: bool, requeue: bool) -> Method {
    Method::BasicNack { delivery_tag: DeliveryTag(tag), multiple, requeue }
}

pub(crate) fn reject(tag: u64, requeue: bool) -> Method {
    Method::BasicReject { delivery_tag: DeliveryTag(tag), requeue }
}

pub(crate) fn confirm_select() -> Method {
    Method::ConfirmSelect { no_wait: false }
}

fn show(output: &Output) -> String {
    let event = show_event(&output.event);
    let number = output.channel.0;
    match (output.connection.0, number) {
        (1, 0 | 1) => event,
        (connection, _) => format!("{connection}/{number} {event}"),
    }
}

fn show_event(event: &Event) -> String {
    let text = |message: &Message, redelivered: bool| {
        let body = String::from_utf8_lossy(message.body()).into_owned();
        if redelivered { body + "R" } else { body }
    };
    match event {
        Event::Deliver { consumer_tag, redelivered, message, .. } => {
            format!("{consumer_tag}<-{}", text(message, *redelivered))
        }
        Event::GetOk(ok) => {
            format!("get {} {}", text(&ok.message, ok.redelivered), ok.message_count)
        }
        Event::GetEmpty => "get-empty".to_owned(),
        Event::Ack { delivery_tag, multiple } => {
            format!("ack {delivery_tag}{}", if *multiple { "*" } else { "" })
        }
        Event::Return { code, message } => {
            format!("return {} {}", code.number(), text(message, false))
        }
        Event::QueueDeclareOk(ok) => {
            format!("declare-ok {} {} {}", ok.queue, ok.message_count, ok.consumer_count)
        }
        Event::ChannelClose(error) => show_error(error),
        Event::ConnectionClose(error) => format!("CONN {}", show_error(error)),
        other => other.to_string(),
    }
}

fn show_error(error: &AmqpError) -> String {
    format!("{} {}/{} {}", error.code.number(), error.class_id, error.method_id, error.text)
}
