//! Makes text of others (agents, servers, scenario files) harmless in a terminal, and short.

mod numbers;

pub use numbers::{chance, count, grouped, number, number_of, quantile, range, signed};

/// The text on one line, with everything spelled out that would move the cursor, change colours,
/// reverse the reading direction or hide.
///
/// Control characters (of which escape sequences are made), bidirectional controls, zero-width and
/// other invisible characters become `\u{…}`; line breaks and tabs become a space. `##[…]`, `##vso[…]` and
/// `##teamcity[…]`, which machines that build and test obey wherever they stand in a line, get a space.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let next = characters.peek();
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '#' if out.ends_with('#') && next.is_some_and(|c| *c == '[' || c.is_alphabetic()) => {
                out.push_str(" #");
            }
            c if is_deceptive(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// The text, or its first `limit` characters and an ellipsis.
pub fn clipped(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // soft hyphen, Arabic letter mark, Mongolian vowel separator
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // zero-width characters and direction marks
            | '\u{200b}'..='\u{200f}'
            // line and paragraph separators, embeddings and overrides
            | '\u{2028}'..='\u{202e}'
            // invisible operators, isolates, deprecated format characters
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // tags: a whole invisible alphabet
            | '\u{e0000}'..='\u{e007f}')
        // no characters: XML forbids two of them, and nothing shows any
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: &str) {
        assert_eq!(safe(input), expect);
    }

    #[test]
    fn ordinary_text_stays() {
        check(
            "What are your opening hours? 9–18 Uhr, größer, 営業時間 👋",
            "What are your opening hours? 9–18 Uhr, größer, 営業時間 👋",
        );
    }

    #[test]
    fn escape_sequences_lose_their_power() {
        check("\x1b[31mPASS\x1b[0m", "\\u{1b}[31mPASS\\u{1b}[0m");
        check("\x1b]8;;http://x\x07link", "\\u{1b}]8;;http://x\\u{7}link");
        // C1 controls do the same in a single character.
        check("a\u{9b}2Jb", "a\\u{9b}2Jb");
    }

    #[test]
    fn a_line_stays_a_line() {
        check("one\ntwo\r\nthree\tfour", "one two  three four");
        check("one\u{2028}two\u{85}three", "one\\u{2028}two\\u{85}three");
    }

    #[test]
    fn commands_of_build_machines_lose_their_power() {
        check("a ##[error]b", "a # #[error]b");
        check("##vso[task.setvariable]###teamcity[", "# #vso[task.setvariable]## #teamcity[");
        check("## a title, #1, ##", "## a title, #1, ##");
    }

    #[test]
    fn nothing_is_reversed_or_hidden() {
        check("\u{202e}SSAP\u{202c}", "\\u{202e}SSAP\\u{202c}");
        check("pass\u{200b}ed \u{e0041}", "pass\\u{200b}ed \\u{e0041}");
        check("\u{ffff}\u{fdd0}\u{1fffe}\u{fffd}", "\\u{ffff}\\u{fdd0}\\u{1fffe}\u{fffd}");
    }
}
