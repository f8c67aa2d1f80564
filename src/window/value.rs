//! Typed values as bytes: in keys, and where values are counted apart. The text "1", the integer 1
//! and `true` are three values. Not a wire format.

use std::borrow::Borrow;

use crate::event::Scalar;

const ABSENT: u8 = 0;
const TEXT: u8 = 1;
const INT: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;

/// Appends a value. A double is as if absent.
///
/// Returns whether it was there.
pub fn encode(value: Option<Scalar<'_>>, out: &mut Vec<u8>) -> bool {
    match value {
        Some(Scalar::Text(text)) => {
            out.push(TEXT);
            out.extend_from_slice(&(text.len() as u16).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Some(Scalar::Int(integer)) => {
            out.push(INT);
            out.extend_from_slice(&integer.to_le_bytes());
        }
        Some(Scalar::Bool(flag)) => out.push(if flag { TRUE } else { FALSE }),
        Some(Scalar::Double(_)) | None => {
            out.push(ABSENT);
            return false;
        }
    }
    true
}

/// Bytes that stand in place while they are short: most ids are.
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

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().fmt(f)
    }
}
