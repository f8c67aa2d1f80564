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
    /// A copy of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() > HERE {
            return Bytes::Away(bytes.into());
        }
        let mut here = [0; HERE];
        here[..bytes.len()].copy_from_slice(bytes);
        Bytes::Here(bytes.len() as u8, here)
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

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

impl std::hash::Hash for Bytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().fmt(f)
    }
}
