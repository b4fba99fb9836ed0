//! `CONFIG`: the parameters of the server.
//!
//! `parameters` is a table of all parameters that Redis has, with the forms of their values
//! (`forms`). Those that change what a client can observe are settings (`setting`). Each of the
//! others states in its row whether setting it has no effect or is refused.
//!
//! Source: <https://redis.io/docs/management/config/>, `config.c`.

mod later;
mod parameters;
mod setting;
mod validate;

use super::Row;
use crate::redis::command::arguments::{pairs, shown};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, help, server};
use crate::redis::database::glob;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::config::Config;
use crate::redis::value::number::{parse_fitting_memory, parse_memory};
use crate::redis::version::Version;
use parameters::{Effect, HIDDEN, PARAMETERS, Parameter};

#[rustfmt::skip]
const CONFIG_SUBCOMMANDS: &[Row] = &[
    server("config|get", -3, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Get the values of configuration parameters", config_get),
    help("config|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("config|resetstat", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Reset the stats returned by INFO", config_resetstat),
    server("config|rewrite", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Rewrite the configuration file with the in memory configuration", config_rewrite),
    server("config|set", -4, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Set configuration parameters to the given values", config_set).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("config", -2, 0, &[], "A container for server configuration commands", CONFIG_SUBCOMMANDS),
];

/// Returns the parameters of a version.
fn parameters_of(version: Version) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().chain(later::LATER).filter(move |parameter| later::has(version, parameter))
}

/// Returns the value of a parameter.
fn value_of(config: &Config, parameter: &'static Parameter) -> String {
    let parameter = parameter.itself();
    if let Effect::Modelled(setting) = parameter.effect {
        return (setting.get)(config);
    }
    let set = config.inert.get(parameter.name);
    set.map_or(later::default_of(parameter, config.version), String::as_str).to_owned()
}

/// Returns all parameters that a word or pattern names, with their values. A word is returned as
/// the caller spelled it.
fn matching(config: &Config, pattern: &[u8]) -> Vec<(Vec<u8>, String)> {
    let is_pattern = pattern.iter().any(|byte| b"*?[".contains(byte));
    let named = parameters_of(config.version).filter(|parameter| {
        let name = parameter.name.as_bytes();
        if is_pattern {
            glob::matches(pattern, name, true) && !HIDDEN.contains(&parameter.name)
        } else {
            pattern.eq_ignore_ascii_case(name)
        }
    });
    let shown = |name: &'static str| if is_pattern { name.as_bytes() } else { pattern };
    named.map(|p| (shown(p.name).to_vec(), value_of(config, p))).collect()
}

fn config_get(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let mut found: Vec<(Vec<u8>, String)> = Vec::new();
    for pattern in &args[2..] {
        for (name, value) in matching(&server.config, pattern) {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                found.push((name, value));
            }
        }
    }
    let pair = |(name, value): (Vec<u8>, String)| {
        (Reply::Bulk(name.into()), Reply::bulk(value.as_bytes()))
    };
    Ok(Reply::Map(found.into_iter().map(pair).collect()))
}

fn failed(name: &str, why: &str) -> CommandError {
    CommandError::format(format!(
        "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
    ))
}

/// Sets one parameter in a configuration.
fn set_one(config: &mut Config, parameter: &'static Parameter, value: &str) -> Result<(), String> {
    let parameter = parameter.itself();
    let current = value_of(config, parameter);
    let form = later::form_of(parameter, config.version);
    let arguments = &config.version.profile().arguments;
    let is_unsigned = arguments.config_names_sign && later::is_unsigned(parameter);
    if is_unsigned && form.turns_negative(value) {
        return Err("argument must be greater or equal to 0".to_owned());
    }
    let read_size = if arguments.sizes_must_fit { parse_fitting_memory } else { parse_memory };
    let value = form.read(&current, value, read_size)?;
    match parameter.effect {
        Effect::Modelled(setting) => (setting.set)(config, &value),
        Effect::Fixed(why) if value != later::default_of(parameter, config.version) => {
            Err(why.to_owned())
        }
        Effect::Inert | Effect::Fixed(_) | Effect::Alias(_) => {
            config.inert.insert(parameter.name, value);
            Ok(())
        }
    }
}

/// Sets all of them, or none. Parameters that cannot be set are reported before any value is
/// checked.
fn config_set(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if args.len() % 2 == 1 {
        return Err(CommandError::Syntax);
    }
    let pairs = pairs(args, 2, "config|set")?;
    let mut set: Vec<(&'static Parameter, &[u8], &[u8])> = Vec::new();
    for (name, value) in pairs {
        let shown = shown(name);
        let mut parameters = parameters_of(server.config.version);
        let named = parameters.find(|known| known.name.eq_ignore_ascii_case(&shown));
        let parameter = named.ok_or_else(|| {
            CommandError::format(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{shown}'"
            ))
        })?;
        let form = later::form_of(parameter.itself(), server.config.version);
        if let Some(why) = form.refusal() {
            return Err(failed(&shown, why));
        }
        if set.iter().any(|(other, ..)| other.name == parameter.name) {
            return Err(failed(&shown, "duplicate parameter"));
        }
        set.push((parameter, name, value));
    }
    let mut config = server.config.clone();
    for (parameter, name, value) in set {
        let value = String::from_utf8_lossy(value);
        set_one(&mut config, parameter, &value).map_err(|why| failed(&shown(name), &why))?;
    }
    server.reconfigure(config);
    Ok(Reply::OK)
}

/// There is no file to write to.
fn config_rewrite(_: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    Err(CommandError::text("ERR The server is running without a config file"))
}

fn config_resetstat(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    server.reset_stats();
    Ok(Reply::OK)
}
