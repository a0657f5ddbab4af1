//! RTP and RTCP of a connection, with their encryption: what str0m would do for audio, in a fraction of the steps.
//!
//! str0m negotiates the m-lines, finds the path and agrees the keys ([`detached`]); it is given no packet of audio and no
//! report, and what it would send of these itself is not sent. So all packets of a stream go through one context here,
//! which never uses a number twice.
//!
//! Supported are Opus packets each way, sender and receiver reports with the round trip and loss they carry (RFC 3550), the
//! audio level and the m-line as header extensions (RFC 6464, RFC 9143), and sending packets again that are asked for (RFC
//! 4585). None is asked for: whoever measures when a packet came has no use for one that comes a round trip later.

mod detached;
mod header;
mod incoming;
mod order;
mod outgoing;
mod reports;
mod srtp;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use str0m::crypto::CryptoProvider;

pub(crate) use self::{detached::build, outgoing::ReceiverSaid, reports::SenderSaid};
use self::{
    detached::{KeySlot, Keys, provider},
    header::Parsed,
    incoming::Incoming,
    outgoing::Outgoing,
    srtp::{Opening, Sealing},
};
use crate::{
    media::{IncomingPacket, OutgoingPacket},
    types::{random_uuid, sdp::ExtensionIds},
};

/// Received streams that are remembered.
const STREAMS_MAX: usize = 1024;
/// Between reports (RFC 3550, 6.2), and before the first one.
const REPORT_EVERY: Duration = Duration::from_secs(5);
const FIRST_REPORT: Duration = Duration::from_secs(1);

/// What was agreed about an m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) mid: String,
    /// Of Opus.
    pub(crate) payload_type: u8,
    pub(crate) extensions: ExtensionIds,
    /// What this side sends as, if it does.
    pub(crate) ssrc: Option<u32>,
    /// What the other side said it would send as.
    pub(crate) remote_ssrcs: Vec<u32>,
}

/// The streams of one connection. m-lines are named by numbers of the caller's choice, which stay small.
pub(crate) struct Session {
    slot: KeySlot,
    crypto: Arc<CryptoProvider>,
    contexts: Option<(Sealing, Opening)>,
    lines: Vec<Option<(Line, Outgoing)>>,
    incoming: HashMap<u32, Incoming>,
    /// Names the sender of all streams (RFC 7022).
    cname: String,
    /// What reports are sent as where nothing else is.
    own: u32,
    report_at: Option<Instant>,
    /// Datagrams that were asked for again.
    again: Vec<Bytes>,
}

/// What came of a datagram.
pub(crate) struct Opened {
    pub(crate) line: usize,
    pub(crate) packet: IncomingPacket,
}

impl Session {
    pub(crate) fn new(slot: KeySlot) -> Self {
        Self {
            slot,
            crypto: provider(),
            contexts: None,
            lines: Vec::new(),
            incoming: HashMap::new(),
            cname: random_uuid(),
            own: uuid::Uuid::new_v4().as_fields().0,
            report_at: None,
            again: Vec::new(),
        }
    }

    /// The handshake is over.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.contexts.is_some() {
            return;
        }
        self.contexts = self.slot.get().and_then(|keys| srtp::contexts(&self.crypto, keys));
        if self.contexts.is_none() {
            log::error!("the handshake agreed no keys for audio");
        }
        // Connections that begin together do not all report together.
        let phase = Duration::from_millis(u64::from(self.own % 1_000));
        self.report_at = Some(now + FIRST_REPORT + phase);
    }

    /// An m-line was negotiated, perhaps once more.
    pub(crate) fn agree(&mut self, number: usize, line: Line) {
        if self.lines.len() <= number {
            self.lines.resize_with(number + 1, || None);
        }
        // Where a stream belongs may have changed.
        self.incoming.values_mut().for_each(Incoming::unplace);
        let Some(place) = self.lines.get_mut(number) else { return };
        match place {
            // A stream that pauses keeps its name.
            Some((known, _)) if line.ssrc.is_none() || line.ssrc == known.ssrc => {
                *known = Line { ssrc: known.ssrc, ..line };
            }
            Some(_) | None => *place = Some((line, Outgoing::default())),
        }
    }

    /// The datagram of a packet; `None` before the handshake, and on an m-line that was not negotiated.
    pub(crate) fn seal(&mut self, number: usize, packet: &OutgoingPacket) -> Option<Bytes> {
        let (sealing, _) = self.contexts.as_mut()?;
        let (line, outgoing) = self.lines.get_mut(number)?.as_mut()?;
        outgoing.seal(sealing, line, packet)
    }

    /// Takes a datagram that is RTP. Anything may come from a network: what is not for this side is ignored.
    pub(crate) fn open(&mut self, datagram: &[u8], arrival: Instant) -> Option<Opened> {
        let (_, opening) = self.contexts.as_mut()?;
        let parsed = Parsed::read(datagram)?;
        let known = self.incoming.get_mut(&parsed.ssrc);
        let place = known.as_ref().and_then(|stream| stream.line());
        let line = place.or_else(|| line_of(&self.lines, &parsed))?;
        let (agreed, _) = self.lines.get(line)?.as_ref()?;
        if agreed.payload_type != parsed.payload_type {
            return None;
        }
        let packet = if let Some(stream) = known {
            stream.open(opening, &parsed, datagram, arrival, line)?
        } else {
            // A forgery makes no stream.
            let mut stream = Incoming::default();
            let packet = stream.open(opening, &parsed, datagram, arrival, line)?;
            if self.incoming.len() >= STREAMS_MAX {
                return None;
            }
            self.incoming.insert(parsed.ssrc, stream);
            packet
        };
        Some(Opened { line, packet })
    }

    /// Takes a datagram that is RTCP. The answer is whether the other side sent it.
    pub(crate) fn open_report(&mut self, datagram: &[u8], arrival: Instant) -> bool {
        let Some((_, opening)) = &mut self.contexts else { return false };
        let Some(compound) = opening.rtcp(datagram) else { return false };
        for said in reports::read(compound) {
            match said {
                reports::Said::Sender { ssrc, said } => {
                    if let Some(stream) = self.incoming.get_mut(&ssrc) {
                        stream.sender_said(said, arrival);
                    }
                }
                reports::Said::Receiver { ssrc, block } => {
                    if let Some(outgoing) = outgoing_of(&mut self.lines, ssrc) {
                        outgoing.receiver_said(block, arrival);
                    }
                }
                reports::Said::Missing { ssrc, seqs } => {
                    if let Some(outgoing) = outgoing_of(&mut self.lines, ssrc) {
                        self.again.extend(outgoing.again(&seqs));
                    }
                }
            }
        }
        true
    }

    /// A datagram that is to be sent at once, because it was asked for again.
    pub(crate) fn poll_again(&mut self) -> Option<Bytes> {
        self.again.pop()
    }

    /// When the next report is due.
    pub(crate) fn report_at(&self) -> Option<Instant> {
        self.report_at
    }

    /// The reports that are due at `now`, as datagrams.
    pub(crate) fn report(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.report_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.report_at = Some(now + REPORT_EVERY);
        let Some((sealing, _)) = &mut self.contexts else { return Vec::new() };
        let lines = self.lines.iter_mut().flatten();
        let senders: Vec<_> =
            lines.filter_map(|(line, outgoing)| outgoing.report(line.ssrc?, now)).collect();
        let blocks: Vec<_> = self
            .incoming
            .iter_mut()
            .filter_map(|(ssrc, stream)| stream.report(*ssrc, now))
            .collect();
        let compounds = reports::compounds(self.own, &self.cname, &senders, &blocks);
        compounds.iter().filter_map(|plain| sealing.rtcp(plain)).collect()
    }

    /// Says that the streams of this side are over, if there were any.
    pub(crate) fn goodbye(&mut self) -> Option<Vec<u8>> {
        self.report_at = None;
        let (sealing, _) = self.contexts.as_mut()?;
        let lines = self.lines.iter().flatten().filter(|(_, outgoing)| outgoing.has_sent());
        let ssrcs: Vec<u32> = lines.filter_map(|(line, _)| line.ssrc).collect();
        sealing.rtcp(&reports::goodbye(&ssrcs, &self.cname)?)
    }

    /// What the other side says of what it receives on an m-line.
    pub(crate) fn receiver_said(&self, number: usize) -> Option<&ReceiverSaid> {
        self.outgoing(number)?.receiver()
    }

    /// Packets of an m-line that the other side asked for again.
    pub(crate) fn asked_again(&self, number: usize) -> u32 {
        self.outgoing(number).map_or(0, Outgoing::asked_again)
    }

    /// What the other side says it sent as `ssrc`.
    pub(crate) fn sender_said(&self, ssrc: u32) -> Option<SenderSaid> {
        self.incoming.get(&ssrc)?.sender()
    }

    fn outgoing(&self, number: usize) -> Option<&Outgoing> {
        self.lines.get(number)?.as_ref().map(|(_, outgoing)| outgoing)
    }
}

/// The m-line a stream belongs to: as its SSRC was announced, else as it says itself, else the only one there is of its
/// payload type (RFC 8843, 9.2).
fn line_of(lines: &[Option<(Line, Outgoing)>], parsed: &Parsed<'_>) -> Option<usize> {
    let agreed =
        || lines.iter().enumerate().filter_map(|(number, line)| Some((number, &line.as_ref()?.0)));
    let announced = agreed().find(|(_, line)| line.remote_ssrcs.contains(&parsed.ssrc));
    let says_itself = |line: &Line| {
        let id = line.extensions.mid?;
        Some(parsed.extension(id)? == line.mid.as_bytes())
    };
    let found = announced.or_else(|| agreed().find(|(_, line)| says_itself(line) == Some(true)));
    if let Some((number, _)) = found {
        return Some(number);
    }
    let mut fitting = agreed().filter(|(_, line)| line.payload_type == parsed.payload_type);
    let (number, _) = fitting.next()?;
    fitting.next().is_none().then_some(number)
}

fn outgoing_of(lines: &mut [Option<(Line, Outgoing)>], ssrc: u32) -> Option<&mut Outgoing> {
    let (_, outgoing) = lines.iter_mut().flatten().find(|(line, _)| line.ssrc == Some(ssrc))?;
    Some(outgoing)
}

#[cfg(test)]
mod tests;
