//! Faults: what is drawn from the seed to disturb the service.

use crate::world::World;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::Site;
use stunt_double::sim::Sim;

const COUNT: Site = Site::new("app.faults");
const KIND: Site = Site::new("app.fault");
const PART: Site = Site::new("app.fault.part");
const WHEN: Site = Site::new("app.fault.when");
const HOW_LONG: Site = Site::new("app.fault.how_long");

/// Plans up to four faults in the first ten seconds. Each ends by itself.
pub(crate) fn plan(sim: &mut Sim, world: &World) {
    let count = sim.choose(COUNT, 0, 5);
    for fault in 0..count {
        let at = Duration::from_micros(sim.choose(WHEN, fault, 10_000_000));
        let until = at + Duration::from_millis(1 + sim.choose(HOW_LONG, fault, 5_000));
        let part = sim.choose(PART, fault, world.parts.len() as u64) as usize;
        let part = world.parts[part].clone();
        let (rabbit, redis) = (world.rabbit.clone(), world.redis.clone());
        match sim.choose(KIND, fault, 7) {
            0 => {
                let is_over = Rc::clone(&world.is_over);
                sim.after(at, move || {
                    if !is_over.get() {
                        part.restart();
                    }
                });
            }
            1 => {
                let again = part.clone();
                let is_over = Rc::clone(&world.is_over);
                sim.after(at, move || part.lose_power());
                // Nobody would ask it to stop any more.
                sim.after(until, move || {
                    if !is_over.get() {
                        again.restart();
                    }
                });
            }
            2 => {
                let link = part.link(&rabbit);
                let healed = part.link(&rabbit);
                sim.after(at, move || link.partition());
                sim.after(until, move || healed.heal());
            }
            3 => {
                let link = part.link(&redis);
                let healed = part.link(&redis);
                sim.after(at, move || link.partition());
                sim.after(until, move || healed.heal());
            }
            4 => {
                let again = rabbit.clone();
                sim.after(at, move || rabbit.lose_power());
                sim.after(until, move || again.start());
            }
            5 => {
                let again = redis.clone();
                sim.after(at, move || redis.lose_power());
                sim.after(until, move || again.start());
            }
            _ => {
                // Longer than the closers' lease, perhaps.
                let again = part.clone();
                sim.after(at, move || part.pause());
                sim.after(until, move || again.resume());
            }
        }
    }
}
