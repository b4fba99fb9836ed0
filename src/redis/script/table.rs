//! Tables as Redis's C code reads them: without metamethods, in the order of `lua_next`.

use mlua::{Table, Value};

/// The error of a table whose order would depend on addresses. `sandbox.lua` has the same text.
pub(super) const UNORDERED: &str = "this table has keys that are tables or functions, whose order \
                                    would depend on addresses: keep them in a list";

/// Returns the pairs of a table, in Lua's order.
pub(super) fn pairs(table: &Table) -> mlua::Result<Vec<(Value, Value)>> {
    let mut pairs = Vec::new();
    table.for_each(|key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    })?;
    Ok(pairs)
}

/// Returns the elements of a table from 1 up to the first nil.
pub(super) fn elements(table: &Table) -> mlua::Result<Vec<Value>> {
    let mut elements = Vec::new();
    loop {
        match table.raw_get(elements.len() + 1)? {
            Value::Nil => return Ok(elements),
            element => elements.push(element),
        }
    }
}
