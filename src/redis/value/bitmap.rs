//! Bits of a string: what `BITCOUNT`, `BITPOS` and `BITOP` compute, on slices.
//!
//! Bit 0 is the most significant one of the first byte. A string is followed by
//! zeros without end where a bit beyond it is read.
