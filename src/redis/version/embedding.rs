//! The rule by which strings are embedded into the object of their key (`embstr`).
//!
//! At first an object embeds a short value. Later versions put key and value into one allocation,
//! so that the length of the key counts too, and the expiry time. A string that does not fit once
//! is `raw` from then on.
//!
//! Source: measured at the real servers, with every length of keys and values.

/// The rule of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Embedding {
    /// Greatest length of a value, or of key and value together.
    pub(crate) most: usize,
    /// The key counts.
    pub(crate) beside_key: bool,
    /// What a long key, an expiry time, and the expiry time of the value that is replaced take of
    /// that.
    pub(crate) long_key: usize,
    pub(crate) expiry: usize,
    pub(crate) former_expiry: usize,
    /// What an expiry time takes beside a long key.
    pub(crate) expiry_of_long_key: usize,
    /// Beside a long key, the last values that fit without an expiry time also fit with a new one,
    /// unless both are read from a file.
    pub(crate) spares_last: bool,
}

/// A key whose length takes more than five bits.
const LONG_KEY: usize = 32;

/// A string and its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) key: usize,
    pub(crate) value: usize,
    pub(crate) expires: bool,
    /// The value that it replaces had an expiry time.
    pub(crate) expired_before: bool,
    /// Both are read from a file.
    pub(crate) loaded: bool,
}

impl Embedding {
    /// Up to 44 bytes, whatever the key.
    pub(crate) const VALUE_ALONE: Embedding = Embedding {
        most: 44,
        beside_key: false,
        long_key: 0,
        expiry: 0,
        former_expiry: 0,
        expiry_of_long_key: 0,
        spares_last: false,
    };
    pub(crate) const REDIS_8_6: Embedding =
        Embedding { most: 41, beside_key: true, ..Embedding::VALUE_ALONE };
    pub(crate) const REDIS_8_2: Embedding =
        Embedding { expiry: 8, spares_last: true, ..Embedding::REDIS_8_6 };
    pub(crate) const VALKEY_8_1: Embedding =
        Embedding { former_expiry: 8, expiry_of_long_key: 2, ..Embedding::REDIS_8_6 };
    pub(crate) const VALKEY_9_1: Embedding =
        Embedding { most: 113, long_key: 2, expiry: 8, former_expiry: 8, ..Embedding::REDIS_8_6 };

    /// Returns whether a key and a value of so many bytes are embedded, whatever their expiry.
    #[inline]
    pub(crate) fn always_embeds(&self, length: usize) -> bool {
        const MOST_TAKEN: usize = 10;
        length + MOST_TAKEN <= self.most
    }

    /// Returns whether a string is embedded beside its key.
    pub(crate) fn embeds(&self, string: Placed) -> bool {
        let Placed { key, value, expires, expired_before, loaded } = string;
        let is_long = key >= LONG_KEY;
        let length = key + value;
        let taken = |applies: bool, bytes: usize| if applies { bytes } else { 0 };
        let expiry = taken(expires, self.expiry)
            .max(taken(expired_before, self.former_expiry))
            .max(taken(expires && is_long, self.expiry_of_long_key));
        let spared = self.spares_last && is_long && !expired_before && !loaded;
        let spared = spared && length + 1 >= self.most;
        let expiry = if spared { 0 } else { expiry };
        length + taken(is_long, self.long_key) + expiry <= self.most
    }
}
