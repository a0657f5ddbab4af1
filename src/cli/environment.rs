//! The environment: the variables of the process and, behind them, those of the files that `--env-file` names.
//! The only reader of settings. A variable that is empty is not set: continuous integration passes a secret
//! that does not exist as an empty text.
#![expect(clippy::disallowed_methods, reason = "IO: reads the environment")]

use super::failure::Failure;
use super::files;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The largest file of variables that is read.
const FILE_LIMIT: u64 = 1 << 20;

/// What the files say. Set once, before a command begins.
static OF_FILES: OnceLock<BTreeMap<String, Secret>> = OnceLock::new();

/// Reads files of variables; a later one goes before an earlier one, and the process's own before all.
pub(super) fn load(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut all = BTreeMap::new();
    for path in paths {
        all.extend(read(path)?);
    }
    let _ = OF_FILES.set(all);
    Ok(())
}

/// The value of a variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    let own = std::env::var(name).ok().filter(|value| !value.is_empty());
    own.or_else(|| {
        let value = OF_FILES.get()?.get(name).filter(|value| !value.is_empty())?;
        Some(value.expose().to_owned())
    })
}

/// The variables that only the files set, for processes that are started.
pub(super) fn of_files() -> Vec<(String, Secret)> {
    let all = OF_FILES.get().into_iter().flatten();
    let own = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let unset = all.filter(|(name, value)| !value.is_empty() && !own(name));
    unset.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn read(path: &Path) -> Result<BTreeMap<String, Secret>, Failure> {
    let text = files::read_text("the variables", path, FILE_LIMIT)?;
    parse(&text).map_err(|Wrong { line, why }| {
        // Not the line itself, which may hold a secret.
        Failure::usage(format!("`{}` line {line}: {why}", path.display())).hint(
            "write NAME=value on a line, with a value that contains ` #` or a line break in quotes",
        )
    })
}

/// Where a file is not as dotenv writes them, and why.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    line: usize,
    why: &'static str,
}

/// The variables of a file: `NAME=value`, with or without `export`, comments and quotes; the last of a name
/// counts. A `$` means nothing: tools differ in what they make of it, and secrets contain it.
fn parse(text: &str) -> Result<BTreeMap<String, Secret>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut variables = BTreeMap::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let wrong = |why| Wrong { line, why };
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let entry = first.trim_start();
        if entry.is_empty() || entry.starts_with('#') {
            rest = after;
            continue;
        }
        let exported = entry.strip_prefix("export").filter(|e| e.starts_with([' ', '\t']));
        let entry = exported.unwrap_or(entry);
        let (name, value) = entry.split_once('=').ok_or(wrong("there is no `=`"))?;
        let name = name.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(wrong("the variable's name is missing before the `=`"));
        }
        let value = value.trim_start_matches([' ', '\t']);
        let at = text.len() - rest.len() + (first.len() - value.len());
        let (value, end) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = at + quote.len_utf8();
                let (value, length) =
                    quoted(&text[inner..], quote).ok_or(wrong("a quote is not closed"))?;
                let behind = &text[inner + length..];
                let behind = behind.split_once('\n').map_or(behind, |(line, _)| line);
                if !matches!(behind.trim_start().chars().next(), None | Some('#')) {
                    return Err(wrong("there is more behind the closing quote"));
                }
                (value, inner + length + behind.len())
            }
            _ => (unquoted(value).to_owned(), at + value.len()),
        };
        variables.insert(name.to_owned(), Secret::new(value));
        rest = text[end..].strip_prefix('\n').unwrap_or(&text[end..]);
    }
    Ok(variables)
}

/// A value up to a comment, which a blank sets apart.
fn unquoted(text: &str) -> &str {
    let comment = text.match_indices('#').map(|(at, _)| at);
    let mut comment = comment.filter(|at| *at == 0 || text[..*at].ends_with([' ', '\t']));
    text[..comment.next().unwrap_or(text.len())].trim_end()
}

/// What stands before the closing quote, and how long it is with that quote. Only in double quotes a backslash
/// means something.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some((value, at + c.len_utf8()));
        }
        if c != '\\' || quote == '\'' {
            value.push(c);
            continue;
        }
        match characters.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            c @ ('\\' | '"' | '\'' | '$') => value.push(c),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let all = parse(text).unwrap();
        all.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
    }

    #[test]
    fn files_are_read_as_tools_write_them() {
        let text = "\u{feff}# from lk app env -w\r\nLIVEKIT_URL=\"wss://x.livekit.cloud\"\r\n\r\n\
                    LIVEKIT_API_KEY = APIx # mine\nexport LIVEKIT_API_SECRET='a$b#\"c\\n'\n  EMPTY=\n\
                    A=x#y\nB=#\nC=\"one\\ntwo\\\"\\q\" # note\nD=\"over\nlines\"\nE=a=b\nA=again";
        let expected = [
            ("A", "again"),
            ("B", ""),
            ("C", "one\ntwo\"\\q"),
            ("D", "over\nlines"),
            ("E", "a=b"),
            ("EMPTY", ""),
            ("LIVEKIT_API_KEY", "APIx"),
            ("LIVEKIT_API_SECRET", "a$b#\"c\\n"),
            ("LIVEKIT_URL", "wss://x.livekit.cloud"),
        ];
        assert_eq!(parsed(text), expected.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(parsed(""), []);
        assert_eq!(parsed("\n\n  # nothing"), []);
        assert_eq!(
            parsed("ä=1".replace('ä', "exporter").as_str()),
            [("exporter".into(), "1".into())]
        );
    }

    #[test]
    fn what_is_wrong_is_placed_and_not_shown() {
        for (text, line) in [
            ("A=1\nhush", 2),
            ("=hush", 1),
            ("A B=hush", 1),
            ("A=\"x\ny\"\nB='hush", 3),
            ("A=\"x\" hush", 1),
        ] {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, line, "{text}");
            assert!(!wrong.why.contains("hush"));
        }
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert_eq!(variable("LOADCALL_NOBODY_SETS_THIS"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[A=\"'\\\\\n#$ ä]{0,40}") {
            let _ = parse(&text);
        }
    }
}
