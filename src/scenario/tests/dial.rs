//! How a call comes about: start endpoints, rooms, callers and signals.

use super::super::metadata::Variables;
use super::super::*;
use super::faults::{part, single, theme, turn};
use super::parsed;

fn names(agent: &str) -> Names {
    let [run, call] = ["20260102-r", "007"].map(str::to_owned);
    Names { run, call, agent: agent.to_owned(), ..Names::default() }
}

#[test]
fn a_start_endpoint_is_read() {
    let scenario = parsed(&part(
        "agent: {name: bob}
dispatch:
  http:
    url: \"https://product.example/{{agent}}/start\"
    headers: {Authorization: {$env: KEY}, X-Run: \"{{run}}\"}
    body: {transport: livekit, body: {plan: b, user: \"{{caller}}\"}, key: {$env: KEY}}
    token: $.token
    server: $.url
    timeout: 3s",
    ));
    let http = scenario.dispatch().expect("a dispatch");
    assert_eq!((http.method, http.timeout), (Method::Post, Duration::from_secs(3)));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        http.headers,
        [header("Authorization", r#"{"$env":"KEY"}"#), header("X-Run", "{{run}}")]
    );
    let body =
        r#"{"transport":"livekit","body":{"plan":"b","user":"{{caller}}"},"key":{"$env":"KEY"}}"#;
    assert_eq!(http.body, body);
    let paths =
        [&http.token, &http.room, &http.server].map(|p| p.as_ref().map(ToString::to_string));
    assert_eq!(paths, [Some("$.token".to_owned()), None, Some("$.url".to_owned())]);
    assert!(scenario.room().is_of_the_run());
}

#[test]
fn a_room_has_a_prefix_or_a_name() {
    let name = |room: &str| {
        let scenario = parsed(&part(room));
        let name = scenario.room().name(&names("bob"));
        (name, scenario.room().is_of_the_run())
    };
    let usual = ("loadcall-greeting-20260102-r-007".to_owned(), true);
    assert_eq!(name("room: {}"), usual);
    assert_eq!(
        name("room: {prefix: staging/}"),
        ("staging/greeting-20260102-r-007".to_owned(), true)
    );
    assert_eq!(name("room: {prefix: \"\"}"), ("greeting-20260102-r-007".to_owned(), true));
    assert_eq!(
        name("room: {prefix: \"{{agent}}-\"}"),
        ("bob-greeting-20260102-r-007".to_owned(), true)
    );
    // Somebody else may be in it.
    assert_eq!(name("room: {name: lobby}"), ("lobby".to_owned(), false));
    assert_eq!(name("room: {name: \"t-{{run}}\"}"), ("t-20260102-r".to_owned(), true));
    let several = "load: {executor: repeat, calls: 2}\nroom: {name: \"t-{{call}}\"}";
    assert_eq!(name(several), ("t-007".to_owned(), false));
}

#[test]
fn a_caller_is_read() {
    let scenario = parsed(&part(
        "caller: {identity: \"jo-{{call}}\", name: Jo, kind: sip, metadata: {plan: b}, \
         attributes: {sip.phoneNumber: \"+15550100\", note: {$env: NOTE}}}",
    ));
    let caller = scenario.caller();
    assert_eq!((caller.identity.as_str(), caller.name.as_str()), ("jo-{{call}}", "Jo"));
    assert_eq!((caller.kind, caller.metadata.as_str()), (CallerKind::Sip, r#"{"plan":"b"}"#));
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let want = [attribute("sip.phoneNumber", "+15550100"), attribute("note", r#"{"$env":"NOTE"}"#)];
    assert_eq!(caller.attributes, want);
    let usual = parsed(&part(""));
    assert_eq!(usual.caller().identity, "caller-{{call}}");
    assert_eq!(usual.caller().kind, CallerKind::Standard);
}

#[test]
fn signals_are_read() {
    let scenario = parsed(&turn(
        "{id: a, say: {file: a.wav}, before: {rpc: {method: start_turn}}, after: {rpc: {method: end_turn, payload: {a: 1}}}}",
    ));
    let rpc = |method: &str, payload: &str| {
        Some(Rpc { method: method.to_owned(), payload: payload.to_owned() })
    };
    let want = Signals { before: rpc("start_turn", ""), after: rpc("end_turn", r#"{"a":1}"#) };
    assert_eq!(scenario.steps()[0].signals, want);
}

#[test]
fn every_variable_is_asked_for_once_at_the_start() {
    let scenario = parsed(
        "version: 1
name: a
dispatch: {http: {url: {$env: A}, headers: {x: {$env: B}}, body: [{$env: C}], room: $.r}}
room: {metadata: {$env: D}}
caller: {metadata: {a: {$env: E}}, attributes: {b: {$env: F}}}
turns: [{id: a, say: {file: a.wav}, before: {rpc: {method: m, payload: {$env: G}}}}]
",
    );
    let none =
        Variables::collect(scenario.referring_texts(), |_| None).expect_err("nothing is set");
    assert_eq!(none.names, ["A", "B", "C", "D", "E", "F", "G"]);
    let some = Variables::collect(scenario.referring_texts(), |name| Some(format!("value-{name}")));
    let some = some.expect("all are set");
    let filled = |text: &str| some.fill(text).map(|text| text.expose().to_owned());
    assert_eq!(filled(r#"{"$env":"A"}"#).as_deref(), Ok("value-A"));
    assert_eq!(filled(r#"[{"$env":"C"}]"#).as_deref(), Ok(r#"["value-C"]"#));
    assert_eq!(filled("plain").as_deref(), Ok("plain"));
    assert!(filled(r#"{"$env":"H"}"#).is_err());
    assert_eq!(some.hide("value-A and value-B"), "… and …");
    assert!(!format!("{some:?}").contains("value"));
}

#[test]
fn dial() {
    let http = |rest: &str| format!("dispatch: {{http: {{url: \"http://h/\", {rest}}}}}");
    let token = http("token: $.token");
    let of_dispatch = [
        "dispatch: {http: {url: product.example, token: $.token}}".to_owned(),
        "dispatch: {http: {url: \"https:///start\", token: $.token}}".to_owned(),
        "dispatch: {http: {url: \"https://me:pw@h/start\", token: $.token}}".to_owned(),
        http("body: {room: \"{{rom}}\"}, token: $.t"),
        http("body: {a: 1}"),
        http("method: GET, body: {a: 1}, token: $.t"),
        http("headers: {\"X Y\": a}, token: $.t"),
        http("token: token"),
        http("token: $.a..b"),
        format!("{token}\nagent: {{name: bob, metadata: {{a: 1}}}}"),
        format!("{token}\nroom: {{metadata: {{a: 1}}}}"),
        format!("{token}\ncaller: {{kind: sip}}"),
        "room: {name: a, prefix: b}".to_owned(),
        "room: {name: \"a-{{room}}\"}".to_owned(),
        "room: {name: lobby}\nload: {executor: repeat, calls: 2}".to_owned(),
        "caller: {identity: \"{{caller}}\"}".to_owned(),
        "caller: {kind: agent}".to_owned(),
        "caller: {attributes: {sip.callID: 5}}".to_owned(),
    ];
    let of_dispatch: Vec<&str> = of_dispatch.iter().map(String::as_str).collect();
    let of_turns = [
        "{id: a, silence: 1s, before: {rpc: {method: m}}}",
        "{id: a, say: {file: a.wav}, after: {rpc: {payload: 1}}}",
        "{id: a, say: {file: a.wav}, before: {rpc: m}}",
    ];
    theme("dial", single(&of_dispatch, part).into_iter().chain(single(&of_turns, turn)));
}
