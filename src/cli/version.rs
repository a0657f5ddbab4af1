//! What `loadcall --version` says.

use crate::room::LIVEKIT_VERSION;
use std::sync::LazyLock;

/// The version, and what the program was built from: what a report of a fault needs.
pub(super) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{}\ncommit: {}\nlivekit: {LIVEKIT_VERSION}\ntarget: {}",
            env!("CARGO_PKG_VERSION"),
            env!("LOADCALL_BUILT_FROM"),
            env!("LOADCALL_TARGET"),
        )
    });
    &LONG
}
