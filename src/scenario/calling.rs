//! How a call comes about: who sends the agent, which room it is, whom the agent sees, and what the caller signals
//! around a clip. Texts may hold placeholders (see [`super::template`]) and references to environment variables
//! (see [`super::metadata`]), both of which whoever places a call fills in.

use std::time::Duration;

use super::path::JsonPath;
use super::template::{self, Names, Placeholder, Within};

/// A request to a product's start endpoint, in place of a dispatch by loadcall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpDispatch {
    pub url: String,
    pub method: Method,
    /// Names and values, in the order of the file.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: String,
    pub timeout: Duration,
    /// Where the answer has the caller's token, the room's name and the server's URL.
    pub token: Option<JsonPath>,
    pub room: Option<JsonPath>,
    pub server: Option<JsonPath>,
}

/// How a start endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Post,
    Get,
    Put,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }
}

/// The room of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRule {
    /// With placeholders.
    name: String,
    /// What the room is created with; empty for none.
    pub metadata: String,
}

impl RoomRule {
    /// A rule whose name may hold placeholders.
    pub(super) const fn new(name: String, metadata: String) -> Self {
        Self { name, metadata }
    }

    /// The name of a call's room.
    pub fn name(&self, names: &Names) -> String {
        template::fill(&self.name, names, Within::Text)
    }

    /// Whether nobody but this run can have a room of that name.
    pub fn is_of_the_run(&self) -> bool {
        template::holds(&self.name, Placeholder::Run)
    }
}

/// The participant that the agent sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// With placeholders.
    pub identity: String,
    pub name: String,
    pub metadata: String,
    pub attributes: Vec<(String, String)>,
    pub kind: CallerKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    Standard,
    Sip,
}

impl CallerKind {
    /// As an access token has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Sip => "sip",
        }
    }
}

/// What the caller signals around a clip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signals {
    pub before: Option<Rpc>,
    pub after: Option<Rpc>,
}

/// A method of the agent that the caller calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rpc {
    pub method: String,
    /// May hold references to environment variables.
    pub payload: String,
}
