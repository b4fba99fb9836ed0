//! Headers exchanges: a binding's arguments are compared with a message's headers.
//!
//! `x-match` decides how: `all` (the default) or `any` of the binding's arguments must be among the
//! headers with an equal value. An argument without a value (void) only requires that the header is
//! present. Arguments whose name begins with `x-` are ignored, unless `x-match` is `all-with-x` or
//! `any-with-x`. If nothing is left to compare, `all` matches everything and `any` matches nothing.
//!
//! Every message is compared with every binding, as in RabbitMQ.
//!
//! Source: <https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers> and the server's
//! behaviour.

use super::{Binding, Destination, Router};
use crate::rabbitmq::protocol::error::Fault;
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::version::Profile;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

const X_MATCH: &str = "x-match";

#[derive(Debug, Default)]
pub(super) struct Headers {
    bindings: IndexSet<Binding, FxBuildHasher>,
    /// Whether a number equals only a number of the same kind: `1` is not `1.0`.
    is_exact: bool,
}

impl Headers {
    pub(super) fn new(profile: &Profile) -> Headers {
        Headers { bindings: IndexSet::default(), is_exact: profile.matches_headers_exactly }
    }
}

impl Router for Headers {
    fn check(&self, _: &str, arguments: &FieldTable) -> Result<(), Fault> {
        let Some(value) = arguments.get(X_MATCH) else {
            return Ok(());
        };
        if !matches!(value, FieldValue::String(_)) {
            return Err(Fault::precondition(format!(
                "Invalid x-match field type {} (value {value}); expected longstr",
                value.type_name()
            )));
        }
        match value.as_str() {
            Some("all" | "any" | "all-with-x" | "any-with-x") => Ok(()),
            _ => Err(Fault::precondition(format!(
                "Invalid x-match field value <<\"{value}\">>; \
                 expected all, any, all-with-x, or any-with-x"
            ))),
        }
    }

    fn bind(&mut self, binding: &Binding) {
        self.bindings.insert(binding.clone());
    }

    fn unbind(&mut self, binding: &Binding) {
        self.bindings.swap_remove(binding);
    }

    fn route(&mut self, _: &str, properties: &Properties, into: &mut Vec<Destination>) {
        const NONE: &FieldTable = &FieldTable::new();
        let headers = properties.headers().unwrap_or(NONE);
        let is_exact = self.is_exact;
        let matching = self.bindings.iter().filter(|b| matches(&b.arguments, headers, is_exact));
        into.extend(matching.map(|binding| binding.destination));
    }
}

fn matches(arguments: &FieldTable, headers: &FieldTable, is_exact: bool) -> bool {
    let mode = arguments.get(X_MATCH).and_then(FieldValue::as_str).unwrap_or("all");
    let any = mode.starts_with("any");
    let with_x = mode.ends_with("-with-x");
    let mut wanted = arguments
        .iter()
        .filter(|(name, _)| *name != X_MATCH && (with_x || !name.starts_with("x-")));
    let holds = |(name, wanted): (&str, &FieldValue)| match headers.get(name) {
        Some(_) if matches!(wanted, FieldValue::Void) => true,
        Some(value) if is_exact => wanted.same_contained_value(value),
        Some(value) => wanted.same_value(value),
        None => false,
    };
    if any { wanted.any(holds) } else { wanted.all(holds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> FieldTable {
        text.split_whitespace()
            .map(|field| match field.split_once('=') {
                Some((name, value)) => (name, FieldValue::from(value)),
                None => (field, FieldValue::Void),
            })
            .collect()
    }

    fn hit(arguments: &str, headers: &str) -> bool {
        matches(&table(arguments), &table(headers), false)
    }

    #[test]
    fn all_requires_every_argument_and_any_requires_one() {
        assert!(hit("a=1 b=2", "b=2 a=1 c=3"));
        assert!(!hit("a=1 b=2", "a=1"));
        assert!(hit("x-match=any a=1 b=2", "a=1 b=9"));
        assert!(!hit("x-match=any a=1 b=2", "a=9"));
    }

    #[test]
    fn without_arguments_all_matches_and_any_does_not() {
        assert!(hit("", "") && hit("x-match=all", "a=1"));
        assert!(!hit("x-match=any", "a=1"));
        assert!(!hit("a=1", ""));
    }

    #[test]
    fn a_void_argument_only_requires_that_the_header_is_present() {
        assert!(hit("a", "a=7") && !hit("a", "b=7"));
    }

    #[test]
    fn names_with_x_count_only_in_the_modes_with_x() {
        assert!(hit("x-match=all x-a=1", "b=2"));
        assert!(!hit("x-match=any x-a=1", "x-a=1"));
        assert!(!hit("x-match=all-with-x x-a=1", "x-a=2"));
        assert!(hit("x-match=any-with-x x-a=1 b=2", "x-a=1"));
    }

    #[test]
    fn an_unknown_match_mode_is_refused() {
        let router = Headers::default();
        assert_eq!(
            router.check("", &table("x-match=some")).unwrap_err().reason,
            "Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x"
        );
        let five = FieldTable::new().with(X_MATCH, 5);
        assert_eq!(
            router.check("", &five).unwrap_err().reason,
            "Invalid x-match field type signedint (value 5); expected longstr"
        );
    }
}
