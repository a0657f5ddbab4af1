//! The few facts about descriptions and candidates that the kept SDP library does not hand out.

use thiserror::Error;

/// Longest description taken, in bytes. A server's offer for a hundred tracks is about 200 kB.
pub(crate) const DESCRIPTION_MAX: usize = 1 << 20;
/// Longest candidate line taken, in bytes.
pub(crate) const CANDIDATE_MAX: usize = 1024;
/// Most m-lines read from one description.
pub(crate) const SECTIONS_MAX: usize = 1024;

/// RFC 6464, and RFC 9143, 15.
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Why a description or candidate was refused before anything looked at its meaning.
#[derive(Clone, Error, Debug, PartialEq, Eq)]
#[error("cannot parse sdp line {line:?}: {description}")]
pub struct SdpParseError {
    /// The offending line, shortened.
    pub line: String,
    pub description: String,
}

/// Under which ids the header extensions of an m-line go (1 to 14), as far as they were agreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExtensionIds {
    /// RFC 6464.
    pub(crate) audio_level: Option<u8>,
    /// RFC 9143, 15.
    pub(crate) mid: Option<u8>,
}

/// What an m-line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Audio,
    Video,
    Application,
    Other,
}

/// One m-line with its attributes, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: SectionKind,
    /// Empty when the line has none.
    pub(crate) mid: String,
    /// Port 0.
    pub(crate) rejected: bool,
    pub(crate) sends: bool,
    pub(crate) receives: bool,
    /// Pairs of stream id and track id, from `a=msid` or else from `a=ssrc:… msid:`.
    pub(crate) msids: Vec<(String, String)>,
    pub(crate) opus: Option<Opus>,
    pub(crate) extensions: ExtensionIds,
    /// The streams that the author will send, by `a=ssrc`.
    pub(crate) ssrcs: Vec<u32>,
}

/// How Opus was negotiated in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opus {
    pub(crate) payload_type: u8,
    /// The author wants discontinuous transmission from us (`usedtx=1`).
    pub(crate) wants_dtx: bool,
}

/// Reads the m-lines of `sdp`, in their order. Lines that make no sense are skipped: whether the description as a whole
/// holds together is for the SDP library to say.
pub(crate) fn sections(sdp: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut ssrc_msids = Vec::new();
    for line in sdp.lines().map(str::trim) {
        if let Some(media) = line.strip_prefix("m=") {
            finish(&mut sections, &mut ssrc_msids);
            if sections.len() == SECTIONS_MAX {
                return sections;
            }
            sections.push(media_line(media));
        } else if let (Some(section), Some(attribute)) =
            (sections.last_mut(), line.strip_prefix("a="))
        {
            read_attribute(section, &mut ssrc_msids, attribute);
        }
    }
    finish(&mut sections, &mut ssrc_msids);
    sections
}

/// The candidate lines of `sdp`, from `candidate:` on.
pub(crate) fn candidates(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.lines()
        .filter_map(|line| line.trim().strip_prefix("a="))
        .filter(|attribute| attribute.starts_with("candidate:"))
}

/// Whether a candidate has a host name in place of its address, as browsers write it to hide the address (mDNS).
pub(crate) fn is_host_name_candidate(line: &str) -> bool {
    line.split_whitespace()
        .nth(4)
        .and_then(|host| host.rsplit_once('.'))
        .is_some_and(|(_, domain)| domain == "local")
}

/// The outer form of a description: bounded, `v=0` first, and nothing but `key=value` lines.
pub(crate) fn check_form(sdp: &str) -> Result<(), SdpParseError> {
    if sdp.len() > DESCRIPTION_MAX {
        return Err(fault(
            "",
            &format!(
                "the description has {} bytes, at most {DESCRIPTION_MAX} are taken",
                sdp.len()
            ),
        ));
    }
    let mut lines = sdp.lines();
    match lines.next() {
        Some("v=0") => {}
        first => return Err(fault(first.unwrap_or_default(), "expected v=0 in the first line")),
    }
    for line in lines {
        let bytes = line.as_bytes();
        let is_pair = bytes.len() >= 2 && bytes[0].is_ascii_lowercase() && bytes[1] == b'=';
        if !is_pair && !line.is_empty() {
            return Err(fault(line, "expected a lowercase letter and an equals sign"));
        }
    }
    Ok(())
}

/// The outer form of a candidate line. Empty is fine: it marks the end of candidates.
pub(crate) fn check_candidate(line: &str) -> Result<(), SdpParseError> {
    let text = line.trim();
    if text.len() > CANDIDATE_MAX {
        return Err(fault(text, "the candidate is too long"));
    }
    if text.contains(['\r', '\n']) {
        return Err(fault(text, "a candidate is a single line"));
    }
    if text.is_empty() || text.strip_prefix("a=").unwrap_or(text).starts_with("candidate:") {
        return Ok(());
    }
    Err(fault(text, "expected candidate:"))
}

fn media_line(media: &str) -> Section {
    let mut words = media.split_whitespace();
    let kind = match words.next() {
        Some("audio") => SectionKind::Audio,
        Some("video") => SectionKind::Video,
        Some("application") => SectionKind::Application,
        _ => SectionKind::Other,
    };
    let rejected = words.next() == Some("0");
    Section {
        kind,
        mid: String::new(),
        rejected,
        sends: true,
        receives: true,
        msids: vec![],
        opus: None,
        extensions: ExtensionIds::default(),
        ssrcs: vec![],
    }
}

fn read_attribute(section: &mut Section, ssrc_msids: &mut Vec<(String, String)>, attribute: &str) {
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    match name {
        "mid" => section.mid = value.into(),
        "sendrecv" => (section.sends, section.receives) = (true, true),
        "sendonly" => (section.sends, section.receives) = (true, false),
        "recvonly" => (section.sends, section.receives) = (false, true),
        "inactive" => (section.sends, section.receives) = (false, false),
        "msid" => section.msids.push(msid(value)),
        "ssrc" => {
            let ssrc = value.split(' ').next().and_then(|ssrc| ssrc.parse().ok());
            section.ssrcs.extend(ssrc.filter(|ssrc| section.ssrcs.last() != Some(ssrc)));
            ssrc_msids.extend(value.split_once(" msid:").map(|(_, ids)| msid(ids)));
        }
        "extmap" => {
            if let Some((id, uri)) = value.split_once(' ') {
                extension(&mut section.extensions, id, uri);
            }
        }
        "rtpmap" => {
            if let Some((payload_type, codec)) = value.split_once(' ')
                && codec.get(..10).is_some_and(|c| c.eq_ignore_ascii_case("opus/48000"))
                && let Ok(payload_type) = payload_type.parse()
            {
                section.opus = Some(Opus { payload_type, wants_dtx: false });
            }
        }
        "fmtp" => {
            if let (Some((payload_type, parameters)), Some(opus)) =
                (value.split_once(' '), &mut section.opus)
                && payload_type.parse() == Ok(opus.payload_type)
            {
                opus.wants_dtx = parameters.split(';').any(|p| p.trim() == "usedtx=1");
            }
        }
        _ => {}
    }
}

/// `id` may be followed by a direction; ids beyond 14 need headers that nothing here writes (RFC 8285, 4.2).
fn extension(ids: &mut ExtensionIds, id: &str, uri: &str) {
    let id = id.split('/').next().and_then(|id| id.parse().ok()).filter(|id| (1..=14).contains(id));
    match uri.split(' ').next() {
        Some(AUDIO_LEVEL) => ids.audio_level = id,
        Some(MID) => ids.mid = id,
        _ => {}
    }
}

fn finish(sections: &mut [Section], ssrc_msids: &mut Vec<(String, String)>) {
    if let Some(section) = sections.last_mut()
        && section.msids.is_empty()
    {
        ssrc_msids.dedup();
        section.msids.append(ssrc_msids);
    }
    ssrc_msids.clear();
}

fn msid(value: &str) -> (String, String) {
    let mut words = value.split_whitespace();
    (words.next().unwrap_or("-").into(), words.next().unwrap_or_default().into())
}

fn fault(line: &str, description: &str) -> SdpParseError {
    SdpParseError { line: line.chars().take(80).collect(), description: description.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n\
        a=extmap:3 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=extmap:4/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=fmtp:111 minptime=10;usedtx=1\r\na=candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host\r\n\
        m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\na=sendonly\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:stream track\r\n\
        a=ssrc:8 msid:stream track\r\n";

    #[test]
    fn reads_what_the_engine_needs() {
        let sections = sections(ANSWER);
        assert_eq!(sections.iter().map(|s| s.mid.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
        assert_eq!(sections[0].kind, SectionKind::Application);
        let ours = &sections[1];
        assert!(ours.receives && !ours.sends && !ours.rejected);
        assert_eq!(ours.opus, Some(Opus { payload_type: 111, wants_dtx: true }));
        assert_eq!(ours.extensions, ExtensionIds { audio_level: Some(3), mid: Some(4) });
        let theirs = &sections[2];
        assert_eq!(theirs.ssrcs, [7, 8]);
        assert!(theirs.sends && !theirs.receives && theirs.rejected);
        assert_eq!(theirs.msids, [("stream".to_owned(), "track".to_owned())]);
        let candidates = candidates(ANSWER).collect::<Vec<_>>();
        assert_eq!(candidates, ["candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host"]);
    }

    #[test]
    fn names_the_line_at_fault() {
        let check = |text: &str, line: &str| {
            assert_eq!(check_form(text).map_err(|e| e.line), Err(line.to_owned()));
        };
        check("", "");
        check("hello", "hello");
        check("v=0\nm=audio\noops", "oops");
        assert_eq!(check_form(ANSWER), Ok(()));
        assert!(check_form(&format!("v=0\n{}", "a=x\n".repeat(DESCRIPTION_MAX))).is_err());
    }

    #[test]
    fn candidates_are_single_bounded_lines() {
        assert!(check_candidate("").is_ok());
        assert!(check_candidate("candidate:1 1 udp 1 127.0.0.1 1 typ host").is_ok());
        assert!(check_candidate("a=candidate:1 1 udp 1 127.0.0.1 1 typ host").is_ok());
        assert!(check_candidate("candidate:1\r\na=ice-lite").is_err());
        assert!(check_candidate("hello").is_err());
        assert!(check_candidate(&format!("candidate:{}", "9".repeat(CANDIDATE_MAX))).is_err());
    }
}
