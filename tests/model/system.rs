//! The broker, driven by steps, and its outputs in words.

use crate::operation::{Down, Step};
use crate::reference::{ConsumerRow, QueueRow, Said};
use stunt_double::rabbitmq::BrokerOptions;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::sim::service::Service;
use stunt_double::{Instant, Site, Stream};

pub(crate) struct System {
    server: ByteServer,
    now: Instant,
}

impl System {
    /// A broker that perhaps tells the story of each message.
    pub(crate) fn new(tells: bool) -> System {
        let names = Stream::calm(Site::new("test.names"), 0);
        let mut server = ByteServer::new(Broker::new(BrokerOptions::default(), names));
        if tells {
            server.tell_stories();
        }
        System { server, now: Instant::ZERO }
    }

    /// Runs a step. Returns what was sent, on each channel in order.
    pub(crate) fn take(&mut self, step: &Step) -> Said {
        let mut said = Said::default();
        match step {
            Step::Method(ch, method) => {
                self.server.machine_mut().handle_input(
                    self.now,
                    ch.connection,
                    ch.number,
                    method.clone(),
                );
            }
            Step::Lose(ch) => self.server.machine_mut().connection_lost(self.now, ch.connection),
            Step::Wait(time) => {
                let end = self.now + *time;
                while let Some(at) =
                    self.server.machine_mut().poll_timeout().filter(|at| *at <= end)
                {
                    self.now = self.now.max(at);
                    self.server.machine_mut().handle_timeout(self.now);
                    self.drain(&mut said);
                }
                self.now = end;
            }
            Step::Restart(down) => {
                match down {
                    Down::Stop => self.server.machine_mut().stop(self.now),
                    Down::Kill => self.server.machine_mut().kill(self.now),
                    Down::PowerLoss => self.server.machine_mut().power_loss(self.now),
                }
                self.server.machine_mut().start(self.now);
            }
        }
        self.drain(&mut said);
        said
    }

    fn drain(&mut self, said: &mut Said) {
        while let Some(output) = self.server.machine_mut().poll_output() {
            let ch = ChannelId { connection: output.connection, number: output.channel };
            said.entry(ch).or_default().push(show(&output.event));
        }
        while self.server.poll_story().is_some() {}
    }

    /// Checks the invariants of the broker itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.server.machine().check_invariants()
    }

    pub(crate) fn queues(&self) -> Vec<QueueRow> {
        let rows = self.server.machine().list_queues().into_iter();
        rows.map(|row| QueueRow {
            name: row.name.to_string(),
            ready: row.messages_ready,
            unacked: row.messages_unacknowledged,
            consumers: row.consumers,
        })
        .collect()
    }

    pub(crate) fn consumers(&self) -> Vec<ConsumerRow> {
        let rows = self.server.machine().list_consumers().into_iter();
        rows.map(|row| ConsumerRow {
            queue: row.queue.to_string(),
            channel: row.channel,
            tag: row.consumer_tag.to_string(),
            prefetch: row.prefetch_count,
        })
        .collect()
    }
}

fn show(event: &Event) -> String {
    let body = |body: &[u8], redelivered: bool| {
        String::from_utf8_lossy(body).into_owned() + if redelivered { "R" } else { "" }
    };
    match event {
        Event::Deliver { consumer_tag, delivery_tag, redelivered, message } => {
            format!("{consumer_tag}<-{} #{delivery_tag}", body(message.body(), *redelivered))
        }
        Event::GetOk(ok) => {
            let body = body(ok.message.body(), ok.redelivered);
            format!("get {body} #{} of {}", ok.delivery_tag, ok.message_count)
        }
        Event::QueueDeclareOk(ok) => {
            format!("declared {} {} {}", ok.queue, ok.message_count, ok.consumer_count)
        }
        Event::Ack { delivery_tag, multiple } => {
            format!("ack {delivery_tag}{}", if *multiple { "*" } else { "" })
        }
        Event::Return { message, .. } => format!("return {}", body(message.body(), false)),
        Event::ChannelClose(error) | Event::ConnectionClose(error) => error.text.clone(),
        other => other.to_string(),
    }
}
