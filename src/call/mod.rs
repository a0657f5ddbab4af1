//! One simulated caller: [`script`] decides what to do next, [`access`] gets it into its room, [`livekit`]
//! is the line it speaks and listens on, [`party`] decides who on it is the agent, [`dialect`] reads what
//! agents of different kinds report, [`drive`] joins them and stamps every observation, [`end_state`] looks at what
//! a call leaves behind.

pub mod party;
pub mod dialect;
pub mod transcripts;
pub mod readers;
pub mod livekit;
pub mod traced;
pub mod access;
pub mod config;
mod signals;
pub mod script;
pub mod drive;
pub mod end_state;
