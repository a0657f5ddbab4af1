//! What goes to Langfuse after the traces: scores of calls and turns, and the links and the verdict of an experiment. As
//! with the traces, nothing that goes wrong here touches a call or the exit code.

use super::experiment::client;
use super::progress::Verbosity;
use super::terminal::eprint_line;
use super::traces::Sending;
use super::{LangfuseArgs, Scores, machine, recorded, traces};
use crate::export::experiment::{Experiment, Linked, takes_links_from_spans};
use crate::export::langfuse;
use crate::export::ledger::{Account, Ledger, Scored, Which};
use crate::export::scores::{self, Detail, Score, Sent};
use crate::langfuse::{Client, Deadline, Project};
use crate::text::count;
use crate::turn::Analysis;
use crate::verdict::{Judged, Verdict};
use std::path::Path;
use std::time::Duration;

/// How long the verdict may take, the links of a run's calls, and its scores.
const VERDICT: Duration = Duration::from_secs(20);
const LINKS: Duration = Duration::from_secs(60);
const SCORES: Duration = Duration::from_secs(60);

/// Sends the scores of a run whose traces were sent, and its verdict where it is an experiment that was given one.
pub(super) async fn send(project: Option<&Project>, which: Option<Scores>, sending: &Sending<'_>) {
    let Some(client) = client(project) else { return };
    // What cannot be read was said when its traces were sent.
    let Ok((scenario, analysis)) = recorded::analyse(sending.folder) else { return };
    let experiment = match Experiment::of(&analysis.head, &scenario) {
        Some(experiment) => Some(link(&client, &experiment, &analysis).await),
        None => None,
    };
    let detail = match which {
        Some(Scores::None) => return,
        Some(Scores::Calls) => Detail::Calls,
        Some(Scores::Turns) => Detail::Turns,
        None => Detail::of_size(&analysis),
    };
    let environment = client.project().environment();
    let turns = matches!(detail, Detail::Turns);
    let which =
        Which { turns, environment: environment.to_owned(), experiment: experiment.clone() };
    let of_run = experiment.map(|id| of_run(&analysis, environment, &id, sending.folder));
    let of_run = of_run.unwrap_or_default();
    let Ok(of_calls) = scores::of_calls(&analysis, environment, detail) else { return };
    let mut kept = match Kept::open(client.project(), sending.folder, &analysis.head.run_id) {
        Ok(kept) => kept,
        Err(why) => return eprint_line(&format!("warning: no scores sent to Langfuse: {why}")),
    };
    let before = if sending.again { 0 } else { kept.account.answered(&which) };
    let missing = of_calls.chain(of_run).skip(before);
    let sent = scores::send(&client, missing, Deadline::after(SCORES)).await;
    let answered = before + sent.accepted + sent.rejected;
    kept.write(Scored { which, answered, left: sent.left });
    if sent.accepted > 0 && sending.how == Verbosity::Normal {
        let (scores, place) = (count(sent.accepted, "score"), client.project().url());
        eprint_line(&format!("{scores} sent to Langfuse at {place}"));
    }
    say_what_is_missing(&sent, sending.folder);
}

/// What is kept of the scores of a run, in the ledger of its traces.
struct Kept {
    ledger: Ledger,
    account: Account,
}

impl Kept {
    fn open(project: &Project, folder: &Path, run: &str) -> Result<Self, String> {
        let place = langfuse::backend(project)?.place;
        let ledger = Ledger::open(traces::run_folder(folder), run).map_err(|e| e.to_string())?;
        let account = ledger.account(&place);
        Ok(Self { ledger, account })
    }

    fn write(&mut self, scored: Scored) {
        self.account.scores = Some(scored);
        if let Err(why) = self.ledger.keep(&self.account) {
            eprint_line(&format!("warning: which scores were sent is not kept: {why}"));
        }
    }
}

/// The figures of an experiment, with the verdict it was given if that is known.
fn of_run(analysis: &Analysis, environment: &str, id: &str, folder: &Path) -> Vec<Score> {
    let mut scores = scores::of_run(analysis, environment, id).unwrap_or_default();
    if let Ok(Some(given)) = recorded::given(folder, &analysis.head) {
        scores.extend(of_verdict(analysis, environment, id, &given.verdict));
    }
    scores
}

fn of_verdict(
    analysis: &Analysis,
    environment: &str,
    id: &str,
    verdict: &Verdict,
) -> Option<Score> {
    let outcome = serde_json::to_value(verdict.outcome).ok()?;
    let reason = verdict.reasons.first().map_or("", String::as_str);
    scores::of_verdict(analysis, environment, id, (outcome.as_str()?, reason)).ok()
}

/// Scores an experiment by the verdict that its run was given just now.
pub(super) fn send_verdict(args: &LangfuseArgs, judged: &Judged, folder: &Path) {
    let analysis = &judged.analysis;
    let experiment = Experiment::of(&analysis.head, &judged.scenario);
    // What is wrong with the settings was found before the first call.
    let project = traces::project(args).ok().flatten();
    let (Some(experiment), Some(client)) = (experiment, client(project.as_ref())) else { return };
    if args.scores == Some(Scores::None) {
        return;
    }
    let environment = client.project().environment();
    let score = of_verdict(analysis, environment, experiment.id(), &judged.verdict);
    let (Some(score), Ok(runtime)) = (score, machine::runtime(Some(1))) else { return };
    let sent = runtime.block_on(verdict_to(&client, score));
    machine::shut_down(runtime);
    say_what_is_missing(&sent, folder);
    // It is the last score of the run's list, where all before it were sent.
    if let Ok(mut kept) = Kept::open(client.project(), folder, &analysis.head.run_id)
        && let Some(scored) = kept.account.scores.clone().filter(|scored| scored.left == 0)
    {
        let answered = scored.answered + sent.accepted;
        kept.write(Scored { answered, left: sent.left, ..scored });
    }
}

/// A server of version 3 knows experiments by other ids, which it gave when the calls were linked.
async fn verdict_to(client: &Client, score: Score) -> Sent {
    let until = Deadline::after(VERDICT);
    match takes_links_from_spans(client, until).await {
        Ok(true) => scores::send(client, [score], until).await,
        Ok(false) => Sent::default(),
        Err(e) => Sent { left: 1, why: Some(e.to_string()), ..Sent::default() },
    }
}

/// Links calls to the experiment where the server wants that; the answer is the experiment's id there.
async fn link(client: &Client, experiment: &Experiment, analysis: &Analysis) -> String {
    let calls = analysis.calls.iter().map(|facts| facts.call);
    let Linked { id, left, why, .. } =
        experiment.link(client, &analysis.head, calls, Deadline::after(LINKS)).await;
    if let Some(why) = why {
        let calls = count(left, "call");
        eprint_line(&format!("warning: {calls} not linked to the experiment in Langfuse: {why}"));
    }
    id.unwrap_or_else(|| experiment.id().to_owned())
}

fn say_what_is_missing(sent: &Sent, folder: &Path) {
    if sent.rejected > 0 {
        let scores = count(sent.rejected, "score");
        let why = sent.reasons.join("; ");
        eprint_line(&format!("warning: {scores} refused by Langfuse: {why}"));
    }
    if let Some(why) = &sent.why {
        let scores = count(sent.left, "score");
        eprint_line(&format!("warning: {scores} not sent to Langfuse: {why}"));
        eprint_line(&format!("hint: `loadcall export {}` sends them", folder.display()));
    }
}
