//! What of a file is said, where that was chosen.

use std::fmt;
use std::time::Duration;

/// What of a file is said, where that was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Take {
    /// Which of two channels.
    pub channel: Option<Channel>,
    /// Where the voice ends, from the beginning of the file.
    pub end: Option<Duration>,
}

/// What of a file with two channels is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// One of them.
    Only(Side),
    /// The mean of both.
    Mix,
}

/// One of two channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The first in the file.
    Left,
    /// The second.
    Right,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Right => "right",
        })
    }
}
