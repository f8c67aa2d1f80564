//! Bytes that stand in place while they are short: most ids are.

/// A byte string.
#[derive(Clone)]
pub enum Bytes {
    /// The length and the bytes.
    Here(u8, [u8; HERE]),
    /// Longer ones.
    Away(Box<[u8]>),
}

const HERE: usize = 22;

impl Bytes {
    /// No bytes.
    pub const EMPTY: Bytes = Bytes::Here(0, [0; HERE]);

    /// Becomes a copy of these bytes. Where it stands: a copy made elsewhere would have to be moved
    /// here while it is still being written.
    #[inline]
    pub fn set(&mut self, bytes: &[u8]) {
        if bytes.len() > HERE {
            *self = Bytes::Away(bytes.into());
            return;
        }
        *self = Bytes::Here(bytes.len() as u8, [0; HERE]);
        if let Bytes::Here(_, here) = self {
            here[..bytes.len()].copy_from_slice(bytes);
        }
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Here(length, bytes) => &bytes[..usize::from(*length)],
            Bytes::Away(bytes) => bytes,
        }
    }

    /// The heap that they take, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Bytes::Here(..) => 0,
            Bytes::Away(bytes) => bytes.len(),
        }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::EMPTY
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// Are these the same? Most are ids, of which two words are less than a call.
#[inline]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk()
                && one.last_chunk::<8>() == other.last_chunk()
        }
        _ => one == other,
    }
}
