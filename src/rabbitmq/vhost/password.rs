//! Passwords as definitions contain them: only their hashes.
//!
//! A hash is four bytes of salt and the digest of salt and password, together in base64. The empty
//! hash matches no password.
//!
//! Source: <https://www.rabbitmq.com/docs/passwords>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};
use xxhash_rust::xxh3::xxh3_64;

const SALT: usize = 4;

/// The hash function of a password (`hashing_algorithm`). MD5, which servers before 3.6 used, is
/// not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

    const fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "rabbit_password_hashing_sha256",
            Algorithm::Sha512 => "rabbit_password_hashing_sha512",
        }
    }

    fn digest(self, salt: &[u8], password: &str) -> Vec<u8> {
        let salted = [salt, password.as_bytes()].concat();
        match self {
            Algorithm::Sha256 => Sha256::digest(salted).to_vec(),
            Algorithm::Sha512 => Sha512::digest(salted).to_vec(),
        }
    }
}

/// The hash of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordHash {
    algorithm: Algorithm,
    salted: Vec<u8>,
}

impl PasswordHash {
    /// Parses a hash from a file.
    ///
    /// # Errors
    ///
    /// The reason why the hash is invalid.
    pub(crate) fn parse(hash: &str, algorithm: Option<&str>) -> Result<PasswordHash, String> {
        let known = |name: &str| Algorithm::ALL.into_iter().find(|known| known.name() == name);
        let algorithm = match algorithm {
            None => Algorithm::Sha256,
            Some(name) => known(name).ok_or_else(|| {
                format!("hashing_algorithm {name:?} is not modelled: only SHA-256 and SHA-512 are")
            })?,
        };
        let salted = STANDARD.decode(hash).map_err(|_| "password_hash is not base64".to_owned())?;
        Ok(PasswordHash { algorithm, salted })
    }

    /// The hash that matches no password.
    pub(crate) fn none() -> PasswordHash {
        PasswordHash { algorithm: Algorithm::Sha256, salted: Vec::new() }
    }

    /// The hash of a user's password. Its salt is derived from the user's name, where a server
    /// would draw it, so that the same broker always exports the same file.
    pub(crate) fn of(user: &str, password: &str) -> PasswordHash {
        let algorithm = Algorithm::Sha256;
        let [salt @ .., _, _, _, _] = xxh3_64(user.as_bytes()).to_le_bytes();
        let salted = [&salt[..], &algorithm.digest(&salt, password)].concat();
        PasswordHash { algorithm, salted }
    }

    /// Returns whether this is the hash of this password.
    pub(crate) fn matches(&self, password: &str) -> bool {
        match self.salted.split_at_checked(SALT) {
            Some((salt, digest)) => self.algorithm.digest(salt, password) == digest,
            None => false,
        }
    }

    /// Returns the hash as a file contains it, and the name of its algorithm.
    pub(crate) fn written(&self) -> (String, String) {
        (STANDARD.encode(&self.salted), self.algorithm.name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_servers_hash_matches_its_password() {
        // The example in RabbitMQ's documentation.
        let hash = PasswordHash::parse("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", None);
        assert!(hash.unwrap().matches("test12"));
        let hash = PasswordHash::of("a", "b");
        assert!(hash.matches("b") && !hash.matches("c"));
        let (written, algorithm) = hash.written();
        assert_eq!(PasswordHash::parse(&written, Some(&algorithm)), Ok(hash));
    }

    #[test]
    fn an_empty_hash_matches_nothing() {
        for hash in [PasswordHash::none(), PasswordHash::parse("", None).unwrap()] {
            assert!(!hash.matches("") && !hash.matches("a"));
        }
        assert!(PasswordHash::parse("*", None).is_err());
        assert!(PasswordHash::parse("", Some("rabbit_password_hashing_md5")).is_err());
    }
}
