//! Which part of a reply was the answer, when the agent says a filler first: by the work it tells of.
//!
//! Work that something was said after is what that was waited for. Work that nothing was said after is one of
//! two things: the filler's, whose answer never came, or work beside or after the whole answer, such as a tool that
//! writes something down. They look the same to the ear. What tells them apart:
//! - A tool that gave the model something: the agent asks the model for more to say ([`ToolResult::gave`]).
//! - A message of the agent's that it spoke something, which was not heard.
//! - Thinking that goes on after the tools have ended, and after the speech has.
//!
//! Each says that more was to come. Only tools that gave nothing say that there was not. Of all else it cannot be
//! told, also when the agent leaves while a tool runs: some hang up by one.
//!
//! [`ToolResult::gave`]: crate::record::ToolResult::gave

use std::time::Duration;

use super::activity::Busy;
use super::response::{DATA_LAG, REPORT_LATE_US, STATE_LAG};
use super::voices::Voice;
use super::{Dialogue, Doing, Speech};
use crate::record::SPEECH_GAP;
use crate::time::Offset;

/// The last thing said in reply to a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// There was no filler: the reply is the answer.
    Reply,
    /// It followed a filler: its first audible sample, and how long the agent had been silent before.
    AfterFiller { from: Offset, gap: Duration },
    /// It had not come when the caller went on, and the agent was still at work on it.
    Outstanding,
    /// The agent stopped working, or the call ended, without it.
    Never,
    /// The agent worked after it had begun to speak, said nothing more, and does not tell whether there was
    /// more to say.
    Unknown,
}

/// Whether more was to be said after the last work.
enum Owed {
    Yes,
    No,
    Unknown,
}

impl Dialogue {
    /// The answer that came with or after a reply, up to `closed`: when the caller went on (`goes_on`), or the
    /// call ended.
    pub fn answer(&self, reply: Speech, closed: Offset, goes_on: bool) -> Answer {
        if !self.activity.is_known() {
            return self.answer_by_ear(reply, closed);
        }
        let work = self.work(reply, closed);
        if work.iter().any(|busy| busy.until.is_none()) {
            let left = self.left.is_some_and(|left| left <= closed);
            return match (goes_on, left) {
                (true, _) => Answer::Outstanding,
                (false, true) => Answer::Unknown,
                (false, false) => Answer::Never,
            };
        }
        let last = self.voices.iter().rfind(|v| v.from >= reply.from && v.from <= closed);
        let Some(last) = last else { return Answer::Reply };
        // What had ended when the last voice began was waited for; nothing was said after the rest.
        let said_by = last.from.plus(STATE_LAG);
        let (before, after): (Vec<Busy>, Vec<Busy>) =
            work.into_iter().partition(|busy| busy.until.is_some_and(|until| until <= said_by));
        if let Some(from) = self.went_over(last, &after) {
            return Answer::AfterFiller { from, gap: Duration::ZERO };
        }
        match self.owed(last, &after, closed) {
            Owed::Yes => return Answer::Never,
            Owed::Unknown if !after.is_empty() => return Answer::Unknown,
            Owed::Unknown | Owed::No => {}
        }
        let Some(until) = before.iter().filter_map(|busy| busy.until).max() else {
            return Answer::Reply;
        };
        let voice = self.voices.iter().find(|v| v.from.plus(STATE_LAG) >= until);
        voice.map_or(Answer::Reply, |voice| self.after_filler(voice.from))
    }

    /// The work that went on into the reply or began after it, each with its end if that came by `closed`.
    fn work(&self, reply: Speech, closed: Offset) -> Vec<Busy> {
        // The end of the work that led to the reply may be told late.
        let into = reply.from.plus(DATA_LAG);
        let of_reply = |busy: &Busy| {
            busy.doing.is_work()
                && busy.from < closed
                && (busy.from > reply.from || busy.until.is_none_or(|until| until > into))
        };
        let by_then =
            |busy: Busy| Busy { until: busy.until.filter(|until| *until <= closed), ..busy };
        self.activity.iter().filter(of_reply).map(by_then).collect()
    }

    /// When what sounded while the agent thought went over into the answer without a gap: it said then that
    /// it speaks.
    fn went_over(&self, last: Voice, after: &[Busy]) -> Option<Offset> {
        let until = after.iter().filter_map(|busy| busy.until).max()?;
        let speaks = |busy: Busy| {
            let off = busy.from.micros().abs_diff(until.micros());
            busy.doing == Doing::Speaking && Duration::from_micros(off) <= STATE_LAG
        };
        let sounds = last.until.is_none_or(|end| end > until.plus(STATE_LAG));
        (sounds && self.activity.iter().any(speaks)).then_some(until)
    }

    /// Whether more was to be said than the `last` voice: `after` is the work that has ended since it began.
    fn owed(&self, last: Voice, after: &[Busy], closed: Offset) -> Owed {
        let silent = last.until.unwrap_or(closed);
        let since = last.from.plus(STATE_LAG);
        let told: Vec<_> =
            self.executed.iter().filter(|(at, _)| *at > since && *at <= closed).collect();
        // A voice that goes on behind it may hold what the model made of it.
        let after_speech =
            |at: Offset| at > last.from.plus(DATA_LAG) && at.plus(DATA_LAG) >= silent;
        let gave = told.iter().any(|(at, gave)| *gave == Some(true) && after_speech(*at));
        if gave || self.spoke_unheard(last, silent, closed) || thought_on(after, silent) {
            Owed::Yes
        } else if !told.is_empty() && told.iter().all(|(_, gave)| *gave == Some(false)) {
            Owed::No
        } else {
            Owed::Unknown
        }
    }

    /// Whether the agent told of a second message after the `last` voice, too late to be about that.
    fn spoke_unheard(&self, last: Voice, silent: Offset, closed: Offset) -> bool {
        let told = self.messages.iter().map(|(at, _)| *at);
        let told: Vec<Offset> = told.filter(|at| *at > last.from && *at <= closed).collect();
        told.len() > 1 && told.iter().any(|at| *at > silent.plus_micros(REPORT_LATE_US))
    }

    fn answer_by_ear(&self, reply: Speech, closed: Offset) -> Answer {
        let mut before = reply.from;
        let mut answer = None;
        for voice in self.voices.iter().filter(|v| v.from >= reply.from && v.from <= closed) {
            if voice.from > reply.from && voice.from.since(before) >= SPEECH_GAP {
                answer = Some(voice.from);
            }
            before = voice.until.unwrap_or(closed);
        }
        answer.map_or(Answer::Reply, |from| self.after_filler(from))
    }

    fn after_filler(&self, from: Offset) -> Answer {
        let before = self.voices.before(from).checked_sub(1).and_then(|i| self.voices.get(i));
        let ended = before.and_then(|voice| voice.until).unwrap_or(from);
        Answer::AfterFiller { from, gap: from.since(ended) }
    }
}

/// Whether the agent thought on when its tools had ended and it was silent: then it asked the model again.
fn thought_on(after: &[Busy], silent: Offset) -> bool {
    let ends = |doing: Doing| {
        after.iter().filter(move |busy| busy.doing == doing).filter_map(|busy| busy.until).max()
    };
    let (Some(tools), Some(thought)) = (ends(Doing::RunningTool), ends(Doing::Thinking)) else {
        return false;
    };
    thought >= tools.max(silent).plus(DATA_LAG)
}
