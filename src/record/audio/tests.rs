use super::*;
use std::os::unix::fs::symlink;

fn kept(call: u32) -> Kept {
    let call = CallId(call);
    let starts = Offset::from_micros(1_500);
    Kept { call, file: file_name(call), starts, length_ms: 12.5, bytes: 34 }
}

fn text(calls: Vec<Kept>) -> String {
    serde_json::to_string(&Index { format: FORMAT, calls }).unwrap()
}

fn refused(text: &str) -> String {
    Index::parse(text).unwrap_err().to_string()
}

#[test]
fn an_index_is_read_as_it_was_written() {
    assert_eq!(file_name(CallId(7)), "audio/007.ogg");
    assert_eq!(file_name(CallId(12_345)), "audio/12345.ogg");
    let written = text(vec![kept(0), kept(1_000)]);
    assert!(written.contains(r#""starts":1500"#), "{written}");
    let index = Index::parse(&written).unwrap();
    assert_eq!(index.of(CallId(1_000)), Some(&kept(1_000)));
    assert_eq!(index.of(CallId(1)), None);
}

#[test]
fn an_index_chooses_no_path() {
    for file in
        ["/etc/passwd", "../001.ogg", "audio/../001.ogg", "audio/1.ogg", "audio/002.ogg", ""]
    {
        let error = refused(&text(vec![Kept { file: file.into(), ..kept(1) }]));
        assert_eq!(error, "`audio/index.json` is not valid: the file name of call 1");
    }
    let error = refused(&text(vec![kept(1), kept(1)]));
    assert!(error.contains("a second entry of call 1"), "{error}");
    let error = refused(&text(vec![Kept { length_ms: -1.0, ..kept(1) }]));
    assert!(error.contains("the length of call 1"), "{error}");
    let error = refused(r#"{"format": 2, "more": []}"#);
    assert!(error.contains("has format 2, this loadcall reads format 1"), "{error}");
    assert!(refused("[").contains("is not valid"));
}

#[test]
fn only_files_of_the_run_are_read() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(Index::read(folder.path()).unwrap(), None);
    let audio = folder.path().join(FOLDER);
    files::replace(&other.path().join("001.ogg"), b"secret").unwrap();
    symlink(other.path(), &audio).unwrap();
    assert!(kept(1).read(folder.path()).is_err(), "a link leads out of the folder");
    std::fs::remove_file(&audio).unwrap();
    std::fs::create_dir(&audio).unwrap();
    symlink(other.path().join("001.ogg"), audio.join("001.ogg")).unwrap();
    assert!(kept(1).read(folder.path()).is_err());
    files::replace(&audio.join("002.ogg"), b"OggS").unwrap();
    assert_eq!(kept(2).read(folder.path()).unwrap(), b"OggS");
    files::replace(&folder.path().join(INDEX), text(vec![kept(2)]).as_bytes()).unwrap();
    assert_eq!(Index::read(folder.path()).unwrap().unwrap().calls, [kept(2)]);
}
