//! End-to-end encryption, which this engine does not have.
//!
//! Nothing may leave in clear text when the application asked for encryption. So keys are not accepted, data is
//! refused with an error, and enabling a [`FrameCryptor`] takes the track off its sender and reports
//! [`EncryptionState::InternalError`].

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    api::{
        peer_connection_factory::PeerConnectionFactory, rtp_receiver::RtpReceiver,
        rtp_sender::RtpSender,
    },
    types::RtcError,
};

/// Called with the participant and what became of its encryption.
pub type OnStateChange = Box<dyn FnMut(String, EncryptionState) + Send + Sync>;

/// How a frame key is made from a shared secret.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum KeyDerivationAlgorithm {
    PBKDF2,
    HKDF,
}

/// How keys would be derived and renewed.
#[derive(Debug, Clone)]
pub struct KeyProviderOptions {
    pub shared_key: bool,
    pub ratchet_window_size: i32,
    pub ratchet_salt: Vec<u8>,
    pub failure_tolerance: i32,
    pub key_ring_size: i32,
    pub key_derivation_algorithm: KeyDerivationAlgorithm,
}

/// The cipher of frames and data packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionAlgorithm {
    AesGcm,
    AesCbc,
}

/// What became of the encryption of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionState {
    New,
    Ok,
    EncryptionFailed,
    DecryptionFailed,
    MissingKey,
    KeyRatcheted,
    /// The only state that occurs here.
    InternalError,
}

/// Ciphertext with what its receiver needs to find the key.
#[derive(Debug, Clone)]
pub struct EncryptedPacket {
    pub data: Vec<u8>,
    pub iv: Vec<u8>,
    pub key_index: u32,
}

/// A key store that takes no keys.
#[derive(Clone, Debug)]
pub struct KeyProvider {}

impl KeyProvider {
    pub fn new(_options: KeyProviderOptions) -> Self {
        log::error!("end-to-end encryption is unsupported by this engine: keys are refused");
        Self {}
    }

    /// Refuses the key.
    pub fn set_shared_key(&self, _key_index: i32, _key: Vec<u8>) -> bool {
        false
    }

    pub fn ratchet_shared_key(&self, _key_index: i32) -> Option<Vec<u8>> {
        None
    }

    pub fn get_shared_key(&self, _key_index: i32) -> Option<Vec<u8>> {
        None
    }

    /// Refuses the key.
    pub fn set_key(&self, _participant_id: String, _key_index: i32, _key: Vec<u8>) -> bool {
        false
    }

    pub fn ratchet_key(&self, _participant_id: String, _key_index: i32) -> Option<Vec<u8>> {
        None
    }

    pub fn get_key(&self, _participant_id: String, _key_index: i32) -> Option<Vec<u8>> {
        None
    }

    /// Does nothing: no frame is encrypted, so none needs to be told apart.
    pub fn set_sif_trailer(&self, _trailer: Vec<u8>) {}
}

/// The would-be encryption of one track. See the module on what enabling it does.
#[derive(Clone)]
pub struct FrameCryptor {
    shared: Arc<Shared>,
}

struct Shared {
    participant_id: String,
    sender: Option<RtpSender>,
    wanted: AtomicBool,
}

impl FrameCryptor {
    pub fn new_for_rtp_sender(
        _peer_factory: &PeerConnectionFactory,
        participant_id: String,
        _algorithm: EncryptionAlgorithm,
        _key_provider: KeyProvider,
        sender: RtpSender,
    ) -> Self {
        Self {
            shared: Arc::new(Shared { participant_id, sender: Some(sender), wanted: false.into() }),
        }
    }

    pub fn new_for_rtp_receiver(
        _peer_factory: &PeerConnectionFactory,
        participant_id: String,
        _algorithm: EncryptionAlgorithm,
        _key_provider: KeyProvider,
        _receiver: RtpReceiver,
    ) -> Self {
        Self { shared: Arc::new(Shared { participant_id, sender: None, wanted: false.into() }) }
    }

    /// Enabling stops the track from being sent, because it would go out in clear text.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.wanted.store(enabled, Ordering::Release);
        let Some(sender) = self.shared.sender.as_ref().filter(|_| enabled) else { return };
        let participant = &self.shared.participant_id;
        match sender.set_track(None) {
            Ok(()) => log::error!(
                "a track of {participant} is not sent: it cannot be encrypted by this engine"
            ),
            Err(error) => {
                log::error!("a track of {participant} cannot be encrypted nor stopped: {error}");
            }
        }
    }

    /// Always `false`: nothing is encrypted.
    pub fn enabled(&self) -> bool {
        false
    }

    pub fn participant_id(&self) -> String {
        self.shared.participant_id.clone()
    }

    /// Calls the handler at once with [`EncryptionState::InternalError`] if encryption was asked for.
    pub fn on_state_change(&self, handler: Option<OnStateChange>) {
        if let Some(mut handler) = handler.filter(|_| self.shared.wanted.load(Ordering::Acquire)) {
            handler(self.participant_id(), EncryptionState::InternalError);
        }
    }

    /// Does nothing: there are no packet trailers either.
    pub fn set_packet_trailer_handler(
        &self,
        _handler: &super::packet_trailer::PacketTrailerHandler,
    ) {
    }
}

impl fmt::Debug for FrameCryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameCryptor")
            .field("participant_id", &self.shared.participant_id)
            .field("enabled", &false)
            .finish_non_exhaustive()
    }
}

/// The would-be encryption of data packets: every call is an error.
#[derive(Clone, Debug)]
pub struct DataPacketCryptor {}

impl DataPacketCryptor {
    pub fn new(_algorithm: EncryptionAlgorithm, _key_provider: KeyProvider) -> Self {
        Self {}
    }

    /// Fails with an "unsupported" error, so that the data is not sent in clear text.
    pub fn encrypt(
        &self,
        _participant_id: &str,
        _key_index: u32,
        _data: &[u8],
    ) -> Result<EncryptedPacket, Box<dyn Error>> {
        Err(RtcError::unsupported("end-to-end encryption of data").into())
    }

    /// Fails with an "unsupported" error.
    pub fn decrypt(
        &self,
        _participant_id: &str,
        _packet: &EncryptedPacket,
    ) -> Result<Vec<u8>, Box<dyn Error>> {
        Err(RtcError::unsupported("end-to-end encryption of data").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> KeyProvider {
        KeyProvider::new(KeyProviderOptions {
            shared_key: true,
            ratchet_window_size: 16,
            ratchet_salt: b"salt".to_vec(),
            failure_tolerance: -1,
            key_ring_size: 16,
            key_derivation_algorithm: KeyDerivationAlgorithm::HKDF,
        })
    }

    #[test]
    fn keys_are_refused() {
        assert!(!keys().set_shared_key(0, vec![1; 16]));
        assert_eq!(keys().get_shared_key(0), None);
    }

    #[test]
    fn data_is_refused_rather_than_sent_in_clear() {
        let cryptor = DataPacketCryptor::new(EncryptionAlgorithm::AesGcm, keys());
        let error = cryptor.encrypt("caller", 0, b"secret").expect_err("there is no encryption");
        assert!(error.to_string().contains("unsupported"), "{error}");
    }

    #[test]
    fn asking_for_encryption_is_answered_with_a_failure() {
        let shared = Shared { participant_id: "caller".into(), sender: None, wanted: false.into() };
        let cryptor = FrameCryptor { shared: Arc::new(shared) };
        let (tx, rx) = std::sync::mpsc::channel();
        cryptor.set_enabled(true);
        cryptor.on_state_change(Some(Box::new(move |who, state| {
            tx.send((who, state)).expect("receiver lives");
        })));
        assert_eq!(rx.try_recv(), Ok(("caller".to_owned(), EncryptionState::InternalError)));
        assert!(!cryptor.enabled());
    }
}
