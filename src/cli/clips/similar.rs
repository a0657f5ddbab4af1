//! What there is in place of a clip that does not exist.

use std::path::Path;

/// How alike (0 to 1) a path has to be to be worth proposing.
const ALIKE: f64 = 0.75;
/// Files and levels of folders that are looked at, and names that are listed.
const LOOKED_AT: usize = 1_000;
const DEEP: usize = 4;
const LISTED: usize = 8;
/// Endings of files that can be clips.
const ENDINGS: [&str; 15] = [
    "wav", "wave", "aif", "aiff", "flac", "mp3", "aac", "m4a", "mp4", "ogg", "oga", "opus", "webm",
    "mka", "mkv",
];

/// A proposal for the clip `name` of a scenario in `folder`: one that is written alike, or what there is.
pub(super) fn what_is_there(folder: &Path, name: &str) -> String {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut clips = Vec::new();
    gather(folder, "", DEEP, &mut clips);
    clips.sort();
    if let Some(clip) = likely(name, &clips) {
        return format!("did you mean `{clip}`?");
    }
    let beside = folder_of(name);
    let near: Vec<&String> = clips.iter().filter(|clip| folder_of(clip) == beside).collect();
    let (whose, listed) = if near.is_empty() {
        ("the scenario's folder has".to_owned(), clips.iter().collect())
    } else if beside.is_empty() {
        ("the scenario's folder has".to_owned(), near)
    } else {
        (format!("`{beside}` has"), near)
    };
    let more = listed.len().saturating_sub(LISTED);
    let names: Vec<String> = listed.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match (names.join(", "), more) {
        (none, _) if none.is_empty() => {
            "write the path of a file of audio, relative to the scenario file".to_owned()
        }
        (names, 0) => format!("{whose} {names}"),
        (names, more) => format!("{whose} {names} and {more} more"),
    }
}

fn folder_of(clip: &str) -> &str {
    clip.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The one that was probably meant: capitals, folder or ending differ, or a few letters.
fn likely<'a>(name: &str, clips: &'a [String]) -> Option<&'a String> {
    let plain = |path: &str| path.trim_start_matches("./").to_lowercase();
    let stem = |path: &str| {
        let path = plain(path);
        path.rsplit_once('.').map_or(path.clone(), |(stem, _)| stem.to_owned())
    };
    let file = |path: &str| stem(path.rsplit('/').next().unwrap_or_default());
    let (whole, without_ending, alone) = (plain(name), stem(name), file(name));
    let same = clips.iter().find(|clip| plain(clip) == whole);
    let same = same.or_else(|| clips.iter().find(|clip| stem(clip) == without_ending));
    let same = same.or_else(|| clips.iter().find(|clip| file(clip) == alone));
    same.or_else(|| {
        // Folders are alike in all of them, so names count by themselves, too.
        let alike = |clip: &String| {
            let whole = strsim::normalized_damerau_levenshtein(&without_ending, &stem(clip));
            whole.min(strsim::normalized_damerau_levenshtein(&alone, &file(clip)))
        };
        let best = clips.iter().map(|clip| (alike(clip), clip));
        let (alike, clip) = best.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (alike >= ALIKE).then_some(clip)
    })
}

/// Files of audio below a folder, as a scenario in it names them.
fn gather(folder: &Path, prefix: &str, deep: usize, clips: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if clips.len() >= LOOKED_AT {
            return;
        }
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let shown = format!("{prefix}{name}");
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
        if kind.is_dir() && deep > 0 && !name.starts_with('.') {
            gather(&entry.path(), &format!("{shown}/"), deep - 1, clips);
        } else if !kind.is_dir() && ending.is_some_and(|it| ENDINGS.contains(&it.as_str())) {
            clips.push(shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    #[test]
    fn what_was_meant_is_proposed_and_else_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("clips")).unwrap();
        for name in ["clips/hours.wav", "clips/order.wav", "clips/notes.txt", "hello.mp3"] {
            files::replace(&folder.path().join(name), b"").unwrap();
        }
        let help = |name| what_is_there(folder.path(), name);
        for (name, meant) in [
            ("Clips/hours.wav", "clips/hours.wav"),
            ("CLIPS/HOURS.WAV", "clips/hours.wav"),
            ("clips/huors.wav", "clips/hours.wav"),
            ("clips/hours.mp3", "clips/hours.wav"),
            ("hours.wav", "clips/hours.wav"),
            ("./audio/order.wav", "clips/order.wav"),
            ("hallo.mp3", "hello.mp3"),
        ] {
            assert_eq!(help(name), format!("did you mean `{meant}`?"), "{name}");
        }
        assert_eq!(help("clips/nothere.wav"), "`clips` has `clips/hours.wav`, `clips/order.wav`");
        let all = "the scenario's folder has `clips/hours.wav`, `clips/order.wav`, `hello.mp3`";
        assert_eq!(help("other/nothere.wav"), all);
        let empty = tempfile::tempdir().unwrap();
        assert!(what_is_there(empty.path(), "a.wav").starts_with("write the path"));
        for n in 0..12 {
            files::replace(&empty.path().join(format!("{n:02}.wav")), b"").unwrap();
        }
        assert!(what_is_there(empty.path(), "nothere.wav").ends_with("`07.wav` and 4 more"));
    }
}
