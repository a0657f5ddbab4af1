//! A scenario with all that it names: what can be wrong before anything is started.

use super::failure::Failure;
use super::{check, clips, files};
use crate::record::ClipFact;
use crate::room::packets::Sayable;
use crate::scenario::{Overlay, Override, Scenario};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) struct LoadedScenario {
    /// Where it was read from.
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// What flags and variables made of the text.
    pub(super) overlay: Option<Overlay>,
    pub(super) scenario: Arc<Scenario>,
    clips: Vec<Option<clips::Loaded>>,
    /// The clip of each step, encoded.
    pub(super) sayable: Arc<[Option<Sayable>]>,
}

impl LoadedScenario {
    pub(super) fn load(
        path: &Path,
        overrides: Vec<Override>,
        outside: clips::Outside,
    ) -> Result<Self, Failure> {
        let text = files::read_scenario(path)?;
        let (scenario, overlay) = check::parse(path, &text, overrides)?;
        let source = check::source(&text, overlay.as_ref());
        let loaded = check::load_clips(path, &source, &scenario, outside)?;
        let encoded = clips::encode(&loaded).map_err(Failure::internal)?;
        let sayable = encoded.iter().map(|clip| clip.as_ref().map(Sayable::from)).collect();
        let (path, scenario) = (path.to_path_buf(), Arc::new(scenario));
        Ok(Self { path, text, overlay, scenario, clips: loaded, sayable })
    }

    /// What a recording keeps of the clips.
    pub(super) fn clip_facts(&self) -> Vec<Option<ClipFact>> {
        self.clips.iter().map(|clip| clip.as_ref().map(clips::Loaded::fact)).collect()
    }
}
