//! One simulated caller: [`script`] decides what to do next, [`livekit`] is the line it speaks and
//! listens on, [`party`] decides who on it is the agent, [`session`] reads what the agent reports, [`drive`] joins them and stamps every
//! observation.

pub mod party;
pub mod readers;
pub mod livekit;
pub mod script;
pub mod session;
pub mod drive;
