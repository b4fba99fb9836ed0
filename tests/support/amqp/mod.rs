//! AMQP 0-9-1 between lines of text and bytes. It is driven by a table of the methods and
//! independent of the library, so that tests do not check the codec against itself.
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
//! Names are those of AMQP. Fields that are zero, false or empty are omitted; a property is written
//! if it is present. A word is in quotation marks, with `\"`, `\\`, `\n`, `\r`, `\t` and `\x00`,
//! unless it consists of letters, digits and `_.*#/@+-`; `"a"*70` means seventy of them. A value in
//! a table carries the letter of its type, as RabbitMQ writes it: `t b B s u I i l f d D S A T F V
//! x`.

mod frame;
mod methods;
mod text;

pub(crate) use frame::{Decoder, encode};
