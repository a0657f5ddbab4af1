//! The vectors of the standards, and both ends against each other.

use proptest::prelude::*;

use super::*;
use crate::rtp::detached;

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AES128_CM_SHA1_80, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AEAD_AES_256_GCM];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Client and server after a handshake.
fn ends(profile: SrtpProfile) -> [(Sealing, Opening); 2] {
    let (key, salt) = shape(profile).unwrap();
    let material: Vec<u8> = (0..2 * (key + salt)).map(|n| u8::try_from(n).unwrap()).collect();
    [true, false].map(|is_client| {
        let keys = Keys { profile, is_client, material: material.clone() };
        contexts(&detached::provider(), &keys).unwrap()
    })
}

#[test]
fn keys_are_derived_as_in_appendix_b_3_of_rfc_3711() {
    let crypto = detached::provider();
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let master = Master { crypto: &crypto, key: &key, salt: &salt };
    assert_eq!(master.derived::<16>(0).to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(master.derived::<14>(2).to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
    let signing = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4";
    assert_eq!(master.derived::<20>(1).to_vec(), hex(signing));
}

#[test]
fn the_key_stream_is_that_of_appendix_b_2_of_rfc_3711() {
    let crypto = detached::provider();
    let key = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
    let mut cipher = Cipher::Counter {
        cipher: crypto.srtp_provider.aes_128_cm_sha1_80().create_cipher(key, true),
        salt: hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap(),
        signing: Signing { crypto: Arc::clone(&crypto), key: [0; 20] },
    };
    let mut stream = [0; 48];
    cipher.encrypt(Nonce { ssrc: 0, number: 0 }, &[], &[0; 48], &mut stream).unwrap();
    let expected = hex(
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
    );
    assert_eq!(stream.to_vec(), expected);
}

/// The session keys of RFC 7714's examples, which do not begin at a master key.
fn of_rfc_7714(profile: SrtpProfile) -> Ciphers {
    let crypto = detached::provider();
    let salt = hex("517569642070726f2071756f").try_into().unwrap();
    let key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let cipher = || {
        if profile == SrtpProfile::AEAD_AES_128_GCM {
            let key = key[..16].try_into().unwrap();
            let cipher = crypto.srtp_provider.aead_aes_128_gcm().create_cipher(key, true);
            Cipher::Gcm128 { cipher, salt }
        } else {
            let key = key[..].try_into().unwrap();
            let cipher = crypto.srtp_provider.aead_aes_256_gcm().create_cipher(key, true);
            Cipher::Gcm256 { cipher, salt }
        }
    };
    Ciphers { rtp: cipher(), rtcp: cipher() }
}

fn opening(ciphers: Ciphers) -> Opening {
    Opening { ciphers, rtcp_window: Window::default(), plain: Vec::new() }
}

#[test]
fn rtp_is_encrypted_as_in_16_of_rfc_7714() {
    const SSRC: u32 = 0x5501_a0b2;
    let header = hex("8040f17b 8041f8d3 5501a0b2");
    let payload = hex(
        "47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573",
    );
    for (profile, sealed) in [
        (
            SrtpProfile::AEAD_AES_128_GCM,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a \
             51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            SrtpProfile::AEAD_AES_256_GCM,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 \
             76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ] {
        let mut packet = header.clone();
        let mut sealing = Sealing { ciphers: of_rfc_7714(profile), index: 0 };
        sealing.rtp(&mut packet, &payload, SSRC, 0xf17b).unwrap();
        assert_eq!(packet, hex(sealed), "{profile:?}");
        let mut opening = opening(of_rfc_7714(profile));
        assert_eq!(opening.rtp(&packet, 12, SSRC, 0xf17b), Some(&payload[..]), "{profile:?}");
    }
}

#[test]
fn rtcp_is_encrypted_as_in_17_of_rfc_7714() {
    let plain = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef \
         deadbeef deadbeef deadbeef",
    );
    for (profile, sealed) in [
        (
            SrtpProfile::AEAD_AES_128_GCM,
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda \
             4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            SrtpProfile::AEAD_AES_256_GCM,
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be \
             8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ] {
        let mut sealing = Sealing { ciphers: of_rfc_7714(profile), index: 0x5d4 };
        let packet = sealing.rtcp(&plain).unwrap();
        assert_eq!(packet, hex(sealed), "{profile:?}");
        assert_eq!(opening(of_rfc_7714(profile)).rtcp(&packet), Some(&plain[..]), "{profile:?}");
    }
}

#[test]
fn a_number_of_rtcp_makes_the_nonce_of_9_1_of_rfc_7714() {
    let salt = hex("517569642070726f2071756f").try_into().unwrap();
    for index in [0, 1, 0xffff, 0x1_0000, 0x7fff_ffff] {
        let nonce = Nonce { ssrc: 0x4d61_7273, number: index.into() };
        assert_eq!(nonce.gcm(salt), AeadAes128Gcm::rtcp_iv(salt, nonce.ssrc, index));
    }
}

#[test]
fn what_one_side_seals_the_other_opens() {
    for profile in PROFILES {
        let [(mut sealing, mut own), (_, mut opening)] = ends(profile);
        for number in [7, 65_535, 65_536, 1 << 33] {
            let header = [0x80; 12];
            let mut packet = header.to_vec();
            sealing.rtp(&mut packet, b"hello", 9, number).unwrap();
            assert_eq!(opening.rtp(&packet, 12, 9, number), Some(&b"hello"[..]), "{profile:?}");
            assert_eq!(opening.rtp(&packet, 12, 9, number + 65_536), None, "another round");
            assert_eq!(own.rtp(&packet, 12, 9, number), None, "its own direction");
        }
        for plain in [&[0x80, 201, 0, 1, 0, 0, 0, 9][..], &[0x81; 40]] {
            let packet = sealing.rtcp(plain).unwrap();
            assert_eq!(opening.rtcp(&packet), Some(plain), "{profile:?}");
            assert_eq!(opening.rtcp(&packet), None, "it came before");
        }
    }
}

#[test]
fn every_bit_counts() {
    for profile in PROFILES {
        let [(mut sealing, _), (_, mut opening)] = ends(profile);
        let mut packet = vec![0x80; 12];
        sealing.rtp(&mut packet, b"hello", 9, 1).unwrap();
        let report = sealing.rtcp(&[0x81; 16]).unwrap();
        for bit in 0..packet.len() * 8 {
            packet[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opening.rtp(&packet, 12, 9, 1), None, "{profile:?} {bit}");
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        for bit in 0..report.len() * 8 {
            let mut forged = report.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opening.rtcp(&forged), None, "{profile:?} {bit}");
        }
        assert!(opening.rtcp(&report).is_some(), "forgeries take no number");
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_panics(packet in prop::collection::vec(any::<u8>(), 0..64), header in 0usize..70) {
        for profile in PROFILES {
            let [(_, mut opening), _] = ends(profile);
            prop_assert_eq!(opening.rtp(&packet, header, 1, 1), None);
            prop_assert_eq!(opening.rtcp(&packet), None);
        }
    }
}
