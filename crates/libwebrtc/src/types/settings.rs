//! What an application asks for.

use std::fmt::{self, Debug};

use super::{
    rtp_parameters::{Priority, RtpEncodingParameters},
    states::RtpTransceiverDirection,
};

#[derive(Debug, Clone, Default)]
pub struct OfferOptions {
    pub ice_restart: bool,
    /// Makes sure that the offer has an m-line on which audio can be received.
    pub offer_to_receive_audio: bool,
    /// Makes sure that the offer has an m-line on which video can be received.
    pub offer_to_receive_video: bool,
}

/// How a channel is opened.
#[derive(Clone, Debug)]
pub struct DataChannelInit {
    pub ordered: bool,
    /// In milliseconds. Ignored when `max_retransmits` is set.
    pub max_retransmit_time: Option<i32>,
    pub max_retransmits: Option<i32>,
    pub protocol: String,
    /// Both sides create the channel with the same `id`, and nothing about it is said in-band.
    pub negotiated: bool,
    /// The SCTP stream of a negotiated channel, 0 to 65534.
    pub id: i32,
    /// Has no effect.
    pub priority: Option<Priority>,
}

impl Default for DataChannelInit {
    fn default() -> Self {
        Self {
            ordered: true,
            max_retransmit_time: None,
            max_retransmits: None,
            protocol: String::new(),
            negotiated: false,
            id: -1,
            priority: None,
        }
    }
}

/// How a transceiver starts out.
#[derive(Debug, Clone)]
pub struct RtpTransceiverInit {
    pub direction: RtpTransceiverDirection,
    /// The first one becomes the stream half of `a=msid`.
    pub stream_ids: Vec<String>,
    pub send_encodings: Vec<RtpEncodingParameters>,
}

/// A STUN or TURN server. TURN servers are used; STUN servers are not.
#[derive(Clone)]
pub struct IceServer {
    pub urls: Vec<String>,
    pub username: String,
    pub password: String,
}

impl Debug for IceServer {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum ContinualGatheringPolicy {
    GatherOnce,
    /// The same as `GatherOnce`: interfaces are looked at once, when the connection is made.
    GatherContinually,
}

#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum IceTransportsType {
    /// Relayed candidates only: whoever is called does not learn where from. Without a TURN server there are none.
    Relay,
    /// The same as `Relay`, as there are host and relayed candidates only.
    NoHost,
    All,
}

/// Settings of a connection. Start from the default and change fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RtcConfiguration {
    pub ice_servers: Vec<IceServer>,
    pub continual_gathering_policy: ContinualGatheringPolicy,
    pub ice_transport_type: IceTransportsType,
    /// Offers to carry the SCTP handshake inside the descriptions, which saves two round trips. Fixed once the
    /// connection exists.
    pub enable_sctp_snap: bool,
}

impl Default for RtcConfiguration {
    fn default() -> Self {
        Self {
            ice_servers: vec![],
            continual_gathering_policy: ContinualGatheringPolicy::GatherContinually,
            ice_transport_type: IceTransportsType::All,
            enable_sctp_snap: false,
        }
    }
}
