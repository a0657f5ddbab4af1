use super::*;
use crate::record::{ModelUsage, Outcome, Run, SessionEvent};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing::{ask, call, connected, run, scenario, session, two_questions};

fn model(model: &str) -> ModelUsage {
    let (kind, provider, model) = ("llm".to_owned(), "openai".to_owned(), model.to_owned());
    ModelUsage { kind, provider, model, counts: Vec::new() }
}

/// A run whose agent tells its options and its model.
fn told(min_delay: &[&str], model_name: &str) -> Run {
    let calls = (0..).zip(min_delay).map(|(id, delay)| {
        let options = vec![("endpointing".to_owned(), format!("{{'min_delay': {delay}}}"))];
        let log = [
            connected(0),
            session(10, SessionEvent::Options { options }),
            session(20, SessionEvent::Usage { models: vec![model(model_name)] }),
        ];
        call(id, log.concat(), 1_000, Outcome::Answered)
    });
    run("r", calls.collect(), &two_questions())
}

fn print(run: &Run) -> (Fingerprint, Vec<StepPrint>) {
    print_of(run, &two_questions())
}

fn print_of(run: &Run, scenario: &Scenario) -> (Fingerprint, Vec<StepPrint>) {
    let print = Fingerprint::take(&analyse(run, scenario), scenario);
    (print, StepPrint::all(&run.head, scenario))
}

fn compared(old: &Run, new: &Run) -> Result<Vec<String>, NotComparable> {
    let ((old, old_steps), (new, new_steps)) = (print(old), print(new));
    let found = comparable((&old, &old_steps), (&new, &new_steps))?;
    Ok(found.iter().map(ToString::to_string).collect())
}

#[test]
fn what_the_agent_tells_of_itself_is_shown_where_it_differs() {
    assert_eq!(compared(&told(&["0.5"], "gpt-5"), &told(&["0.5"], "gpt-5")), Ok(Vec::new()));
    assert_eq!(
        compared(&told(&["0.5"], "gpt-5"), &told(&["0.5", "0.8"], "gpt-6")),
        Ok(vec![
            "agent option `endpointing`: {'min_delay': 0.5} → {'min_delay': 0.5} | {'min_delay': 0.8}"
                .to_owned(),
            "models: llm openai/gpt-5 → llm openai/gpt-6".to_owned(),
        ])
    );
    // A baseline of before this was on record.
    let mute = run("r", vec![call(0, connected(0), 1_000, Outcome::Answered)], &two_questions());
    assert_eq!(compared(&mute, &told(&["0.5"], "gpt-5")), Ok(Vec::new()));
}

#[test]
fn what_makes_a_comparison_meaningless_blocks_it_unless_allowed() {
    let old = told(&["0.5"], "gpt-5");
    let mut new = told(&["0.5"], "gpt-5");
    if let Some(Some(clip)) = new.head.clips.get_mut(1) {
        clip.sha256 = "another".to_owned();
    }
    let blocked = compared(&old, &new).unwrap_err();
    assert!(blocked.to_string().ends_with("or compare anyway with --allow-different"));
    assert_eq!(blocked.clone().allowed(Mismatch::Refuse), Err(blocked.clone()));
    assert_eq!(blocked.allowed(Mismatch::Allow).map(|all| all.len()), Ok(1));
    // Turns of other steps have nothing to be compared with.
    let other = scenario(vec![ask("a")]);
    let ((a, a_steps), (b, b_steps)) = (print(&old), print_of(&old, &other));
    let blocked = comparable((&a, &a_steps), (&b, &b_steps)).unwrap_err();
    assert!(blocked.other_steps && blocked.allowed(Mismatch::Allow).is_err());
}

#[test]
fn another_version_of_the_server_is_shown_where_both_are_known() {
    let on = |version: &str| {
        let mut run = told(&["0.5"], "gpt-5");
        let (version, region) = (version.to_owned(), String::new());
        run.head.server = Some(crate::record::Server { version, region });
        run
    };
    let shown = "server version: 1.9.0 → 1.13.5".to_owned();
    assert_eq!(compared(&on("1.9.0"), &on("1.13.5")), Ok(vec![shown]));
    assert_eq!(compared(&on("1.9.0"), &on("1.9.0")), Ok(Vec::new()));
    assert_eq!(compared(&told(&["0.5"], "gpt-5"), &on("1.13.5")), Ok(Vec::new()));
}

/// A run whose agent's usage names these models.
fn using(models: &[(&str, &str)]) -> Run {
    let usage = |(kind, model): &(&str, &str)| ModelUsage {
        kind: (*kind).to_owned(),
        provider: "livekit".to_owned(),
        model: (*model).to_owned(),
        counts: Vec::new(),
    };
    let models = models.iter().map(usage).collect();
    let log = [connected(0), session(20, SessionEvent::Usage { models })].concat();
    run("r", vec![call(0, log, 1_000, Outcome::Answered)], &two_questions())
}

#[test]
fn the_models_that_decide_turns_are_compared_where_both_are_known() {
    let (local, hosted) = (("eot", "turn-detector-v1-mini"), ("eot", "turn-detector-v1"));
    let adaptive = ("interruption", "adaptive");
    let llm = ("llm", "x");
    let shown = "end-of-turn model: livekit/turn-detector-v1-mini → livekit/turn-detector-v1";
    assert_eq!(
        compared(&using(&[llm, local]), &using(&[llm, hosted, adaptive])),
        Ok(vec![shown.to_owned()])
    );
    // A detector that was never asked is not known to be another.
    assert_eq!(compared(&using(&[llm, local]), &using(&[llm])), Ok(Vec::new()));
    let of = |run: &Run| print(run).0;
    assert_eq!(
        of(&using(&[adaptive])).models_of("interruption").as_deref(),
        Some("livekit/adaptive")
    );
    assert_eq!(of(&using(&[llm])).models_of("eot"), None);
}

#[test]
fn what_is_heard_otherwise_is_not_compared_unless_allowed() {
    let hearing = |changes: &[(&str, &str)]| {
        let (mut print, steps) = print(&told(&["0.5"], "gpt-5"));
        for (key, value) in changes {
            print.hearing.insert((*key).to_owned(), (*value).to_owned());
        }
        (print, steps)
    };
    let of = |old: &(Fingerprint, Vec<StepPrint>), new: &(Fingerprint, Vec<StepPrint>)| {
        comparable((&old.0, &old.1), (&new.0, &new.1))
    };
    let usual = hearing(&[]);
    for (key, value) in [(SPEECH_GAP, "900 ms"), (IDENTITY, "bot-*"), (TRACKS, "voice")] {
        let blocked = of(&usual, &hearing(&[(key, value)])).unwrap_err();
        assert!(blocked.to_string().contains(&format!("`{key}`: ")), "{blocked}");
        assert_eq!(blocked.allowed(Mismatch::Allow).map(|all| all.len()), Ok(1));
    }
    let limits = of(&usual, &hearing(&[("turn_taking.busy_limit", "1 ms")])).unwrap();
    assert_eq!(limits[0].to_string(), "`turn_taking.busy_limit`: 30000 ms → 1 ms");
    // A baseline of before this was on record.
    let mut before = hearing(&[]);
    before.0.hearing.clear();
    assert_eq!(of(&before, &hearing(&[(SPEECH_GAP, "900 ms")])), Ok(Vec::new()));
}
