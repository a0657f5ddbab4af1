//! draft
pub mod scenario;
pub mod record;
pub mod turn;
pub mod stats;
pub mod verdict;
pub mod clock;
pub mod plan;
pub mod call;
pub mod dev;
