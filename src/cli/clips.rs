//! Loads the clips a scenario names. Faults look like those of the scenario file, at the place that
//! names the clip.

use crate::audio::opus::{self, EncodedClip};
use crate::audio::{Channel, Clip, Take};
use crate::files;
use crate::record::ClipFact;
use crate::scenario::{Act, ClipRef, Fault, Faults, Scenario};
use std::collections::HashMap;
use std::path::{Component, Path};
use std::sync::Arc;

mod similar;

/// The largest clip file that is read.
const CLIP_FILE_LIMIT: u64 = 100 << 20;

/// What happens to clips that lie outside the scenario's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// A scenario of somebody else plays no other files of this machine to an agent.
    Refused,
    Allowed,
}

/// A clip a step says.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) clip: Arc<Clip>,
    pub(super) reference: ClipRef,
}

impl Loaded {
    /// What a recording keeps of it.
    pub(super) fn fact(&self) -> ClipFact {
        let voiced = self.clip.last_voiced() - self.clip.first_voiced() + 1;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a clip has at most some millions of samples"
        )]
        let voiced_ms = voiced as f64 * 1_000.0 / f64::from(crate::audio::RATE);
        ClipFact {
            file: self.reference.file.clone(),
            sha256: self.clip.facts().sha256.clone(),
            text: self.reference.text.clone(),
            voiced_ms,
            end_given_ms: self.reference.take.end.map(|end| end.as_secs_f64() * 1_000.0),
            channel: self.reference.take.channel.map(|channel| match channel {
                Channel::Only(side) => side.to_string(),
                Channel::Mix => "mix".to_owned(),
            }),
            source: Some(self.clip.facts().source()),
        }
    }
}

/// The clip of every step, in the order of the script; one that several steps say alike is read once.
/// Clip names are relative to the scenario at `scenario_path`.
pub(super) fn load(
    scenario: &Scenario,
    scenario_path: &Path,
    outside: Outside,
) -> Result<Vec<Option<Loaded>>, Faults> {
    let folder = scenario_path.parent().unwrap_or(Path::new(""));
    let mut known: HashMap<(&str, Take), Arc<Clip>> = HashMap::new();
    let mut faults = Vec::new();
    let mut loaded = Vec::new();
    for step in scenario.steps() {
        let Act::Say { clip: reference, .. } = &step.act else {
            loaded.push(None);
            continue;
        };
        let key = (reference.file.as_str(), reference.take);
        let clip = match known.get(&key) {
            Some(clip) => Arc::clone(clip),
            None => match read(folder, reference, outside) {
                Ok(clip) => Arc::new(clip),
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            },
        };
        known.insert(key, Arc::clone(&clip));
        loaded.push(Some(Loaded { clip, reference: reference.clone() }));
    }
    match Faults::from_vec(faults) {
        Some(faults) => Err(faults),
        None => Ok(loaded),
    }
}

/// Encodes each clip once, however many steps say it and callers play it.
pub(super) fn encode(
    loaded: &[Option<Loaded>],
) -> Result<Arc<[Option<EncodedClip>]>, opus::CodecError> {
    let mut done: HashMap<*const Clip, EncodedClip> = HashMap::new();
    loaded
        .iter()
        .map(|step| {
            let Some(step) = step else { return Ok(None) };
            let key = Arc::as_ptr(&step.clip);
            if let Some(clip) = done.get(&key) {
                return Ok(Some(clip.clone()));
            }
            let clip = opus::encode(&step.clip)?;
            done.insert(key, clip.clone());
            Ok(Some(clip))
        })
        .collect()
}

fn read(folder: &Path, reference: &ClipRef, outside: Outside) -> Result<Clip, Fault> {
    let path = folder.join(&reference.file);
    if outside == Outside::Refused && leads_outside(folder, &path, &reference.file) {
        return Err(is_outside(reference));
    }
    let bytes = files::read(&path, CLIP_FILE_LIMIT).map_err(|e| {
        if e.is_missing() {
            Fault::missing_clip(reference, similar::what_is_there(folder, &reference.file))
        } else {
            Fault::bad_clip(reference, &e.to_string(), None)
        }
    })?;
    Clip::read(&bytes, reference.take).map_err(|e| {
        let help = e.remedy(&path.display().to_string());
        Fault::bad_clip(reference, &e.to_string(), Some(help))
    })
}

/// Whether a clip lies outside the scenario's folder; for one whose folder does not exist, whether its name
/// leads there.
fn leads_outside(folder: &Path, path: &Path, name: &str) -> bool {
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    !files::is_inside(folder, path) && (path.exists() || !Path::new(name).components().all(plain))
}

fn is_outside(reference: &ClipRef) -> Fault {
    let help = "copy it into the scenario's folder, or allow clips outside it with --allow-outside";
    Fault {
        code: "scenario::clip_outside",
        label: "outside the scenario's folder".to_owned(),
        help: Some(help.to_owned()),
        ..Fault::bad_clip(reference, "", None)
    }
}
