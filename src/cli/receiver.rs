//! The agent's own spans of a run: taken while the calls last, read, kept beside the recording and passed on when they
//! are over. Nothing that goes wrong here touches a call or the exit code.

mod sides;

use super::args::{ForwardTo, Listen};
use super::failure::Failure;
use super::progress::Verbosity;
use super::stop::Stop;
use super::terminal::eprint_line;
use super::{LangfuseArgs, PlacingArgs, environment, traces};
use crate::clock::Clock;
use crate::export::{langfuse, otlp};
use crate::secret::Secret;
use crate::spans::forward::{Place, forward};
use crate::spans::receiver::{Receiver, Tally};
use crate::spans::store::{self, FILE_NAME, Written};
use crate::text::{clipped, count, safe};
use sides::Sides;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// How long the last spans of a call are waited for: SDKs send every five seconds.
const LAST_SPANS: Duration = Duration::from_secs(8);
/// The same where none came at all.
const FIRST_SPANS: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// When it is said that they are waited for.
const SAID_AFTER: Duration = Duration::from_secs(2);
/// How long passing on may take.
const FORWARD: Duration = Duration::from_secs(60);

/// The variables that say where an agent's exporter sends spans, and how.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";

/// A receiver, and what becomes of what it takes.
pub(super) struct Receiving {
    receiver: Receiver,
    forward: Option<Place>,
    /// Whether a flag asks for it.
    is_asked: bool,
    how: Verbosity,
}

impl Receiving {
    /// Starts the receiver that is asked for, or that belongs beside an agent of ours. Settings that cannot work are
    /// found here.
    pub(super) fn start(args: &PlacingArgs, folder: &Path) -> Result<Option<Self>, Failure> {
        let how = args.verbosity();
        let flags = &args.receiver;
        let beside = args.server.agent_command.is_some();
        let address = match flags.otlp_receiver {
            Some(Listen::At(address)) => Some(address),
            None if beside => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
            None | Some(Listen::Off) => None,
        };
        let Some(address) = address else {
            return match flags.otlp_forward {
                None => Ok(None),
                Some(_) => Err(Failure::usage(
                    "--otlp-forward passes on what a receiver takes, and there is none",
                )
                .hint("add --otlp-receiver 4318, and let the agent send its spans there")),
            };
        };
        let forward = flags.otlp_forward.map(|to| place(to, &args.langfuse)).transpose()?;
        let receiver = Receiver::start(address, folder).map_err(Failure::usage)?;
        if !address.ip().is_loopback() {
            eprint_line(&format!(
                "warning: whoever reaches {} can send spans into this run: they are taken without a password",
                receiver.address()
            ));
        }
        let is_asked = flags.otlp_receiver.is_some();
        if is_asked && how == Verbosity::Normal {
            eprint_line(&format!("taking the agent's spans: {ENDPOINT}={}", base(&receiver)));
        }
        Ok(Some(Self { receiver, forward, is_asked, how }))
    }

    /// What goes into the environment of an agent that we start. One that already sends its spans somewhere goes on to,
    /// unless they are passed on there.
    pub(super) fn agent_variables(&self) -> Vec<(String, Secret)> {
        let own =
            [TRACES_ENDPOINT, ENDPOINT].into_iter().find(|n| environment::variable(n).is_some());
        if let (Some(own), None) = (own, &self.forward) {
            if self.how == Verbosity::Normal {
                eprint_line(&format!(
                    "note: the agent sends its spans where {own} says, not here; --otlp-forward otlp takes them here and passes them on"
                ));
            }
            return Vec::new();
        }
        let base = base(&self.receiver);
        let traces = format!("{base}/v1/traces");
        let http = "http/protobuf";
        let all = [(ENDPOINT, base.as_str()), (PROTOCOL, http)];
        let of_traces = [(TRACES_ENDPOINT, traces.as_str()), (TRACES_PROTOCOL, http)];
        let is_set = |(name, _): &(&str, &str)| environment::variable(name).is_some();
        let over = of_traces.into_iter().filter(is_set);
        all.into_iter()
            .chain(over)
            .map(|(n, v)| (n.to_owned(), Secret::new(v.to_owned())))
            .collect()
    }

    /// Another run begins.
    pub(super) fn begin(&self) {
        self.receiver.clear();
    }

    /// Waits for the last spans of the calls in these folders, writes all of them and passes them on.
    pub(super) async fn collect(&self, folders: &[PathBuf], stop: &Stop) {
        let mut sides = Sides::of(folders);
        let mut stopped = stop.second.clone();
        tokio::select! {
            () = self.wait(&mut sides) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        if self.receiver.is_empty() {
            self.say_of(self.receiver.tally());
            if self.is_asked {
                eprint_line(&format!(
                    "warning: no spans of the agent came to {}; docs/agent-spans.md shows what its owner adds",
                    self.receiver.address()
                ));
            }
            return;
        }
        for (n, folder) in folders.iter().enumerate() {
            self.write(&sides, n, folder);
        }
        self.say_of(self.receiver.tally());
        if let Some(place) = &self.forward {
            tokio::select! {
                () = self.pass_on(place) => {}
                _ = stopped.wait_for(|stop| *stop) => {
                    eprint_line("warning: the agent's spans were not all passed on: stopped");
                }
            }
        }
    }

    /// Until every call's session has sent its last span, or it is long enough.
    async fn wait(&self, sides: &mut Sides) {
        let clock = Clock::start();
        let mut is_said = self.how == Verbosity::Quiet;
        loop {
            sides.look_at(&self.receiver);
            let limit = if self.receiver.is_empty() { FIRST_SPANS } else { LAST_SPANS };
            let waited = clock.now().since_start();
            if sides.have_all() || waited >= limit {
                return;
            }
            if !is_said && waited > SAID_AFTER {
                let left = limit.saturating_sub(waited).as_secs();
                eprint_line(&format!("waiting for the agent's last spans: up to {left} s"));
                is_said = true;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn write(&self, sides: &Sides, side: usize, folder: &Path) {
        let (mut unread, mut cut) = (None, 0);
        let written = store::write(folder, |lines| {
            for read in (0..).map_while(|n| self.receiver.decoded(n)) {
                match read {
                    Ok(decoded) => {
                        lines.leave_out(decoded.dropped);
                        cut += decoded.cut;
                        decoded
                            .spans
                            .iter()
                            .filter(|span| sides.may_be_of(span, side))
                            .for_each(|span| lines.add(span));
                    }
                    Err(e) => {
                        let (requests, _) = unread.get_or_insert((0, e.to_string()));
                        *requests += 1;
                    }
                }
            }
        });
        match written {
            Ok(written) => self.say_what_is_kept(written, cut, &folder.join(FILE_NAME)),
            Err(e) => eprint_line(&format!("warning: the agent's spans are not kept: {e}")),
        }
        if let Some((requests, why)) = unread {
            eprint_line(&format!(
                "warning: {} of the agent with spans could not be read: {}",
                count(requests, "request"),
                clipped(&safe(&why), 200)
            ));
        }
    }

    fn say_what_is_kept(&self, Written { spans, dropped }: Written, cut: u64, path: &Path) {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        if self.how == Verbosity::Normal {
            let cut = match cut {
                0 => String::new(),
                _ => format!(", {} cut", count(number(cut), "long text")),
            };
            let spans = count(number(spans), "span");
            eprint_line(&format!("{spans} of the agent in {}{cut}", path.display()));
        }
        if dropped > 0 {
            eprint_line(&format!(
                "warning: {} of the agent left out: too many, too large or without sense",
                count(number(dropped), "span")
            ));
        }
    }

    fn say_of(&self, Tally { others, over, unwritten, refused }: Tally) {
        let requests = |n: u64| count(usize::try_from(n).unwrap_or(usize::MAX), "request");
        for (n, why) in [
            (over, "beyond what is kept of a run (64 MiB)"),
            (unwritten, "which the disk did not take"),
            (refused, "too large, too slow or in another format (-v shows which)"),
        ] {
            if n > 0 {
                eprint_line(&format!("warning: {} with spans not kept: {why}", requests(n)));
            }
        }
        if others > 0 && self.how == Verbosity::Normal {
            eprint_line(&format!(
                "note: {} with metrics or logs of the agent not kept",
                requests(others)
            ));
        }
    }

    async fn pass_on(&self, place: &Place) {
        let to = place.shown();
        match forward(&self.receiver, place, FORWARD).await {
            Ok(done) => {
                if done.sent > 0 && self.how == Verbosity::Normal {
                    let requests = count(done.sent, "request");
                    eprint_line(&format!("{requests} with the agent's spans passed on to {to}"));
                }
                for (why, requests) in &done.failed {
                    let requests = count(*requests, "request");
                    eprint_line(&format!(
                        "warning: {requests} with the agent's spans not passed on to {to}: {why}"
                    ));
                }
            }
            Err(e) => eprint_line(&format!("warning: the agent's spans are not passed on: {e}")),
        }
    }
}

/// The address as an exporter of this machine reaches it.
fn base(receiver: &Receiver) -> String {
    let mut address = receiver.address();
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    format!("http://{address}")
}

/// Where the agent's spans are passed on to, whether loadcall's own traces go there or not.
fn place(to: ForwardTo, args: &LangfuseArgs) -> Result<Place, Failure> {
    let backend = match to {
        ForwardTo::Otlp => {
            otlp::named_by(environment::variable).map_err(Failure::usage)?.ok_or_else(|| {
                Failure::usage("nothing says where the agent's spans are to be passed on")
                    .hint("set OTEL_EXPORTER_OTLP_ENDPOINT")
            })?
        }
        ForwardTo::Langfuse => {
            let project = traces::project_of_keys(args)?.ok_or_else(|| {
                Failure::usage("--otlp-forward langfuse needs Langfuse's keys")
                    .hint("set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
            })?;
            langfuse::backend(&project).map_err(Failure::usage)?
        }
    };
    Ok(Place { url: backend.endpoint, headers: backend.headers, hidden: backend.hidden })
}
