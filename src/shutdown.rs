//! How a server process ends. Both machines and the world share this.

/// How a server process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// It is asked to stop, and does so in good order.
    Clean,
    /// The process is killed: what it had not yet handed to the operating
    /// system is lost.
    Kill,
    /// The machine loses power: what was not yet synced to the disk is lost.
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
