//! The data structures behind the keys, each public in its own right.
