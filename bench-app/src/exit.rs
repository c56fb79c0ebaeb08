//! Exit codes of bench-app. A launcher usually passes one of them on as its own.

/// Everything that was asked for was measured.
pub const MEASURED: u8 = 0;
/// The arguments make no workload.
pub const USAGE: u8 = 2;
/// The world has one rank, so there is nobody to measure with.
pub const SINGLETON: u8 = 3;
/// A payload arrived changed.
pub const WRONG_DATA: u8 = 4;
/// An MPI call failed, or nobody reads the frames any more: the world was aborted.
pub const FAILED: u8 = 5;
/// Nobody gives turns at the gate any more: its lease ran out or it was closed. The world was aborted.
pub const EXPIRED: u8 = 6;
