//! The decision, from figures alone: how each question is answered, and how the run stands by that.

use std::iter;

use super::super::figures::Wait;
use super::super::{Answer, Asked, Deciding, Learning, Suspicion};
use super::Standing;
use super::asked::{self, Answered, Levels, Questions, Sides, Stands};
use super::failures::{Counts, Decided};
use crate::scenario::BaselineRule;

/// Another question says that nothing is slower only below this share of what matters: what is slower by more than that
/// may be slower in the typical turn, which is not seen.
const FAR: f64 = 0.25;

/// All answers, from which follows how the run stands.
#[derive(Debug, Clone)]
pub(in crate::verdict) struct Decision {
    /// What decides first.
    pub(super) answers: Vec<Answered>,
    pub(super) decided: Decided,
    pub(super) counts: Counts,
    /// The chance of a false alarm that all questions share.
    pub(super) alpha: f64,
    /// Set while the baseline has too few runs.
    learning: Option<Learning>,
}

impl Decision {
    /// By figures that runs keep.
    pub(in crate::verdict) fn by_figures(
        rule: &BaselineRule,
        waits: &[Wait],
        sides: &Sides<'_>,
        (deciding, learning): (Deciding<'_>, Option<Learning>),
    ) -> Self {
        let questions = Questions::of_latencies(rule, waits, sides);
        Self::of(&questions, Counts::ask(rule, sides), (deciding, learning))
    }

    pub(super) fn of(
        questions: &Questions,
        counts: Counts,
        (deciding, learning): (Deciding<'_>, Option<Learning>),
    ) -> Self {
        let alpha = asked::alpha(deciding);
        let levels = Levels::new(questions.weight(), counts.attainable(), alpha);
        let answers = questions.answer(levels.unit, deciding);
        let decided = counts.decided(levels.counts, deciding);
        Self { answers, decided, counts, alpha, learning }
    }

    pub(in crate::verdict) fn standing(&self) -> Standing {
        let counts = self.decided.standings.iter().map(|(_, stands)| *stands);
        let mut all = counts.chain(self.deciding().map(|answer| answer.standing));
        if all.clone().any(|stands| stands == Stands::Worse) {
            return Standing::Worse;
        }
        if all.any(|stands| stands == Stands::Suspected) {
            return Standing::Suspected;
        }
        let Some(chief) = self.deciding().next() else {
            // Either no latency is asked for, or there are too few turns to ask.
            let asked = self.answers.iter().any(|answer| !answer.decides());
            return if asked { Standing::NoWorse } else { Standing::Unclear };
        };
        let leans = self.deciding().any(|answer| answer.leans(self.alpha));
        let unclear = leans || self.answered_by().is_none();
        if let Some(learning) = self.learning
            && !chief.found.is_bound()
            && unclear
        {
            return Standing::Learning(learning);
        }
        if unclear {
            return Standing::Unclear;
        }
        match self.deciding().any(|answer| answer.standing == Stands::Better) {
            true if self.counts.suspicious().is_some() => Standing::Unclear,
            true => Standing::Better,
            false => Standing::NoWorse,
        }
    }

    /// What says that the run is no slower: the first question; or, where chance hides everything from that (half of the
    /// answers come from a cache), another one that looks at all turns and is far from what matters.
    pub(super) fn answered_by(&self) -> Option<&Answered> {
        let chief = self.deciding().next()?;
        let all_turns = |answer: &&Answered| answer.asked.step.is_none();
        let small =
            |answer: &&Answered| answer.found.difference.point < FAR * answer.found.min_effect_ms;
        let others = self.deciding().skip(1).filter(|_| chief.is_blind());
        let others = others.filter(all_turns).filter(small);
        let clear =
            |answer: &&Answered| matches!(answer.standing, Stands::NoWorse | Stands::Better);
        iter::once(chief).chain(others).find(clear)
    }

    /// For documents.
    pub(in crate::verdict) fn answers(&self) -> Vec<Answer> {
        self.answers.iter().map(Answered::answer).collect()
    }

    /// How many calls would settle what is unclear, as the sentences say; `None` where none would.
    #[cfg(test)]
    pub(in crate::verdict) fn calls_needed(&self) -> Option<f64> {
        let of = if self.learning.is_some() { self.answers.first() } else { self.doubtful() };
        super::settle::calls_needed(&of?.found)
    }

    /// What makes a comparison unclear: what leans, else the first question.
    pub(super) fn doubtful(&self) -> Option<&Answered> {
        let leaning = self.deciding().find(|answer| answer.leans(self.alpha));
        leaning.or_else(|| self.answers.first())
    }

    pub(super) fn deciding(&self) -> impl Iterator<Item = &Answered> + Clone {
        self.answers.iter().filter(|answer| answer.decides())
    }

    /// What the next run may confirm: what is suspected or found, with the run in which it began.
    pub(in crate::verdict) fn suspected(&self, deciding: Deciding<'_>) -> Vec<Suspicion> {
        let before = match deciding {
            Deciding::Once => &[],
            Deciding::Confirmed { before } => before,
        };
        let counts = self.decided.standings.iter().map(|(asked, stands)| (asked, *stands));
        let answers = self.deciding().map(|answer| (&answer.asked, answer.standing));
        let seen = counts
            .chain(answers)
            .filter(|(_, stands)| matches!(stands, Stands::Worse | Stands::Suspected));
        let suspicion = |(asked, _): (&Asked, Stands)| Suspicion {
            asked: asked.clone(),
            since: before.iter().find(|b| b.asked == *asked).and_then(|b| b.since.clone()),
        };
        seen.map(suspicion).collect()
    }
}
