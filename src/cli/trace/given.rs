//! What people have at hand of a session: its id, the id of its trace, or an address that holds one of them.

/// The id in what was given; an address of Langfuse names it in its path or as `peek`.
pub(super) fn id(text: &str) -> String {
    let text = text.trim();
    let Some((_, place)) = text.split_once("://") else { return text.to_owned() };
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let query = query.split('#').next().unwrap_or(query);
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
    };
    let path = path.split('#').next().unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_kind = |part: &&str| matches!(*part, "sessions" | "session" | "traces" | "trace");
    let named = parts.iter().rposition(is_kind).and_then(|at| parts.get(at + 1));
    let found = named.copied().or(parameter("peek")).or(parameter("traceId"));
    decoded(found.or(parts.last().copied()).unwrap_or(text))
}

/// Whether an id is that of a trace: 32 hexadecimal digits.
pub(super) fn is_trace(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// With `%2F` and the like as what they stand for.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_what_people_copy() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        for (given, found) in [
            ("room-1", "room-1"),
            (" RM_abc ", "RM_abc"),
            (trace, trace),
            (&format!("https://cloud.langfuse.com/trace/{trace}"), trace),
            (&format!("https://lf.example/project/p1/traces/{trace}?timestamp=2026#x"), trace),
            (&format!("https://lf.example/project/p1/traces?peek={trace}&x=1"), trace),
            ("https://lf.example/project/p1/sessions/room%2F1%20a", "room/1 a"),
            ("https://lf.example/project/p1/sessions/100%", "100%"),
        ] {
            assert_eq!(id(given), found, "{given}");
        }
    }
}
