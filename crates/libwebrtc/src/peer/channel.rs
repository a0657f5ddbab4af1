//! Data channels: what waits to be sent, and the mapping to the engine's ids.

use std::collections::VecDeque;

use str0m::channel::{ChannelConfig, ChannelData, ChannelId, Reliability};

use super::{MESSAGE_MAX, Peer, PeerError, PeerEvent};
use crate::types::{
    messages::DataChannelError, settings::DataChannelInit, states::DataChannelState,
};

/// Bytes one channel takes before it refuses more; the same as the official engine.
pub(crate) const SEND_BUFFER_MAX: usize = 16 << 20;
/// Messages one channel takes before it refuses more.
pub(crate) const SEND_MESSAGES_MAX: usize = 1 << 16;
/// Channels of one connection. The other side can open channels too.
const CHANNELS_MAX: usize = 1024;
/// The highest id SCTP has for a stream.
const STREAM_ID_MAX: i32 = 65_534;
/// Ids given to the anonymous channels that only serve to get an application m-line. Ids chosen by applications are
/// small, and ids chosen by the engine grow from 0.
const PLACEHOLDER_IDS: std::ops::RangeInclusive<u16> = 60_000..=60_999;

/// Names a channel of a connection for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChannelKey(u32);

impl ChannelKey {
    pub(super) fn index(self) -> u32 {
        self.0
    }
}

pub(super) struct Channel {
    pub(super) key: ChannelKey,
    pub(super) label: String,
    pub(super) protocol: String,
    pub(super) state: DataChannelState,
    pub(super) counters: ChannelCounters,
    id: ChannelId,
    negotiated: Option<u16>,
    /// Accepted by `send`, not yet by SCTP.
    queue: VecDeque<(Vec<u8>, bool)>,
    queued: usize,
    /// Bytes accepted by `send` and not yet reported as acknowledged.
    outstanding: usize,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ChannelCounters {
    pub(super) messages_sent: u32,
    pub(super) bytes_sent: u64,
    pub(super) messages_received: u32,
    pub(super) bytes_received: u64,
}

impl Peer {
    /// Declares a channel. It opens when SCTP is up, which takes an offer if none had an application m-line yet.
    pub(crate) fn create_channel(
        &mut self,
        label: &str,
        init: &DataChannelInit,
    ) -> Result<ChannelKey, PeerError> {
        self.check_open()?;
        if self.channels.len() >= CHANNELS_MAX {
            return Err(PeerError::TooMany { what: "data channels", max: CHANNELS_MAX });
        }
        let negotiated = if init.negotiated { Some(self.free_stream_id(init.id)?) } else { None };
        let config = ChannelConfig {
            label: label.into(),
            ordered: init.ordered,
            reliability: reliability(init),
            negotiated,
            protocol: init.protocol.clone(),
        };
        let id = self.rtc.direct_api().create_data_channel(config);
        let key = self.add_channel(id, label.into(), DataChannelState::Connecting);
        if let Some(channel) = self.channels.last_mut() {
            channel.protocol.clone_from(&init.protocol);
            channel.negotiated = negotiated;
        }
        if !self.negotiation.has_application() {
            self.need_negotiation();
        }
        Ok(key)
    }

    /// Queues a message.
    pub(crate) fn send(
        &mut self,
        key: ChannelKey,
        data: &[u8],
        binary: bool,
    ) -> Result<(), DataChannelError> {
        let channel =
            self.channels.iter_mut().find(|c| c.key == key).ok_or(DataChannelError::Send)?;
        let is_open = channel.state == DataChannelState::Open;
        let has_room = channel.outstanding + data.len() <= SEND_BUFFER_MAX
            && channel.queue.len() < SEND_MESSAGES_MAX;
        if !is_open || data.len() > MESSAGE_MAX || !has_room {
            return Err(DataChannelError::Send);
        }
        channel.queue.push_back((data.to_vec(), binary));
        channel.queued += data.len();
        channel.outstanding += data.len();
        channel.counters.messages_sent = channel.counters.messages_sent.saturating_add(1);
        channel.counters.bytes_sent += data.len() as u64;
        self.flush_channels();
        Ok(())
    }

    /// Bytes sent and not yet acknowledged.
    pub(crate) fn buffered_amount(&self, key: ChannelKey) -> u64 {
        self.channels.iter().find(|c| c.key == key).map_or(0, |c| c.outstanding as u64)
    }

    pub(crate) fn stream_id(&mut self, key: ChannelKey) -> Option<u16> {
        let channel = self.channels.iter().find(|c| c.key == key)?;
        channel
            .negotiated
            .or_else(|| self.rtc.direct_api().sctp_stream_id_by_channel_id(channel.id))
    }

    pub(crate) fn close_channel(&mut self, key: ChannelKey) {
        let Some(index) = self.channels.iter().position(|c| c.key == key) else { return };
        let channel = self.channels.remove(index);
        if channel.state == DataChannelState::Open {
            self.rtc.direct_api().close_data_channel(channel.id);
        } else {
            // The engine cannot take back a channel that is still to be opened, so it is closed once it is.
            self.abandoned.push((channel.id, channel.negotiated));
        }
        self.counters.channels_closed += 1;
        self.push(PeerEvent::ChannelState(key, DataChannelState::Closed));
    }

    /// The id for a channel that exists only to get an application m-line into an offer.
    pub(super) fn placeholder_id(&mut self) -> Option<u16> {
        PLACEHOLDER_IDS.into_iter().find(|id| self.is_stream_free(*id))
    }

    pub(super) fn channel_opened(&mut self, id: ChannelId, label: String) {
        if let Some(index) = self.abandoned.iter().position(|(abandoned, _)| *abandoned == id) {
            self.abandoned.swap_remove(index);
            self.rtc.direct_api().close_data_channel(id);
            return;
        }
        if let Some(channel) = self.channels.iter_mut().find(|c| c.id == id) {
            channel.state = DataChannelState::Open;
            let key = channel.key;
            self.counters.channels_opened += 1;
            self.push(PeerEvent::ChannelState(key, DataChannelState::Open));
            return;
        }
        if self.negotiation.is_placeholder(id) {
            return;
        }
        if self.channels.len() >= CHANNELS_MAX {
            log::warn!("refusing a data channel: the other side opened {CHANNELS_MAX} already");
            self.rtc.direct_api().close_data_channel(id);
            return;
        }
        self.counters.channels_opened += 1;
        let key = self.add_channel(id, label.clone(), DataChannelState::Open);
        self.push(PeerEvent::ChannelAdded { key, label });
    }

    pub(super) fn channel_data(&mut self, data: ChannelData) {
        let Some(channel) = self.channels.iter_mut().find(|c| c.id == data.id) else { return };
        channel.counters.messages_received = channel.counters.messages_received.saturating_add(1);
        channel.counters.bytes_received += data.data.len() as u64;
        let key = channel.key;
        self.push(PeerEvent::Message { key, data: data.data, binary: data.binary });
    }

    pub(super) fn channel_closed(&mut self, id: ChannelId) {
        if let Some(index) = self.channels.iter().position(|c| c.id == id) {
            let key = self.channels.remove(index).key;
            self.counters.channels_closed += 1;
            self.push(PeerEvent::ChannelState(key, DataChannelState::Closed));
        }
    }

    /// All channels are over.
    pub(super) fn end_channels(&mut self) {
        for channel in std::mem::take(&mut self.channels) {
            self.counters.channels_closed += 1;
            self.push(PeerEvent::ChannelState(channel.key, DataChannelState::Closed));
        }
        self.abandoned.clear();
    }

    /// Moves waiting messages into SCTP as far as it takes them. Returns whether any moved.
    pub(super) fn flush_channels(&mut self) -> bool {
        let mut moved = false;
        for channel in &mut self.channels {
            while let Some((data, binary)) = channel.queue.front() {
                let Some(mut sctp) = self.rtc.channel(channel.id) else { break };
                match sctp.write(*binary, data) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => log::warn!(
                        "dropping a message on data channel {:?}: {error}",
                        channel.label
                    ),
                }
                channel.queued -= data.len();
                channel.queue.pop_front();
                moved = true;
            }
        }
        moved
    }

    /// Reports what was acknowledged since the last call.
    pub(super) fn report_acknowledged(&mut self) {
        for index in 0..self.channels.len() {
            let channel = &mut self.channels[index];
            if channel.outstanding == 0 {
                continue;
            }
            let in_sctp = self.rtc.channel(channel.id).map_or(0, |mut c| c.buffered_amount());
            // SCTP's figure covers its own messages (opening a channel) too.
            let outstanding = (channel.queued + in_sctp).min(channel.outstanding);
            let acknowledged = channel.outstanding - outstanding;
            channel.outstanding = outstanding;
            if acknowledged > 0 {
                let key = channel.key;
                self.push(PeerEvent::Acknowledged(key, acknowledged as u64));
            }
        }
    }

    fn add_channel(&mut self, id: ChannelId, label: String, state: DataChannelState) -> ChannelKey {
        let key = ChannelKey(self.next_channel);
        self.next_channel = self.next_channel.wrapping_add(1);
        self.channels.push(Channel {
            key,
            label,
            protocol: String::new(),
            state,
            counters: ChannelCounters::default(),
            id,
            negotiated: None,
            queue: VecDeque::new(),
            queued: 0,
            outstanding: 0,
        });
        key
    }

    fn free_stream_id(&mut self, id: i32) -> Result<u16, PeerError> {
        let wanted = u16::try_from(id)
            .ok()
            .filter(|_| id <= STREAM_ID_MAX)
            .ok_or(PeerError::ChannelId(id))?;
        if self.is_stream_free(wanted) { Ok(wanted) } else { Err(PeerError::ChannelId(id)) }
    }

    fn is_stream_free(&mut self, id: u16) -> bool {
        let is_declared = self.channels.iter().any(|c| c.negotiated == Some(id))
            || self.abandoned.iter().any(|(_, negotiated)| *negotiated == Some(id))
            || self.negotiation.uses_stream(id);
        !is_declared && self.rtc.direct_api().channel_id_by_sctp_stream_id(id).is_none()
    }
}

fn reliability(init: &DataChannelInit) -> Reliability {
    let clamp = |value: i32| u16::try_from(value.max(0)).unwrap_or(u16::MAX);
    match (init.max_retransmits, init.max_retransmit_time) {
        (Some(retransmits), _) => Reliability::MaxRetransmits { retransmits: clamp(retransmits) },
        (None, Some(lifetime)) => Reliability::MaxPacketLifetime { lifetime: clamp(lifetime) },
        (None, None) => Reliability::Reliable,
    }
}
