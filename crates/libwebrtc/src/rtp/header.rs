//! The clear part of RTP packets (RFC 3550, 5.1), with the header extensions that are of use here (RFC 8285).

use crate::types::sdp::ExtensionIds;

/// The fixed part.
const FIXED: usize = 12;
/// Profile of extensions with one-byte headers (RFC 8285, 4.2), and of those with two (4.3).
const ONE_BYTE: u16 = 0xbede;
const TWO_BYTE: u16 = 0x1000;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const MARKER: u8 = 0x80;

/// What is written in front of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) seq: u16,
    pub(super) rtp_time: u32,
    pub(super) ssrc: u32,
    /// The level in -dBov, and whether it is voice.
    pub(super) level: (u8, bool),
    /// Empty where the other side knows the stream.
    pub(super) mid: &'a str,
}

impl Header<'_> {
    /// Appends the header to `packet`.
    pub(super) fn write(&self, ids: ExtensionIds, packet: &mut Vec<u8>) {
        let mid = ids.mid.filter(|_| (1..=16).contains(&self.mid.len()));
        let has_extensions = ids.audio_level.is_some() || mid.is_some();
        packet.push(0x80 | if has_extensions { EXTENSION } else { 0 });
        packet.push(self.payload_type & !MARKER | if self.marker { MARKER } else { 0 });
        packet.extend_from_slice(&self.seq.to_be_bytes());
        packet.extend_from_slice(&self.rtp_time.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        if !has_extensions {
            return;
        }
        packet.extend_from_slice(&ONE_BYTE.to_be_bytes());
        let words_at = packet.len();
        packet.extend_from_slice(&[0, 0]);
        if let Some(id) = ids.audio_level {
            let (level, is_voice) = self.level;
            packet.push(id << 4);
            packet.push(level & 0x7f | if is_voice { 0x80 } else { 0 });
        }
        if let Some((id, length)) = mid.zip(u8::try_from(self.mid.len()).ok()) {
            packet.push(id << 4 | (length - 1));
            packet.extend_from_slice(self.mid.as_bytes());
        }
        while !(packet.len() - words_at - 2).is_multiple_of(4) {
            packet.push(0);
        }
        // At most 2 + 17 bytes and the padding.
        let words = u8::try_from((packet.len() - words_at - 2) / 4).unwrap_or(u8::MAX);
        packet[words_at + 1] = words;
    }
}

/// What was read from a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    pub(super) payload_type: u8,
    pub(super) seq: u16,
    pub(super) rtp_time: u32,
    pub(super) ssrc: u32,
    pub(super) has_padding: bool,
    /// The header extensions, as they are.
    extensions: (u16, &'a [u8]),
    /// Where the payload begins.
    pub(super) length: usize,
}

impl<'a> Parsed<'a> {
    /// The header of a packet; `None` when it is none, or is cut off.
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<FIXED>()?;
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if first >> 6 != 2 {
            return None;
        }
        let sources = usize::from(first & 0x0f) * 4;
        let rest = rest.get(sources..)?;
        let mut length = FIXED + sources;
        let mut extensions = (0, &[][..]);
        if first & EXTENSION != 0 {
            let ([p0, p1, w0, w1], rest) = rest.split_first_chunk::<4>()?;
            let bytes = usize::from(u16::from_be_bytes([*w0, *w1])) * 4;
            extensions = (u16::from_be_bytes([*p0, *p1]), rest.get(..bytes)?);
            length += 4 + bytes;
        }
        Some(Self {
            payload_type: second & !MARKER,
            seq: u16::from_be_bytes([s0, s1]),
            rtp_time: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            has_padding: first & PADDING != 0,
            extensions,
            length,
        })
    }

    /// What is written under an id.
    pub(super) fn extension(&self, wanted: u8) -> Option<&'a [u8]> {
        let (profile, mut rest) = self.extensions;
        let is_one_byte = profile == ONE_BYTE;
        if !is_one_byte && profile & 0xfff0 != TWO_BYTE {
            return None;
        }
        while let Some((first, behind)) = rest.split_first() {
            if *first == 0 {
                rest = behind;
                continue;
            }
            let (id, length, behind) = if is_one_byte {
                (first >> 4, usize::from(first & 0x0f) + 1, behind)
            } else {
                let (length, behind) = behind.split_first()?;
                (*first, usize::from(*length), behind)
            };
            // RFC 8285, 4.2: nothing is read behind an id of 15.
            if is_one_byte && id == 15 {
                return None;
            }
            let (value, behind) = behind.split_at_checked(length)?;
            if id == wanted {
                return Some(value);
            }
            rest = behind;
        }
        None
    }
}

/// A payload without its padding, whose last byte says how long it is (RFC 3550, 5.1).
pub(super) fn without_padding(payload: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*payload.last()?);
    if padding == 0 {
        return None;
    }
    payload.get(..payload.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: ExtensionIds = ExtensionIds { audio_level: Some(1), mid: Some(4) };

    #[test]
    fn what_is_written_is_read() {
        let header = Header {
            payload_type: 111,
            marker: true,
            seq: 0x1234,
            rtp_time: 0x89ab_cdef,
            ssrc: 0xfedc_ba98,
            level: (30, true),
            mid: "abc",
        };
        for (ids, length) in [(IDS, 24), (ExtensionIds::default(), 12)] {
            let mut packet = vec![];
            header.write(ids, &mut packet);
            packet.extend_from_slice(b"sound");
            let read = Parsed::read(&packet).unwrap();
            assert_eq!((read.payload_type, read.seq, read.length), (111, 0x1234, length));
            assert_eq!((read.rtp_time, read.ssrc), (0x89ab_cdef, 0xfedc_ba98));
            assert_eq!(read.extension(1), ids.audio_level.map(|_| &[0x9e][..]));
            assert_eq!(read.extension(4), ids.mid.map(|_| &b"abc"[..]));
            assert_eq!(packet[1] & MARKER, MARKER);
        }
    }

    #[test]
    fn extensions_with_two_byte_headers_are_read_too() {
        let packet = [
            &[0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3][..],
            &[0x10, 0x00, 0, 2, 7, 0, 4, 3],
            b"abc\0",
        ]
        .concat();
        let read = Parsed::read(&packet).unwrap();
        assert_eq!((read.extension(7), read.extension(4)), (Some(&[][..]), Some(&b"abc"[..])));
        assert_eq!(read.length, packet.len());
    }

    #[test]
    fn padding_is_taken_off() {
        assert_eq!(without_padding(&[1, 2, 0, 2]), Some(&[1, 2][..]));
        assert_eq!(without_padding(&[3, 3, 3]), Some(&[][..]));
        for wrong in [&[][..], &[1, 0], &[9, 3]] {
            assert_eq!(without_padding(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics(packet in prop::collection::vec(any::<u8>(), 0..80), id in any::<u8>()) {
            if let Some(read) = Parsed::read(&packet) {
                prop_assert!(read.length <= packet.len());
                read.extension(id);
            }
            without_padding(&packet);
        }
    }
}
