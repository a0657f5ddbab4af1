//! How much of the speech of a call is of both at once.

use super::Span;
use crate::time::Offset;

/// Speech of a call in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Overlap {
    /// Both speak.
    pub overlap_ms: f64,
    /// Anybody speaks.
    pub speech_ms: f64,
}

impl Overlap {
    /// From 0 to 1; `None` when nobody spoke.
    pub fn ratio(self) -> Option<f64> {
        (self.speech_ms > 0.0).then(|| (self.overlap_ms / self.speech_ms).clamp(0.0, 1.0))
    }

    pub(super) fn measure(caller: &[Span], agent: impl Iterator<Item = Span>) -> Self {
        // How many of caller and agent begin (or end) to speak at a moment.
        let mut edges: Vec<(Offset, Who, i32)> = Vec::new();
        let mut add = |span: &Span, who| {
            edges.push((span.from, who, 1));
            edges.push((span.until, who, -1));
        };
        for span in caller {
            add(span, Who::Caller);
        }
        for span in agent {
            add(&span, Who::Agent);
        }
        edges.sort_by_key(|(at, ..)| *at);
        let (mut sum, mut active, mut since) = (Self::default(), (0, 0), None);
        for (at, who, change) in edges {
            let ms = since.map_or(0.0, |since| at.ms_since(since));
            if active.0 > 0 || active.1 > 0 {
                sum.speech_ms += ms;
            }
            if active.0 > 0 && active.1 > 0 {
                sum.overlap_ms += ms;
            }
            match who {
                Who::Caller => active.0 += change,
                Who::Agent => active.1 += change,
            }
            since = Some(at);
        }
        sum
    }
}

#[derive(Debug, Clone, Copy)]
enum Who {
    Caller,
    Agent,
}
