use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::langfuse::testing::{Answer, Request, Server};
use crate::langfuse::{Client, Deadline};
use crate::record::{CallId, Labels};
use crate::report::fixture::{call, run, scenario};

fn head(experiment: Option<&str>) -> RunHead {
    let labels = Labels { experiment: experiment.map(str::to_owned), release: None };
    RunHead { labels, ..run(vec![call(0)]).head }
}

fn client(server: &Server) -> Client {
    Client::new(&server.project(), Duration::from_secs(5)).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

fn body(request: &Request) -> Json {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn a_run_is_an_experiment_only_when_asked_to_be() {
    assert_eq!(Experiment::of(&head(None), &scenario()), None);
    let named = |prefix| Experiment::of(&head(Some(prefix)), &scenario()).unwrap().name;
    assert_eq!(named(""), "20261124-120000-greeting");
    assert_eq!(named("nightly"), "nightly 20261124-120000-greeting");
    // Ids of items have at most 255 characters.
    let long = Experiment::of(&head(Some(&"x".repeat(1_000))), &scenario()).unwrap();
    assert!(long.name.chars().count() < 310 && long.item.chars().count() <= 255);
}

#[tokio::test]
async fn the_dataset_and_the_item_are_made_or_brought_up_to_date() {
    let server = Server::answers([
        Answer::new(200, r#"{"id":"ds-1","name":"loadcall"}"#),
        Answer::new(200, r#"{"id":"loadcall-greeting"}"#),
    ]);
    let mut experiment = Experiment::of(&head(Some("")), &scenario()).unwrap();
    let item = crate::export::trace::item(&scenario());
    experiment.register(&client(&server), item, soon()).await.unwrap();
    let [dataset, item] = &server.arrived()[..] else { panic!("two requests") };
    assert_eq!(
        (dataset.path.as_str(), &body(dataset)["name"]),
        ("/api/public/v2/datasets", &json!("loadcall"))
    );
    assert_eq!(item.path, "/api/public/dataset-items");
    let item = body(item);
    assert_eq!(
        (&item["datasetName"], &item["id"]),
        (&json!("loadcall"), &json!("loadcall-greeting"))
    );
    assert_eq!(item["input"]["turns"][1]["says"], json!("What are your opening hours?"));
    assert_eq!(item["expectedOutput"]["turns"][0]["expects"], json!("the agent speaks within 5s"));
    assert!(!item.to_string().contains("in-the-metadata"));
    let attributes = experiment.attributes("root");
    assert!(attributes.iter().any(|kv| {
        kv.key.as_str() == "langfuse.experiment.dataset.id" && kv.value.as_str() == "ds-1"
    }));
}

#[tokio::test]
async fn a_server_of_version_3_is_told_of_each_call() {
    let server = Server::start(|request| match request.path.as_str() {
        "/api/public/health" => Answer::new(200, r#"{"status":"OK","version":"3.120.0"}"#),
        _ => Answer::new(200, r#"{"id":"i","datasetRunId":"run-of-v3"}"#),
    });
    let head = head(Some(""));
    let experiment = Experiment::of(&head, &scenario()).unwrap();
    let calls = [CallId(0), CallId(1)];
    let linked = experiment.link(&client(&server), &head, calls, soon()).await;
    let id = Some("run-of-v3".to_owned());
    assert_eq!(linked, Linked { id, calls: 2, left: 0, why: None });
    let links: Vec<Json> = server.arrived()[1..].iter().map(body).collect();
    for (link, call) in links.iter().zip(calls) {
        let trace = crate::record::trace_text(&head.run_id, call);
        let expected = json!({"runName": experiment.name(), "datasetItemId": "loadcall-greeting",
            "traceId": trace});
        assert_eq!(*link, expected);
    }
}

#[tokio::test]
async fn a_later_server_takes_the_link_from_the_spans() {
    for version in ["4.16.0", "v5.0.1", "unknown"] {
        let body = json!({"status": "OK", "version": version}).to_string();
        let server = Server::answers([Answer::new(200, &body)]);
        let head = head(Some(""));
        let experiment = Experiment::of(&head, &scenario()).unwrap();
        let linked = experiment.link(&client(&server), &head, [CallId(0)], soon()).await;
        assert_eq!(linked, Linked::default());
        assert_eq!(server.arrived().len(), 1);
    }
}

#[tokio::test]
async fn links_that_are_refused_are_said_and_not_tried_on() {
    let server = Server::start(|request| match request.path.as_str() {
        "/api/public/health" => Answer::new(200, r#"{"status":"OK","version":"3.1.0"}"#),
        _ => Answer::new(404, r#"{"message":"Dataset item not found"}"#),
    });
    let head = head(Some(""));
    let experiment = Experiment::of(&head, &scenario()).unwrap();
    let calls = (0..50).map(CallId);
    let linked = experiment.link(&client(&server), &head, calls, soon()).await;
    assert_eq!((linked.calls, linked.left), (0, 50));
    assert!(linked.why.unwrap().contains("Dataset item not found"));
    assert_eq!(server.arrived().len(), 2);
}
