//! Text of others within a line of Markdown: shown as it is, with no power over what is around it.
//!
//! A word that could become a link, HTML, a mention, a formula or a command goes into a code span, in which
//! nothing is interpreted. What punctuation remains elsewhere is escaped.

use crate::text::{clipped, safe};

/// Characters of a text that are shown.
const LIMIT: usize = 600;

/// The text as one piece of inline Markdown, also within a cell of a table. What stands between backticks is code.
pub(super) fn inline(text: &str) -> String {
    let text = clipped(&safe(text), LIMIT);
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return words(&text);
    }
    let mut out = String::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        let shown = if at.is_multiple_of(2) { words(piece) } else { code(piece) };
        // Two spans that touch would be none.
        let touch = out.ends_with('`') && shown.starts_with('`');
        if touch || (piece.starts_with(' ') && !out.is_empty()) {
            out.push(' ');
        }
        out.push_str(&shown);
        if piece.ends_with(' ') && !shown.is_empty() {
            out.push(' ');
        }
    }
    out.trim_end().to_owned()
}

fn words(text: &str) -> String {
    let mut pieces: Vec<String> = Vec::new();
    let mut code: Vec<&str> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if is_risky(word) {
            // What ends a part of a sentence does not belong to it.
            let name = word.strip_suffix([',', ':', ';']).filter(|name| !name.is_empty());
            code.push(name.unwrap_or(word));
            if let Some(name) = name {
                pieces.extend(span(&code).map(|span| format!("{span}{}", &word[name.len()..])));
                code.clear();
            }
            continue;
        }
        pieces.extend(span(&code));
        code.clear();
        pieces.push(plain(word, pieces.is_empty()));
    }
    pieces.extend(span(&code));
    pieces.join(" ")
}

/// A name as code; nothing where it is empty.
pub(super) fn code(text: &str) -> String {
    let text = clipped(&safe(text), LIMIT);
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    span(&words).unwrap_or_default()
}

/// Whether a word could be taken for more than a word: links with and without brackets, addresses, HTML and its
/// entities, code, mentions and references, formulas, emoji codes, commands of a build machine.
fn is_risky(word: &str) -> bool {
    word.contains(['`', '<', '>', '&', '\\', '@', '#', '$', '_'])
        || word.contains("//")
        || word.to_ascii_lowercase().contains("www.")
        || word.matches(':').count() > 1
}

/// Words as one code span. A backtick would end it and a bar would end the cell of a table, so these two stand
/// between spans, as entities.
fn span(words: &[&str]) -> Option<String> {
    if words.is_empty() {
        return None;
    }
    let mut out = String::new();
    let mut inside = false;
    for c in words.join(" ").chars() {
        let entity = match c {
            '`' => Some("&#96;"),
            '|' => Some("&#124;"),
            _ => None,
        };
        if inside == entity.is_some() {
            out.push('`');
            inside = !inside;
        }
        match entity {
            Some(entity) => out.push_str(entity),
            None => out.push(c),
        }
    }
    if inside {
        out.push('`');
    }
    Some(out)
}

/// A word with its punctuation escaped, where that could mean something. The first of a line can begin a list, or
/// underline a title.
fn plain(word: &str, first: bool) -> String {
    let mut out = String::with_capacity(word.len());
    for (at, c) in word.char_indices() {
        let means_something = match c {
            '-' | '+' | '=' => first && at == 0,
            // A numbered list.
            '.' | ')' => first && word[..at].bytes().all(|b| b.is_ascii_digit()),
            ',' | ';' | ':' | '%' | '/' | '?' | '\'' | '"' | '(' => false,
            c => c.is_ascii_punctuation(),
        };
        if means_something {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_stay_readable() {
        for (text, shown) in [
            (
                "all 3 thresholds were met, 10 of 10 calls succeeded",
                "all 3 thresholds were met, 10 of 10 calls succeeded",
            ),
            (
                "heard_e2e_latency p(95)<2500ms: p95 = 945 ms",
                "`heard_e2e_latency p(95)<2500ms`: p95 = 945 ms",
            ),
            ("- no", "\\- no"),
            ("`loadcall accept r` adds `x`: it", "`loadcall accept r` adds `x`: it"),
            ("1. a | b ~c~", "1\\. a \\| b \\~c\\~"),
        ] {
            assert_eq!(inline(text), shown);
        }
    }

    #[test]
    fn nothing_becomes_more_than_text() {
        for (text, shown) in [
            ("a <b>x</b> c", "a `<b>x</b>` c"),
            ("[a](http://x) [a](b) **b**", "`[a](http://x)` \\[a\\](b) \\*\\*b\\*\\*"),
            ("`a|b` c", "`a`&#124;`b` c"),
            ("`a|b c", "&#96;`a`&#124;`b` c"),
            ("a_b`c`d_e", "`a_b` `c` `d_e`"),
            ("turn `hours`: no `", "turn &#96;`hours`&#96;: no &#96;"),
            ("www.x.org @me #1 $x$", "`www.x.org @me #1 $x$`"),
            ("::error::x", "`::error::x`"),
            ("\u{202e}a\nb", "`\\u{202e}a` b"),
        ] {
            assert_eq!(inline(text), shown);
        }
    }
}
