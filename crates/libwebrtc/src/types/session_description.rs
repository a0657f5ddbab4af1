//! An offer or answer as text, with its type.

use std::{
    fmt::{self, Debug, Display},
    str::FromStr,
    sync::Arc,
};

use super::sdp;
pub use super::sdp::SdpParseError;

/// The role of a description in the offer/answer exchange.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum SdpType {
    Offer,
    PrAnswer,
    Answer,
    Rollback,
}

impl FromStr for SdpType {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "offer" => Ok(Self::Offer),
            "pranswer" => Ok(Self::PrAnswer),
            "answer" => Ok(Self::Answer),
            "rollback" => Ok(Self::Rollback),
            _ => Err("unknown description type, expected offer, pranswer, answer or rollback"),
        }
    }
}

impl Display for SdpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "offer",
            Self::PrAnswer => "pranswer",
            Self::Answer => "answer",
            Self::Rollback => "rollback",
        })
    }
}

/// A session description. Cheap to clone: the text is shared.
#[derive(Clone)]
pub struct SessionDescription {
    kind: SdpType,
    text: Arc<str>,
}

impl SessionDescription {
    /// Takes `sdp` as a description, after a check of its outer form: a `v=0` line first, `key=value` lines
    /// throughout, and a bounded length. A rollback may be empty. What the lines say is checked when the description
    /// is applied.
    pub fn parse(sdp: &str, sdp_type: SdpType) -> Result<Self, SdpParseError> {
        if sdp_type != SdpType::Rollback {
            sdp::check_form(sdp)?;
        }
        Ok(Self::new(sdp_type, sdp))
    }

    pub(crate) fn new(kind: SdpType, text: &str) -> Self {
        Self { kind, text: text.into() }
    }

    pub fn sdp_type(&self) -> SdpType {
        self.kind
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text holds ICE passwords.
        f.debug_struct("SessionDescription").field("sdp_type", &self.kind).finish_non_exhaustive()
    }
}
