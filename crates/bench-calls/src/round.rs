//! One measurement: a private server, the agents, and somebody who calls them; or the floor.

use std::{path::Path, time::Duration};

use loadcall::dev::{DevServer, Launch};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    args::{Bench, Room},
    child::{Child, Reading, Spent},
    error::Error,
    measured::Measured,
};

/// Between the last call that came up and the window.
const WARM_UP: Duration = Duration::from_secs(5);
const FLOOR_WARM_UP: Duration = Duration::from_secs(1);

/// What a process cost in a window.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cost {
    /// Milliseconds of user and system time per call and second.
    pub(crate) cpu: f64,
    /// Mebibytes, at the end of the window.
    pub(crate) rss: f64,
}

/// Calls by some tool, and what everybody cost.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Calls {
    pub(crate) tool: Cost,
    pub(crate) server: Cost,
    pub(crate) agents: Cost,
    /// By the callers; the official tester does not tell.
    pub(crate) heard: Option<Measured>,
    /// The floor while these calls went on: on a machine as busy as theirs. Not beside the official tester.
    pub(crate) beside: Option<Cost>,
}

/// Everything at one number of calls, in turn.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Round {
    pub(crate) calls: u32,
    pub(crate) ours: Calls,
    pub(crate) floor: Cost,
    pub(crate) official: Option<Calls>,
}

#[derive(Debug, Clone, Copy)]
enum Tool<'a> {
    Ours,
    Official(&'a Path),
}

impl Round {
    pub(crate) async fn run(bench: &Bench, calls: u32) -> Result<Self, Error> {
        let ours = self::calls(bench, calls, Tool::Ours).await?;
        let floor = floor(bench, calls).await?;
        let official = match &bench.lk {
            Some(lk) => Some(self::calls(bench, calls, Tool::Official(lk)).await?),
            None => None,
        };
        Ok(Self { calls, ours, floor, official })
    }
}

async fn calls(bench: &Bench, calls: u32, tool: Tool<'_>) -> Result<Calls, Error> {
    let server =
        DevServer::start(&Launch::Direct, &bench.json.with_extension("server.log")).await?;
    let room = Room {
        url: server.url.clone(),
        api_key: server.api_key.into(),
        api_secret: server.api_secret.into(),
        calls,
        clip: bench.clip.clone(),
    };
    let measured = with_server(bench, &room, &server, tool).await;
    server.stop().await;
    measured
}

async fn with_server(
    bench: &Bench,
    room: &Room,
    server: &DevServer,
    tool: Tool<'_>,
) -> Result<Calls, Error> {
    let mut agents = Child::role("the agents", &arguments("agent", room))?;
    let mut callers = match tool {
        Tool::Ours => {
            let mut callers = Child::role("the callers", &arguments("caller", room))?;
            callers.ready(room.calls).await?;
            callers
        }
        // Asked to go on for longer than anything takes; it is ended when it was measured.
        Tool::Official(program) => Child::official(program, room, bench.window + 3_600)?,
    };
    agents.ready(room.calls).await?;
    sleep(WARM_UP).await;
    if let Tool::Ours = tool {
        callers.begin().await?;
    }
    let read = || {
        let server = Reading::of("livekit-server", server.pid());
        Ok::<_, Error>((callers.reading()?, server?, agents.reading()?))
    };
    let begin = read()?;
    sleep(Duration::from_secs(bench.window)).await;
    let end = read()?;
    let (heard, beside) = match tool {
        Tool::Ours => {
            let heard = callers.end().await?;
            (Some(heard), Some(floor(bench, room.calls).await?))
        }
        Tool::Official(_) => (None, None),
    };
    callers.stop().await;
    agents.stop().await;
    let cost = |begin: Reading, end| Cost::of(begin.until(end), room.calls);
    Ok(Calls {
        tool: cost(begin.0, end.0),
        server: cost(begin.1, end.1),
        agents: cost(begin.2, end.2),
        heard,
        beside,
    })
}

async fn floor(bench: &Bench, calls: u32) -> Result<Cost, Error> {
    let who = "the floor";
    let clip = bench.clip.display().to_string();
    let arguments = ["floor", "--calls", &calls.to_string(), "--clip", &clip].map(String::from);
    let mut packets = Child::role(who, &arguments)?;
    packets.ready(calls).await?;
    sleep(FLOOR_WARM_UP).await;
    packets.begin().await?;
    let begin = packets.reading()?;
    sleep(Duration::from_secs(bench.floor_window)).await;
    let end = packets.reading()?;
    let Measured { received: opened, edges, .. } = packets.end().await?;
    packets.stop().await;
    // Half of what should have been opened: less is no floor but a broken program.
    if opened < u64::from(calls) * 25 * bench.floor_window || edges == 0 {
        let reason = format!("only {opened} packets were opened, and {edges} edges heard");
        return Err(Error::Gone { who, reason });
    }
    Ok(Cost::of(begin.until(end), calls))
}

fn arguments(role: &str, room: &Room) -> Vec<String> {
    let Room { url, api_key, api_secret, calls, clip } = room;
    let named = [
        ("--url", url.clone()),
        ("--api-key", api_key.clone()),
        ("--api-secret", api_secret.clone()),
        ("--calls", calls.to_string()),
        ("--clip", clip.display().to_string()),
    ];
    let named = named.into_iter().flat_map(|(name, value)| [name.into(), value]);
    std::iter::once(role.into()).chain(named).collect()
}

impl Cost {
    fn of(spent: Spent, calls: u32) -> Self {
        let call_seconds = spent.window.as_secs_f64() * f64::from(calls);
        #[expect(clippy::cast_precision_loss, reason = "less memory than 2^52 KiB")]
        let rss = spent.rss_kib as f64 / 1_024.0;
        Self { cpu: spent.cpu.as_secs_f64() * 1_000.0 / call_seconds, rss }
    }
}
