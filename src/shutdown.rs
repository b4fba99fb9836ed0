//! How a server process ends, and what its disk keeps. Both machines and the world share this.

/// How a server process ends.
///
/// | ending | what survives |
/// |---|---|
/// | clean | everything that is meant to survive |
/// | kill | what was handed to the operating system |
/// | power loss | what was synced to the disk |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// The process is asked to stop, and shuts down in good order.
    Clean,
    /// The process is killed. Everything that it had not handed to the operating system is lost.
    Kill,
    /// The machine loses power. Everything that was not synced to the disk is lost.
    PowerLoss,
}

impl Shutdown {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shutdown::Clean => "clean",
            Shutdown::Kill => "killed",
            Shutdown::PowerLoss => "power lost",
        }
    }
}
