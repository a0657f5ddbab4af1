//! A/B runs of simulated agents for tests.

use crate::random::SplitMix64;
use crate::record::{Arm, CallId, MetadataDigest, Run, Side};
use crate::turn::testing::two_questions;
pub(crate) use crate::verdict::testing::Agent;

/// One call of each of these agents, as a run.
pub(crate) fn run(agents: &[Agent], seed: u64, side: Side) -> Run {
    let scenario = two_questions();
    let mut random = SplitMix64::for_purpose(seed, side as u64 + 1);
    let mut run = agents[0].run(&format!("ab-{}", side.name()), 0, 0, &scenario);
    for (id, agent) in (0..).zip(agents) {
        let mut one = agent.run("one", 1, random.next_u64(), &scenario);
        let mut call = one.calls.remove(0);
        call.id = CallId(id);
        run.calls.push(call);
    }
    let tail = run.tail.as_mut().expect("a tail");
    tail.planned = u32::try_from(run.calls.len()).expect("few");
    run.head.arm = Some(Arm {
        ab: "ab".to_owned(),
        side,
        agent_name: scenario.agent().name.clone(),
        agent_metadata: MetadataDigest::default(),
        looks: Vec::new(),
    });
    run
}

/// An agent whose model takes so much longer.
pub(crate) fn slower(ms: f64) -> Agent {
    let usual = Agent::default();
    Agent { ttft: usual.ttft + ms, ..usual }
}
