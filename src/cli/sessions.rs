//! `loadcall sessions`: the production sessions of an agent in Langfuse, as distributions.

mod kept;

use super::args::{LangfuseArgs, SessionsArgs, SessionsFormat};
use super::documents::terminal_width;
use super::failure::Failure;
use super::terminal::{eprint_line, print_document, print_json_with, print_result};
use super::{exit, files, machine, recorded, traces};
use crate::clock::{Clock, wall_now};
use crate::langfuse::{ApiError, Client, Deadline, Project};
use crate::report::sessions::{Sessions, write_csv, write_json};
use crate::report::text::{self, Colour};
use crate::spans::langfuse::{Wanted, Window, page};
use crate::spans::sessions::{Filter, NAMES, Ours, Synthetic, stages};
use crate::stats::{DEFAULT_RESAMPLES, Resampling};
use crate::text::{number_of, safe};
use crate::verdict::Baseline;
use jiff::Timestamp;
use kept::{Kept, Place, Question};
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// For one attempt at a page, and for a page with all waits that Langfuse asks for: its limits count by the minute.
const REQUEST: Duration = Duration::from_secs(60);
const PAGE: Duration = Duration::from_secs(600);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);
/// Pages after which the file of `--resume` is written again.
const SAVED_EVERY: u32 = 25;
/// The same sessions give the same intervals.
const SEED: u64 = 1;

/// Why reading ended.
enum Ending {
    Complete,
    Limit,
    Stopped,
    Failed(ApiError),
}

pub(super) fn sessions(args: &SessionsArgs) -> Result<u8, Failure> {
    let project = project(&args.langfuse)?;
    let question = question(args, &project)?;
    let synthetic = synthetic(args)?;
    let mut kept = match &args.resume {
        Some(path) => Kept::open(path, &question)?,
        None => None,
    }
    .unwrap_or_else(|| Kept::new(question));
    let client = Client::new(&project, REQUEST).map_err(Failure::usage)?.with_notice(waiting);
    let runtime = machine::runtime(Some(1))?;
    let ending = runtime.block_on(read(&client, &mut kept, args));
    machine::shut_down(runtime);
    let ending = ending?;
    // What was read is shown even where it cannot be kept.
    let saved = args.resume.as_deref().map_or(Ok(()), |path| kept.save(path));
    show(&client, &kept, args, synthetic.as_ref(), &ending)?;
    saved?;
    match ending {
        Ending::Complete | Ending::Limit => Ok(exit::PASS),
        Ending::Stopped => Ok(exit::STOPPED),
        Ending::Failed(error) => Err(failed(&error, args.resume.as_deref())),
    }
}

fn waiting(wait: Duration) {
    eprint_line(&format!("Langfuse asks to wait {} s", wait.as_secs().max(1)));
}

fn failed(error: &ApiError, resume: Option<&Path>) -> Failure {
    let failure = if error.is_final() || matches!(error, ApiError::NotFound { .. }) {
        Failure::usage(error)
    } else {
        Failure::internal(error)
    };
    match resume {
        Some(_) if !error.is_final() => {
            failure.hint("the same command goes on where this one ended")
        }
        Some(_) | None => failure,
    }
}

fn project(args: &LangfuseArgs) -> Result<Project, Failure> {
    traces::project_of_keys(args)?.ok_or_else(|| {
        Failure::usage("the sessions are in Langfuse, whose keys are not set").hint(
            "set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to those of the agent's project, and LANGFUSE_BASE_URL where it is not cloud.langfuse.com",
        )
    })
}

fn question(args: &SessionsArgs, project: &Project) -> Result<Question, Failure> {
    let no_time = || Failure::usage("no calendar holds this time").hint("write --since 24h");
    let now = Timestamp::try_from(wall_now()).map_err(|_| no_time())?;
    let to = args.until.map_or(Some(now), |until| until.before(now)).ok_or_else(no_time)?;
    let from = args.since.before(to).ok_or_else(no_time)?;
    if from >= to {
        return Err(Failure::usage(format!(
            "--since {from} is not before {to}, where the time ends"
        ))
        .hint("--until is later than --since, and now when it is left out"));
    }
    Ok(Question {
        langfuse: project.address().to_owned(),
        from: format!("{from:.3}"),
        to: format!("{to:.3}"),
        environments: args.environments.clone(),
    })
}

/// What the agent reported in the simulated calls of a baseline; a cluster is a call of a run.
fn synthetic(args: &SessionsArgs) -> Result<Option<Synthetic>, Failure> {
    let path = match (&args.baseline, &args.scenario) {
        (Some(path), _) => path.clone(),
        (None, Some(scenario)) => {
            let path = files::baseline_beside(scenario);
            if !path.exists() {
                return Err(Failure::usage(format!("`{}` has no baseline", scenario.display()))
                    .hint("`loadcall accept RUN` makes one; --baseline takes a run as well"));
            }
            path
        }
        (None, None) => return Ok(None),
    };
    let baseline = recorded::baseline(&path)?;
    Ok(Some(reported(&baseline, &path)))
}

fn reported(baseline: &Baseline, path: &Path) -> Synthetic {
    let name = format!("the simulated calls of {}", safe(&path.display().to_string()));
    let mut synthetic = Synthetic { name, ..Synthetic::default() };
    // Calls of different runs have the same numbers.
    let mut clusters = std::collections::BTreeMap::new();
    for (run, measures) in baseline.runs().enumerate() {
        for metric in stages() {
            for value in measures.values(metric) {
                let next = u32::try_from(clusters.len()).unwrap_or(u32::MAX);
                let cluster = *clusters.entry((run, value.call)).or_insert(next);
                synthetic.values.entry(metric).or_default().push((cluster, value.value));
            }
        }
    }
    synthetic
}

/// Reads page after page until the end, the limit, a signal or a failure. A page is gone when the next one comes.
async fn read(client: &Client, kept: &mut Kept, args: &SessionsArgs) -> Result<Ending, Failure> {
    let failed = |e| Failure::internal(format!("cannot watch for signals: {e}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let ours = client.project().environment().to_owned();
    let window = Window { from: kept.question.from.clone(), to: kept.question.to.clone() };
    // loadcall's own spans tell which sessions are no production.
    let mut environments: Vec<String> = kept.question.environments.clone();
    if !environments.is_empty() {
        environments.push(ours.clone());
    }
    let environments: Vec<&str> = environments.iter().map(String::as_str).collect();
    let wanted = Wanted {
        window: Some(&window),
        names: &NAMES,
        environments: &environments,
        ..Wanted::default()
    };
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut progress = Progress::start(&window);
    for number in 1_u32.. {
        let cursor = match &kept.place {
            Place::Beginning => None,
            Place::At(cursor) => Some(cursor.clone()),
            Place::End => return Ok(Ending::Complete),
        };
        if kept.gathered.count() >= limit {
            return Ok(Ending::Limit);
        }
        let page = tokio::select! {
            page = page(client, &wanted, cursor.as_deref(), Deadline::after(PAGE)) => page,
            _ = interrupt.recv() => return Ok(Ending::Stopped),
            _ = terminate.recv() => return Ok(Ending::Stopped),
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => return Ok(Ending::Failed(error)),
        };
        kept.gathered.unread += u64::try_from(page.unread).unwrap_or(u64::MAX);
        for observation in &page.observations {
            kept.gathered.add(observation, Ours { environment: &ours });
        }
        kept.place = page.next.map_or(Place::End, Place::At);
        progress.tell(kept);
        if let Some(path) = args.resume.as_deref().filter(|_| number.is_multiple_of(SAVED_EVERY)) {
            kept.save(path)?;
        }
    }
    Ok(Ending::Limit)
}

/// Lines on stderr while pages come.
struct Progress {
    clock: Clock,
    told: Duration,
    /// Nanoseconds since 1970.
    window: Option<(i128, i128)>,
}

impl Progress {
    fn start(window: &Window) -> Self {
        let at = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond);
        let window = at(&window.from).zip(at(&window.to));
        Self { clock: Clock::start(), told: Duration::ZERO, window }
    }

    fn tell(&mut self, kept: &Kept) {
        let now = self.clock.now().since_start();
        if now < self.told + PROGRESS {
            return;
        }
        self.told = now;
        let gathered = &kept.gathered;
        let sessions = number_of(gathered.count());
        let spans = number_of(usize::try_from(gathered.observations).unwrap_or(usize::MAX));
        let percent = self.percent(gathered.oldest_ns);
        eprint_line(&format!("{percent} % of the time: {spans} spans of {sessions} sessions"));
    }

    /// How much of the time was read: the newest comes first.
    fn percent(&self, oldest_ns: Option<u64>) -> i128 {
        let (Some((from, to)), Some(oldest)) = (self.window, oldest_ns) else { return 0 };
        let read = to - i128::from(oldest);
        (read * 100 / (to - from).max(1)).clamp(0, 100)
    }
}

fn show(
    client: &Client,
    kept: &Kept,
    args: &SessionsArgs,
    synthetic: Option<&Synthetic>,
    ending: &Ending,
) -> Result<(), Failure> {
    let incomplete = incomplete(kept, args, ending);
    let filter = Filter { agent: args.name.as_deref(), slowest: usize::from(args.slowest) };
    let how = Resampling { resamples: DEFAULT_RESAMPLES, seed: SEED };
    let summary = kept.gathered.summary(filter, synthetic, &how);
    if summary.sessions == 0 {
        return match ending {
            Ending::Complete | Ending::Limit => Err(nothing(kept, args, &summary)),
            // The failure itself is said; there is nothing to show beside it.
            Ending::Stopped | Ending::Failed(_) => Ok(()),
        };
    }
    let address = |project: &str, id: &str| crate::spans::langfuse::address(client, project, id);
    let sessions = Sessions {
        gathered: &kept.gathered,
        summary,
        langfuse: &kept.question.langfuse,
        from: &kept.question.from,
        to: &kept.question.to,
        agent: args.name.as_deref(),
        environments: &kept.question.environments,
        synthetic: synthetic.map(|synthetic| synthetic.name.as_str()),
        incomplete: incomplete.as_deref(),
        address: &address,
    };
    match args.format {
        SessionsFormat::Text => {
            let width = terminal_width();
            print_result(&text::sessions::render(&sessions, Colour::Always, width))
        }
        SessionsFormat::Json => print_json_with(|out| write_json(&sessions, out)),
        SessionsFormat::Csv => {
            if let Some(why) = &incomplete {
                eprint_line(&format!("incomplete: {why}"));
            }
            print_document(|out| write_csv(&sessions, out))
        }
    }
}

/// Why not everything was read, and how to go on.
fn incomplete(kept: &Kept, args: &SessionsArgs, ending: &Ending) -> Option<String> {
    let go_on = match args.resume {
        Some(_) => "the same command goes on",
        None => "with --resume FILE the next one goes on where it ended",
    };
    let back = kept.gathered.oldest_ns.and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
    let back = back.map_or(String::new(), |at| format!(", back to {at:.0}"));
    match ending {
        Ending::Complete => None,
        Ending::Limit => {
            let limit = number_of(usize::try_from(args.limit).unwrap_or(usize::MAX));
            Some(format!("the newest {limit} sessions were read{back}; --limit reads more"))
        }
        Ending::Stopped => Some(format!("stopped{back}; {go_on}")),
        Ending::Failed(_) => Some(format!("Langfuse failed{back}; {go_on}")),
    }
}

/// Why there is nothing to show.
fn nothing(
    kept: &Kept,
    args: &SessionsArgs,
    summary: &crate::spans::sessions::Summary<'_>,
) -> Failure {
    let Question { langfuse, from, to, .. } = &kept.question;
    let failure = |text: String| {
        Failure::nothing_measured(format!("{text} in Langfuse at {langfuse}, {from} to {to}"))
    };
    match &args.name {
        Some(name) if summary.of_others > 0 => {
            let agents: Vec<&str> = summary.agents.keys().take(10).copied().collect();
            let hint = if agents.is_empty() {
                "no span tells the agent's name (lk.agent_name), as agents of older versions: leave out --name".to_owned()
            } else {
                format!("agents with sessions there: {}", agents.join(", "))
            };
            failure(format!("no session of the agent `{name}`")).hint(hint)
        }
        Some(_) | None if summary.ours > 0 => {
            failure(format!("no sessions but {} of loadcall's own", number_of(summary.ours)))
                .hint("a longer --since may find more")
        }
        Some(_) | None => failure("no sessions of a LiveKit agent".to_owned()).hint(
            "a longer --since may find more; the agent has to send its spans there, with a `session.id`",
        ),
    }
}
