//! The published vectors of RFC 9605 and RFC 9420, as far as they concern what is used here.
//!
//! - `vectors/rfc9605.json`: the working group's vectors for the SFrame header, all of them, and those for
//!   AES-256-GCM with SHA-512, the one suite of frames. That the keys come from the MLS exporter as section 5.2 says is
//!   tested beside the frames, on a group: no vectors are published for it.
//! - `vectors/rfc9420-crypto-basics.json`: from the working group's `crypto-basics.json`, suites 1, 3 and 7. Our suite is
//!   of a draft and has no published vectors; these three have its parts: X25519 and Ed25519 (1, 3),
//!   ChaCha20-Poly1305 (3), HKDF and hash of SHA-384 (7). They run on the provider that MLS runs on here. The labels,
//!   and how they are put together, are written out anew, so that what is checked is the RFC's and not the library's.
//!
//! Not covered: the vectors for key schedule, secret tree, tree operations, transcript hashes, message protection and
//! passive clients. The library keeps those parts to itself and runs these vectors in its own tests; here they could only
//! be run on a copy of them. ML-KEM-768, X-Wing and ML-DSA-44 have their vectors (NIST's ACVP) in the tests of the crates
//! that bring them. The signatures and HPKE of suite 7 are P-384's, which our suite does not have.

#![allow(clippy::unwrap_used)]

use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    crypto::OpenMlsCrypto,
    types::{Ciphersuite, HashType, HpkeCiphertext, SignatureScheme},
};
use serde_json::Value;
use sframe::{
    CipherSuite,
    frame::{EncryptedFrameView, MediaFrameView, MonotonicCounter},
    header::SframeHeader,
    key::{DecryptionKey, EncryptionKey},
};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rfc9605() -> Value {
    vectors(include_str!("vectors/rfc9605.json"))
}

fn rfc9420() -> Value {
    vectors(include_str!("vectors/rfc9420-crypto-basics.json"))
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn frame_headers_are_those_of_rfc_9605() {
    let all = rfc9605();
    let headers = all["header"].as_array().unwrap();
    assert_eq!(headers.len(), 289);
    for vector in headers {
        let (key, counter) = (vector["kid"].as_u64().unwrap(), vector["ctr"].as_u64().unwrap());
        let encoded = bytes(&vector["encoded"]);
        let header = SframeHeader::new(key, counter);
        let mut written = vec![0; header.len()];
        header.serialize(&mut written).unwrap();
        assert_eq!(written, encoded);
        let read = SframeHeader::deserialize(&encoded).unwrap();
        assert_eq!((read.key_id(), read.counter(), read.len()), (key, counter, encoded.len()));
    }
}

#[test]
fn frames_are_those_of_rfc_9605() {
    let all = rfc9605();
    let vector = &all["sframe"][0];
    let key = vector["kid"].as_u64().unwrap();
    let (base, metadata) = (bytes(&vector["base_key"]), bytes(&vector["metadata"]));
    let (plain, sealed) = (bytes(&vector["pt"]), bytes(&vector["ct"]));

    let mut counter = MonotonicCounter::with_start_value(vector["ctr"].as_u64().unwrap(), u64::MAX);
    let sealing = EncryptionKey::derive_from(CipherSuite::AesGcm256Sha512, key, &base).unwrap();
    let frame = MediaFrameView::try_with_meta_data(&mut counter, &plain, &metadata).unwrap();
    let mut written = Vec::new();
    frame.encrypt_into(&sealing, &mut written).unwrap();
    assert_eq!(written[metadata.len()..], sealed);

    let opening = DecryptionKey::derive_from(CipherSuite::AesGcm256Sha512, key, &base).unwrap();
    let view = EncryptedFrameView::try_with_meta_data(&sealed, &metadata).unwrap();
    let mut opened = Vec::new();
    assert_eq!(view.decrypt_into(&opening, &mut opened).unwrap().payload(), plain);
    let other = EncryptedFrameView::try_with_meta_data(&sealed, b"other").unwrap();
    assert!(other.decrypt_into(&opening, &mut Vec::new()).is_err());
}

/// A byte string with its length before it (RFC 9420 section 2.1.2); those here are short.
fn vector(bytes: &[u8]) -> Vec<u8> {
    let mut all = match u8::try_from(bytes.len()) {
        Ok(short) if short < 64 => vec![short],
        _ => (u16::try_from(bytes.len()).unwrap() | 0x4000).to_be_bytes().to_vec(),
    };
    all.extend_from_slice(bytes);
    all
}

/// A label as MLS writes it, and what goes with it.
fn labelled(label: &Value, content: &[u8]) -> Vec<u8> {
    let label = format!("MLS 1.0 {}", label.as_str().unwrap());
    [vector(label.as_bytes()), vector(content)].concat()
}

/// ExpandWithLabel of RFC 9420 section 8.
fn expand(hash: HashType, secret: &[u8], label: &Value, context: &[u8], length: usize) -> Vec<u8> {
    let info = [u16::try_from(length).unwrap().to_be_bytes().to_vec(), labelled(label, context)].concat();
    RustCrypto::default().hkdf_expand(hash, secret, &info, length).unwrap().as_slice().to_vec()
}

/// What stands in the vectors with its length before it.
fn inner(value: &Value) -> Vec<u8> {
    let all = bytes(value);
    assert_eq!(usize::from(all[0]), all.len() - 1);
    all[1..].to_vec()
}

#[test]
fn derivations_and_references_are_those_of_rfc_9420() {
    for suite in rfc9420().as_array().unwrap() {
        let hash = if suite["cipher_suite"] == 7 { HashType::Sha2_384 } else { HashType::Sha2_256 };
        let length = |vector: &Value| usize::try_from(vector["length"].as_u64().unwrap()).unwrap();
        let case = &suite["expand_with_label"];
        let out = expand(hash, &bytes(&case["secret"]), &case["label"], &bytes(&case["context"]), length(case));
        assert_eq!(out, bytes(&case["out"]));
        let case = &suite["derive_secret"];
        let out = expand(hash, &bytes(&case["secret"]), &case["label"], &[], hash.size());
        assert_eq!(out, bytes(&case["out"]));
        let case = &suite["derive_tree_secret"];
        let generation = u32::try_from(case["generation"].as_u64().unwrap()).unwrap().to_be_bytes();
        let out = expand(hash, &bytes(&case["secret"]), &case["label"], &generation, length(case));
        assert_eq!(out, bytes(&case["out"]));
        let case = &suite["ref_hash"];
        let content = [vector(case["label"].as_str().unwrap().as_bytes()), vector(&bytes(&case["value"]))].concat();
        assert_eq!(RustCrypto::default().hash(hash, &content).unwrap(), bytes(&case["out"]));
    }
}

#[test]
fn signatures_are_those_of_rfc_9420() {
    let crypto = RustCrypto::default();
    let all = rfc9420();
    for suite in &all.as_array().unwrap()[..2] {
        let case = &suite["sign_with_label"];
        let content = labelled(&case["label"], &bytes(&case["content"]));
        let (public, signature) = (inner(&case["pub"]), bytes(&case["signature"]));
        let verify = |content: &[u8], signature: &[u8]| {
            crypto.verify_signature(SignatureScheme::ED25519, content, &public, signature)
        };
        assert!(verify(&content, &signature).is_ok());
        assert!(verify(&[&content[..], &[0]].concat(), &signature).is_err());
        let signed = crypto.sign(SignatureScheme::ED25519, &content, &inner(&case["priv"])).unwrap();
        assert_eq!(signed, signature, "Ed25519 is deterministic");
        // Media keys are of another library: it takes the same signatures.
        let other = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &public);
        assert!(other.verify(&content, &signature).is_ok());
        assert!(other.verify(&content[1..], &signature).is_err());
    }
}

#[test]
fn public_key_encryption_is_that_of_rfc_9420() {
    let crypto = RustCrypto::default();
    let all = rfc9420();
    let suites = [
        Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
        Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519,
    ];
    for (suite, vectors) in suites.into_iter().zip(all.as_array().unwrap()) {
        let case = &vectors["encrypt_with_label"];
        let info = labelled(&case["label"], &bytes(&case["context"]));
        let sealed = HpkeCiphertext {
            kem_output: bytes(&case["kem_output"]).into(),
            ciphertext: bytes(&case["ciphertext"]).into(),
        };
        let open = |info: &[u8]| crypto.hpke_open(suite.hpke_config(), &sealed, &inner(&case["priv"]), info, &[]);
        assert_eq!(open(&info).unwrap(), bytes(&case["plaintext"]));
        assert!(open(&info[1..]).is_err());
    }
}
