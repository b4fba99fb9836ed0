//! stunt-double itself, at its default settings. Cases that end in `-digest` keep no events of the
//! trace, only its digest; none of the peers has either.

mod rabbitmq;
mod redis;
mod worlds;

fn main() {
    let cases = [worlds::CASES, redis::CASES, rabbitmq::CASES].concat();
    stunt_double_peers::run(&cases);
}
