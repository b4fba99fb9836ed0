//! SHA-256, for the passwords of ACL users. It is not meant to protect secrets.
//!
//! Source: FIPS 180-4.

/// Returns the fractional bits of a root of the first primes, 32 bits of each.
const fn primes() -> [u64; 64] {
    let mut primes = [0; 64];
    let (mut found, mut candidate) = (0, 2);
    while found < 64 {
        let mut divisor = 2;
        while divisor * divisor <= candidate && candidate % divisor != 0 {
            divisor += 1;
        }
        if divisor * divisor > candidate {
            primes[found] = candidate;
            found += 1;
        }
        candidate += 1;
    }
    primes
}

/// Returns the greatest number whose `power`-th power, in fixed point with 32 bits after the
/// point, is at most `n`; without its integer part.
const fn root(n: u64, power: u32) -> u32 {
    // The root of a prime below 312 is below 32, so that its third power fits into 128 bits.
    let (mut low, mut high) = (0_u128, 32_u128 << 32);
    while high - low > 1 {
        let middle = (low + high) / 2;
        let value = middle.pow(power);
        if value <= (n as u128) << (32 * power) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low & 0xffff_ffff) as u32
}

/// The fractional bits of the cube roots of the first 64 primes.
const ROUNDS: [u32; 64] = {
    let (primes, mut rounds, mut i) = (primes(), [0; 64], 0);
    while i < 64 {
        rounds[i] = root(primes[i], 3);
        i += 1;
    }
    rounds
};

/// The fractional bits of the square roots of the first 8 primes.
const START: [u32; 8] = {
    let (primes, mut start, mut i) = (primes(), [0; 8], 0);
    while i < 8 {
        start[i] = root(primes[i], 2);
        i += 1;
    }
    start
};

/// Returns the digest of some bytes, as 64 hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let mut state = START;
    let blocks = bytes.chunks_exact(64);
    // The last block has the remaining bytes, a set bit, zeros, and the length in bits.
    let mut end = blocks.remainder().to_vec();
    end.push(0x80);
    end.resize((end.len() + 8).next_multiple_of(64) - 8, 0);
    end.extend_from_slice(&(bytes.len() as u64).wrapping_mul(8).to_be_bytes());
    for block in blocks.chain(end.chunks_exact(64)) {
        mix(&mut state, block);
    }
    state.iter().map(|word| format!("{word:08x}")).collect()
}

/// Mixes a block of 64 bytes into the state.
fn mix(state: &mut [u32; 8], block: &[u8]) {
    let mut words = [0_u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    for i in 16..64 {
        let (a, b) = (words[i - 15], words[i - 2]);
        let a = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let b = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        words[i] = words[i - 16].wrapping_add(a).wrapping_add(words[i - 7]).wrapping_add(b);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in words.iter().zip(ROUNDS) {
        let chosen = (e & f) ^ (!e & g);
        let mixed = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let first = h.wrapping_add(mixed).wrapping_add(chosen);
        let first = first.wrapping_add(constant).wrapping_add(*word);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let mixed = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let second = mixed.wrapping_add(majority);
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(second));
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(mixed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        let cases: [(&[u8], &str); 3] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ];
        for (bytes, digest) in cases {
            assert_eq!(sha256_hex(bytes), digest);
        }
        let million = sha256_hex(&[b'a'; 1_000_000]);
        assert_eq!(million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}
