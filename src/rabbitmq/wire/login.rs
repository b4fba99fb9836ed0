//! Logins: the user and password in a client's response, for the two mechanisms.
//!
//! Source: RFC 4616 for PLAIN, of which the server accepts no authorization identity; RabbitMQ
//! 3.10.8 for AMQPLAIN, which is a table without its length.

use super::table::read_table;
use crate::rabbitmq::protocol::table::FieldValue;
use smol_str::SmolStr;

/// The mechanism that logs in without a password, since RabbitMQ 4.
pub(super) const ANONYMOUS: &str = "ANONYMOUS";

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: SmolStr,
    pub(super) password: SmolStr,
}

/// Reads the response of a mechanism that is offered; `None` if it is malformed.
pub(super) fn read(mechanism: &str, response: &[u8]) -> Option<Login> {
    match mechanism {
        "PLAIN" => plain(response),
        // Whatever the response, the client is the configured user.
        ANONYMOUS => Some(login(b"guest", b"guest")),
        _ => amqplain(response),
    }
}

fn plain(response: &[u8]) -> Option<Login> {
    let mut parts = response.strip_prefix(&[0])?.split(|byte| *byte == 0);
    let (user, password) = (parts.next()?, parts.next()?);
    parts.next().is_none().then(|| login(user, password))
}

fn amqplain(response: &[u8]) -> Option<Login> {
    let table = read_table(response).ok()?;
    let text = |name: &str| match table.get(name) {
        Some(FieldValue::String(bytes)) => Some(bytes),
        _ => None,
    };
    Some(login(text("LOGIN")?, text("PASSWORD")?))
}

/// A name that is not UTF-8 matches no user here.
fn login(user: &[u8], password: &[u8]) -> Login {
    let text = |bytes| SmolStr::from(String::from_utf8_lossy(bytes));
    Login { user: text(user), password: text(password) }
}

/// Returns whether a client has declared a capability.
pub(super) fn has_capability(capabilities: Option<&FieldValue>, name: &str) -> bool {
    match capabilities {
        Some(FieldValue::Table(table)) => table.get(name) == Some(&FieldValue::Bool(true)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_as_the_server_reads_them() {
        let guest = || Some(login(b"guest", b"guest"));
        let table: [(&str, &[u8], Option<Login>); 9] = [
            ("PLAIN", b"\0guest\0guest", guest()),
            ("PLAIN", b"\0\0", Some(login(b"", b""))),
            ("PLAIN", b"\0guest", None),
            ("PLAIN", b"me\0guest\0guest", None),
            ("PLAIN", b"\0guest\0guest\0", None),
            ("PLAIN", b"", None),
            ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest", guest()),
            ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest", None),
            ("AMQPLAIN", b"\xff\xff", None),
        ];
        for (mechanism, response, expected) in table {
            assert_eq!(read(mechanism, response), expected, "{}", response.escape_ascii());
        }
    }
}
