//! AMQP 0-9-1 between lines of text and bytes, by a table of its methods and
//! independent of the library: what tests speak to a broker with.
//!
//! A line is one frame, or a method with its content:
//!
//! ```text
//! queue.declare queue=q durable=true arguments={x-max-length:I=3,x-overflow:S=drop-head}
//! basic.publish routing-key=q | props delivery-mode=2 headers={} | body "text"
//! header class-id=60 body-size=3 | props delivery-mode=2
//! body "abc"
//! heartbeat
//! frame type=9 payload="\x00"
//! raw "AMQP\x00\x00\x09\x01"
//! ```
//!
//! Names are AMQP's. A field that is zero, false or empty is left out; a property
//! stands there if it is present. A word stands in quotation marks, with `\"`,
//! `\\`, `\n`, `\r`, `\t` and `\x00`, unless it is of letters, digits and
//! `_.*#/@+-`; `"a"*70` is seventy of them. A value in a table has the letter of
//! its type, as RabbitMQ writes it: `t b B s u I i l f d D S A T F V x`.

mod frame;
mod methods;
mod text;

pub(crate) use frame::{Decoder, encode};
