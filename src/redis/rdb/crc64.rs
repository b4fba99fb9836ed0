//! The checksum of RDB: CRC-64 with the polynomial of Jones, reflected, starting from 0.

/// The polynomial 0xad93d23594c935a9, with its bits reversed.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// The checksums of single bytes, and in further rows of bytes with zeros after them.
const TABLE: [[u64; 256]; 8] = table();

const fn table() -> [[u64; 256]; 8] {
    let mut table = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[0][byte] = crc;
        byte += 1;
    }
    let mut row = 1;
    while row < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = table[row - 1][byte];
            table[row][byte] = table[0][(before & 255) as usize] ^ (before >> 8);
            byte += 1;
        }
        row += 1;
    }
    table
}

/// Returns the checksum of bytes.
pub(super) fn crc64(bytes: &[u8]) -> u64 {
    let mut crc = 0u64;
    let (blocks, rest) = bytes.as_chunks::<8>();
    for block in blocks {
        let mixed = (crc ^ u64::from_le_bytes(*block)).to_le_bytes();
        crc = 0;
        for (at, byte) in mixed.into_iter().enumerate() {
            crc ^= TABLE[7 - at][usize::from(byte)];
        }
    }
    for byte in rest {
        crc = TABLE[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_is_the_known_one() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }
}
