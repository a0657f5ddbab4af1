//! The livekit crate's own end-to-end tests, a module a suite, as `build.rs` finds them in cargo's registry.

include!(concat!(env!("OUT_DIR"), "/suites.rs"));
