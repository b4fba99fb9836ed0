//! The errors of rules that are refused.

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleError {
    UnknownCommand,
    Syntax,
    /// A pattern of keys after all keys.
    AllKeys,
    /// A pattern of channels after all channels.
    AllChannels,
    UnknownPassword,
    Hash,
    FirstArgument,
    Database,
}

impl RuleError {
    pub(crate) fn text(self) -> &'static str {
        match self {
            RuleError::UnknownCommand => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does \
                 not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            RuleError::UnknownPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            RuleError::Hash => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            RuleError::FirstArgument => "Allowing first-arg of a subcommand is not supported",
            RuleError::Database => "The provided database ID is out of range",
        }
    }
}
