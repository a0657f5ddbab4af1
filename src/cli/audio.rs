//! Keeping the audio of calls: which calls are the worst, and the files when the run is over.

use super::progress::Verbosity;
use super::stop::Stop;
use super::terminal::eprint_line;
use crate::clock::Clock;
use crate::record::CallRecord;
use crate::record::audio::FOLDER;
use crate::record::audio::choice::{KeepAudio, Rank};
use crate::record::audio::render::Clip;
use crate::record::audio::tape::Taping;
use crate::report::Slowest;
use crate::room::packets::Sayable;
use crate::run::keeper::{Keeper, Step};
use crate::scenario::Scenario;
use crate::text::count;
use crate::turn::analyse_call;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Making files for longer than this is shown.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// What all calls of a session keep their packets with.
pub(super) fn taping(keep: KeepAudio) -> Option<Taping> {
    (keep != KeepAudio::None).then(Taping::default)
}

/// Whoever keeps the audio of the calls to an agent, in the folder of their recording.
pub(super) fn keeper(
    keep: KeepAudio,
    folder: &Path,
    scenario: Arc<Scenario>,
    clips: &[Option<Sayable>],
) -> Option<Keeper> {
    if keep == KeepAudio::None {
        return None;
    }
    let clip = |sayable: &Sayable| Clip {
        packets: sayable.frames.iter().map(|frame| Arc::clone(&frame.payload)).collect(),
        first_voiced_at: sayable.first_voiced_at,
    };
    let clips = clips.iter().map(|sayable| sayable.as_ref().map(clip)).collect();
    let rank = Box::new(move |call: &CallRecord| rank(call, &scenario));
    Some(Keeper::new(folder.to_path_buf(), keep, clips, rank, eprint_line))
}

/// How bad a call was, by what a report will say of it.
fn rank(call: &CallRecord, scenario: &Scenario) -> Rank {
    let (facts, _) = analyse_call(call, scenario);
    let slowest_us = Slowest::of(&facts).map_or(0, waited_us);
    Rank { failed: facts.failed(), slowest_us }
}

/// How long the slowest turn was waited for; without end when nothing came.
#[expect(clippy::cast_possible_truncation, reason = "saturates; a latency is milliseconds")]
fn waited_us(slowest: Slowest<'_>) -> i64 {
    if slowest.censored { i64::MAX } else { (slowest.ms * 1_000.0) as i64 }
}

/// Where the progress is shown.
pub(super) struct Show<'a> {
    pub(super) bars: &'a MultiProgress,
    pub(super) how: Verbosity,
}

/// Writes the files of a run that is over, until the user has enough of it, and says where they are.
pub(super) fn finish(keeper: Keeper, folder: &Path, clock: Clock, stop: &Stop, show: &Show<'_>) {
    // One signal has ended the calls already; the next one ends this.
    let enough = if *stop.first.borrow() { &stop.second } else { &stop.first };
    let began = clock.now();
    let mut progress = None;
    let kept = keeper.finish(|step| {
        if clock.now().since(began) > SHOWN_AFTER {
            progress.get_or_insert_with(|| show.begin(step)).set_position(step.done as u64);
        }
        !*enough.borrow()
    });
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    if kept.is_empty() || show.how == Verbosity::Quiet {
        return;
    }
    let bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
    eprint_line(&format!(
        "audio of {} ({} kB) is in {}; speech is personal data, --keep-audio none keeps none",
        count(kept.len(), "call"),
        bytes.div_ceil(1_000),
        folder.join(FOLDER).display()
    ));
}

impl Show<'_> {
    fn begin(&self, step: Step) -> ProgressBar {
        if self.how == Verbosity::Quiet {
            return ProgressBar::hidden();
        }
        if !std::io::stderr().is_terminal() {
            eprint_line(&format!("writing the audio of {}", count(step.of, "call")));
            return ProgressBar::hidden();
        }
        let bar = self.bars.add(ProgressBar::new(step.of as u64));
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} calls, writing audio, {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}
