//! A world beside a tokio of its own: tokio is the master, and the world follows its clock.
