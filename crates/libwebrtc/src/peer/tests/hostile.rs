//! Whatever the other side or the signalling sends, a peer does not panic.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// An offer of a peer with all kinds of m-lines.
fn rich_offer() -> String {
    let mut one = peer(address(A), clock::now());
    one.create_channel("chat", &DataChannelInit::default()).unwrap();
    one.add_transceiver(MediaKind::Audio, Some(microphone(1)), sending()).unwrap();
    one.add_transceiver(MediaKind::Video, None, sending()).unwrap();
    one.create_offer(&OfferOptions::default()).unwrap().text().to_owned()
}

/// Changes to a text: at a place, so many characters are replaced by others.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let replacement = prop_oneof![
        "[ -~]{0,12}",
        "(a=|m=|:| |\r\n|0|-1|65536|4294967296|18446744073709551616|inactive|sendrecv|BUNDLE){0,4}",
        ".{0,6}",
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, replacement), 0..6)
}

fn edited(text: &str, edits: Vec<(prop::sample::Index, usize, String)>) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, length, replacement) in edits {
        let start = place.index(chars.len().max(1)).min(chars.len());
        let end = (start + length).min(chars.len());
        chars.splice(start..end, replacement.chars());
    }
    chars.into_iter().collect()
}

/// Lines of a text left out, doubled or moved.
fn shuffled(text: &str, order: &[prop::sample::Index]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    order.iter().flat_map(|i| [lines[i.index(lines.len())], "\r\n"]).collect()
}

/// Sets any text as offer and as answer on fresh and on connected peers, and lets them go on.
fn apply_everywhere(text: &str) {
    let offer = SessionDescription::new(SdpType::Offer, text);
    let answer = SessionDescription::new(SdpType::Answer, text);
    let mut fresh = peer(address(B), clock::now());
    fresh.create_channel("negotiated", &negotiated(3)).unwrap();
    let _ = fresh.set_remote_description(offer.clone());
    if let Ok(answer) = fresh.create_answer() {
        let _ = fresh.set_local_description(answer);
        let _ = fresh.set_remote_description(offer.clone());
    }
    fresh.handle_timeout(clock::now());
    while !matches!(fresh.poll(), super::super::Output::Timeout(_)) {}

    let mut asking = peer(address(A), clock::now());
    asking.create_channel("chat", &DataChannelInit::default()).unwrap();
    asking.add_transceiver(MediaKind::Audio, Some(microphone(1)), sending()).unwrap();
    let own = asking.create_offer(&OfferOptions::default()).unwrap();
    asking.set_local_description(own).unwrap();
    let _ = asking.set_remote_description(answer);
    let _ = asking.set_remote_description(offer);
    asking.handle_timeout(clock::now());
    while !matches!(asking.poll(), super::super::Output::Timeout(_)) {}
}

proptest! {
    #[test]
    fn any_text_as_description(text in "\\PC{0,400}") {
        let _ = SessionDescription::parse(&text, SdpType::Offer);
        apply_everywhere(&text);
    }

    #[test]
    fn a_damaged_description(edits in edits()) {
        apply_everywhere(&edited(&rich_offer(), edits));
    }

    #[test]
    fn a_description_with_lines_lost_or_doubled(order in prop::collection::vec(any::<prop::sample::Index>(), 0..120)) {
        apply_everywhere(&shuffled(&rich_offer(), &order));
    }

    #[test]
    fn any_text_as_candidate(edits in edits(), text in "\\PC{0,200}") {
        let mut one = peer(address(A), clock::now());
        let real = "candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host generation 0 ufrag abc";
        for line in [text.clone(), format!("candidate:{text}"), edited(real, edits)] {
            if let Ok(candidate) = IceCandidate::parse("0", 0, &line) {
                let _ = one.add_remote_candidate(&candidate);
            }
        }
        one.handle_timeout(clock::now());
        while !matches!(one.poll(), super::super::Output::Timeout(_)) {}
    }
}

proptest! {
    // Each case connects two peers.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_datagrams(
        random in prop::collection::vec((0..=255u8, prop::collection::vec(any::<u8>(), 0..1500)), 0..200),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..2000usize), 0..400),
    ) {
        let (mut pair, _) = Pair::connected();
        let sent = std::mem::take(&mut pair.sent);
        let (now, source) = (pair.now, address(B));
        for (first, rest) in random {
            let datagram = [vec![first], rest].concat();
            pair.peers[A].handle_datagram(now, source, &datagram);
            pair.run_for(Duration::from_micros(1));
        }
        // Real datagrams of both sides, replayed with a byte changed and their end cut off.
        for (which, place, byte, length) in damage {
            let mut datagram = sent[which.index(sent.len())].clone();
            datagram.truncate(length);
            if !datagram.is_empty() {
                let place = place.index(datagram.len());
                datagram[place] = byte;
            }
            pair.peers[A].handle_datagram(now, source, &datagram);
            pair.run_for(Duration::from_micros(1));
        }
        pair.run_for(Duration::from_secs(1));
    }
}
