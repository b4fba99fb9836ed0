//! AMQP 0-9-1 as values: what clients and the broker say to each other, without bytes.
//!
//! A [`Method`](method::Method) is what a client sends, an [`Event`](method::Event) is what the
//! broker sends. Both carry tables, properties, messages and ids, which live here too. Nothing in
//! this module knows a broker, a queue or a byte; `wire` writes these values as frames.
//!
//! Start with `method`. Then: `table` and `properties` (the data of AMQP), `message` (one published
//! message and a queue's entry for it), `error` (reply codes and texts), `id` (numbers of
//! connections, channels and deliveries), `limits`, `names` (names that the server makes),
//! `queue_type` (the kinds of queue a client can ask for), `tags` (a map by consumer tag) and
//! `describe` (methods and events as text for transcripts).

pub(crate) mod age;
pub(crate) mod describe;
pub(crate) mod error;
pub(crate) mod fingerprint;
pub(crate) mod id;
pub(crate) mod limits;
pub(crate) mod message;
pub(crate) mod method;
pub(crate) mod names;
pub(crate) mod properties;
pub(crate) mod queue_type;
pub(crate) mod table;
pub(crate) mod tags;
