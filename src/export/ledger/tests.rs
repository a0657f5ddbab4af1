//! The file of a run folder.

use super::*;
use crate::export::otlp::Kind;

fn place(endpoint: &str) -> Place {
    Place { kind: Kind::Otlp, endpoint: endpoint.to_owned(), project: None }
}

#[test]
fn what_is_kept_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), "r1").unwrap();
    let mut account = ledger.account(&place("http://a/"));
    account.begin(&[CallId(0), CallId(1), CallId(2), CallId(3)]);
    account.acknowledge(CallId(0));
    account.acknowledge(CallId(1));
    account.leave(CallId(2));
    account.fail(Some("it is\ndown"));
    ledger.keep(&account).unwrap();
    ledger.keep(&ledger.account(&place("http://b/"))).unwrap();
    drop(ledger);
    let text = files::read_text(&folder.path().join(FILE_NAME), MAX_BYTES).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "kind": "otlp",
        "endpoint": "http://a/",
        "acknowledged": [[0, 1]],
        "unknown": [[3, 3]],
        "last_failure": "it is down",
    });
    assert_eq!(json["backends"][0], expected);
    let again = Ledger::open(folder.path(), "r1").unwrap();
    assert_eq!(again.account(&place("http://a/")), account);
    assert!(!again.account(&place("http://c/")).acknowledged.contains(0));
}

#[test]
fn one_export_of_a_run_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Ledger::open(folder.path(), "r1").unwrap();
    assert!(matches!(Ledger::open(folder.path(), "r1"), Err(LedgerError::Busy)));
    drop(first);
    Ledger::open(folder.path(), "r1").unwrap();
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let whole = r#"{"format":1,"kind":"loadcall export","run":"r1","backends":[{"kind":"otlp","endpoint":"http://a/","acknowledged":[[0,9]],"unknown":[]}]}"#;
    files::replace(&path, whole.as_bytes()).unwrap();
    Ledger::open(folder.path(), "r1").unwrap();
    for (text, why) in [
        ("{}".to_owned(), "line 1"),
        (whole.replace("\"format\":1", "\"format\":2"), "has format 2"),
        (whole.replace("loadcall export", "loadcall verdict"), "its kind is not"),
        (whole.replace("r1", "r2"), "of another run"),
        (whole.replace("[0,9]", "[9,0]"), "line 1"),
        (whole.replace("[0,9]", "[0,9999999999]"), "line 1"),
        (whole[..60].to_owned(), "line 1"),
        ("\u{1b}[2J".repeat(10), "line 1"),
        (" ".repeat(5 << 20), "larger than the limit"),
    ] {
        files::replace(&path, text.as_bytes()).unwrap();
        let error = Ledger::open(folder.path(), "r1").unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(FILE_NAME), "{error}");
        assert!(!error.contains('\u{1b}'), "{error}");
        assert_eq!(files::read_text(&path, 10 << 20).unwrap(), text);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), "r1").unwrap();
    // Also for root, who may write anywhere: there is a folder where the file belongs.
    std::fs::create_dir(folder.path().join(FILE_NAME)).unwrap();
    std::fs::create_dir(folder.path().join(FILE_NAME).join("in the way")).unwrap();
    let error = ledger.keep(&ledger.account(&place("http://a/"))).unwrap_err();
    assert!(matches!(error, LedgerError::Write { .. }), "{error}");
}
