//! Tables as Redis's C code reads them: without metamethods, in the order of `lua_next`.
//!
//! Lua has room for some thousand values that Rust holds at a time. So a table is read item by
//! item, and never collected.

use mlua::{Table, Value};

/// The error of a table whose order would depend on addresses. `sandbox.lua` has the same text.
pub(super) const UNORDERED: &str = "this table has keys that are tables or functions, whose order \
                                    would depend on addresses: keep them in a list";

/// Returns the pairs of a table, in Lua's order.
pub(super) fn pairs(table: &Table) -> impl Iterator<Item = mlua::Result<(Value, Value)>> {
    table.pairs()
}

/// Returns the elements of a table from 1 up to the first nil.
pub(super) fn elements(table: &Table) -> impl Iterator<Item = mlua::Result<Value>> {
    (1..)
        .map(|index: i64| table.raw_get(index))
        .take_while(|element| !matches!(element, Ok(Value::Nil)))
}

/// The keys of a table.
pub(super) struct Keys {
    pub(super) count: usize,
    /// The greatest number, or `None` if a key is not a number that the caller wants.
    pub(super) greatest: Option<f64>,
    /// One of them has an address in place of a value.
    pub(super) unordered: bool,
}

/// Looks at the keys of a table, to tell arrays from maps. `is_index` tells which numbers an array
/// may have.
pub(super) fn keys(table: &Table, is_index: impl Fn(f64) -> bool) -> mlua::Result<Keys> {
    let mut keys = Keys { count: 0, greatest: Some(0.0), unordered: false };
    table.for_each(|key: Value, _: Value| {
        keys.count += 1;
        keys.unordered |= has_no_order(&key);
        let number = match key {
            Value::Integer(n) => Some(n as f64),
            Value::Number(n) => Some(n),
            _ => None,
        };
        let index = number.filter(|n| is_index(*n));
        keys.greatest = keys.greatest.zip(index).map(|(greatest, index)| greatest.max(index));
        Ok(())
    })?;
    Ok(keys)
}

/// Returns whether a value has an address in place of a value, so that tables have no order for it.
fn has_no_order(value: &Value) -> bool {
    matches!(value, Value::Table(_) | Value::Function(_) | Value::Thread(_) | Value::UserData(_))
}
