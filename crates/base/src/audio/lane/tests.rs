use super::*;

const VOICE: [i16; 960] = [1_000; 960];
const SILENCE: [i16; 960] = [3; 960];

/// Places packets of 20 ms that arrive so many milliseconds after the beginning, and gives where each went, likewise. The
/// packets of a voice are `true`.
fn placed(packets: &[(u64, bool)]) -> Vec<u64> {
    let mut playhead = Playhead::default();
    let mut rtp_time = u32::MAX - 1_000;
    packets
        .iter()
        .map(|(ms, is_voice)| {
            let pcm = if *is_voice { &VOICE } else { &SILENCE };
            let at = playhead.place(ms * 48, rtp_time, pcm);
            rtp_time = rtp_time.wrapping_add(960);
            at / 48
        })
        .collect()
}

#[test]
fn a_voice_has_no_seams_and_begins_at_its_moment() {
    let came = [(100, false), (123, true), (139, true), (168, true), (180, true), (207, false)];
    assert_eq!(placed(&came), [100, 123, 143, 163, 183, 203]);
    // Behind silence every packet is at its moment again.
    let came = [(100, true), (120, false), (148, true), (160, true)];
    assert_eq!(placed(&came), [100, 120, 148, 168]);
}

#[test]
fn a_late_packet_leaves_a_gap_and_a_burst_waits() {
    let came = [(100, true), (200, true), (200, true), (200, true), (220, false), (220, true)];
    assert_eq!(placed(&came), [100, 200, 220, 240, 260, 220]);
}

#[test]
fn a_hole_is_silence() {
    let mut playhead = Playhead::default();
    assert_eq!(playhead.place(0, 0, &VOICE), 0);
    // Two packets are lost; the next came on time, or as early as its sender can be.
    assert_eq!(playhead.place(60 * 48, 3 * 960, &VOICE), 60 * 48);
    assert_eq!(playhead.place(90 * 48, 5 * 960, &VOICE), 90 * 48);
    // Nothing was sent for a second (DTX).
    assert_eq!(playhead.place(1_200 * 48, 55 * 960, &VOICE), 1_200 * 48);
    // Another stream: it may begin within the last packet of the old one.
    playhead.begin_stream();
    assert_eq!(playhead.place(1_210 * 48, 7, &VOICE), 1_210 * 48);
    // A clock that jumps is another stream, too.
    assert_eq!(playhead.place(1_225 * 48, 4_000_000_000, &VOICE), 1_225 * 48);
}

#[test]
fn packets_of_any_length_follow_each_other() {
    let mut playhead = Playhead::default();
    let long = [1_000; 2_880];
    assert_eq!(playhead.place(0, 0, &long), 0);
    assert_eq!(playhead.place(58 * 48, 2_880, &VOICE[..480]), 2_880);
    assert_eq!(playhead.place(71 * 48, 3_360, &VOICE[..480]), 3_360);
    assert_eq!(playhead.place(80 * 48, 3_840, &long), 3_840);
}

#[test]
fn a_lane_mixes_fills_and_clips() {
    let mut lane = Lane::default();
    lane.add(2, &[10, 20]);
    lane.add(3, &[30_000, 30_000]);
    lane.add(4, &[30_000]);
    assert_eq!(lane.end(), 5);
    let taken: Vec<i16> = (0..6).map(|_| lane.next_sample()).collect();
    assert_eq!(taken, [0, 0, 10, 30_020, i16::MAX, 0]);
    // What is past stays past.
    lane.add(4, &[1, 2, 3]);
    assert_eq!((lane.next_sample(), lane.next_sample()), (3, 0));
    lane.add(0, &[1, 2, 3]);
    assert_eq!((lane.next_sample(), lane.end()), (0, 9));
}
