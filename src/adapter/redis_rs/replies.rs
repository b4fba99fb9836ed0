//! What every connection of ours needs: the commands that it begins with, and the replies to a
//! pipeline as redis-rs expects them.

use super::redis::{Cmd, ProtocolVersion, RedisConnectionInfo, RedisResult, Value, cmd};

/// Returns the commands that log in and select a protocol and a database.
pub(super) fn greeting(info: &RedisConnectionInfo) -> Vec<Cmd> {
    let mut commands = Vec::new();
    if info.protocol() != ProtocolVersion::RESP2 {
        let mut hello = cmd("HELLO");
        hello.arg(3);
        if let Some(password) = info.password() {
            hello.arg("AUTH").arg(info.username().unwrap_or("default")).arg(password);
        }
        commands.push(hello);
    } else if let Some(password) = info.password() {
        let mut login = cmd("AUTH");
        login.arg(info.username()).arg(password);
        commands.push(login);
    }
    if info.db() != 0 {
        let mut select = cmd("SELECT");
        select.arg(info.db());
        commands.push(select);
    }
    commands
}

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
