//! The order of outputs.
//!
//! The *effects* of a method on others (deliveries, cancellations, confirms) may be pushed before
//! its own answer is known, but are sent after it: `consume-ok` before the first delivery,
//! `delete-ok` before the consumers are told. The server has this order because a channel runs one
//! method at a time. So a method runs in a *step*: its effects go to a lane of their own, and the
//! end of the step puts the lanes in this order:
//!
//! | end of a step | order |
//! |---|---|
//! | [`answered`](Outputs::answered) | the answer, the effects |
//! | [`closed`](Outputs::closed) | effects up to the last one on the failing channel, the close, the other effects |
//! | [`committed`](Outputs::committed), no publish outstanding | returns to the channel, answers, the other effects |
//! | [`committed`](Outputs::committed), publishes outstanding | returns to the channel, the other effects, answers |
//!
//! A method without an answer that cannot fail after its effects (a publish, an acknowledgement)
//! needs no step: its outputs are ready at once, which is the hot path.

use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Output};
use std::collections::VecDeque;

/// The outputs of a broker: those that are ready to be sent, and the lane of the current step.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    ready: VecDeque<Output>,
    /// Whether a step is running, so that outputs go to its lane.
    in_step: bool,
    /// The channel whose method runs.
    caller: Option<ChannelId>,
    effects: Vec<Output>,
    /// Number of effects up to the last one on the caller's channel.
    own_end: usize,
    /// Number of effects before the close, once the method has failed.
    before_close: Option<usize>,
}

impl Outputs {
    /// Adds an output, in the current step if there is one.
    #[inline]
    pub(super) fn push(&mut self, output: Output) {
        if self.in_step {
            self.push_effect(output);
        } else {
            self.ready.push_back(output);
        }
    }

    fn push_effect(&mut self, output: Output) {
        let to = ChannelId { connection: output.connection, number: output.channel };
        self.effects.push(output);
        if self.caller == Some(to) {
            self.own_end = self.effects.len();
        }
    }

    /// Takes the next output. Ends a step that was not ended: its effects were everything.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.settle();
        self.ready.pop_front()
    }

    /// Returns the connection to which the next output goes, unless that is a heartbeat. Anything
    /// but a heartbeat postpones the next heartbeat.
    pub(super) fn next_but_heartbeat(&mut self) -> Option<ConnectionId> {
        self.settle();
        let next = self.ready.front().filter(|output| output.event != Event::Heartbeat);
        next.map(|output| output.connection)
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.settle();
        self.ready.is_empty()
    }

    /// Begins the step of a method on this channel.
    pub(super) fn begin(&mut self, caller: ChannelId) {
        self.settle();
        self.in_step = true;
        self.caller = Some(caller);
        self.own_end = 0;
        self.before_close = None;
    }

    /// Notes that the method on this channel fails: what is pushed from now on is an effect of the
    /// failure.
    pub(super) fn fail(&mut self, caller: ChannelId) {
        if !self.in_step || self.caller != Some(caller) {
            self.begin(caller);
        }
        self.before_close = Some(self.own_end);
    }

    /// Ends the step of a method with its answer, if it has one.
    pub(super) fn answered(&mut self, answer: Option<Output>) {
        self.ready.extend(answer);
        self.settle();
    }

    /// Ends the step of a method that failed, with the close of its channel or connection.
    pub(super) fn closed(&mut self, close: Output) {
        let before = self.before_close.take().unwrap_or(0);
        self.ready.extend(self.effects.drain(..before));
        self.ready.push_back(close);
        self.settle();
    }

    /// Ends the step of a commit, with the answers that are due.
    pub(super) fn committed(&mut self, answers: Vec<Output>, awaits_publishes: bool) {
        let caller = self.caller;
        let is_return = |output: &Output| {
            let to = ChannelId { connection: output.connection, number: output.channel };
            caller == Some(to) && matches!(output.event, Event::Return { .. })
        };
        let (returns, others): (Vec<Output>, Vec<Output>) =
            self.effects.drain(..).partition(is_return);
        self.ready.extend(returns);
        if awaits_publishes {
            self.ready.extend(others);
            self.ready.extend(answers);
        } else {
            self.ready.extend(answers);
            self.ready.extend(others);
        }
        self.settle();
    }

    /// Ends the current step without an answer.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.in_step {
            self.end_step();
        }
    }

    #[inline(never)]
    fn end_step(&mut self) {
        self.ready.extend(self.effects.drain(..));
        self.in_step = false;
        self.caller = None;
    }

    /// Drops the outputs to a connection.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.settle();
        self.ready.retain(|output| output.connection != connection);
    }

    pub(super) fn clear(&mut self) {
        self.settle();
        self.ready.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::id::DeliveryTag;

    const CALLER: ChannelId = ChannelId::new(1, 1);

    /// An output to a channel of connection 1, which its number identifies.
    fn to(channel: u16, number: u64) -> Output {
        let ChannelId { connection, number: channel } = ChannelId::new(1, channel);
        let event = Event::Ack { delivery_tag: DeliveryTag(number), multiple: false };
        Output { connection, channel, event }
    }

    fn sent(outputs: &mut Outputs) -> Vec<Output> {
        std::iter::from_fn(|| outputs.pop()).collect()
    }

    #[test]
    fn an_answer_is_sent_before_the_effects_and_after_what_was_ready() {
        let mut outputs = Outputs::default();
        outputs.push(to(1, 0));
        outputs.begin(CALLER);
        outputs.push(to(1, 2));
        outputs.push(to(2, 3));
        outputs.answered(Some(to(1, 1)));
        assert_eq!(sent(&mut outputs), [to(1, 0), to(1, 1), to(1, 2), to(2, 3)]);
    }

    #[test]
    fn a_close_is_sent_behind_the_last_effect_on_its_channel() {
        let mut outputs = Outputs::default();
        outputs.begin(CALLER);
        outputs.push(to(2, 1));
        outputs.push(to(1, 2));
        outputs.push(to(2, 4));
        outputs.fail(CALLER);
        outputs.push(to(1, 5));
        outputs.closed(to(1, 3));
        let expected = [to(2, 1), to(1, 2), to(1, 3), to(2, 4), to(1, 5)];
        assert_eq!(sent(&mut outputs), expected);
    }

    #[test]
    fn a_commit_is_answered_before_or_after_its_effects() {
        for (awaits_publishes, expected) in [(false, [3, 2]), (true, [2, 3])] {
            let mut outputs = Outputs::default();
            outputs.begin(CALLER);
            outputs.push(to(2, 2));
            outputs.committed(vec![to(1, 3)], awaits_publishes);
            let numbers = sent(&mut outputs).into_iter().map(|output| match output.event {
                Event::Ack { delivery_tag, .. } => delivery_tag.0,
                other => panic!("only acks were pushed, but this is {other:?}"),
            });
            assert_eq!(numbers.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_step_that_is_not_ended_is_sent_in_order() {
        let mut outputs = Outputs::default();
        outputs.fail(CALLER);
        outputs.push(to(2, 1));
        outputs.push(to(1, 2));
        assert!(!outputs.is_empty());
        assert_eq!(sent(&mut outputs), [to(2, 1), to(1, 2)]);
    }
}
