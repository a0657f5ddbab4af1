//! How agents of different kinds report of themselves: each dialect is read by a module of its own, and all
//! become the same [`SessionEvent`]s.

pub mod session;
mod events;
mod kept;
mod reply;
pub mod rtvi;

use crate::record::{Dialect, SessionEvent, Stamped};
use crate::time::Offset;
use events::Events;
use kept::told;
use rtvi::Rtvi;

/// Agents of one call whose reports are read.
const AGENTS: usize = 8;

/// The reports of all agents of a call.
#[derive(Debug, Default)]
pub struct Reports {
    /// By identity.
    agents: Vec<(String, Agent)>,
}

/// The reader of one agent.
#[derive(Debug)]
enum Agent {
    Session,
    Events(Events),
    Rtvi(Box<Rtvi>),
}

impl Reports {
    /// What is kept of a message of the agent `from` that was complete `at` then. An agent speaks one
    /// dialect: that of its first message that could be read. What it says in another would count twice.
    pub fn take(&mut self, from: &str, dialect: Dialect, bytes: &[u8], at: Offset) -> Vec<Stamped> {
        if let Some((_, agent)) = self.agents.iter_mut().find(|(known, _)| known == from) {
            let same = agent.dialect() == dialect;
            return same.then(|| agent.decode(bytes, at)).flatten().unwrap_or_default();
        }
        let mut agent = Agent::of(dialect);
        let Some(first) = agent.decode(bytes, at).filter(|_| self.agents.len() < AGENTS) else {
            return Vec::new();
        };
        self.agents.push((from.to_owned(), agent));
        let kind = [Some(SessionEvent::Dialect(dialect)), framework(dialect)];
        kind.into_iter().flatten().map(|event| told(at, event)).chain(first).collect()
    }
}

impl Agent {
    fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Session => Self::Session,
            Dialect::Events => Self::Events(Events::default()),
            Dialect::Rtvi => Self::Rtvi(Box::default()),
        }
    }

    const fn dialect(&self) -> Dialect {
        match self {
            Self::Session => Dialect::Session,
            Self::Events(_) => Dialect::Events,
            Self::Rtvi(_) => Dialect::Rtvi,
        }
    }

    /// `None` for bytes that are not a message of this dialect.
    fn decode(&mut self, bytes: &[u8], at: Offset) -> Option<Vec<Stamped>> {
        match self {
            Self::Session => session::decode(bytes).map(|event| vec![told(at, event)]),
            Self::Events(events) => events.decode(bytes, at),
            Self::Rtvi(rtvi) => rtvi.decode(bytes, at),
        }
    }
}

/// What the dialect says of the agent's framework; `lk.agent.session` is asked instead.
fn framework(dialect: Dialect) -> Option<SessionEvent> {
    let (sdk, sdk_version) = match dialect {
        Dialect::Session => return None,
        // No other version sends it.
        Dialect::Events => ("python", "1.4"),
        Dialect::Rtvi => ("pipecat", ""),
    };
    Some(SessionEvent::Framework { sdk: sdk.into(), sdk_version: sdk_version.into() })
}

#[cfg(test)]
mod tests;
