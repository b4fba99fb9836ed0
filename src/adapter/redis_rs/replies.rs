//! The replies to a pipeline, as redis-rs expects them of a connection.

use super::redis::{RedisResult, Value};

/// Returns the replies to a pipeline after the first `offset`. These are the confirmations of an
/// atomic one (`OK`, `QUEUED`). If the server refused one of its commands, it refuses `EXEC` too,
/// and that error stands for the whole.
pub(super) fn collect(mut replies: Vec<Value>, offset: usize) -> RedisResult<Vec<Value>> {
    let is_refused = replies[..offset].iter().any(|reply| matches!(reply, Value::ServerError(_)));
    let kept = replies.split_off(offset);
    if is_refused && let Some(Value::ServerError(error)) = kept.last() {
        return Err(error.clone().into());
    }
    Ok(kept)
}
