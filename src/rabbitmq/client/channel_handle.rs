//! The shared part of a channel, its consumers, its deliveries and its confirms: the connection and
//! the channel's number.
//!
//! The channel closes when the last of them is dropped.

use super::channel_state::ChannelState;
use super::{Answer, Connection, Error, short_strings};
use crate::rabbitmq::protocol::id::ChannelNumber;
use crate::rabbitmq::protocol::method::Method;
use crate::sim::service::{Wait, Waiter};
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A handle of a channel. `Clone`: all clones are one channel.
#[derive(Clone)]
pub(super) struct ChannelHandle {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    number: ChannelNumber,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.connection.send(|session| {
            let tell = session.release(self.number);
            Ok((tell.then_some((self.number, Method::ChannelClose)), ()))
        });
    }
}

impl ChannelHandle {
    pub(super) fn new(connection: Connection, number: ChannelNumber) -> ChannelHandle {
        ChannelHandle { inner: Arc::new(Inner { connection, number }) }
    }

    pub(super) fn number(&self) -> ChannelNumber {
        self.inner.number
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// Sends a method at once; the future waits for its answer.
    pub(super) fn call(&self, awaiting: &'static str, method: Method) -> Answer<'_> {
        self.inner.connection.call(self.inner.number, awaiting, method)
    }

    /// Sends a method that has no answer.
    pub(super) fn send<R>(
        &self,
        method: Method,
        note: impl FnOnce(&mut ChannelState) -> Result<R, Error>,
    ) -> Result<R, Error> {
        short_strings::check(&method)?;
        let number = self.inner.number;
        self.inner.connection.send(|session| {
            let result = note(session.open_channel(number)?)?;
            Ok((Some((number, method)), result))
        })
    }

    pub(super) fn with_state<R>(&self, look: impl FnOnce(&mut ChannelState) -> R) -> Option<R> {
        let number = self.inner.number;
        self.inner.connection.inner.session(|session| look(session.state(number)))
    }

    /// Polls for something on the channel. Fails when the channel has ended and nothing more can
    /// arrive.
    pub(super) fn poll_state<T>(
        &self,
        cx: &Context<'_>,
        waiting_for: impl FnOnce() -> Wait,
        look: impl FnOnce(&mut ChannelState) -> Result<T, &mut Waiter>,
    ) -> Poll<Result<T, Error>> {
        let number = self.inner.number;
        let polled = self.inner.connection.inner.poll_session(cx, waiting_for, |session| {
            let over = session.over(number);
            match (look(session.state(number)), over) {
                (Ok(value), _) => Ok(Ok(value)),
                (Err(_), Some(error)) => Ok(Err(error)),
                (Err(waiter), None) => Err(waiter),
            }
        });
        polled.map(|looked| looked.map_err(Error::from).and_then(|value| value))
    }

    /// Cancels a consumer whose handle was dropped.
    pub(super) fn drop_consumer(&self, tag: &SmolStr, serial: u64) {
        let number = self.inner.number;
        let _ = self.inner.connection.send(|session| {
            let cancel = session.open_channel(number)?.drop_consumer(tag, serial);
            let method = Method::BasicCancel { consumer_tag: tag.clone(), no_wait: true };
            Ok((cancel.then_some((number, method)), ()))
        });
    }
}

impl fmt::Debug for ChannelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("number", &self.inner.number).finish_non_exhaustive()
    }
}
