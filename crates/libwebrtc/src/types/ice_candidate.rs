//! One ICE candidate as it travels over signalling.

use std::fmt::{self, Debug, Display};

use crate::types::{sdp, session_description::SdpParseError};

/// A candidate line and the m-line it belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCandidate {
    mid: String,
    mline_index: i32,
    line: String,
}

impl IceCandidate {
    /// Takes `sdp` as a candidate line, with or without `a=` before it. An empty line is the end-of-candidates mark.
    ///
    /// Only the outer form is checked here; whether the engine can use the candidate shows when it is added.
    pub fn parse(sdp_mid: &str, sdp_mline_index: i32, sdp: &str) -> Result<Self, SdpParseError> {
        sdp::check_candidate(sdp)?;
        Ok(Self { mid: sdp_mid.into(), mline_index: sdp_mline_index, line: sdp.trim().into() })
    }

    pub fn sdp_mid(&self) -> String {
        self.mid.clone()
    }

    pub fn sdp_mline_index(&self) -> i32 {
        self.mline_index
    }

    /// The line itself, from `candidate:` on.
    pub fn candidate(&self) -> String {
        self.line().into()
    }

    pub(crate) fn line(&self) -> &str {
        self.line.strip_prefix("a=").unwrap_or(&self.line)
    }
}

impl Display for IceCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line())
    }
}

impl Debug for IceCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCandidate").field("candidate", &self.line()).finish_non_exhaustive()
    }
}
