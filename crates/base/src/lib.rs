//! The ground floor of loadcall: what knows nothing of calls, runs or agents. It stands in a crate of
//! its own so that the compiler holds it there, and so that a debug build, which has to keep up with
//! fifty voices, can optimise it alone.

pub mod time;
pub mod random;
pub mod secret;
pub mod stats;
pub mod text;
pub mod audio;
