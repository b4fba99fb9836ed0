//! `LCS`: the longest common subsequence of two strings.

use super::{Answer, Args};
use crate::redis::server::Call;

pub(super) fn lcs(_call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    todo!()
}
