use proptest::prelude::*;

use super::*;
use crate::{clock, media::PERIOD};

/// The first byte of an Opus packet says its length: this is one CELT frame of 20 ms.
const TWENTY_MS: u8 = 0xf8;

fn packet(seq: u64, rtp_time: u32, arrival: Instant) -> IncomingPacket {
    let payload = Bytes::from_static(&[TWENTY_MS, 0, 0]);
    IncomingPacket { ssrc: 1, seq, rtp_time, payload, arrival }
}

/// The last digit of a number.
fn digit(k: u64) -> char {
    char::from(b"0123456789"[usize::try_from(k % 10).expect("small")])
}

/// Packet `k` of a steady stream.
fn steady(k: u32, arrival: Instant) -> IncomingPacket {
    packet(u64::from(k) + 100, k.wrapping_mul(960).wrapping_sub(5000), arrival)
}

/// A buffer that plays one stretch per 20 ms; packets are put in at the start of a period.
struct Player {
    buffer: JitterBuffer,
    now: Instant,
}

impl Player {
    fn new() -> Self {
        Self { buffer: JitterBuffer::default(), now: clock::now() }
    }

    /// Plays a period: `.` for silence, `~` for concealment, `-` for that of a pause, `+` for recovery, otherwise the
    /// low digit of the packet.
    fn period(&mut self, arrivals: &[u32]) -> char {
        for k in arrivals {
            self.buffer.insert(steady(*k, self.now));
        }
        let stretch = self.buffer.next(self.now);
        self.buffer.trim();
        self.now += PERIOD;
        match stretch {
            Stretch::Packet(packet) => digit(packet.seq - 100),
            Stretch::Conceal { recover: Some(_), .. } => '+',
            Stretch::Conceal { paused: true, .. } => '-',
            Stretch::Conceal { paused: false, .. } => '~',
            Stretch::Silence => '.',
        }
    }

    fn play(&mut self, arrivals: &[&[u32]]) -> String {
        arrivals.iter().map(|arrivals| self.period(arrivals)).collect()
    }
}

#[test]
fn a_steady_stream_is_played_a_cushion_later() {
    assert_eq!(Player::new().play(&[&[0], &[1], &[2], &[3], &[], &[]]), ".0123~");
}

#[test]
fn a_single_packet_does_not_wait_for_ever() {
    assert_eq!(Player::new().play(&[&[0], &[], &[], &[]]), "..0~");
}

#[test]
fn order_is_restored_and_duplicates_are_dropped() {
    let mut player = Player::new();
    assert_eq!(player.play(&[&[1, 0], &[3, 1], &[2, 2], &[4], &[]]), "01234");
    assert_eq!(player.buffer.insert(steady(3, player.now)), 1, "already played");
}

#[test]
fn a_lost_packet_is_recovered_from_the_next_and_two_are_concealed_first() {
    assert_eq!(Player::new().play(&[&[0, 1], &[3], &[4], &[5], &[6]]), "01+34");
    assert_eq!(Player::new().play(&[&[0, 1], &[4], &[5], &[6], &[7]]), "01~+4");
}

#[test]
fn what_comes_after_its_turn_is_discarded() {
    let mut player = Player::new();
    assert_eq!(player.play(&[&[0, 1], &[3], &[4]]), "01+");
    assert_eq!(player.buffer.insert(steady(1, player.now)), 1);
    // Number 2 is concealed but nothing after it has been played: it is still useful as itself.
    assert_eq!(player.play(&[&[5], &[6]]), "34");
}

#[test]
fn a_delay_inserts_time_and_loses_nothing() {
    assert_eq!(Player::new().play(&[&[0, 1], &[], &[], &[], &[2, 3, 4], &[5], &[6]]), "01~~234");
}

#[test]
fn concealment_gives_way_to_silence() {
    let mut player = Player::new();
    assert_eq!(player.play(&[&[0, 1], &[], &[], &[], &[], &[], &[], &[], &[]]), "01~~~~~..");
    assert_eq!(player.play(&[&[2], &[3], &[4]]), ".23");
}

#[test]
fn a_pause_of_the_sender_is_no_loss() {
    // The sequence goes on, the time jumps: nothing was sent in between.
    let mut player = Player::new();
    let start = player.now;
    for (k, seq) in [(0, 0), (1, 1), (20, 2), (21, 3), (22, 4)] {
        player.buffer.insert(packet(seq + 100, k * 960, start));
    }
    let heard: String = (0..25).map(|_| player.period(&[])).collect();
    assert_eq!(heard, "01------------------234~~", "a gap within the buffer keeps its length");
}

#[test]
fn a_spurt_after_a_pause_gets_a_new_cushion() {
    let mut player = Player::new();
    player.buffer.insert(packet(100, 0, player.now));
    player.buffer.insert(packet(101, 960, player.now));
    assert_eq!(player.play(&[&[], &[], &[], &[]]), "01~~");
    player.buffer.insert(packet(102, 960 * 10, player.now));
    assert_eq!(player.period(&[]), '.');
    player.buffer.insert(packet(103, 960 * 11, player.now));
    assert_eq!(player.play(&[&[], &[]]), "23");
}

#[test]
fn a_jump_in_time_is_not_played_as_a_gap() {
    for jump in [1_000_000, u32::MAX - 100_000] {
        let mut player = Player::new();
        for (seq, time) in [(0, 0), (1, 960), (2, jump), (3, jump.wrapping_add(960))] {
            player.buffer.insert(packet(seq + 100, time, player.now));
        }
        assert_eq!(player.play(&[&[], &[], &[], &[]]), "0123");
    }
}

#[test]
fn a_lasting_surplus_is_taken_out_one_packet_at_a_time() {
    let mut player = Player::new();
    let burst: Vec<u32> = (0..10).collect();
    player.period(&burst);
    let before = player.buffer.ticks;
    for k in 10..60 {
        player.period(&[k]);
    }
    assert_eq!(before - player.buffer.ticks, 2 * 960, "one in each half second");
    for k in 60..400 {
        player.period(&[k]);
    }
    assert_eq!(player.buffer.ticks, 3 * 960);
}

#[test]
fn what_is_no_opus_is_discarded() {
    let mut buffer = JitterBuffer::default();
    for payload in [&[][..], &[0xff], &[0xfb, 0xff]] {
        let packet =
            IncomingPacket { payload: Bytes::from_static(payload), ..steady(1, clock::now()) };
        assert_eq!(buffer.insert(packet), 1, "{payload:?}");
    }
}

proptest! {
    /// Whatever a sender does, memory stays bounded, playout goes on, and nothing is played twice.
    #[test]
    fn any_packets(steps in prop::collection::vec(
        (0u64..40, prop_oneof![Just(None), any::<u32>().prop_map(Some)], prop::collection::vec(any::<u8>(), 0..6), 0u64..60),
        0..200,
    )) {
        let mut buffer = JitterBuffer::default();
        let (mut now, mut base, mut last_played) = (clock::now(), 1000u64, None);
        for (offset, time, payload, ms) in steps {
            base += u64::from(ms > 20);
            let seq = base + offset - 20;
            let rtp_time = time.unwrap_or_else(|| u32::try_from(seq).expect("small") * 960);
            let payload = if ms % 3 == 0 { payload.into() } else { Bytes::from_static(&[TWENTY_MS, 0, 0]) };
            buffer.insert(IncomingPacket { ssrc: 1, seq, rtp_time, payload, arrival: now });
            now += Duration::from_millis(ms);
            for _ in 0..ms / 20 {
                let stretch = buffer.next(now);
                prop_assert!(stretch.samples() > 0 && stretch.samples() % 120 == 0);
                if let Stretch::Packet(packet) = stretch {
                    prop_assert!(last_played.is_none_or(|last| packet.seq > last));
                    last_played = Some(packet.seq);
                }
                buffer.trim();
            }
            prop_assert!(buffer.packets.len() <= LIMIT_PACKETS && buffer.ticks <= LIMIT_TICKS);
            prop_assert_eq!(buffer.ticks, buffer.packets.values().map(|p| u64::from(p.samples)).sum::<u64>());
        }
    }

    /// A stream with any order within the cushion is played completely and in order.
    #[test]
    fn reordering_within_the_cushion_is_repaired(swaps in prop::collection::vec(any::<bool>(), 50)) {
        let mut player = Player::new();
        let mut heard = String::new();
        for (pair, swapped) in swaps.iter().enumerate() {
            let first = u32::try_from(pair).expect("small") * 2;
            let (a, b) = if *swapped { (first + 1, first) } else { (first, first + 1) };
            heard.push(player.period(&[a]));
            heard.push(player.period(&[b]));
        }
        let digits: String = (0..heard.len() as u64 - 3).map(digit).collect();
        prop_assert!(heard.trim_start_matches('.').starts_with(&digits), "{}", heard);
    }
}
