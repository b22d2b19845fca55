//! Signatures for `jsonwebtoken`, by `ring`, which is in the tree already for TLS. Only public keys: nothing is signed here,
//! and nothing is verified with a shared secret.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{self as ours, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// The algorithms that are accepted, all of them with a public key.
pub const ACCEPTED: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(), // for keys as JWK out of PEM, which nobody here makes
};

/// Makes it the process's. Whoever calls it again finds that it is.
pub fn install() {
    let _ = PROVIDER.install_default();
}

/// One algorithm with one public key.
struct WithKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if !ACCEPTED.contains(algorithm) || algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(WithKey { algorithm: *algorithm, key: key.clone() }))
}

impl JwtVerifier for WithKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for WithKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match (self.key.kind(), rsa(self.algorithm), other(self.algorithm)) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, Some(parameters), _) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (DecodingKeyKind::SecretOrDer(key), _, Some(algorithm)) => {
                UnparsedPublicKey::new(algorithm, key).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

/// Keys of 2,048 to 8,192 bits.
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &ours::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &ours::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &ours::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &ours::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &ours::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &ours::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn other(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::ES256 => &ours::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ours::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &ours::ED25519,
        _ => return None,
    })
}
