//! `math.random` of scripts: the generator of `lrand48`, which gives the same numbers everywhere.
//!
//! It is the linear congruential generator `x' = (0x5DEECE66D x + 0xB) mod 2^48`, of which a draw
//! returns the upper 31 bits. A server begins with a fixed state, as Redis does, so the numbers
//! depend on the scripts that ran before, and on nothing else.
//!
//! Source: `rand.c`, `script_lua.c` (`redis_math_random`).

use super::native::{Arguments, bad_argument, failure};
use mlua::{Lua, MultiValue, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const FIRST: u64 = 0x1234_ABCD_330E;
const MASK: u64 = (1 << 48) - 1;
const MAX: u64 = i32::MAX as u64;

/// The state of a server's generator.
#[derive(Clone, Debug)]
pub(super) struct Random(Arc<AtomicU64>);

impl Default for Random {
    fn default() -> Random {
        Random(Arc::new(AtomicU64::new(FIRST)))
    }
}

impl Random {
    /// Returns the state.
    pub(super) fn state(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Restores a state.
    pub(super) fn restore(&self, state: u64) {
        self.0.store(state, Relaxed);
    }

    /// Returns a number of at least 0 and less than 1.
    fn draw(&self) -> f64 {
        let next = (self.state().wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB)) & MASK;
        self.restore(next);
        ((next >> 17) % MAX) as f64 / MAX as f64
    }

    fn seed(&self, seed: i64) {
        self.restore(((seed as u64 & 0xFFFF_FFFF) << 16) | 0x330E);
    }
}

fn random(random: &Random, lua: &Lua, values: MultiValue) -> mlua::Result<f64> {
    let arguments = Arguments::new(lua, values);
    let drawn = random.draw();
    match arguments.len() {
        0 => Ok(drawn),
        1 => {
            let upper = arguments.integer(1)? as i32;
            if upper < 1 {
                return Err(bad_argument(lua, 1, "interval is empty"));
            }
            Ok((drawn * f64::from(upper)).floor() + 1.0)
        }
        2 => {
            let (lower, upper) = (arguments.integer(1)? as i32, arguments.integer(2)? as i32);
            if lower > upper {
                return Err(bad_argument(lua, 2, "interval is empty"));
            }
            let width = upper.wrapping_sub(lower).wrapping_add(1);
            Ok((drawn * f64::from(width)).floor() + f64::from(lower))
        }
        _ => Err(failure(lua, "wrong number of arguments")),
    }
}

/// Replaces the functions of Lua's library `math` that draw.
pub(super) fn replace(lua: &Lua, math: &Table, generator: &Random) -> mlua::Result<()> {
    let own = generator.clone();
    math.raw_set("random", lua.create_function(move |lua, values| random(&own, lua, values))?)?;
    let own = generator.clone();
    let seed = move |lua: &Lua, values: MultiValue| {
        own.seed(Arguments::new(lua, values).integer(1)?);
        Ok(())
    };
    math.raw_set("randomseed", lua.create_function(seed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_lrand48() {
        let random = Random::default();
        random.seed(0);
        let drawn = [random.draw(), random.draw()].map(|x| (x * MAX as f64).round() as u64);
        assert_eq!(drawn, [366_850_414, 1_610_402_240]);
    }
}
