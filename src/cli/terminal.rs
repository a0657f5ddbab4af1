//! What people see on stdout and stderr. The only place that writes there, so that no text of a server, an
//! agent, a recording or a scenario reaches a terminal with control characters in it: errors, hints and
//! notes have none at all, results keep the colours that were put there on purpose.
#![expect(clippy::disallowed_methods, reason = "the place that writes to the terminal")]

use super::failure::Failure;
use crate::text::safe;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

const RESET: &str = "\u{1b}[0m";
/// Bold red, bold.
const ERROR: &str = "\u{1b}[1;31m";
const HINT: &str = "\u{1b}[1m";

/// Shows on stderr why a command failed and what can be done, and gives the exit code.
pub(super) fn report_error(failure: &Failure) -> ExitCode {
    let mut err = anstream::stderr().lock();
    if let Some(message) = failure.message() {
        let _ = writeln!(err, "{ERROR}error{RESET}: {}", paragraph(message));
    }
    if let Some(remedy) = failure.remedy() {
        let _ = writeln!(err, "{HINT}hint{RESET}: {}", paragraph(remedy));
    }
    // Each on a line of its own, to be copied.
    for command in failure.commands() {
        let _ = writeln!(err, "  {}", safe(command));
    }
    failure.code()
}

/// Shows what clap says of wrong arguments, which it quotes as they are.
pub(super) fn show_usage_error(error: &clap::Error) {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let lines: Vec<String> = text.lines().map(safe).collect();
    let text = inert(&lines.join("\n"));
    let _ = writeln!(anstream::stderr().lock(), "{ERROR}error{RESET}: {text}");
}

/// Says something on stderr that is neither result nor failure.
pub(super) fn eprint_line(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", paragraph(text));
}

/// Shows on stderr a text that has colours of its own.
pub(super) fn eprint_styled(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", inert(&styled(text)));
}

/// Prints a result on stdout. A reader that has gone away is not an error.
pub(super) fn print_result(text: &str) -> Result<(), Failure> {
    write_out(&styled(text))
}

/// Prints a line of progress on stdout, without any style.
pub(super) fn print_line(text: &str) -> Result<(), Failure> {
    write_out(&format!("{}\n", safe(text)))
}

/// Prints a JSON document on stdout: the same document, with what a terminal would obey spelled out.
pub(super) fn print_json(text: &str) -> Result<(), Failure> {
    print_json_with(|out| out.write_all(text.as_bytes()))
}

/// As [`print_json`], for a document that `write` writes piece by piece.
pub(super) fn print_json_with(
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = HarmlessJson::new(BufWriter::new(anstream::stdout().lock()));
    or_failure(write(&mut out).and_then(|()| out.flush()))
}

/// Prints a document that `write` writes piece by piece, and that has no text of others in it but what its renderer
/// made harmless.
pub(super) fn print_document(
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    or_failure(write(&mut out).and_then(|()| out.flush()))
}

fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    or_failure(out.write_all(inert(text).as_bytes()).and_then(|()| out.flush()))
}

fn or_failure(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// Text without any style. Lines after the first are indented, so that none can pass for a message of ours.
fn paragraph(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(safe).collect();
    inert(&lines.join("\n  "))
}

/// Text whose only control characters are line breaks and the colours and weights of SGR sequences
/// (`ESC [ 1 ; 31 m`). Whoever renders a text keeps foreign ones out of it.
fn styled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\n']) {
        out.push_str(&safe(&rest[..at]));
        let kept = match sgr(&rest[at..]) {
            0 if rest[at..].starts_with('\n') => 1,
            length => length,
        };
        out.push_str(&rest[at..at + kept]);
        // An escape of another kind is spelled out.
        let skipped = kept.max(1);
        out.push_str(&safe(&rest[at + kept..at + skipped]));
        rest = &rest[at + skipped..];
    }
    out.push_str(&safe(rest));
    out
}

/// The same text, in which no line begins with `::…::`: to GitHub's runner such a line is a command, also when it is
/// indented or coloured.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        loop {
            let next = rest.trim_start();
            let next = &next[sgr(next)..];
            if next.len() == rest.len() {
                break;
            }
            rest = next;
        }
        match rest.strip_prefix("::") {
            Some(command) if command.contains("::") => {
                out.push_str(&line[..line.len() - rest.len()]);
                out.push_str(": :");
                out.push_str(command);
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// How many bytes of an SGR sequence the text begins with; 0 when it does not.
fn sgr(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let length = parameters.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    if parameters[length..].starts_with('m') { length + 3 } else { 0 }
}

/// Passes a JSON document on with what a terminal would obey spelled out.
struct HarmlessJson<W> {
    out: W,
    /// The beginning of a character whose end is still to come.
    rest: Vec<u8>,
    /// The last character was a `#`.
    hash: bool,
}

impl<W> HarmlessJson<W> {
    fn new(out: W) -> Self {
        Self { out, rest: Vec::new(), hash: false }
    }
}

impl<W: io::Write> io::Write for HarmlessJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(e) if e.error_len().is_none() => e.valid_up_to(),
            Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
        };
        let text = String::from_utf8_lossy(&self.rest[..whole]);
        self.out.write_all(json(&text, &mut self.hash).as_bytes())?;
        self.rest.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// In JSON a character that does harm can only stand in a string, where it may be written as `\uXXXX`.
/// `hash`: the last character before was a `#`, of which two can begin a command of a build machine.
fn json(text: &str, hash: &mut bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut character = [0; 4];
    for c in text.chars() {
        let as_text = c.encode_utf8(&mut character);
        let second = std::mem::replace(hash, c == '#') && c == '#';
        if !second && (matches!(c, '\n' | '\t' | '\r') || safe(as_text) == *as_text) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORGED: &str = "no\u{1b}[31m\nPASS: \u{1b}]0;title\u{7}\u{9b}2J\u{202e}";

    #[test]
    fn messages_have_no_styles_and_one_beginning() {
        assert_eq!(
            paragraph(FORGED),
            "no\\u{1b}[31m\n  PASS: \\u{1b}]0;title\\u{7}\\u{9b}2J\\u{202e}"
        );
    }

    #[test]
    fn results_keep_colours_and_lines_alone() {
        for (text, shown) in [
            ("\u{1b}[1;31mFAIL\u{1b}[0m\n", "\u{1b}[1;31mFAIL\u{1b}[0m\n"),
            ("\u{1b}[2Ja\u{1b}]0;x\u{7}", "\\u{1b}[2Ja\\u{1b}]0;x\\u{7}"),
            ("a\rb\u{9b}31m", "a b\\u{9b}31m"),
            ("\u{1b}", "\\u{1b}"),
            ("\u{1b}[31", "\\u{1b}[31"),
        ] {
            assert_eq!(styled(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_json_document_stays_the_same() {
        let text = serde_json::json!({ "said": format!("{FORGED}\u{e0041} größer ##[error]x") });
        let shown = json(&serde_json::to_string_pretty(&text).unwrap(), &mut false);
        assert!(!shown.contains("##"), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown}");
        assert!(shown.contains("\\u202e") && shown.contains("größer"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), text);
    }

    #[test]
    fn a_json_document_may_come_in_pieces() {
        let text =
            serde_json::json!({ "said": format!("{FORGED}\u{e0041} größer ##[a]") }).to_string();
        let mut out = HarmlessJson::new(Vec::new());
        for byte in text.bytes() {
            out.write_all(&[byte]).unwrap();
        }
        assert_eq!(String::from_utf8(out.out).unwrap(), json(&text, &mut false));
        let mut out = HarmlessJson::new(Vec::new());
        assert!(out.write_all(b"a\xff").is_err());
    }

    #[test]
    fn no_line_is_a_command_of_githubs_runner() {
        for (text, shown) in [
            ("::error::x\n  ::add-mask::y", ": :error::x\n  : :add-mask::y"),
            ("\u{1b}[1m \u{1b}[31m::stop-commands::t", "\u{1b}[1m \u{1b}[31m: :stop-commands::t"),
            ("\u{a0}::a::\r\n", "\u{a0}: :a::\r\n"),
            ("a ::error::x", "a ::error::x"),
            ("::1 is an address", "::1 is an address"),
        ] {
            assert_eq!(inert(text), shown, "{text:?}");
        }
        assert_eq!(paragraph("no\n::error::x"), "no\n  : :error::x");
    }

    proptest! {
        #[test]
        fn nothing_but_colours_and_lines_gets_through(text in "([\\x1b\\[0-9;m\\n\\r]|\\PC|.){0,40}") {
            let mut left = styled(&text);
            while let Some(at) = left.find('\u{1b}') {
                let length = sgr(&left[at..]);
                prop_assert!(length > 0, "{left:?}");
                left.replace_range(at..at + length, "");
            }
            prop_assert!(left.chars().all(|c| c == '\n' || !c.is_control()), "{left:?}");
        }
    }
}
