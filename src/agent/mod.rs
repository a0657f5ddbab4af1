//! An agent with known delays: registers as a worker as any agent does, and in every room it is sent
//! to says what its script says, exactly as late as that wants it.
//!
//! [`script`] is what the dispatch metadata may say, [`voice`] the sounds it speaks with,
//! [`conversation`] decides (without clock or IO), [`session`] writes the messages livekit-agents
//! sends to a room, [`job`] is the agent in one room, [`worker`] its place with the server. What it really did, and
//! when, is its [`truth`].
//!
//! # What its delays count from
//! The end of the caller's speech is the last audible sample the agent received: the arrival of its
//! packet plus the place in it, found by the same ear the caller hears with. It is known 200 ms later,
//! so no turn can end before [`script::EARLIEST`].

pub mod script;
pub mod voice;
pub mod truth;
pub mod conversation;
pub mod session;
mod methods;
pub mod job;
pub mod worker;
