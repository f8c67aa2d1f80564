//! What the tests share: seeded chance, runs through the library, runs of the binary.

pub(crate) mod binary;
pub(crate) mod dice;
pub(crate) mod run;
