//! How callers get into their rooms: with a token of ours, or with what a start endpoint answers.

use crate::call::livekit::DialError;
use crate::call::traced::traced;
use crate::record::{CallId, traceparent};
use crate::room::end_state::EndStates;
use crate::room::endpoint::{Dial, Endpoint, Guest, Ticket};
use crate::room::start::{Answer, Start};
use crate::scenario::metadata::{MissingVariables, Variables};
use crate::scenario::{Names, Scenario, Within, fill};
use crate::secret::Secret;
use std::sync::Arc;

/// The way into the rooms of a run.
#[derive(Debug, Clone)]
pub struct Access {
    pub gate: Gate,
    /// The metadata of the dispatch with its references to environment variables resolved: it may hold
    /// secrets.
    pub metadata: Secret,
    /// Whether each call's `traceparent` is added to it, which it has room for.
    pub traceparent: bool,
    /// What the other texts of the scenario refer to.
    pub variables: Variables,
    /// What calls have to leave behind, where the scenario says so.
    pub end_states: Option<Arc<EndStates>>,
}

/// Who lets callers in.
#[derive(Debug, Clone)]
pub enum Gate {
    /// We do, and ask for the agent.
    Keys(Endpoint),
    /// A start endpoint is asked first.
    Start {
        start: Arc<Start>,
        /// For tokens where the endpoint gives none, and to end the rooms that we named.
        keys: Option<Endpoint>,
        /// The server, where no answer names it.
        url: Option<String>,
    },
}

impl Access {
    /// Gets a call into its room, whose name may turn out to be another than the one in `names`.
    pub(super) async fn ticket(
        &self,
        scenario: &Scenario,
        names: &Names,
        call: CallId,
    ) -> Result<Ticket, DialError> {
        let (start, keys, url) = match &self.gate {
            Gate::Keys(endpoint) => {
                let agent = &scenario.agent().name;
                let metadata = self.metadata_of(names, call);
                let dial = self.dial(scenario, names, agent.clone(), metadata)?;
                return Ok(endpoint.admit(&dial).await?);
            }
            Gate::Start { start, keys, url } => (start, keys, url),
        };
        let Answer { room, token, server } = start.ask(names).await?;
        let room = room.unwrap_or_else(|| names.room.clone());
        let url = server.or_else(|| url.clone()).ok_or(DialError::NoServer)?;
        if let Some(token) = token {
            return Ok(Ticket { url, room, token });
        }
        let keys = keys.as_ref().ok_or(DialError::NoKeys)?;
        let names = Names { room, ..names.clone() };
        let dial = self.dial(scenario, &names, String::new(), Secret::new(String::new()))?;
        Ok(Ticket { url, ..keys.admit(&dial).await? })
    }

    /// What the agent is dispatched with to this call.
    fn metadata_of(&self, names: &Names, call: CallId) -> Secret {
        if !self.traceparent {
            return self.metadata.clone();
        }
        let with = traced(self.metadata.expose(), &traceparent(&names.run, call));
        with.map_or_else(|_| self.metadata.clone(), Secret::new)
    }

    fn dial(
        &self,
        scenario: &Scenario,
        names: &Names,
        agent_name: String,
        agent_metadata: Secret,
    ) -> Result<Dial, MissingVariables> {
        let caller = scenario.caller();
        let filled = |text: &str| self.variables.fill(&fill(text, names, Within::Body));
        let attributes = caller.attributes.iter().map(|(name, value)| {
            Ok((name.clone(), self.variables.fill(&fill(value, names, Within::Text))?))
        });
        Ok(Dial {
            room: names.room.clone(),
            room_metadata: filled(&scenario.room().metadata)?,
            caller: Guest {
                identity: names.caller.clone(),
                name: fill(&caller.name, names, Within::Text),
                metadata: filled(&caller.metadata)?,
                attributes: attributes.collect::<Result<_, _>>()?,
                kind: caller.kind,
            },
            agent_name,
            agent_metadata,
        })
    }

    /// Who has to look into it when the server refuses a token.
    pub(super) fn explain(scenario: &Scenario, error: DialError) -> DialError {
        let given = scenario.dispatch().is_some_and(|http| http.token.is_some());
        if let DialError::Refused(why) = &error
            && given
        {
            return DialError::Refused(format!("{why}; the token came from the start endpoint"));
        }
        error
    }

    /// Ends a room, and with it the agent's job, if no other call can have one of that name.
    pub(super) async fn end(&self, scenario: &Scenario, names: &Names, ticket: &Ticket) {
        let keys = match &self.gate {
            Gate::Keys(endpoint) => Some(endpoint),
            Gate::Start { keys, .. } => keys.as_ref(),
        };
        let ours = scenario.room().is_of_the_run() && ticket.room == names.room;
        let Some(keys) = keys.filter(|_| ours) else { return };
        if let Err(e) = keys.delete_room(&ticket.room).await {
            log::debug!("room {} was not deleted: {e}", ticket.room);
        }
    }
}
