//! What `tts_node_ttfb` of a run means. livekit-agents takes it from where the node begins, which contains
//! the wait for the first sentence: in Python before 1.6.5, with nodes of the agent's own, and on Node. From
//! Python 1.6.5 on, with the classes of its plugins, it is taken from where the text goes to the provider,
//! and from 1.6.9 on `llm_node_ttfs` says how long the sentence took. Compared is only like with like.

use std::fmt;

use crate::measured::Fingerprint;
use crate::scenario::Metric;
use crate::turn::Measures;

/// The versions in between, of whose agents nobody can tell.
const PROVIDER_SINCE: [u32; 3] = [1, 6, 5];
const SENTENCE_SINCE: [u32; 3] = [1, 6, 9];

/// What the first byte of a run is counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FirstByte {
    Provider,
    Node,
    /// The same only in agents that say the same of themselves.
    Unsure(String),
}

impl FirstByte {
    /// `None` where none is reported.
    fn of(measures: &Measures, print: &Fingerprint) -> Option<Self> {
        let reported = measures.values(Metric::TtsNodeTtfb).len();
        if reported == 0 {
            return None;
        }
        if 2 * measures.values(Metric::LlmNodeTtfs).len() >= reported {
            return Some(Self::Provider);
        }
        let sdk = print.agent_sdk.as_deref().unwrap_or("an unknown SDK");
        Some(match sdk.split_once(' ') {
            Some(("js", _)) => Self::Node,
            Some(("python", version)) => match numbers(version) {
                Some(version) if version < PROVIDER_SINCE || version >= SENTENCE_SINCE => {
                    Self::Node
                }
                Some(_) | None => Self::Unsure(sdk.to_owned()),
            },
            Some(_) | None => Self::Unsure(sdk.to_owned()),
        })
    }
}

impl fmt::Display for FirstByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider => f.write_str("without the wait for the first sentence"),
            Self::Node => f.write_str("with the wait for the first sentence"),
            Self::Unsure(sdk) => write!(f, "as {sdk} counts it"),
        }
    }
}

/// `1.6.5rc1` → [1, 6, 5]; `None` for what is no version, or several.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut numbers = version.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits)?.parse().ok()
    });
    let found = [numbers.next()??, numbers.next()??, numbers.next()??];
    (!version.contains(' ')).then_some(found)
}

/// Why the first byte of two sides (each of one run or more) is not the same measure; `None` where it is, or
/// where a side has none.
pub(super) fn unlike_first_byte<'a>(
    old: impl Iterator<Item = (&'a Measures, &'a Fingerprint)>,
    new: (&Measures, &Fingerprint),
) -> Option<String> {
    let is = FirstByte::of(new.0, new.1)?;
    let was =
        old.filter_map(|(measures, print)| FirstByte::of(measures, print)).find(|w| *w != is)?;
    Some(format!(
        "{} is another measure on each side ({was}; {is}), so it is not compared; in the breakdown the first \
         sentence and the first byte are one part",
        Metric::TtsNodeTtfb.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::CallId;
    use crate::turn::Value;
    use crate::turn::testing::two_questions;

    fn side(sdk: Option<&str>, with_sentence: bool) -> (Measures, Fingerprint) {
        let value = Value { call: CallId(0), step: 1, value: 400.0, censored: false };
        let mut measures = Measures::default();
        measures.by_metric.insert(Metric::TtsNodeTtfb, vec![value]);
        if with_sentence {
            measures.by_metric.insert(Metric::LlmNodeTtfs, vec![value]);
        }
        let scenario = two_questions();
        let run = crate::turn::testing::run("r", Vec::new(), &scenario);
        let print = Fingerprint::take(&crate::turn::analyse(&run, &scenario), &scenario);
        (measures, Fingerprint { agent_sdk: sdk.map(str::to_owned), ..print })
    }

    #[test]
    fn the_first_byte_is_compared_only_with_its_like() {
        let plugins = side(Some("python 1.8.9"), true);
        let own_nodes = side(Some("python 1.8.9"), false);
        let old = side(Some("python 1.5.17"), false);
        let node = side(Some("js 1.9.0"), false);
        let between = side(Some("python 1.6.7"), false);
        let between_too = side(Some("python 1.6.8"), false);
        let unknown = side(None, false);
        let mixed = side(Some("python 1.5.17 | python 1.8.9"), false);
        let all = [&plugins, &own_nodes, &old, &node, &between, &between_too, &unknown, &mixed];
        let alike = |a: &(Measures, Fingerprint), b: &(Measures, Fingerprint)| {
            unlike_first_byte(std::iter::once((&a.0, &a.1)), (&b.0, &b.1)).is_none()
        };
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                let both_node = [i, j].iter().all(|k| (1..=3).contains(k));
                assert_eq!(alike(a, b), i == j || both_node, "{:?} {:?}", a.1, b.1);
            }
        }
        let silent = (Measures::default(), plugins.1.clone());
        assert!(alike(&silent, &old) && alike(&old, &silent));
        // One run of several is enough.
        let runs = [&plugins, &old].map(|(measures, print)| (measures, print));
        let why = unlike_first_byte(runs.into_iter(), (&plugins.0, &plugins.1)).unwrap();
        assert!(why.contains("(with the wait for the first sentence; without the wait"), "{why}");
    }
}
