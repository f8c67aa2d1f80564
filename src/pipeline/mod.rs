//! From records to delivered decisions, killed anywhere without a trace.
//!
//! [`admit`] is the step of one record, the same for every source. [`worker`] decides the partitions
//! that this instance has and says what is to be done in the world: it has no clock, no thread and
//! no network, so that a simulation can drive it through whatever may happen. [`ports`] is what it
//! needs done; [`restore`] makes a partition's state again from a [`snapshot`] and the log.

pub mod admit;
pub mod histogram;
pub mod note;
pub mod partition;
pub mod ports;
pub mod restore;
pub mod snapshot;
pub mod statistics;
pub mod timing;
pub mod transaction;
pub mod worker;
