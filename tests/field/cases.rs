//! All calls to the field agent.

use super::{reach, says, sound, who, whose};
use crate::Case;

/// Cases under the names of their functions.
macro_rules! cases {
    ($($of:ident::$case:ident),* $(,)?) => {
        &[$((concat!("field::", stringify!($case)), $of::$case)),*]
    };
}

/// The longest first, as they run beside each other.
pub(crate) const FIELD: &[Case] = cases![
    whose::a_filler_is_no_answer,
    whose::a_filler_is_no_answer_by_its_state,
    whose::a_filler_is_no_answer_by_its_messages,
    whose::a_filler_is_no_answer_in_json_events,
    whose::a_filler_is_no_answer_in_rtvi,
    whose::a_cut_in_is_no_fast_reply,
    whose::a_cut_in_is_no_fast_reply_by_its_state,
    whose::a_cut_in_is_no_fast_reply_by_ear,
    whose::a_second_greeting_is_no_reply,
    whose::a_second_greeting_is_no_reply_by_its_state,
    whose::a_second_greeting_is_no_reply_by_ear,
    who::an_avatar_that_comes_later,
    who::an_avatar_that_is_there_first,
    whose::music_is_no_answer,
    whose::typing_is_no_voice,
    says::a_text_that_is_never_final,
    says::tools_without_names_in_their_results,
    says::the_words_of_a_broken_off_reply_stay_with_it,
    who::a_late_track_is_no_late_dispatch,
    who::a_standard_participant_joins_when_it_does,
    who::a_track_with_the_first_word,
    who::joined_is_in_the_room,
    who::the_faster_twin_is_heard,
    who::twins_are_named,
    who::a_successor_is_heard,
    who::a_successor_is_heard_beside_the_first,
    who::a_silent_agent_that_is_there_first,
    who::a_silent_second_track,
    who::a_silent_track_before_the_voice,
    who::music_on_a_track_of_its_own,
    who::background_audio_is_ambience,
    who::a_track_for_each_speech,
    who::stereo,
    sound::noise_at_55,
    sound::noise_at_45,
    sound::noise_at_32,
    sound::music_at_38,
    sound::typing_at_40,
    sound::a_click_is_not_the_end_of_speech,
    says::an_impossible_latency_is_doubted,
    says::stages_in_json_events,
    says::stages_in_rtvi,
    says::tools_in_json_events,
    says::tools_and_words_of_an_agent_that_tells_neither,
    says::segments_are_joined,
    whose::a_short_gap_is_within_one_speech,
    whose::a_barge_in_on_silence_is_a_miss,
    whose::a_mute_agent_never_passes,
    reach::three_hundred_kib_of_metadata,
    reach::a_caller_with_a_name,
    reach::push_to_talk,
    reach::a_product_that_starts_the_call,
    reach::a_room_with_a_prefix,
    whose::a_plain_agent,
    whose::a_plain_agent_by_ear,
];
