//! Finds the bracket that is still open at a place of a YAML text. Knows of YAML what tells brackets from text:
//! quotes, comments, and that a bracket within an unquoted text is part of it.

/// Where the innermost bracket begins that is open at `until`, in bytes.
pub(super) fn open_at(source: &str, until: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut quote = None;
    // Whether a value may begin here.
    let mut fresh = true;
    let mut characters = source.char_indices().take_while(|(at, _)| *at < until).peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match (quote, c) {
            (Some('"'), '\\') => drop(characters.next()),
            (Some('\''), '\'') if next == Some('\'') => drop(characters.next()),
            (Some(begun), c) if begun == c => quote = None,
            (Some(_), _) => {}
            (None, '#') if at == 0 || source[..at].ends_with(char::is_whitespace) => {
                while characters.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            (None, '"' | '\'') if fresh => (quote, fresh) = (Some(c), false),
            (None, '[' | '{') if fresh || !open.is_empty() => {
                open.push(at);
                fresh = true;
            }
            (None, ']' | '}') => {
                open.pop();
                fresh = false;
            }
            (None, ',') => fresh = !open.is_empty(),
            (None, ':' | '-' | '?') => fresh = next.is_none_or(char::is_whitespace),
            (None, '\n') => fresh = true,
            (None, c) if c.is_whitespace() => {}
            (None, _) => fresh = false,
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests {
    use super::open_at;

    #[test]
    fn the_innermost_open_bracket_is_found() {
        for (text, open) in [
            ("a: {b: [1, 2}", Some(3)),
            ("a: {b: [1, 2", Some(7)),
            ("a: {b: 1", Some(3)),
            ("- [x", Some(2)),
            ("a: {b: 1}", None),
            ("a: x[1", None),
            ("a: \"[{\"", None),
            ("a: '[''{'", None),
            ("a: \"\\\"[\"", None),
            ("a: 1 # [\nb: {", Some(12)),
            ("a: it's {", None),
            ("a: {b: it's, c: [", Some(16)),
            ("größe: {ö: [", Some(14)),
            ("", None),
        ] {
            assert_eq!(open_at(text, text.len()), open, "{text}");
        }
        assert_eq!(open_at("a: {b: 1}", 6), Some(3));
    }
}
