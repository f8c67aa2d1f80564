//! What the tests share: seeded chance, runs through the library, runs of the binary, a
//! real broker, the service as processes, and an auditor of what it put out.

pub(crate) mod binary;
pub(crate) mod checker;
pub(crate) mod dice;
pub(crate) mod kafka;
pub(crate) mod names;
pub(crate) mod partition;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod run;
pub(crate) mod s3;
pub(crate) mod scrape;
pub(crate) mod service;
pub(crate) mod slow_disk;
pub(crate) mod web;
