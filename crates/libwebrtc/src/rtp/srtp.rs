//! Encryption of RTP and RTCP: RFC 3711 and, with AES-GCM, RFC 7714. The ciphers are those of str0m.

use std::sync::Arc;

use str0m::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256Gcm, AeadAes256GcmCipher, Aes128CmSha1_80,
    Aes128CmSha1_80Cipher, CryptoProvider, SrtpProvider, dtls::SrtpProfile,
};

use super::{Keys, order::Window};

/// RFC 3711, 4.3.2, and 3.2.1 for the three of RTCP.
const RTP_LABELS: [u8; 3] = [0, 1, 2];
const RTCP_LABELS: [u8; 3] = [3, 4, 5];
/// In front of what is encrypted of RTCP: the first header and the sender's SSRC.
const RTCP_CLEAR: usize = 8;
/// Behind it: whether it is encrypted, and its number.
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Encrypts what is sent.
pub(super) struct Sealing {
    ciphers: Ciphers,
    /// Of the next RTCP packet.
    index: u32,
}

/// Decrypts what is received.
pub(super) struct Opening {
    ciphers: Ciphers,
    rtcp_window: Window,
    /// What was decrypted last.
    plain: Vec<u8>,
}

/// Of one direction.
struct Ciphers {
    rtp: Cipher,
    rtcp: Cipher,
}

/// Both directions of a connection. `None` for a profile or keys of a shape that RFC 5764 does not have.
pub(super) fn contexts(crypto: &Arc<CryptoProvider>, keys: &Keys) -> Option<(Sealing, Opening)> {
    let (key_length, salt_length) = shape(keys.profile)?;
    let (master, salts) = keys.material.split_at_checked(2 * key_length)?;
    let (client, server) = master.split_at(key_length);
    let (client_salt, server_salt) = salts.split_at_checked(salt_length)?;
    let side = |is_client: bool| {
        let (key, salt) = if is_client { (client, client_salt) } else { (server, server_salt) };
        let salt = salt.get(..salt_length)?;
        let master = Master { crypto, key, salt };
        Some(Ciphers {
            rtp: master.cipher(keys.profile, RTP_LABELS)?,
            rtcp: master.cipher(keys.profile, RTCP_LABELS)?,
        })
    };
    let sealing = Sealing { ciphers: side(keys.is_client)?, index: 0 };
    let ciphers = side(!keys.is_client)?;
    let opening = Opening { ciphers, rtcp_window: Window::default(), plain: Vec::new() };
    Some((sealing, opening))
}

/// Bytes of a master key and of a salt.
fn shape(profile: SrtpProfile) -> Option<(usize, usize)> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => {
            Some((Aes128CmSha1_80::KEY_LEN, Aes128CmSha1_80::SALT_LEN))
        }
        SrtpProfile::AEAD_AES_128_GCM => Some((AeadAes128Gcm::KEY_LEN, AeadAes128Gcm::SALT_LEN)),
        SrtpProfile::AEAD_AES_256_GCM => Some((AeadAes256Gcm::KEY_LEN, AeadAes256Gcm::SALT_LEN)),
        _ => None,
    }
}

impl Sealing {
    /// Appends a payload to its header, encrypted. `number` is the sequence number, counted on beyond 16 bits.
    pub(super) fn rtp(
        &mut self,
        packet: &mut Vec<u8>,
        payload: &[u8],
        ssrc: u32,
        number: u64,
    ) -> Option<()> {
        let header = packet.len();
        packet.resize(header + payload.len() + self.ciphers.rtp.tag(), 0);
        let (aad, rest) = packet.split_at_mut(header);
        self.ciphers.rtp.encrypt(Nonce { ssrc, number }, aad, payload, rest)?;
        self.ciphers.rtp.sign(packet, &roll_over(number));
        Some(())
    }

    /// A compound packet, encrypted.
    pub(super) fn rtcp(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        let (clear, payload) = plain.split_at_checked(RTCP_CLEAR)?;
        let ssrc = u32::from_be_bytes(*clear.last_chunk()?);
        let index = self.index;
        // RFC 3711, 9.2: a key is good for so many packets, which are a thousand years here.
        self.index = self.index.checked_add(1).filter(|index| index & ENCRYPTED == 0)?;
        let word = (ENCRYPTED | index).to_be_bytes();
        let aad = [clear, &word].concat();
        let nonce = Nonce { ssrc, number: index.into() };
        let mut packet = clear.to_vec();
        if self.ciphers.rtcp.is_aead() {
            packet.resize(plain.len() + self.ciphers.rtcp.tag(), 0);
            self.ciphers.rtcp.encrypt(nonce, &aad, payload, &mut packet[RTCP_CLEAR..])?;
            packet.extend_from_slice(&word);
        } else {
            packet.resize(plain.len(), 0);
            self.ciphers.rtcp.encrypt(nonce, &aad, payload, &mut packet[RTCP_CLEAR..])?;
            packet.extend_from_slice(&word);
            packet.resize(packet.len() + self.ciphers.rtcp.tag(), 0);
            self.ciphers.rtcp.sign(&mut packet, &[]);
        }
        Some(packet)
    }
}

impl Opening {
    /// The payload of a packet whose header is so long; `None` for a forgery.
    pub(super) fn rtp(
        &mut self,
        packet: &[u8],
        header: usize,
        ssrc: u32,
        number: u64,
    ) -> Option<&[u8]> {
        self.ciphers.rtp.verify(packet, &roll_over(number))?;
        let length = packet.len().checked_sub(header + self.ciphers.rtp.tag())?;
        let (aad, rest) = packet.split_at_checked(header)?;
        self.plain.resize(length, 0);
        self.ciphers.rtp.decrypt(Nonce { ssrc, number }, aad, rest, &mut self.plain)?;
        Some(&self.plain)
    }

    /// The compound packet in one of SRTCP; `None` for a forgery, and for one that came before.
    pub(super) fn rtcp(&mut self, packet: &[u8]) -> Option<&[u8]> {
        let tag = self.ciphers.rtcp.tag();
        let behind = RTCP_INDEX + tag;
        let length = packet.len().checked_sub(behind).filter(|length| *length >= RTCP_CLEAR)?;
        let word_at = if self.ciphers.rtcp.is_aead() { packet.len() - RTCP_INDEX } else { length };
        let word = *packet.get(word_at..)?.first_chunk::<RTCP_INDEX>()?;
        let index = u32::from_be_bytes(word);
        // Nobody is asked for RTCP in the clear.
        if index & ENCRYPTED == 0 {
            return None;
        }
        let index = index & !ENCRYPTED;
        if !self.rtcp_window.is_new(index.into()) {
            return None;
        }
        self.ciphers.rtcp.verify(packet, &[])?;
        let clear = packet.get(..RTCP_CLEAR)?;
        let ssrc = u32::from_be_bytes(*clear.last_chunk()?);
        let sealed_end = if self.ciphers.rtcp.is_aead() { word_at } else { packet.len() };
        let sealed = packet.get(RTCP_CLEAR..sealed_end)?;
        self.plain.clear();
        self.plain.extend_from_slice(clear);
        self.plain.resize(length, 0);
        let aad = [clear, &word].concat();
        let nonce = Nonce { ssrc, number: index.into() };
        self.ciphers.rtcp.decrypt(nonce, &aad, sealed, &mut self.plain[RTCP_CLEAR..])?;
        self.rtcp_window.record(index.into());
        Some(&self.plain)
    }
}

/// The high bits of a sequence number (RFC 3711, 4.2).
fn roll_over(number: u64) -> [u8; 4] {
    let [_, _, a, b, c, d, _, _] = number.to_be_bytes();
    [a, b, c, d]
}

/// What makes each packet's key stream its own.
#[derive(Debug, Clone, Copy)]
struct Nonce {
    ssrc: u32,
    /// The sequence number counted on, or the number of an RTCP packet.
    number: u64,
}

impl Nonce {
    /// RFC 7714, 8.1. That of RTCP (9.1) is the same, as its numbers have 31 bits.
    fn gcm(self, salt: [u8; 12]) -> [u8; 12] {
        let [_, _, r0, r1, r2, r3, s0, s1] = self.number.to_be_bytes();
        let (roll_over, seq) = (u32::from_be_bytes([r0, r1, r2, r3]), u16::from_be_bytes([s0, s1]));
        AeadAes128Gcm::rtp_iv(salt, self.ssrc, roll_over, seq)
    }
}

enum Cipher {
    Gcm128 { cipher: Box<dyn AeadAes128GcmCipher>, salt: [u8; 12] },
    Gcm256 { cipher: Box<dyn AeadAes256GcmCipher>, salt: [u8; 12] },
    Counter { cipher: Box<dyn Aes128CmSha1_80Cipher>, salt: [u8; 14], signing: Signing },
}

struct Signing {
    crypto: Arc<CryptoProvider>,
    key: [u8; Aes128CmSha1_80::HMAC_KEY_LEN],
}

impl Signing {
    fn tag(&self, signed: &[u8], more: &[u8]) -> [u8; Aes128CmSha1_80::HMAC_TAG_LEN] {
        let [tag @ .., _, _, _, _, _, _, _, _, _, _] =
            self.crypto.sha1_hmac_provider.sha1_hmac(&self.key, &[signed, more]);
        tag
    }
}

impl Cipher {
    fn is_aead(&self) -> bool {
        !matches!(self, Self::Counter { .. })
    }

    /// Bytes of the authentication tag.
    fn tag(&self) -> usize {
        match self {
            Self::Gcm128 { .. } => AeadAes128Gcm::TAG_LEN,
            Self::Gcm256 { .. } => AeadAes256Gcm::TAG_LEN,
            Self::Counter { .. } => Aes128CmSha1_80::HMAC_TAG_LEN,
        }
    }

    /// Where the cipher signs too, `output` has room for the tag.
    fn encrypt(&mut self, nonce: Nonce, aad: &[u8], input: &[u8], output: &mut [u8]) -> Option<()> {
        match self {
            Self::Gcm128 { cipher, salt } => cipher.encrypt(&nonce.gcm(*salt), aad, input, output),
            Self::Gcm256 { cipher, salt } => cipher.encrypt(&nonce.gcm(*salt), aad, input, output),
            Self::Counter { cipher, salt, .. } => {
                let iv = Aes128CmSha1_80::rtp_iv(*salt, nonce.ssrc, nonce.number);
                cipher.encrypt(&iv, input, output)
            }
        }
        .ok()
    }

    /// `input` is what is encrypted and the tag.
    fn decrypt(&mut self, nonce: Nonce, aad: &[u8], input: &[u8], output: &mut [u8]) -> Option<()> {
        match self {
            Self::Gcm128 { cipher, salt } => {
                cipher.decrypt(&nonce.gcm(*salt), &[aad], input, output).ok().map(drop)
            }
            Self::Gcm256 { cipher, salt } => {
                cipher.decrypt(&nonce.gcm(*salt), &[aad], input, output).ok().map(drop)
            }
            Self::Counter { cipher, salt, .. } => {
                let iv = Aes128CmSha1_80::rtp_iv(*salt, nonce.ssrc, nonce.number);
                let input = input.get(..output.len())?;
                cipher.decrypt(&iv, input, output).ok()
            }
        }
    }

    /// Fills in the tag at the end of a packet, where the cipher has not.
    fn sign(&self, packet: &mut [u8], more: &[u8]) {
        if let Self::Counter { signing, .. } = self
            && let Some((signed, tag)) = packet.split_last_chunk_mut()
        {
            *tag = signing.tag(signed, more);
        }
    }

    /// Checks the tag at the end of a packet, where the cipher does not.
    fn verify(&self, packet: &[u8], more: &[u8]) -> Option<()> {
        let Self::Counter { signing, .. } = self else { return Some(()) };
        let (signed, tag) = packet.split_last_chunk::<{ Aes128CmSha1_80::HMAC_TAG_LEN }>()?;
        // All of it is compared however early it differs.
        let differs = signing.tag(signed, more).iter().zip(tag).fold(0, |all, (a, b)| all | a ^ b);
        (differs == 0).then_some(())
    }
}

/// A master key and its salt.
struct Master<'a> {
    crypto: &'a Arc<CryptoProvider>,
    key: &'a [u8],
    salt: &'a [u8],
}

impl Master<'_> {
    /// A cipher with the keys that go by these labels: of encryption, of authentication, and the salt.
    fn cipher(&self, profile: SrtpProfile, labels: [u8; 3]) -> Option<Cipher> {
        let [encryption, authentication, salting] = labels;
        let provider = self.crypto.srtp_provider;
        Some(match profile {
            SrtpProfile::AES128_CM_SHA1_80 => Cipher::Counter {
                cipher: provider.aes_128_cm_sha1_80().create_cipher(self.derived(encryption), true),
                salt: self.derived(salting),
                signing: Signing {
                    crypto: Arc::clone(self.crypto),
                    key: self.derived(authentication),
                },
            },
            SrtpProfile::AEAD_AES_128_GCM => Cipher::Gcm128 {
                cipher: provider.aead_aes_128_gcm().create_cipher(self.derived(encryption), true),
                salt: self.derived(salting),
            },
            SrtpProfile::AEAD_AES_256_GCM => Cipher::Gcm256 {
                cipher: provider.aead_aes_256_gcm().create_cipher(self.derived(encryption), true),
                salt: self.derived(salting),
            },
            _ => return None,
        })
    }

    /// A key derived from the master key: AES in counter mode, from the salt and the label (RFC 3711, 4.3; RFC 7714, 11,
    /// for shorter salts, which are padded with zeros).
    fn derived<const LENGTH: usize>(&self, label: u8) -> [u8; LENGTH] {
        let mut block = [0; 16];
        block.iter_mut().zip(self.salt).for_each(|(to, from)| *to = *from);
        block[7] ^= label;
        let mut key = [0; LENGTH];
        for (round, part) in (0_u16..).zip(key.chunks_mut(16)) {
            let [.., high, low] = &mut block;
            [*high, *low] = round.to_be_bytes();
            let encrypted = ecb(self.crypto.srtp_provider, self.key, &block);
            part.iter_mut().zip(encrypted).for_each(|(to, from)| *to = from);
        }
        key
    }
}

/// One block of AES. The provider may write a second one, of padding.
fn ecb(provider: &dyn SrtpProvider, key: &[u8], block: &[u8; 16]) -> [u8; 32] {
    let mut encrypted = [0; 32];
    if key.len() == AeadAes256Gcm::KEY_LEN {
        provider.srtp_aes_256_ecb_round(key, block, &mut encrypted);
    } else {
        provider.srtp_aes_128_ecb_round(key, block, &mut encrypted);
    }
    encrypted
}

#[cfg(test)]
mod tests;
