//! Apache Kafka as the pipeline's input, output and log.
//!
//! librdkafka does the protocol. What is done here is to use it so that nothing is lost or doubled:
//! an assignment is taken over and given back when the worker says so ([`input`]), outputs and
//! offsets go in one transaction whose end is always found out ([`output`]).

pub mod client;
mod context;
pub mod figures;
pub mod input;
pub mod log;
pub mod output;
mod producer;
mod refusal;
pub mod standing;
pub mod topics;
pub mod writer;

pub use client::{Client, Role};
